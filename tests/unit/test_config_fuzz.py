"""Whatever a YAML document holds, the checker answers with `ok` or with one line a fault; never with a traceback."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from l2audit.cli import main
from l2audit.config.faults import ConfigError
from l2audit.config.reader import read
from l2audit.config.schema import schema_faults

REPOSITORY = Path(__file__).parents[2]
KINDS = {"studies/smoke": "study"}
FILES = ("studies/smoke", "datasets", "architectures", "contaminations", "claims", "specifications")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with small tables, one study and claims that fit it: quick to read, and nothing in them is needless."""
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "config" / "studies").mkdir(parents=True)
    for name in FILES:
        put(folder, name, text_of(name))
    return folder


@cache
def whole(name: str) -> Any:
    return yaml.safe_load((REPOSITORY / "config" / f"{name}.yaml").read_text(encoding="utf-8"))


@cache
def text_of(name: str) -> str:
    """The project's file `name`, with a few of the datasets and claims for the sake of speed."""
    data = whole(name)
    if name == "datasets":
        kept = (*whole("studies/smoke")["datasets"], "mnist", "zoo", "satimage", "planted_isotropic_1")
        data = {one: data[one] for one in kept}
    if name == "claims":
        kept = ("a", "d2", "f", "g", "i", "placebo")
        claims = [one for one in data["claims"] if one["id"] in kept]
        here = {"situations": {"label": ["linear", "mlp-32"], "target": ["linear"]}}  # arms that the one study has
        data = {**data, "claims": [one | here if "situations" in one else one for one in claims]}
    if name == "specifications":
        data = {**data, "scaling": [data["scaling"][0], {**data["scaling"][1], "arm": "linear-l1"}]}
    return str(yaml.safe_dump(data, sort_keys=False, allow_unicode=True))


def put(root: Path, name: str, text: str) -> None:
    (root / "config" / f"{name}.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))


def outcome(root: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What `check` says: "" if all is well, else its message, which has one line a fault."""
    capsys.readouterr()
    status = 0
    try:
        main(["--root", str(root), "check"])
    except SystemExit as ended:
        status = ended.code
    told = capsys.readouterr()
    if status == 0:
        assert "error" not in told.err
        return ""
    head, *lines = told.err.splitlines()
    assert re.fullmatch(r"error: the configuration has [0-9]+ faults?; nothing was run", head), told.err
    assert len(lines) == int(re.findall("[0-9]+", head)[0]), told.err
    assert all(re.match(r"  [^ ].*\.yaml[:0-9]*: .+ \(fix: .+\)$", line) for line in lines), told.err
    assert all(len(line) < 1200 for line in lines), max(lines, key=len)
    return told.err


def paths(data: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield at
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield from paths(value, (*at, key))


PLACES = {name: list(paths(yaml.safe_load(text_of(name)))) for name in FILES}
SCALARS = [
    *("2024-05-01", "2024-05-01 10:00:00Z", "2024-13-45", "~", "", "yes", "1:30", "1:30.5", ".inf", "-.Inf", ".nan"),
    *("0", "-1", "3.0", "1e400", "1.0e+400", "1e-13", "1e-400", "9" * 400, "9" * 5000, "0b_", "0x_", "1_000", "-0.0"),
    *("!!set {a, b}", "!!binary aGVsbG8=", "!!binary '%'", "!!timestamp 2024-05-01", "!!python/object:os.system ls"),
    *("!mine x", "!!int a", "!!float x", "!!null x", "!!bool x", "!!omap [a: 1]", "!!pairs [a: 1]", "!!str [a]"),
    *("&a [*a]", "&a {x: *a}", "&a [[*a]]", "*a", "{<<: {a: 1}}", "{<<: 1}", "<<", "{? [a] : 1}", "{? {a: 1} : 1}"),
    *("[]", "{}", "{a: null}", "[null]", "[[]]", "{'': ''}", "''", "' '", "=", "{1: 2, 2.5: 3, null: 4, true: 5}"),
    *(r'"\0"', r'"\ud800"', r'"\UFFFFFFFF"', r'"a\nb"', r'"a\n"', r'"\x1b[31m"', r'{"\0": 1}', r'{"a\nb": 1}', "'a '"),
    *("[" * 60 + "]" * 60, "{a: " * 60 + "1" + "}" * 60, "[" * 3000 + "]" * 3000, "x" * 5000, "'%s'", "{x}", "\u2028"),
]
"""YAML values, among them every kind that has ever been trouble to a reader of YAML."""

SCALAR = st.one_of(
    st.sampled_from(SCALARS),
    st.integers().map(str),
    st.floats().map(repr),
    st.dates().map(str),
    st.text(max_size=8).map(lambda text: yaml.safe_dump(text).partition("\n...")[0].strip()),
)


def flowed(value: Any) -> str:
    return str(yaml.safe_dump(value, default_flow_style=True, width=10**6)).strip()


MARK = "MARK_OF_THE_PLACE"


def with_value(name: str, at: tuple[str | int, ...], text: str) -> str:
    """The document `name` with `text` in the place of the value at `at`."""
    data = yaml.safe_load(text_of(name))
    if not at:
        return text
    inner = data
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = MARK
    return flowed(data).replace(MARK, text)


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data(), name=st.sampled_from(FILES))
def test_no_value_at_any_key_gives_a_traceback(
    root: Path, capsys: pytest.CaptureFixture[str], data: st.DataObject, name: str
) -> None:
    at = data.draw(st.sampled_from(PLACES[name]), "key")
    put(root, name, with_value(name, at, data.draw(SCALAR, "value")))
    try:
        outcome(root, capsys)
    finally:
        put(root, name, text_of(name))


@pytest.mark.parametrize("text", SCALARS)
def test_no_document_gives_a_traceback(tmp_path: Path, text: str) -> None:
    """As the whole document, and as the value and the name of a key, in every kind of file."""
    path = tmp_path / "any.yaml"
    for whole_text in (text, f"a: {text}", f"? {text}\n: 1"):
        path.write_bytes(whole_text.encode("utf-8", "surrogatepass"))
        try:
            document = read(path)
        except ConfigError as error:
            found = [error.faults]
        else:
            found = [schema_faults(document, KINDS.get(name, name)) for name in FILES]
        assert all(found)
        assert all(str(fault).isprintable() for faults in found for fault in faults)


@settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=60), st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace"))))
def test_no_bytes_give_a_traceback(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "any.yaml"
    path.write_bytes(raw)
    try:
        read(path)
    except ConfigError as error:
        assert all(str(fault).isprintable() for fault in error.faults)


def test_what_the_fuzz_starts_from_is_well(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(root, capsys) == ""


DOCUMENTS = [
    ("a: &a [*a]\n", "any.yaml:1: a[0]: holds itself (fix: write its values out instead of the alias)"),
    ("a: 1\nb: {<<: {c: 1}}\n", "any.yaml:2: b.<<: merge keys are not read (fix: write out the keys that it merges)"),
    ("? [a, b]\n: 1\n", "any.yaml:1: a key must be plain text (fix: write `name: value`)"),
    ("a: !!set {b}\n", "any.yaml:1: a: the tag !!set is not read (fix: remove the tag"),
    ("a: !!binary aGVsbG8=\n", "any.yaml:1: a: the tag !!binary is not read (fix: remove the tag"),
    ("a: !mine x\n", "any.yaml:1: a: the tag !mine is not read (fix: remove the tag"),
    ('a: "x\\0y"\n', "any.yaml:1: a: holds a character that cannot be printed, U+0000 (fix: remove it)"),
    ('a: "\\ud800"\n', "any.yaml:1: a: holds a character that cannot be printed, U+D800 (fix: remove it)"),
    ("a: 1\nb: \0\n", "any.yaml:2: is not valid YAML: "),
    (f"a: {'9' * 400}\n", "any.yaml:1: a: 9999"),
    (f"a: {'[' * 60}{']' * 60}\n", "is nested deeper than 50 levels (fix: write it flatter)"),
    (f"a: {'[' * 3000}{']' * 3000}\n", "is nested deeper than 50 levels (fix: write it flatter)"),
    ('a: "\\UFFFFFFFF"\n', "any.yaml: is not valid YAML: "),
]


@pytest.mark.parametrize(("text", "message"), DOCUMENTS)
def test_what_yaml_can_say_and_a_configuration_cannot_is_told_in_one_line(
    tmp_path: Path, text: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("any.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read(Path("any.yaml"))
    (fault,) = caught.value.faults
    assert message in str(fault)
    assert len(str(fault)) < 500


def test_a_few_aliases_that_stand_for_billions_of_values_are_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "any.yaml"
    levels = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 30)]
    path.write_text("\n".join(["l0: &l0 [x]", *levels]), encoding="utf-8")
    with pytest.raises(ConfigError, match="stands for more than 100000 values"):
        read(path)
