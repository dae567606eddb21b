"""The configuration: what is read, and how every kind of mistake is told."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from judging import raw_registration
from l2audit.config.faults import ConfigError
from l2audit.config.load import load, studies, table
from l2audit.config.reader import Document, read
from l2audit.config.schema import schema_faults
from l2audit.config.studies import betas_of, nearest_value, steps_of
from l2audit.config.study import CLEAN, Contamination, Schedule
from l2audit.pipeline.check import check, source_faults, training_faults
from l2audit.plan import plan
from l2audit.registry import nearest

REPOSITORY = Path(__file__).parents[2]

STUDY = """\
name: mine
title: A study of my own
verdicts: false
datasets: [digits, diabetes]
architectures:
  linear:
    betas: [0, 0.1, 0.001]
    losses: {classification: [cross_entropy], regression: [squared, huber]}
  conv5:
    betas: [0, 0.1]
    losses: {classification: [cross_entropy]}
    datasets: [digits]
    contaminations: [sym@0.2]
contaminations:
  classification:
    - {kind: sym, rate: 0.2}
    - {kind: sym, rate: 0.1}
  regression:
    - {kind: vert, rate: 0.1, magnitude: 10}
seeds: 3
penalty: l2
optimizer: adam
rows: {train: 100, validation: 100, test: 200}
training: {learning_rate: 0.01, steps: 10, batch: 16}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with the project's own tables, a study that has all arms of its claims, and config/studies/mine.yaml."""
    (tmp_path / "config" / "studies").mkdir(parents=True)
    for name in ("datasets", "architectures", "contaminations", "claims", "specifications", "studies/full"):
        text = (REPOSITORY / "config" / f"{name}.yaml").read_text(encoding="utf-8")
        (tmp_path / "config" / f"{name}.yaml").write_text(text, encoding="utf-8")
    write(tmp_path, STUDY)
    return tmp_path


def write(root: Path, text: str, name: str = "studies/mine") -> None:
    (root / "config" / f"{name}.yaml").write_text(text, encoding="utf-8")


def faults(root: Path, study: str = "mine") -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(root, study)
    return [str(fault) for fault in caught.value.faults]


def replaced(root: Path, old: str, new: str) -> str:
    """The one fault that replacing `old` by `new` in the study makes."""
    assert STUDY.count(old) >= 1, f"{old!r} is not in the study"
    write(root, STUDY.replace(old, new, 1))
    found = faults(root)
    assert len(found) == 1, found
    return found[0]


def test_a_study_is_read_into_sorted_values(root: Path) -> None:
    study = load(root, "mine").study
    assert study.datasets == ("diabetes", "digits")
    assert study.architectures["linear"].betas == (0.0, 0.001, 0.1)
    assert study.contaminations["classification"] == (Contamination("sym", 0.1), Contamination("sym", 0.2))
    assert [one.level for one in (CLEAN, *study.contaminations["regression"])] == ["clean", "vert@0.1,10"]


@pytest.mark.parametrize("study", studies(REPOSITORY))
def test_the_studies_of_the_project_are_free_of_faults(study: str) -> None:
    assert load(REPOSITORY, study).study.name == study


def test_a_study_may_lie_anywhere(root: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "mine.yaml"
    elsewhere.parent.mkdir()
    elsewhere.write_text(STUDY, encoding="utf-8")
    assert load(root, str(elsewhere)).study == load(root, "mine").study


# As they stood in the file, one by one, when the published study was trained.
WRITTEN_OUT = """
  0, 0.0001, 0.000316, 0.000355, 0.000398, 0.000447, 0.000501, 0.000562, 0.000631, 0.000708, 0.000794, 0.000891,
  0.001, 0.00112, 0.00126, 0.00141, 0.00158, 0.00178, 0.002, 0.00224, 0.00251, 0.00282,
  0.00316, 0.00355, 0.00398, 0.00447, 0.00501, 0.00562, 0.00631, 0.00708, 0.00794, 0.00891,
  0.01, 0.0112, 0.0126, 0.0141, 0.0158, 0.0178, 0.02, 0.0224, 0.0251, 0.0282,
  0.0316, 0.0355, 0.0398, 0.0447, 0.0501, 0.0562, 0.0631, 0.0708, 0.0794, 0.0891,
  0.1, 0.112, 0.126, 0.141, 0.158, 0.178, 0.2, 0.224, 0.251, 0.282
"""


@pytest.mark.parametrize("study", ["default", "full"])
def test_a_range_names_the_runs_that_were_listed_one_by_one(study: str) -> None:
    betas = tuple(float(beta) for beta in WRITTEN_OUT.split(","))
    assert len(betas) == 62
    assert load(REPOSITORY, study).study.arms["linear-l1"].betas == betas


def test_ranges_stand_among_numbers_in_any_arm_and_the_order_is_free(root: Path) -> None:
    write(root, (STUDY + ARMS).replace("[0, 0.1, 0.001]", "[{from: 0.1, to: 10, per_decade: 1}, 0.003, 0, 1]"))
    assert load(root, "mine").study.architectures["linear"].betas == (0.0, 0.003, 0.1, 1.0, 10.0)
    write(root, (STUDY + ARMS).replace("[0.1, 0]", "[0, {from: 0.01, to: 0.1, per_decade: 4}]"))
    assert load(root, "mine").study.arms["as-printed"].betas == (0.0, 0.01, 0.0178, 0.0316, 0.0562, 0.1)


@given(st.integers(1, 100), st.floats(1e-7, 1e6), st.floats(1e-7, 1e6))
def test_a_range_is_even_holds_its_ends_and_repeats_nothing(per_decade: int, one: float, other: float) -> None:
    low, high = sorted(nearest_value(end, per_decade) for end in (one, other))
    entry = {"from": low, "to": high, "per_decade": per_decade}
    betas = betas_of([entry, 0])
    assert betas[0] == 0.0 and (betas[1], betas[-1]) == (low, high)
    assert len(betas) - 1 == len(steps_of(entry))
    assert all(float(f"{beta:.2e}") == beta for beta in betas)
    for smaller, larger in itertools.pairwise(betas[1:]):
        assert smaller < larger  # three digits move a value by at most half of one in the last place, 0.5 %
        assert larger / smaller == pytest.approx(10 ** (1 / per_decade), rel=0.0101)
    assert {ten for ten in map(float, (f"1e{k}" for k in range(-8, 8))) if low <= ten <= high} <= set(betas)
    assert betas_of([*betas, entry]) == betas  # a number that a range gives, too, is one beta


CASES = [
    ("seeds: 3", "seed: 3", "seed: unknown key (fix: did you mean 'seeds'?)"),
    ("seeds: 3", "seeds: ten", "seeds: 'ten' (text) where a whole number is wanted"),
    ("seeds: 3", "seeds: 1", "seeds: 1 is out of range (fix: write a value of at least 2)"),
    ("0.001]", "1e-4]", "architectures.linear.betas[2]: YAML reads '1e-4' as text"),
    ("0.001]", "1e-4]", "write 0.0001 or 1.0e-4"),
    ("0.001]", "1e-13]", "YAML reads '1e-13' as text, and a number is wanted (fix: write 1.0e-13)"),
    ("0.001]", "-2.50E5]", "as text, and a number is wanted (fix: write -250000 or -2.5e+5)"),
    ("0.001]", ".5e3]", "as text, and a number is wanted (fix: write 500 or 5.0e+2)"),
    ("0.001]", "1e400]", "YAML reads '1e400' as text, and a number is wanted (fix: write a number that a computer can"),
    ("0.001]", "1e-400]", "as text, and a number is wanted (fix: write 0, or a number that a computer can hold, above"),
    ("0.001]", "0e7]", "as text, and a number is wanted (fix: write 0 or 0.0e+0)"),
    ("seeds: 3", "seeds: 1e1", "YAML reads '1e1' as text, and a whole number is wanted (fix: write 10)"),
    ("seeds: 3", "seeds: 1e-1", "YAML reads '1e-1' as text, and a whole number is wanted (fix: write a whole number)"),
    ("seeds: 3", "seeds: 3.0", "seeds: 3.0 where a whole number is wanted (fix: write a whole number)"),
    ("steps: 10", "steps: 1.0e+1", "training.steps: 10.0 where a whole number is wanted"),
    ("name: mine", 'name: "mine\\n"', "name: 'mine' (text) is not of the right form"),
    ("0.001]", "0.1]", "architectures.linear.betas[2]: 0.1 is listed twice"),
    ("[0, 0.1, 0.001]", "[0.1, 0.001]", "architectures.linear.betas: does not contain 0"),
    ("0.001]", "-0.001]", "-0.001 is out of range"),
    ("[0, 0.1, 0.001]", "[0]", "architectures.linear.betas: has too few entries (fix: list at least 2 entries)"),
    ("0.1, 0.001]", "{from: 0.01, to: 1, per_decade: 2}, 0.1e]", "betas[2]: '0.1e' (text) where a number is wanted"),
    (
        "[0, 0.1, 0.001]",
        "[0, {from: 1, to: 1000, per_decade: 0}]",
        "per_decade: 0 is out of range (fix: write a value of",
    ),
    (
        "[0, 0.1, 0.001]",
        "[0, {from: 0, to: 1, per_decade: 2}]",
        "betas[1].from: 0 is out of range (fix: write a value a",
    ),
    ("[0, 0.1, 0.001]", "[0, {from: 1, too: 9, per_decade: 2}]", "betas[1].too: unknown key (fix: did you mean 'to'?)"),
    ("[0, 0.1, 0.001]", "[0, {from: 0.1, per_decade: 2}]", "betas[1].to: this key is missing (fix: add `to:`"),
    ("[0, 0.1, 0.001]", "[0, {from: 1e-2, to: 1, per_decade: 2}]", "from: YAML reads '1e-2' as text, and a number"),
    (
        "[0, 0.1, 0.001]",
        "[0, {from: 1, to: 0.01, per_decade: 2}]",
        "betas[1].from: 1 is not below `to`, 0.01 (fix: give the smaller one first, or one number in place of",
    ),
    ("[0, 0.1, 0.001]", "[0, {from: 0.1, to: 0.1, per_decade: 2}]", "betas[1].from: 0.1 is not below `to`, 0.1"),
    (
        "[0, 0.1, 0.001]",
        "[0, {from: 0.00001, to: 0.003, per_decade: 2}]",
        "betas[1].to: 0.003 is not on the scale from 1 with 2 values to each tenfold (fix: write 0.00316, the nearest",
    ),
    (
        "[0, 0.1, 0.001]",
        "[0, {from: 0.000001, to: 10000, per_decade: 100}]",
        "betas[1].per_decade: the range stands for 1001 betas (fix: write a smaller one, or bring",
    ),
    ("[0, 0.1, 0.001]", "[{from: 0.1, to: 1, per_decade: 2}, 0.001]", "betas: does not contain 0"),
    ("0.001]", ".nan]", "architectures.linear.betas[2]: .nan is not a finite number"),
    (
        "[digits, diabetes]",
        "[digits, diabetis]",
        "datasets[1]: unknown dataset 'diabetis' (fix: did you mean 'diabetes'?)",
    ),
    ("[digits, diabetes]", "[digits, diabetes, digits]", "datasets[2]: 'digits' (text) is listed twice"),
    ("  linear:", "  linaer:", "unknown architecture 'linaer' (fix: did you mean 'linear'?)"),
    ("[squared, huber]", "[squared, hubber]", "unknown value 'hubber' (fix: did you mean 'huber'?)"),
    (
        "[cross_entropy], regression",
        "[squared], regression",
        "classification[0]: unknown value 'squared' (fix: use one",
    ),
    (", regression: [squared, huber]", "", "no loss for regression, which its datasets include"),
    (
        "{kind: sym, rate: 0.1}",
        "{kind: symm, rate: 0.1}",
        "unknown contamination kind 'symm' (fix: did you mean 'sym'?)",
    ),
    ("{kind: sym, rate: 0.1}", "{kind: sym, rate: 1}", "contaminations.classification[1].rate: 1 is out of range"),
    ("{kind: sym, rate: 0.1}", "{kind: sym, rate: -0.1}", "write a value above 0"),
    ("{kind: sym, rate: 0.1}", "{kind: sym, rate: 0.2}", "the level sym@0.2 is listed twice"),
    ("{kind: sym, rate: 0.1}", "{kind: vert, rate: 0.1, magnitude: 5}", "'vert' does not fit classification"),
    ("rate: 0.1, magnitude: 10", "rate: 0.1", "'vert' needs a magnitude"),
    ("{kind: sym, rate: 0.1}", "{kind: sym, rate: 0.1, magnitude: 3}", "'sym' has no magnitude (fix: remove this key)"),
    (
        "{kind: sym, rate: 0.1}",
        "{kind: sym, rate: 0.001}",
        "rate: 0.001 of at most 100 training rows hits no row (fix: write a value above 0.005, or raise `rows.train`)",
    ),
    ("{kind: sym, rate: 0.1}", "{kind: sym, rate: 1.5}", "rate: 1.5 is out of range (fix: write a value of at most 1)"),
    (
        "kind: vert, rate: 0.1, magnitude: 10",
        "kind: student, rate: 0.5, magnitude: 2",
        "rate: 'student' hits every row, and 0.5 is not all of them (fix: write 1)",
    ),
    (
        "kind: vert, rate: 0.1, magnitude: 10",
        "kind: student, rate: 1",
        "'student' needs a magnitude (fix: add `magnitude: 2` (unit: degrees of freedom))",
    ),
    ("kind: vert, rate: 0.1, magnitude: 10", "kind: goodlev, rate: 0.1, magnitude: 3", "'goodlev' has no magnitude"),
    ("kind: vert, rate: 0.1, magnitude: 10", "kind: pair, rate: 0.1", "'pair' does not fit regression"),
    ("[sym@0.2]", "[sym@0.3]", "unknown level of this study 'sym@0.3' (fix: did you mean 'sym@0.2'?)"),
    (
        "    datasets: [digits]\n",
        "",
        "convolutions need images, and diabetes has none (fix: add `datasets: [digits]` here)",
    ),
    ("datasets: [digits]\n", "datasets: [iris]\n", "unknown dataset of this study 'iris'"),
    ("name: mine", "name: yours", "'yours' is not the name of its file (fix: write `name: mine`"),
    ("optimizer: adam", "optimizer: adamm", "optimizer: unknown value 'adamm' (fix: did you mean 'adam'?)"),
    ("penalty: l2\n", "", "penalty: this key is missing"),
    ("seeds: 3", "seeds: 3\nseeds: 4", "seeds: is given twice (fix: keep one of them (the other is on line 20))"),
    ("seeds: 3", "seeds: [3", "is not valid YAML"),
]


@pytest.mark.parametrize(("old", "new", "message"), CASES)
def test_a_mistake_is_told_with_its_key_and_its_fix(root: Path, old: str, new: str, message: str) -> None:
    write(root, STUDY.replace(old, new, 1))
    assert old in STUDY
    assert any(message in fault for fault in faults(root)), faults(root)


@given(st.integers(-320, 320), st.integers(1, 10**6), st.sampled_from(["", "-", "+"]), st.sampled_from("eE"))
def test_what_is_advised_for_a_number_is_that_number(exponent: int, digits: int, sign: str, letter: str) -> None:
    text = f"{sign}{digits}{letter}{exponent}"
    (fault,) = schema_faults(Document("claims.yaml", raw_registration(clip=text), {(): 1}), "claims")
    advised = fault.fix.removeprefix("write ").split(" or ")
    if math.isfinite(float(text)) and float(text):
        assert [yaml.safe_load(one) for one in advised] == pytest.approx([float(text)] * len(advised), rel=1e-12)
    else:
        assert "that a computer can hold" in fault.fix


def test_a_date_is_text(root: Path) -> None:
    write(root, STUDY.replace("A study of my own", "2024-05-01"))
    assert load(root, "mine").study.title == "2024-05-01"


def test_a_fault_names_the_file_and_the_line(root: Path) -> None:
    line = STUDY.splitlines().index("seeds: 3") + 1
    assert replaced(root, "seeds: 3", "seeds: ten").startswith(f"{root}/config/studies/mine.yaml:{line}: seeds: ")


def test_a_syntax_error_names_the_line(root: Path) -> None:
    line = STUDY.splitlines().index("penalty: l2") + 1
    assert f"mine.yaml:{line}: is not valid YAML" in replaced(root, "seeds: 3", "seeds: [3")


def test_all_faults_are_told_at_once(root: Path) -> None:
    text = STUDY.replace("[digits, diabetes]", "[digitts, diabetis]").replace("rate: 0.1, magnitude: 10", "rate: 0.1")
    write(root, text)
    write(root, "sym: {description: nothing else}\n", "contaminations")
    found = faults(root)
    assert sum("contaminations.yaml" in fault for fault in found) >= 4  # the missing keys
    write(root, (REPOSITORY / "config/contaminations.yaml").read_text(encoding="utf-8"), "contaminations")
    found = faults(root)
    assert [fault for fault in found if "digitts" in fault]
    assert [fault for fault in found if "diabetis" in fault]
    assert [fault for fault in found if "needs a magnitude" in fault]


def test_one_line_a_fault(root: Path) -> None:
    write(root, STUDY.replace("seeds: 3", "seeds: ten").replace("optimizer: adam", "optimizer: sdg"))
    with pytest.raises(ConfigError) as caught:
        load(root, "mine")
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert lines[0] == "the configuration has 2 faults; nothing was run"


def test_an_unknown_study_lists_what_is_known(root: Path) -> None:
    assert "there is no study 'min' (fix: use one of full, mine" in faults(root, "min")[0]


def test_a_missing_file_of_ones_own(root: Path) -> None:
    assert "nowhere.yaml: cannot be read (No such file or directory)" in faults(root, "nowhere.yaml")[0]


def test_an_empty_file(root: Path) -> None:
    write(root, "# nothing but a comment\n")
    assert "is empty" in faults(root)[0]


def test_claims_name_strata_and_kinds_that_exist(root: Path) -> None:
    text = (REPOSITORY / "config/claims.yaml").read_text(encoding="utf-8")
    assert "      label: [linear, mlp-adam, mlp-sgd, conv5]" in text
    assert "kinds: [vert]" in text
    text = text.replace("      label: [linear, mlp-adam, mlp-sgd, conv5]", "      lable: [linear, mlp-adam]")
    write(root, text.replace("kinds: [vert]", "kinds: [vertical]"), "claims")
    found = faults(root)
    (line,) = (n for n, one in enumerate(text.splitlines(), 1) if "lable" in one)
    assert any(f"claims.yaml:{line}: " in fault and "unknown stratum 'lable' (fix: did you" in fault for fault in found)
    assert any("unknown contamination kind 'vertical' (fix: did you mean 'vert'?)" in fault for fault in found)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("against: adamw", "against: adamv", "unknown arm 'adamv': it is no architecture, and no study has an arm of"),
        ("against: adamw", "against: adamv", "parameters.against: unknown arm 'adamv'"),
        ("against: adamw", "against: adamv", "(fix: did you mean 'adamw'?)"),
        ("[mlp-adam]", "[mlp-adem]", "architectures[0]: unknown arm 'mlp-adem'"),
        (
            "      label: [linear, mlp-adam, mlp-sgd]",
            "      label: [linear, mlp-adem]",
            "situations.label[1]: unknown arm 'mlp-adem'",
        ),
        ("[planted_isotropic_1,", "[planted_isotropic,", "datasets[0]: unknown dataset 'planted_isotropic' (fix: did"),
        (
            "[planted_isotropic_1,",
            "[digits,",
            "'digits' has the role study, and the claim is about datasets of the role",
        ),
    ],
)
def test_claims_name_arms_and_datasets_that_exist(root: Path, old: str, new: str, message: str) -> None:
    text = (REPOSITORY / "config/claims.yaml").read_text(encoding="utf-8")
    assert old in text
    write(root, text.replace(old, new, 1), "claims")
    line = next(n for n, one in enumerate(text.splitlines(), 1) if old in one)
    (fault,) = faults(root)
    assert f"claims.yaml:{line}: claims[" in fault
    assert message in fault


def test_an_arm_of_any_study_may_be_named_by_a_claim_and_of_an_unreadable_one_nothing_is_said(root: Path) -> None:
    text = (REPOSITORY / "config/claims.yaml").read_text(encoding="utf-8").replace("against: adamw", "against: mine-2")
    write(root, text, "claims")
    assert len(faults(root)) == text.count("against: mine-2")
    write(root, STUDY + ARMS.replace("  as-printed:", "  mine-2:"))
    assert load(root, "mine")
    write(root, STUDY)
    write(root, "name: [\n", "studies/other")
    assert load(root, "mine")


def test_a_study_that_a_faulty_table_entry_concerns_is_checked_for_all_else(root: Path) -> None:
    text = (REPOSITORY / "config/datasets.yaml").read_text(encoding="utf-8")
    write(root, text.replace("  task: classification", "  task: clasification", 1), "datasets")
    write(root, (STUDY + ARMS).replace("kind: vert", "kind: virt").replace("seeds: 3", "seeds: ten"))
    found = faults(root)
    assert len(found) == 3, found
    assert "digits.task: unknown value 'clasification'" in found[0]
    assert "unknown contamination kind 'virt'" in found[1]
    assert "seeds: 'ten' (text)" in found[2]


CONTROLS = """\
controls:
  datasets: [planted_isotropic_1]
  architectures: [linear]
  contaminations: ["vert@0.1,10"]
"""


def test_controls_are_read(root: Path) -> None:
    write(root, STUDY + CONTROLS)
    study = load(root, "mine").study
    assert study.role("planted_isotropic_1") == "control"
    assert study.role("digits") == "study"
    assert study.all_datasets == ("diabetes", "digits", "planted_isotropic_1")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[planted_isotropic_1]", "[planted_isotropic]", "controls.datasets[0]: unknown dataset 'planted_isotropic'"),
        ("[planted_isotropic_1]", "[digits]", "controls.datasets[0]: 'digits' is not a planted design"),
        ("[linear]", "[mlp-32]", "unknown architecture of this study 'mlp-32'"),
        ("vert@0.1,10", "sym@0.1", "unknown level of the controls' task 'sym@0.1'"),
    ],
)
def test_mistakes_in_controls(root: Path, old: str, new: str, message: str) -> None:
    write(root, STUDY + CONTROLS.replace(old, new))
    assert any(message in fault for fault in faults(root)), faults(root)


def test_a_planted_design_is_no_dataset_of_the_study(root: Path) -> None:
    write(root, STUDY.replace("[digits, diabetes]", "[digits, diabetes, planted_isotropic_1]"))
    assert any(
        "datasets[2]: 'planted_isotropic_1' is a planted design (fix: list it under" in one for one in faults(root)
    )


def test_an_architecture_may_have_its_own_schedule(root: Path) -> None:
    write(root, STUDY.replace("    datasets: [digits]\n", "    datasets: [digits]\n    training: {steps: 20}\n"))
    study = load(root, "mine").study
    assert study.schedule("conv5") == Schedule(0.01, 20, 16)
    assert study.schedule("linear") == Schedule(**study.training)


ARMS = """\
arms:
  as-printed:
    architecture: mlp-32
    penalty: "l2  except output"
    betas: [0.1, 0]
    losses: {classification: [cross_entropy], regression: [squared]}
    contaminations: []
    seeds: 2
  robust:
    architecture: linear
    scaling: robust
    betas: [0, 0.1]
    losses: {regression: [squared]}
    datasets: [diabetes]
  momentum:
    architecture: mlp-32
    optimizer: momentum
    betas: [0, 0.1]
    losses: {classification: [cross_entropy]}
    datasets: [digits]
    contaminations: [sym@0.1]
    training: {learning_rate: 0.1}
"""


def test_arms_are_read_and_take_what_they_leave_out_from_the_study(root: Path) -> None:
    write(root, STUDY + ARMS)
    study = load(root, "mine").study
    printed, robust, momentum = (study.arms[name] for name in ("as-printed", "robust", "momentum"))
    assert (printed.architecture, printed.penalty, printed.optimizer) == ("mlp-32", "l2 except output", "adam")
    assert (printed.betas, printed.levels, printed.datasets, printed.seeds) == ((0.0, 0.1), (), None, 2)
    assert (robust.penalty, robust.scaling, robust.datasets, robust.seeds) == ("l2", "robust", ("diabetes",), None)
    assert (momentum.optimizer, momentum.scaling, momentum.levels) == ("momentum", "clean", ("sym@0.1",))
    assert study.schedule("momentum") == Schedule(0.1, 10, 16)
    assert list(study.architectures) == ["conv5", "linear"]
    assert list(study.arms) == ["conv5", "linear", "as-printed", "momentum", "robust"]
    primary = study.arms["linear"]
    assert (primary.architecture, primary.penalty, primary.optimizer, primary.scaling) == (
        "linear",
        "l2",
        "adam",
        "clean",
    )


def test_a_study_without_arms_has_its_primary_ones_alone(root: Path) -> None:
    study = load(root, "mine").study
    assert study.arms == study.architectures


ARM_CASES = [
    ("  robust:\n", "  linear:\n", "arms.linear: is the name of a primary arm"),
    ("architecture: linear\n", "architecture: linaer\n", "arms.robust.architecture: unknown architecture 'linaer'"),
    ("scaling: robust", "scaling: median", "arms.robust.scaling: unknown value 'median'"),
    ("scaling: robust", "scaling: clean", "arms.robust: trains the same models as architectures.linear on diabetes"),
    ("    scaling: robust\n", "    optimizer: sgd\n    scaling: robust\n", "arms.robust.optimizer: linear models are"),
    ("    scaling: robust\n", "    training: {steps: 3}\n    scaling: robust\n", "arms.robust.training: linear models"),
    ("optimizer: momentum", "optimizer: adamw", "arms.momentum.optimizer: unknown value 'adamw'"),
    ("seeds: 2", "seeds: 4", "arms.as-printed.seeds: 4 are more than the study has (fix: write at most 3"),
    ("seeds: 2", "seeds: 1", "arms.as-printed.seeds: 1 is out of range"),
    ("[0.1, 0]", "[0.1, 1]", "arms.as-printed.betas: does not contain 0"),
    ("[sym@0.1]", "[sym@0.4]", "arms.momentum.contaminations[0]: unknown level of this study 'sym@0.4'"),
    ("datasets: [diabetes]", "datasets: [iris]", "arms.robust.datasets[0]: unknown dataset of this study 'iris'"),
    ("{regression: [squared]}", "{classification: [cross_entropy]}", "arms.robust.losses: no loss for regression"),
    ("    architecture: mlp-32\n    optimizer", "    optimizer", "arms.momentum.architecture: this key is missing"),
    ("    architecture: mlp-32\n    penalty", "    architecture: conv5\n    penalty", "convolutions need images"),
    ("  robust:\n", "  Robust:\n", "arms.Robust: this name is not allowed"),
]


@pytest.mark.parametrize(("old", "new", "message"), ARM_CASES)
def test_mistakes_in_arms(root: Path, old: str, new: str, message: str) -> None:
    assert old in ARMS
    write(root, STUDY + ARMS.replace(old, new, 1))
    assert any(message in fault for fault in faults(root)), faults(root)


def test_two_arms_that_train_the_same_models_are_refused_where_they_meet(root: Path) -> None:
    """They meet in nothing while they share no dataset, and everywhere that they share one: clean, beta = 0."""
    twin = (
        ARMS
        + ARMS.removeprefix("arms:\n")
        .split("  momentum:")[0]
        .replace("  as-printed:", "  again:")
        .split("  robust:")[0]
    )
    twin = twin.replace(
        "  again:\n    architecture: mlp-32\n", "  again:\n    architecture: mlp-32\n    datasets: [digits]\n"
    )
    write(root, STUDY + twin)
    assert any("arms.again: trains the same models as arms.as-printed on digits" in one for one in faults(root))
    write(root, STUDY + twin.replace("  as-printed:\n", "  as-printed:\n    datasets: [diabetes]\n"))
    assert load(root, "mine").study.arms["again"].datasets == ("digits",)


PENALTY_CASES = [
    ("penalty: l2\n", "penalty: l3\n", "mine.yaml:21: penalty: 'l3' is not a penalty: use one of l2, l1, decay"),
    ("l2  except output", "l2 without output", "arms.as-printed.penalty: 'without output' is not understood"),
    ("l2  except output", "l2 except 4", "arms.as-printed.penalty: there is no kernel 4: the network has 2"),
    ("scaling: robust", "penalty: decay", "arms.robust.penalty: penalty 'decay' is a way of training networks"),
    ("scaling: robust", "penalty: l2 except 2", "arms.robust.penalty: there is no kernel 2: the network has 1"),
    (
        "scaling: robust\n    betas: [0, 0.1]\n    losses: {regression: [squared]}",
        "penalty: l1\n    betas: [0, 0.1]\n    losses: {regression: [huber]}",
        "arms.robust.penalty: penalty 'l1' has no exact solver under loss 'huber' of linear models: use l2, none, pl",
    ),
    (
        "regression: [squared, huber]",
        "regression: [squared, absolute]",
        "mine.yaml:8: architectures.linear.losses.regression: unknown loss of a linear model 'absolute': known are",
    ),
    (
        "losses: {regression: [squared]}",
        "losses: {regression: [absolute]}",
        "arms.robust.losses.regression: unknown loss of a linear model 'absolute': known are cross_entropy, huber, sq",
    ),
]
TRAINING_CASES = [
    (
        "rows: {train: 100, validation: 100",
        "rows: {train: 100, validation: 9",
        "rows.validation: the 9 validation rows of digits cannot hold its 10 classes",
    ),
    ("[digits, diabetes]", "[digits, diabetes, zoo]", "[2].rate: 0.01 of 25 rows of zoo is none (fix: write a value"),
]


@pytest.mark.parametrize(("old", "new", "message"), PENALTY_CASES)
def test_what_cannot_be_trained_is_told_before_anything_is(root: Path, old: str, new: str, message: str) -> None:
    assert old in STUDY + ARMS
    write(root, (STUDY + ARMS).replace(old, new, 1))
    told = [str(fault) for fault in training_faults(load(root, "mine"))]
    assert any(message in one for one in told), told
    fix = "give this loss to architectures with layers only" if "unknown loss" in message else "write for example `l2`"
    assert all(fix in one for one in told)


@pytest.mark.parametrize(("old", "new", "message"), TRAINING_CASES)
def test_too_few_rows_are_told_before_anything_is_trained(root: Path, old: str, new: str, message: str) -> None:
    text = STUDY.replace("- {kind: sym, rate: 0.1}", "- {kind: sym, rate: 0.1}\n    - {kind: sym, rate: 0.01}")
    assert old in text
    write(root, text.replace("rate: 0.01}", "rate: 0.01}" if "zoo" in new else "rate: 0.15}").replace(old, new, 1))
    told = [str(fault) for fault in training_faults(load(root, "mine"))]
    assert any(message in one for one in told), told


SOURCE_CASES = [
    ("bundled:sklearn/wine", "bundled:sklearn/wines", "wine.source: unknown bundled source 'sklearn/wines': did you"),
    ("synthetic:hastie", "synthetic:hasty", "hastie.source: unknown synthetic source 'hasty': did you mean 'hastie'?"),
    ("bundled:sklearn/iris", "file:nowhere.csv", "iris.source: there is no file 'nowhere.csv' (fix: give its path fro"),
    (
        "columns: 10, noise",
        "colums: 10, noise",
        "friedman1.parameters: missing a required argument: 'columns' (fix: th",
    ),
    ("rows: 1800, columns: 30", "rows: 20.5, columns: 30", "sparse_logits.parameters.rows: 20.5 is no count"),
    ("shares_table_with: [fair]", "shares_table_with: [fare]", "shares_table_with[0]: unknown dataset 'fare' (fix: di"),
]


@pytest.mark.parametrize(("old", "new", "message"), SOURCE_CASES)
def test_a_source_that_is_not_there_is_told_on_its_line(root: Path, old: str, new: str, message: str) -> None:
    path = root / "config" / "datasets.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    line = next(n for n, one in enumerate(text.splitlines(), 1) if old in one)
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    document = read(path)
    (fault,) = source_faults(document, document.data)
    assert message in str(fault)
    assert f"datasets.yaml:{line}: " in str(fault)


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("l2 except 2 1", "l2 except 1 2"),
        ("l2 except output 2 2 01 with biases", "l2 except 1 2 output with biases"),
        ("placebo  except 1", "placebo"),
        ("none with biases", "none"),
    ],
)
def test_equal_penalties_are_one_text(root: Path, written: str, canonical: str) -> None:
    write(root, STUDY + ARMS.replace("l2  except output", written))
    assert load(root, "mine").study.arms["as-printed"].penalty == canonical


def test_equal_penalties_are_the_same_runs(root: Path) -> None:
    write(
        root,
        (STUDY + ARMS)
        .replace("l2  except output", "l2 except 2 1")
        .replace("optimizer: momentum", "penalty: l2 except 1 2"),
    )
    assert any("arms.momentum: trains the same models as arms.as-printed on digits" in one for one in faults(root))


def test_a_whole_number_is_the_learning_rate_that_it_is_as_a_fraction(root: Path) -> None:
    shards = []
    for text in ("1", "1.0"):
        written = (STUDY + ARMS).replace("learning_rate: 0.01", f"learning_rate: {text}")
        write(root, written.replace("learning_rate: 0.1", f"learning_rate: {text}"))
        shards.append([shard.to_json() for shard in plan(load(root, "mine"))])
    assert shards[0] == shards[1]


def test_what_can_be_trained_is_let_through(root: Path) -> None:
    write(root, STUDY + ARMS)
    assert training_faults(load(root, "mine")) == []


def test_reading_agrees_with_yaml(tmp_path: Path) -> None:
    text = "a: &one [1, 2.5, x, true, null, '2020-01-01']\nb: *one\nc: {d: 'text', e: 0x10}\n"
    path = tmp_path / "any.yaml"
    path.write_text(text, encoding="utf-8")
    expected: Any = yaml.safe_load(text)
    assert read(path).data == expected


def test_nearest_lists_what_is_known_when_nothing_is_near() -> None:
    assert nearest("zzz", ["b", "a"]) == "use one of a, b"


OWN = "mine:\n  source: bundled:sklearn/iris\n  task: classification\n" + "".join(
    f"  {key}: words\n" for key in ("description", "licence", "citation")
)
FOLDER_CASES = [
    (
        OWN.replace("mine", "other"),
        "datasets/mine.yaml:1: other: the file mine.yaml holds another entry than 'mine' (fix",
    ),
    (OWN + "other: {}\n", "datasets/mine.yaml:7: other: the file mine.yaml holds another entry than 'mine' (fix"),
    (OWN + OWN, "datasets/mine.yaml:7: mine: is given twice (fix: keep one of them (the other is on line 1))"),
    ("# empty\n", "datasets/mine.yaml: is empty"),
    ("- mine\n", "datasets/mine.yaml:1: is no mapping (fix: write `mine:` and its keys below it)"),
    ("mine:\n\tsource: x\n", "datasets/mine.yaml:2: is not valid YAML"),
    (OWN.replace("task: c", "tusk: c"), "datasets/mine.yaml:3: mine.tusk: unknown key (fix: did you mean 'task'"),
    (OWN.replace("sklearn/iris", "sklearn/irys"), "datasets/mine.yaml:2: mine.source: unknown bundled source"),
]


@pytest.mark.parametrize(("text", "message"), FOLDER_CASES)
def test_a_fault_of_an_entry_in_a_file_of_its_own_is_told_there(root: Path, text: str, message: str) -> None:
    (root / "config/datasets").mkdir()
    write(root, text, "datasets/mine")
    write(root, STUDY.replace("[digits, diabetes]", "[digits, diabetes, mine]"))
    with pytest.raises(ConfigError) as caught:
        check(root, "mine", root / "config/claims.yaml")
    told = [str(fault) for fault in caught.value.faults]
    assert any(message in one for one in told), told
    assert all("datasets/mine.yaml" in one for one in told), told


def test_an_entry_stands_in_one_file_alone(root: Path) -> None:
    (root / "config/datasets").mkdir()
    write(root, OWN.replace("mine", "iris"), "datasets/iris")
    lines = (root / "config/datasets.yaml").read_text(encoding="utf-8").splitlines()
    (fault,) = faults(root)
    other = f"keep one of them (the other is on line {lines.index('iris:') + 1} of {root}/config/datasets.yaml)"
    assert f"config/datasets/iris.yaml:1: iris: is given twice (fix: {other}" in fault


def test_an_entry_in_a_file_of_its_own_is_one_of_the_table(root: Path) -> None:
    before = table(root, "datasets")
    (root / "config/datasets").mkdir()
    write(root, OWN, "datasets/mine")
    assert table(root, "datasets") == {**before, "mine": yaml.safe_load(OWN)["mine"]}
    write(root, STUDY.replace("[digits, diabetes]", "[digits, diabetes, mine]"))
    assert "mine" in load(root, "mine").study.datasets


def test_libyaml_reads_as_python_does(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = sorted((REPOSITORY / "config").rglob("*.yaml"))
    assert len(paths) > 100
    quick = [read(path) for path in paths]
    monkeypatch.setattr(yaml, "__with_libyaml__", False)
    assert [read(path) for path in paths] == quick


@pytest.mark.parametrize("part", ["[", "- ", "{a: ", "? "])
def test_no_depth_ends_the_process(tmp_path: Path, part: str) -> None:
    path = tmp_path / "deep.yaml"
    path.write_text(part * 100_000, encoding="utf-8")
    with pytest.raises(ConfigError, match="is nested deeper than 50 levels"):
        read(path)
