"""Downloads that go wrong: each ends in the right data or in one clear message, never in wrong data."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from faults.fault_server import (
    FaultServer,
    called_compressed,
    cut,
    cut_without_length,
    longer,
    redirect,
    silent,
    slow,
    status,
    truncated,
    wait_until,
    whole,
    wrong,
)
from l2audit.data import raw as raw_module
from l2audit.data.entries import RemoteFile
from l2audit.data.raw import download, mirrored, require_files
from l2audit.errors import UserError

ROOT = Path(__file__).parents[2]
CONTENT = np.random.Generator(np.random.PCG64(1)).bytes(300_000)


@pytest.fixture(autouse=True)
def near_and_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(raw_module, "PAUSE", 0.01)
    monkeypatch.setattr(raw_module, "TIMEOUTS", (2, 0.5))


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


def remote(url: str, *mirrors: str, content: bytes = CONTENT, size: bool = True) -> RemoteFile:
    return RemoteFile(url, hashlib.sha256(content).hexdigest(), len(content) if size else None, mirrors)


def get(file: RemoteFile, folder: Path) -> bytes:
    folder.mkdir(exist_ok=True)
    return download(file, folder, "some_dataset").read_bytes()


def visible(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if not path.name.startswith(".")]


def partials(folder: Path) -> list[Path]:
    return sorted(folder.glob(".*.part"))


# ------------------------------------------------------------------------------- faults that are got over


@pytest.mark.parametrize(
    ("behaviours", "requests"),
    [
        pytest.param([whole], 1, id="no fault"),
        pytest.param([cut, whole], 2, id="cut in mid-file"),
        pytest.param([cut, cut, whole], 3, id="cut twice"),
        pytest.param([cut_without_length, whole], 2, id="cut, its size never told"),
        pytest.param([status(503), whole], 2, id="503 then 200"),
        pytest.param([status(429), status(500), whole], 3, id="429, 500, then 200"),
        pytest.param([silent, whole], 2, id="no answer, then 200"),
    ],
)
def test_a_fault_that_passes_is_got_over(
    server: FaultServer, tmp_path: Path, behaviours: list[Callable[..., None]], requests: int
) -> None:
    assert get(remote(server.serve("/a.bin", CONTENT, *behaviours)), tmp_path) == CONTENT
    assert len(server.requests) == requests
    assert visible(tmp_path) == ["a.bin"]
    assert partials(tmp_path) == []


def test_a_cut_of_a_file_of_unknown_size_is_noticed_by_its_hash(server: FaultServer, tmp_path: Path) -> None:
    good = server.serve("/b/a.bin", CONTENT)
    file = remote(server.serve("/a.bin", CONTENT, cut_without_length), good, size=False)
    assert get(file, tmp_path) == CONTENT


def test_a_redirect_is_followed(server: FaultServer, tmp_path: Path) -> None:
    server.serve("/elsewhere", CONTENT, cut, whole)
    assert get(remote(server.serve("/a.bin", b"", redirect("/elsewhere"))), tmp_path) == CONTENT


def test_a_compressed_file_is_kept_as_it_was_sent(server: FaultServer, tmp_path: Path) -> None:
    packed = gzip.compress(CONTENT)
    assert get(remote(server.serve("/a.gz", packed, called_compressed), content=packed), tmp_path) == packed


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(status(404), id="404"),
        pytest.param(status(403), id="403"),
        pytest.param(wrong, id="wrong bytes"),
        pytest.param(truncated, id="truncated file"),
        pytest.param(longer, id="too many bytes"),
        pytest.param(redirect("/a.bin"), id="redirect to itself"),
    ],
)
def test_the_next_address_is_tried(server: FaultServer, tmp_path: Path, first: Callable[..., None]) -> None:
    second = server.serve("/mirror/a.bin", CONTENT)
    assert get(remote(server.serve("/a.bin", CONTENT, first), second), tmp_path) == CONTENT
    assert visible(tmp_path) == ["a.bin"]


def test_what_is_there_is_not_fetched_again_and_what_was_altered_is(server: FaultServer, tmp_path: Path) -> None:
    file = remote(server.serve("/a.bin", CONTENT))
    get(file, tmp_path)
    get(file, tmp_path)
    assert len(server.requests) == 1
    (tmp_path / "a.bin").write_bytes(CONTENT[:-1] + b"x")
    assert get(file, tmp_path) == CONTENT
    assert len(server.requests) == 2


# ------------------------------------------------------------------------------- faults that end in a message


@pytest.mark.parametrize(
    ("behaviour", "told", "requests"),
    [
        pytest.param(status(404), "answered 404", 1, id="404"),
        pytest.param(status(503), "answered 503", 4, id="503 for ever"),
        pytest.param(wrong, "sent other bytes", 1, id="wrong bytes"),
        pytest.param(truncated, f"sent {len(CONTENT) // 3} of {len(CONTENT)} bytes", 4, id="truncated"),
        pytest.param(longer, f"sent other bytes ({len(CONTENT) + 6} bytes", 1, id="too many bytes"),
        pytest.param(silent, "no answer in time", 4, id="no answer"),
    ],
)
def test_a_fault_that_stays_is_told(
    server: FaultServer, tmp_path: Path, behaviour: Callable[..., None], told: str, requests: int
) -> None:
    file = remote(server.serve("/a.bin", CONTENT, behaviour))
    with pytest.raises(UserError) as caught:
        get(file, tmp_path)
    message = str(caught.value)
    for part in ("some_dataset", told, file.url, file.sha256, str(tmp_path / "a.bin"), "L2AUDIT_MIRROR"):
        assert part in message
    assert " at 0x" not in message
    assert len(server.requests) == requests
    assert visible(tmp_path) == []


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_progress_bar_names_the_file_on_a_terminal_and_nowhere_else(
    server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind, shown in ((Terminal, True), (io.StringIO, False)):
        screen = kind()
        monkeypatch.setattr(sys, "stderr", screen)
        get(remote(server.serve("/a.bin", CONTENT)), tmp_path / kind.__name__)
        assert ("a.bin: " in screen.getvalue() and "300k" in screen.getvalue()) == shown


def test_no_server_at_all_is_told(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/a.bin"
        with pytest.raises(UserError, match="Connection refused"):
            get(remote(url), tmp_path)


def test_every_address_is_told_with_its_own_reason(server: FaultServer, tmp_path: Path) -> None:
    second = server.serve("/mirror/a.bin", CONTENT, wrong)
    with pytest.raises(UserError) as caught:
        get(remote(server.serve("/a.bin", CONTENT, status(404)), second), tmp_path)
    assert f"{server.base}/a.bin: answered 404" in str(caught.value)
    assert f"{second}: sent other bytes" in str(caught.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system to fill")
def test_a_disk_that_fills(server: FaultServer, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", small], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting a small file system is not allowed here")
    try:
        with pytest.raises(UserError, match="disk is full"):
            get(remote(server.serve("/a.bin", CONTENT)), small)
        assert (visible(small), partials(small)) == ([], [])
    finally:
        subprocess.run(["umount", small], check=True)


def test_a_password_in_an_address_is_used_and_never_told(
    server: FaultServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = remote(server.serve("/a.bin", CONTENT, status(404)).replace("://", "://someone:secret@"))
    with caplog.at_level("INFO"), pytest.raises(UserError, match=f"{server.base}/a.bin: answered 404") as caught:
        get(file, tmp_path)
    with pytest.raises(UserError, match=f"from {server.base}/a.bin") as offline:
        require_files([file], tmp_path)
    assert "secret" not in str(caught.value) + str(offline.value) + caplog.text


@pytest.mark.parametrize("address", ["http:///a.bin", "gopher://h/a.bin"])
def test_an_address_that_is_none_is_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setattr(raw_module.time, "sleep", None)
    with pytest.raises(UserError, match="cannot be downloaded"):
        get(RemoteFile(address, "0" * 64, kept_as="a.bin"), tmp_path)


# ------------------------------------------------------------------------------- kills and company

CHILD = """
import sys
from pathlib import Path
from l2audit.data.entries import RemoteFile
from l2audit.data.raw import download
download(RemoteFile(sys.argv[1], sys.argv[2], int(sys.argv[3])), Path(sys.argv[4]), "some_dataset")
"""


def child(file: RemoteFile, folder: Path) -> subprocess.Popen[bytes]:
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "NO_PROXY": "127.0.0.1"}
    command = [sys.executable, "-c", CHILD, file.url, file.sha256, str(file.bytes), str(folder)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)


def test_a_killed_download_leaves_nothing_that_counts(server: FaultServer, tmp_path: Path) -> None:
    file = remote(server.serve("/a.bin", CONTENT, slow, whole))
    with child(file, tmp_path) as process:
        wait_until(lambda: any(path.stat().st_size >= len(CONTENT) // 4 for path in partials(tmp_path)))
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert visible(tmp_path) == []
    assert get(file, tmp_path) == CONTENT
    assert len(server.requests) == 2


def test_two_workflows_at_once_download_a_file_once(server: FaultServer, tmp_path: Path) -> None:
    file = remote(server.serve("/a.bin", CONTENT, slow, whole))
    with child(file, tmp_path) as other:
        wait_until(lambda: bool(partials(tmp_path)))
        assert get(file, tmp_path) == CONTENT
        assert other.wait() == 0
    assert len(server.requests) == 1


def test_threads_share_the_lock_too(server: FaultServer, tmp_path: Path) -> None:
    file = remote(server.serve("/a.bin", CONTENT, slow, whole))
    got: list[bytes] = []
    threads = [threading.Thread(target=lambda: got.append(get(file, tmp_path))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [CONTENT] * 3
    assert len(server.requests) == 1


# ------------------------------------------------------------------------------- offline and mirrors


def test_offline_names_every_missing_file_and_its_place(server: FaultServer, tmp_path: Path) -> None:
    here, gone = remote(server.serve("/here.bin", CONTENT)), remote(server.serve("/gone.bin", b"gone"), content=b"gone")
    bad = remote(server.serve("/bad.bin", b"good"), content=b"good")
    (tmp_path / "here.bin").write_bytes(CONTENT)
    (tmp_path / "bad.bin").write_bytes(b"evil")
    with pytest.raises(UserError) as caught:
        require_files([here, gone, bad], tmp_path)
    message = str(caught.value)
    for part in (f"{tmp_path}/gone.bin: 4 bytes, SHA-256 {gone.sha256}, from {gone.url}", "bad.bin (there with other"):
        assert part in message
    assert "here.bin" not in message
    assert "2 of 3 files" in message
    (tmp_path / "gone.bin").write_bytes(b"gone")
    (tmp_path / "bad.bin").write_bytes(b"good")
    require_files([here, gone, bad], tmp_path)
    assert server.requests == []


def test_the_mirror_rewrites_every_address(server: FaultServer, tmp_path: Path) -> None:
    server.serve("/base/example.org/data/a.bin", CONTENT)
    file = remote("https://example.com/data/a.bin", "https://example.org/data/a.bin")
    path = download(file, tmp_path, "some_dataset", mirror=f"{server.base}/base/")
    assert path.read_bytes() == CONTENT
    assert server.requests == ["/base/example.com/data/a.bin", "/base/example.org/data/a.bin"]


def test_a_mirror_that_is_no_web_address_is_refused_without_its_password() -> None:
    with pytest.raises(UserError, match="is no web address") as refused:
        mirrored("https://h.org/a", "ftp://me:secret@m.net/x")
    assert "secret" not in str(refused.value) and "m.net" in str(refused.value)


def test_mirrored_keeps_host_path_and_query() -> None:
    assert mirrored("https://h.org/a/b?c=d", "https://m.net/x/") == "https://m.net/x/h.org/a/b?c=d"
    assert mirrored("https://someone:secret@h.org/a", "https://m.net") == "https://m.net/h.org/a"
    assert mirrored("https://h.org/a", None) == "https://h.org/a"
    with pytest.raises(UserError, match="L2AUDIT_MIRROR"):
        mirrored("https://h.org/a", "/mnt/mirror")
