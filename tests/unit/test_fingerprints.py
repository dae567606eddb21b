"""Code hashes: what changes them, what does not, and that nothing the package runs escapes them."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from l2audit.pipeline.fingerprints import PLUMBING, code_files, code_hash

REPOSITORY = Path(__file__).parents[2]
SCRIPTS = sorted(path.stem for path in (REPOSITORY / "scripts").glob("*.py"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository in which scripts/work.py reaches a.py, part/__init__.py and part/b.py, and not c.py."""
    files = {
        "scripts/work.py": "from l2audit.a import thing\n",
        "src/l2audit/__init__.py": "",
        "src/l2audit/a.py": "import json\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import l2audit.c\n"
        "def thing():\n    from l2audit.part import b\n",
        "src/l2audit/c.py": "",
        "src/l2audit/part/__init__.py": "",
        "src/l2audit/part/b.py": "",
        "src/l2audit/part/words/page.html": "<p>",
        "src/l2audit/other/text.txt": "not reached",
        "src/l2audit/part/own/__init__.py": "",
        "src/l2audit/part/own/table.csv": "a package of its own, not reached",
        "requirements.lock": "numpy==2.0",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def test_the_files_behind_a_script(root: Path) -> None:
    assert [path.relative_to(root).as_posix() for path in code_files(root, "work")] == [
        "requirements.lock",
        "scripts/work.py",
        "src/l2audit/__init__.py",
        "src/l2audit/a.py",
        "src/l2audit/part/__init__.py",
        "src/l2audit/part/b.py",
        "src/l2audit/part/words/page.html",
    ]


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("scripts/work.py", True),
        ("src/l2audit/a.py", True),
        ("src/l2audit/part/b.py", True),
        ("src/l2audit/part/words/page.html", True),
        ("requirements.lock", True),
        ("src/l2audit/c.py", False),
        ("src/l2audit/other/text.txt", False),
        ("src/l2audit/part/own/table.csv", False),
    ],
)
def test_what_changes_the_hash(root: Path, name: str, changes: bool) -> None:
    before = code_hash(root, "work")
    path = root / name
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert (code_hash(root, "work") != before) is changes


def test_touching_a_file_changes_nothing(root: Path) -> None:
    before = code_hash(root, "work")
    (root / "src/l2audit/a.py").touch()
    assert code_hash(root, "work") == before


def test_a_relative_import_is_refused(root: Path) -> None:
    (root / "src/l2audit/a.py").write_text("from . import c\n", encoding="utf-8")
    with pytest.raises(ValueError, match="absolute imports only"):
        code_hash(root, "work")


def reached(script: str) -> set[str]:
    return {
        path.relative_to(REPOSITORY / "src").as_posix()
        for path in code_files(REPOSITORY, script)
        if "src" in path.parts
    }


@pytest.mark.parametrize("script", SCRIPTS)
def test_no_module_is_imported_by_its_name_in_a_text(script: str) -> None:
    for path in code_files(REPOSITORY, script):
        if path.suffix == ".py":
            names = {node.attr for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, ast.Attribute)}
            assert not names & {"import_module", "__import__", "exec_module"}, path


ABOVE_TRAINING = ("effects", "judge", "wording", "specifications", "trial", "facts", "report", "cli")


def test_training_does_not_depend_on_the_judge_the_page_or_the_checker() -> None:
    train = reached("train")
    assert "l2audit/runs/shard.py" in train
    assert "l2audit/contamination.py" in train
    assert {f"l2audit/runs/{name}.py" for name in ("levels", "predictions", "evaluate", "engines")} <= train
    assert {"l2audit/data/split.py", "l2audit/models/penalties.py"} <= train
    assert not [name for name in train if name.startswith(tuple(f"l2audit/{room}" for room in ABOVE_TRAINING))]
    assert not {"l2audit/config/studies.py", "l2audit/config/schema.py", "l2audit/pipeline/check.py"} & train


def test_oracles_have_their_data_in_their_hash_and_training_has_not() -> None:
    table = "l2audit/facts/stars_cyg.csv"
    assert table in reached("oracles")
    assert not {name for name in reached("train") if name.startswith("l2audit/facts")}


def test_the_page_depends_on_its_templates_and_not_on_training() -> None:
    report = reached("report")
    assert [name for name in report if name.endswith(".html.j2")]
    assert not [
        name
        for name in report
        if name.startswith(tuple(f"l2audit/{room}" for room in ("runs", "networks", "linear", "models")))
    ]


@pytest.mark.parametrize("script", ["estimate", "judge", "oracles", "report", "specify"])
def test_every_module_that_is_loaded_is_in_the_hash(script: str) -> None:
    """Run the imports of a script in a fresh Python, and compare what was loaded with what the hash covers."""
    tree = ast.parse((REPOSITORY / "scripts" / f"{script}.py").read_bytes())
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    listing = [
        "import sys",
        "names = [name for name in sorted(sys.modules) if name.startswith('l2audit')]",
        "print(*(sys.modules[name].__file__ for name in names))",
    ]
    code = "\n".join([*(ast.unparse(node) for node in imports), *listing])
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY / "src", capture_output=True, text=True, check=True
    ).stdout.split()
    loaded = {Path(path).resolve().relative_to(REPOSITORY / "src").as_posix() for path in found}
    assert loaded
    assert loaded - {f"l2audit/{name}" for name in PLUMBING} <= reached(script)
