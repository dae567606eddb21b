"""Three files describe the environment (pyproject.toml, requirements.lock, environment.yml): they must describe one."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

import l2audit

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text())
LOCK = (ROOT / "requirements.lock").read_text()

# Where conda-forge or bioconda gives a package another name; None: there it needs no entry of its own.
CONDA_NAMES = {
    "matplotlib": "matplotlib-base",
    "seaborn": "seaborn-base",
    "snakemake": "snakemake-minimal",
    "tensorflow": None,  # conda's tensorflow-cpu serves every platform
}
CONDA_ONLY = {"python", "pip"}


def declared() -> dict[str, Requirement]:
    """Every direct dependency: of the study, of its development and of its building."""
    project = PYPROJECT["project"]["dependencies"]
    texts = [*project, *PYPROJECT["dependency-groups"]["dev"], *PYPROJECT["build-system"]["requires"]]
    requirements = [Requirement(text) for text in texts]
    return {canonicalize_name(requirement.name): requirement for requirement in requirements}


def lock_entries(text: str) -> dict[str, tuple[Version, list[str]]]:
    """{name: (version, hashes)} of a requirements file; anything but an entry, a hash or a comment is an error."""
    entries: dict[str, tuple[Version, list[str]]] = {}
    name = ""
    for line in text.splitlines():
        if found := re.fullmatch(r"([a-z0-9][a-z0-9-]*)==(\S+)(?: ; .+?)? \\", line):
            name = found[1]
            assert name not in entries, f"{name} is locked twice"
            entries[name] = (Version(found[2]), [])
        elif found := re.fullmatch(r"    --hash=sha256:([0-9a-f]{64})(?: \\)?", line):
            entries[name][1].append(found[1])
        else:
            assert line.lstrip().startswith("#"), f"unexpected line in the lock: {line!r}"
    return entries


def conda_ranges() -> dict[str, SpecifierSet]:
    """{name: range} of environment.yml."""
    pairs = (text.partition(" ") for text in CONDA["dependencies"])
    return {name: SpecifierSet(versions) for name, _, versions in pairs}


@pytest.mark.parametrize("name", sorted(declared()))
def test_every_dependency_is_locked_within_its_range(name: str) -> None:
    version, _ = lock_entries(LOCK)[name]
    assert declared()[name].specifier.contains(version, prereleases=False)


def test_every_locked_package_is_hashed_and_wanted() -> None:
    entries = lock_entries(LOCK)
    assert len(entries) > len(declared())
    assert [name for name, (_, hashes) in entries.items() if not hashes] == []
    # uv writes below each entry who wants it; an entry that only its own former self wants is left over.
    wanted = {name: block for name, block in zip(entries, re.split(r"(?m)^(?=[a-z0-9])", LOCK)[1:], strict=True)}
    assert [name for name, block in wanted.items() if "# via" not in block] == []


def test_lock_holds_no_address_and_no_option() -> None:
    assert "://" not in LOCK
    assert "@ " not in LOCK
    assert re.findall(r"(?m)^\s*-(?!-hash=sha256:).*", LOCK) == []


def test_lock_reader_refuses_what_it_does_not_know() -> None:
    with pytest.raises(AssertionError, match="unexpected line"):
        lock_entries("numpy @ file.whl\n")


def test_conda_environment_lists_the_same_packages_with_the_same_ranges() -> None:
    expected = {CONDA_NAMES.get(name, name): requirement.specifier for name, requirement in declared().items()}
    expected.pop(None, None)
    described = conda_ranges()
    assert set(described) - CONDA_ONLY == set(expected)
    assert {name: described[name] for name in expected} == expected


def test_conda_channels_are_names() -> None:
    assert CONDA["channels"] == ["conda-forge", "bioconda", "nodefaults"]


def test_one_range_of_python() -> None:
    supported = SpecifierSet(PYPROJECT["project"]["requires-python"])
    assert conda_ranges()["python"] == supported
    running = Version(".".join(map(str, sys.version_info[:2])))
    assert running in supported
    lowest = re.search(r">=(3\.\d+)", PYPROJECT["project"]["requires-python"])
    assert lowest is not None
    assert PYPROJECT["tool"]["mypy"]["python_version"] == lowest[1]
    assert f"--python-version {lowest[1]} " in (ROOT / "Makefile").read_text()  # what `make lock` resolves from


def test_both_names_of_tensorflow_have_one_range_and_exclude_each_other() -> None:
    slim, plain = declared()["tensorflow-cpu"], declared()["tensorflow"]
    assert slim.specifier == plain.specifier
    for machine in ("x86_64", "AMD64", "aarch64", "arm64"):
        chosen = [bool(one.marker and one.marker.evaluate({"platform_machine": machine})) for one in (slim, plain)]
        assert sum(chosen) == 1


def test_one_version_everywhere() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert str(citation["version"]) == l2audit.__version__
    assert citation["license"] == PYPROJECT["project"]["license"]


def test_every_dependency_has_its_reason() -> None:
    table = (ROOT / "docs" / "dependencies.md").read_text()
    documented = {canonicalize_name(name) for name in re.findall(r"(?m)^\| `([\w-]+)` \|", table)}
    assert documented == set(declared())


@cache
def committed() -> list[Path]:
    """The files that git has or would take; skips outside a git checkout."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout: no list of committed files")
    return [path for name in listed.decode().split("\0") if name and (path := ROOT / name).is_file()]


# Written in halves, so that this file does not find itself.
ADDRESSES = [
    "py" + "pi.org",
    "pythonhosted" + ".org",
    "conda.anaconda" + ".org",
    "--index" + "-url",
    "--extra-index" + "-url",
    "--find" + "-links",
]


def occurrences(patterns: list[str]) -> list[str]:
    """The committed files in which one of the regular expressions is found, with what was found."""
    pattern = re.compile("|".join(patterns).encode())
    return [
        f"{path.relative_to(ROOT)}: {found[0].decode()}"
        for path in committed()
        for found in pattern.finditer(path.read_bytes())
    ]


def test_no_package_index_address_is_committed() -> None:
    assert occurrences([re.escape(address) for address in ADDRESSES]) == []


def test_no_path_of_this_machine_is_committed() -> None:
    homes = [f"/{folder}/" + r"[\w.-]+/" for folder in ("home", "Users")] + ["/ro" + "ot/"]
    here = [re.escape(str(ROOT) + "/"), re.escape(sys.base_prefix + "/")] if len(ROOT.parts) > 2 else []
    # /usr/ is everybody's, and says nothing of this machine.
    assert [line for line in occurrences(homes + here) if not line.endswith("/usr/")] == []


def test_what_the_study_makes_is_not_committed() -> None:
    made = ("results/", "data/raw/", "data/prepared/", "data/logs/", ".venv", ".snakemake/")
    names = [str(path.relative_to(ROOT)) for path in committed()]
    assert [name for name in names if name.startswith(made)] == ["results/README.md"]
    assert [name for name in names if re.fullmatch(r"report/[^/]*\.html", name)] == []


def test_no_source_file_is_ignored() -> None:
    names = {str(path.relative_to(ROOT)) for path in committed()}
    on_disk = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "src" / "l2audit").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".part"
    }
    assert on_disk - names == set()
