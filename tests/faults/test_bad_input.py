"""Bad input, as a user meets it: one clear message in the terminal, before anything is trained, and no traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from repository_copy import TINY, Copy, Outcome


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A copy of the repository; each test brings a study of its own."""
    return Copy.make(tmp_path_factory.mktemp("bad-input") / "repository")


def refused(copy: Copy, outcome: Outcome) -> str:
    assert outcome.status == 1, outcome.text
    assert "Traceback" not in outcome.text
    assert "error: " in outcome.text
    assert not (copy.root / "results").exists(), "something was run"
    return outcome.text


FAULTS = [
    ("wrong-key", "seeds: 2", "seed: 2", "seed: unknown key (fix: did you mean 'seeds'?)"),
    ("wrong-type", "seeds: 2", "seeds: many", "seeds: 'many' (text) where a whole number is wanted"),
    (
        "dataset",
        "[iris, diabetes]",
        "[irys, diabetes]",
        "datasets[0]: unknown dataset 'irys' (fix: did you mean 'iris'?)",
    ),
    ("architecture", "  mlp-32:", "  mlp-31:", "unknown architecture 'mlp-31' (fix: did you mean 'mlp-32'?)"),
    ("kind", "kind: vert", "kind: virt", "unknown contamination kind 'virt' (fix: did you mean 'vert'?)"),
    ("rate", "rate: 0.2", "rate: 1.0", "rate: 1.0 is out of range (fix: write a value below 1)"),
    (
        "exponent",
        "[0, 0.01]",
        "[0, 1e-4]",
        "YAML reads '1e-4' as text, and a number is wanted (fix: write 0.0001 or 1.0e-4)",
    ),
    ("date", "[iris, diabetes]", "[iris, 2024-05-01]", "datasets[1]: unknown dataset '2024-05-01'"),
    ("syntax", "seeds: 2", "seeds: [2", "is not valid YAML"),
]


@pytest.mark.parametrize(("name", "old", "new", "message"), FAULTS, ids=[fault[0] for fault in FAULTS])
def test_snakemake_refuses_a_faulty_study(copy: Copy, name: str, old: str, new: str, message: str) -> None:
    text = TINY.replace("name: tiny", f"name: {name}").replace(old, new, 1)
    copy.write(f"config/studies/{name}.yaml", text)
    told = refused(copy, copy.snakemake(study=name))
    assert f"config/studies/{name}.yaml:" in told
    assert message in told
    (copy.root / f"config/studies/{name}.yaml").unlink()


def test_an_unknown_study(copy: Copy) -> None:
    told = refused(copy, copy.snakemake(study="nonesuch"))
    assert "there is no study 'nonesuch' (fix: use one of default, full, quick, smoke, tiny" in told


def test_the_checker_says_the_same_without_snakemake(copy: Copy) -> None:
    copy.write("mine.yaml", TINY.replace("name: tiny", "name: mine").replace("seeds: 2", "seeds: many"))
    told = refused(copy, copy.l2audit("check", "--study", "mine.yaml"))
    assert "mine.yaml:19: seeds: 'many' (text) where a whole number is wanted" in told


def test_the_checker_passes_what_is_well(copy: Copy) -> None:
    outcome = copy.l2audit("check")
    assert outcome.status == 0, outcome.text
    assert "ok  config/studies/default.yaml" in outcome.text


def test_a_report_without_results_says_how_to_make_them(copy: Copy) -> None:
    told = refused(copy, copy.l2audit("report", "smoke"))
    assert "there are no stored results of the study 'smoke'" in told
    assert "snakemake --cores all --config study=..." in told


def test_a_faulty_table_stops_every_study(copy: Copy, tmp_path: Path) -> None:
    other = copy.duplicate(tmp_path / "repository")
    other.edit("config/contaminations.yaml", "  stratum: label\n", "  stratum: lable\n")
    told = refused(other, other.snakemake())
    assert "config/contaminations.yaml:" in told
    assert "sym.stratum: unknown value 'lable' (fix: did you mean 'label'?)" in told
