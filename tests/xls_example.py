"""Excel workbooks written by hand, smallest first: neither pandas' readers nor their libraries have a say in them."""

from __future__ import annotations

import io
import math
import struct
import zipfile

import pandas as pd

SECTOR = 512
FREE, END, OWN = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD


def workbook(format_: str, table: pd.DataFrame) -> bytes:
    """`table`, numbers and NaN under a line of names, as the first sheet of an `xlsx` or `xls` workbook."""
    return {"xlsx": _xlsx, "xls": _xls}[format_](table)


def _xlsx(table: pd.DataFrame) -> bytes:
    """ECMA-376: a zip archive of five XML parts, names as inline strings."""
    names = "".join(f'<c t="inlineStr"><is><t>{name}</t></is></c>' for name in table)
    lines = [
        "".join("<c/>" if math.isnan(value) else f"<c><v>{value!r}</v></c>" for value in map(float, row))
        for row in table.itertuples(index=False)
    ]
    rows = "".join(f"<row>{cells}</row>" for cells in (names, *lines))
    office, package = (
        "http://schemas.openxmlformats.org/officeDocument/2006",
        "http://schemas.openxmlformats.org/package",
    )
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    types = "application/vnd.openxmlformats-officedocument.spreadsheetml"

    def relation(kind: str, target: str) -> str:
        link = f'<Relationship Id="r1" Type="{office}/relationships/{kind}" Target="{target}"/>'
        return f'<Relationships xmlns="{package}/2006/relationships">{link}</Relationships>'

    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{types}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{types}.worksheet+xml"/></Types>',
        "_rels/.rels": relation("officeDocument", "xl/workbook.xml"),
        "xl/workbook.xml": f'<workbook {main} xmlns:r="{office}/relationships"><sheets>'
        '<sheet name="s" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": relation("worksheet", "worksheets/sheet1.xml"),
        "xl/worksheets/sheet1.xml": f"<worksheet {main}><sheetData>{rows}</sheetData></worksheet>",
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return out.getvalue()


def _xls(table: pd.DataFrame) -> bytes:
    """[MS-XLS]: the records of one sheet, BIFF8, in a compound file."""

    def record(kind: int, body: bytes = b"") -> bytes:
        return struct.pack("<HH", kind, len(body)) + body

    cells = [
        record(0x0204, struct.pack("<HHHHB", 0, j, 0, len(name), 0) + name.encode()) for j, name in enumerate(table)
    ]
    cells += [
        record(0x0203, struct.pack("<HHHd", i + 1, j, 0, value))
        for i, row in enumerate(table.itertuples(index=False))
        for j, value in enumerate(map(float, row))
        if not math.isnan(value)
    ]
    size = record(0x0200, struct.pack("<IIHHH", 0, len(table) + 1, 0, len(table.columns), 0))
    sheet = record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0010, 0, 0, 0, 0)) + size + b"".join(cells) + record(0x000A)
    opening = record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0005, 0, 0, 0, 0))
    length = len(opening) + 4 + 9 + len(record(0x000A))
    bound = record(0x0085, struct.pack("<IBBBB", length, 0, 0, 1, 0) + b"s")
    return _compound(b"Workbook", opening + bound + record(0x000A) + sheet)


def _compound(name: bytes, stream: bytes) -> bytes:
    """[MS-CFB], version 3: header, allocation table, directory, and one stream of at least 4096 bytes."""
    stream = stream.ljust(max(4096, -(-len(stream) // SECTOR) * SECTOR), b"\0")
    sectors = len(stream) // SECTOR
    assert sectors + 2 <= SECTOR // 4  # one sector of allocation table
    table = [OWN, END, *range(3, sectors + 2), END]
    allocation = struct.pack("<128I", *table, *[FREE] * (128 - len(table)))

    def entry(name: bytes, kind: int, child: int, start: int, size: int) -> bytes:
        text = name.decode().encode("utf-16-le")
        body = text.ljust(64, b"\0") + struct.pack("<HBBIII", len(text) + 2 if text else 0, kind, 1, FREE, FREE, child)
        return body + bytes(16 + 4 + 16) + struct.pack("<IQ", start, size)

    directory = entry(b"Root Entry", 5, 1, END, 0) + entry(name, 2, FREE, 2, len(stream))
    directory += 2 * entry(b"", 0, FREE, 0, 0)
    header = bytes.fromhex("D0CF11E0A1B11AE1") + bytes(16) + struct.pack("<HHHHH6x", 0x3E, 3, 0xFFFE, 9, 6)
    header += struct.pack("<IIIIIIIIII", 0, 1, 1, 0, 4096, END, 0, END, 0, 0) + struct.pack("<108I", *[FREE] * 108)
    return header + allocation + directory + stream
