"""The command line: it teaches, it is quick, and its mistakes are messages."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml

from l2audit.cli import main
from l2audit.config.claims import load
from l2audit.config.load import load as load_study
from l2audit.data.split import sizes_for
from l2audit.errors import UserError
from l2audit.files import sha256_of
from l2audit.judge.statistics import detectable_effect
from l2audit.pipeline.minutes import download_bytes, results_bytes
from l2audit.pipeline.results import EVIDENCE, calibration_file, stored_results
from l2audit.plan import jobs_of
from l2audit.runs.kept import TAKEN
from l2audit.runs.results import PROVENANCE
from l2audit.seeds import canonical
from l2audit.stored import read_json, write_json, write_table
from whole_study import checked, document, faked

REPOSITORY = Path(__file__).parents[2]


def put_evidence(folder: Path, **contents: object) -> None:
    """Every file of the evidence, empty but for `contents`, name without its ending to value."""
    folder.mkdir(parents=True)
    for name in EVIDENCE:
        write_json(folder / name, contents.get(name.removesuffix(".json"), {}))
    files = {name: sha256_of(folder / name) for name in EVIDENCE if name != "provenance.json"}
    write_json(folder / "provenance.json", {"study": contents.get("study", {}), "files": files})


def test_help_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert "examples:" in text
    assert "snakemake --cores all --config study=smoke" in text


def test_no_command_imports_tensorflow() -> None:
    code = "import sys\nfrom l2audit.cli import main\nmain(['plan', 'smoke'])\nassert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True, capture_output=True)


def test_plan_counts_the_models(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--root", str(REPOSITORY), "plan", "smoke"]) == 0
    assert "328 models in 4 jobs." in capsys.readouterr().out


def test_plan_lists_the_arms_and_what_they_cost(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--root", str(REPOSITORY), "plan", "default"]) == 0
    (row,) = (line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("as-printed"))
    assert row[:9] == ["as-printed", "mlp-64-64", "l2", "except", "output", "adam", "clean", "6", "324"]
    assert float(row[9]) > 0


def test_plan_tells_the_smallest_effects_that_a_study_could_show(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--root", str(REPOSITORY), "plan", "default"]) == 0
    told = capsys.readouterr().out.split("The smallest average effect that each claim or situation could show")[1]
    rows = {tuple(line.split()[:2]): line.split()[2:] for line in told.splitlines() if line.strip()}
    k, factor = int(rows["g", "label/linear"][0]), float(rows["g", "label/linear"][1])
    study = load_study(REPOSITORY, "default")
    assert k == sum(study.task(name) == "classification" for name in study.study.datasets)
    both = (len(load(REPOSITORY / "config" / "claims.yaml")[name].strata) for name in ("g", "h3"))
    assert factor == pytest.approx(detectable_effect(k, 1.0, sum(both)), abs=0.06)
    assert ("g", "label/conv5") not in rows or int(rows["g", "label/conv5"][0]) > 0


def test_plan_tells_the_megabytes_that_a_study_needs(capsys: pytest.CaptureFixture[str]) -> None:
    entries = yaml.safe_load((REPOSITORY / "config/datasets.yaml").read_text(encoding="utf-8"))
    for path in (REPOSITORY / "config/datasets").glob("*.yaml"):
        entries |= yaml.safe_load(path.read_text(encoding="utf-8"))
    full = load_study(REPOSITORY, "full")
    declared = sum(file["bytes"] for name in full.study.all_datasets for file in entries[name].get("files", ()))
    assert download_bytes(full) == declared > 1e7
    assert main(["--root", str(REPOSITORY), "plan", "smoke"]) == 0
    assert " of results; downloads: 0 B.\n" in capsys.readouterr().out


def test_the_megabytes_of_results_are_near_those_of_real_files(tmp_path: Path) -> None:
    """One job of both tasks, its measures and predictions drawn at random, so that they cannot be packed better."""
    config = checked(document(seeds=30, rows={"train": 200, "validation": 100, "test": 400}), tmp_path)
    draw, taken = np.random.default_rng(0), 0
    for job in (jobs := jobs_of(config)).values():
        (shard,) = job.shards
        entry = config.datasets[shard.dataset]
        rows = sizes_for(entry["facts"]["rows"], shard.rows).test
        values = shard.task == "regression"
        predicted = draw.normal(size=(shard.size, rows)).astype(np.float32)
        columns = {"predicted": list(predicted if values else draw.integers(0, 3, (shard.size, rows)).astype(np.uint8))}
        if not values:
            columns["log_probability"] = list(predicted.astype(np.float16))
        runs = faked()(config, shard, {})
        for name, table in (("trained", runs), ("runs", runs), ("predictions", pa.table(columns))):
            write_table(table, tmp_path / f"{job.job_id}.{name}.parquet")
            taken += (tmp_path / f"{job.job_id}.{name}.parquet").stat().st_size
    assert results_bytes(config, jobs.values()) == pytest.approx(taken, rel=0.4)


@pytest.mark.parametrize("damage", ["", "s\n", "s\tmax_rss\n", "s\nfast\n", "\0"])
def test_plan_takes_a_time_only_from_a_whole_benchmark_of_the_same_job(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    shutil.copytree(REPOSITORY / "config", tmp_path / "config")
    results = tmp_path / "results/smoke"
    for folder in ("benchmarks", "logs"):
        (results / folder / "train").mkdir(parents=True)
    for name, job in jobs_of(load_study(tmp_path, "smoke")).items():
        shards = {shard.shard_id: {"shard": shard.declared()} for shard in job.shards}
        table = pa.table({"run": [1]}).replace_schema_metadata({PROVENANCE: canonical({"shards": shards}).encode()})
        write_table(table, results / f"trained/{name}.parquet")
        path, log = results / f"benchmarks/train/{name}.tsv", results / f"logs/train/{name}.log"
        path.write_text("s\n1800\n", encoding="utf-8")
        log.write_text("x: training\n", encoding="utf-8")

    def told() -> str:
        assert main(["--root", str(tmp_path), "plan", "smoke"]) == 0
        return next(line for line in capsys.readouterr().out.splitlines() if line.startswith("About"))

    assert told() == "About 60.0 minutes of training with 2 jobs at once (from earlier runs)."
    path.write_text(damage, encoding="utf-8")
    assert "About 45." in told() and "from typical speeds" in told()
    path.write_text("s\n1800\n", encoding="utf-8")
    log.write_text(f"x: {TAKEN}\n", encoding="utf-8")  # a job that took a shard as it was says nothing of a fresh run
    assert "About 45." in told() and "from typical speeds" in told()
    study = tmp_path / "config/studies/smoke.yaml"
    study.write_text(study.read_text(encoding="utf-8").replace("\nseeds: 3", "\nseeds: 4"), encoding="utf-8")
    assert float(told().split()[1]) < 10


def test_the_own_calibration_comes_before_the_published_one(tmp_path: Path) -> None:
    assert calibration_file(tmp_path) is None
    for folder in ("report/published/study-1", "report/published/full", "results"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "calibration.json").write_text("{}", encoding="utf-8")
        assert calibration_file(tmp_path) == tmp_path / folder / "calibration.json"


def test_datasets_are_listed_with_their_task(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--root", str(REPOSITORY), "datasets"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("digits ") and "classification" in line for line in lines)
    assert any(line.startswith("diabetes ") and "regression" in line for line in lines)


def test_a_fault_is_a_message_and_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^1$"):
        main(["--root", str(REPOSITORY), "plan", "nonesuch"])
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert "there is no study 'nonesuch'" in told


def test_check_finds_every_fault_of_every_file_in_one_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(REPOSITORY / "config", tmp_path / "config")
    faults = [
        ("studies/smoke", "  - iris\n", "  - irys\n", "datasets[0]: unknown dataset 'irys'"),
        ("studies/smoke", "penalty: placebo", "penalty: placeboo", "arms.placebo.penalty: 'placeboo' is not a penalty"),
        ("studies/full", "optimizer: adam\n", "optimizer: adamm\n", "optimizer: unknown value 'adamm'"),
        ("datasets", "bundled:sklearn/wine", "bundled:sklearn/wines", "wine.source: unknown bundled source"),
        ("datasets", "synthetic:hastie", "synthetic:hasty", "hastie.source: unknown synthetic source"),
        ("datasets", "  role: control", "  role: kontrol", "planted_isotropic_1.role: unknown value 'kontrol'"),
        ("architectures", "dense 64, batchnorm", "dense 64, batchnrm", "mlp-64-64-bn.layers[1]: 'batchnrm' (text) is"),
        ("claims", "against: adamw", "against: adamv", "parameters.against: unknown arm 'adamv'"),
        ("claims", "measure: layer_spread", "measure: layer_spred", "parameters.measure: unknown measure"),
        ("claims", "penalty_is_quadratic", "penalty_is_quadratik", "checks[0]: unknown check 'penalty_is_quadratik'"),
        ("claims", "[batch_norm_ignores_scale", "[ridge_shift_is_unbounded_at_every_beta", "is a check of claim A3"),
        ("specifications", "arm: robust-scaling", "arm: robust-scalin", "scaling[2].arm: unknown arm 'robust-scalin'"),
    ]
    lines = []
    for name, old, new, _ in faults:
        path = tmp_path / "config" / f"{name}.yaml"
        text = path.read_text(encoding="utf-8")
        assert old in text, old
        lines.append(text[: text.index(old)].count("\n") + old.count("\n", 0, 1) + 1)
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(SystemExit, match=r"^1$"):
        main(["--root", str(tmp_path), "check"])
    told = capsys.readouterr().err.splitlines()
    for (name, _, _, message), line in zip(faults, lines, strict=True):
        assert any(f"{name}.yaml:{line}: " in one and message in one for one in told), (name, line, message, told)


def test_check_warns_of_claims_that_a_study_gives_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--root", str(REPOSITORY), "check"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("ok  ") for line in told) == 2 + len([*(REPOSITORY / "config/studies").glob("*.yaml")])
    warnings = [line for line in told if line.startswith("warning: ")]
    warnings = [line for line in warnings if "config/datasets" not in line]
    assert all("gives nothing to judge" in line for line in warnings)
    assert not any("config/studies/full.yaml" in line for line in warnings)
    assert any("smoke.yaml gives nothing to judge A1, A1s" in line and "no arm mlp-adam" in line for line in warnings)


def test_check_warns_of_datasets_whose_cards_warn(capsys: pytest.CaptureFixture[str]) -> None:
    told = {}
    for study in ([], ["--study", "default"]):
        assert main(["--root", str(REPOSITORY), "check", *study]) == 0
        lines = capsys.readouterr().out.splitlines()
        told[len(study)] = [line for line in lines if line.startswith("warning: ") and "config/datasets" in line]
    charity = "config/datasets/charity_respond.yaml: 1484 of 4268 rows repeat another row; in the first split"
    assert any(charity in line for line in told[0])
    assert any("config/datasets.yaml: fair_affairs: " in line for line in told[2])
    names = load_study(REPOSITORY, "default").study.all_datasets
    assert told[2]
    assert all(line.split(": ")[2] in names for line in told[2])


def test_own_results_come_before_published_ones(tmp_path: Path) -> None:
    put_evidence(tmp_path / "report/published/default")
    assert stored_results(tmp_path, "default") == tmp_path / "report/published/default"
    put_evidence(tmp_path / "results/default")
    assert stored_results(tmp_path, "default") == tmp_path / "results/default"


def test_half_a_set_of_results_does_not_count(tmp_path: Path) -> None:
    put_evidence(tmp_path / "report/published/default")
    put_evidence(tmp_path / "results/default")
    (tmp_path / "results/default/verdicts.json").unlink()
    assert stored_results(tmp_path, "default") == tmp_path / "report/published/default"


def test_the_published_results_of_one_study_do_not_pass_for_those_of_another(tmp_path: Path) -> None:
    put_evidence(tmp_path / "report/published/default")
    with pytest.raises(UserError, match="no stored results of the study 'smoke'"):
        stored_results(tmp_path, "smoke")
    with pytest.raises(UserError, match="no stored results of any study"):
        stored_results(tmp_path / "elsewhere")


def test_without_a_name_the_main_study_is_shown(tmp_path: Path) -> None:
    for place in ("report/published/study-1", "report/published/full", "results/quick", "results/default"):
        put_evidence(tmp_path / place)
        assert stored_results(tmp_path) == tmp_path / place


def test_a_study_of_an_earlier_version_has_the_files_that_its_provenance_names(tmp_path: Path) -> None:
    folder = tmp_path / "report/published/study-1"
    put_evidence(folder)
    (folder / "answers.parquet").unlink()
    with pytest.raises(UserError, match="no stored results"):
        stored_results(tmp_path, "study-1")
    made_of = read_json(folder / "provenance.json")
    del made_of["files"]["answers.parquet"]
    write_json(folder / "provenance.json", made_of)
    assert stored_results(tmp_path, "study-1") == folder
    write_json(folder / "answers.parquet", {})
    with pytest.raises(UserError, match="is not the file that provenance"):
        stored_results(tmp_path, "study-1")


def test_a_page_of_an_earlier_registration_is_shown_as_it_was_published(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "report/published/study-1"
    put_evidence(folder)
    (folder / "claims.yaml").write_text("version: 1", encoding="utf-8")
    (folder / "index.html").write_text("<!doctype html>", encoding="utf-8")
    (tmp_path / "config").mkdir()
    (tmp_path / "config/claims.yaml").write_text("version: 2", encoding="utf-8")
    assert main(["--root", str(tmp_path), "report"]) == 0
    assert "study-1.published.html: as it was published in " in capsys.readouterr().out
    assert (tmp_path / "report/study-1.published.html").read_text(encoding="utf-8") == "<!doctype html>"


def test_a_study_without_verdicts_says_so_above_its_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "results/tiny"
    study = {"name": "tiny", "title": "A study", "verdicts": False}
    put_evidence(folder, verdicts={"claims": [], "added": [], "controls": []}, study=study)
    assert main(["--root", str(tmp_path), "table", "tiny"]) == 0
    assert capsys.readouterr().out.startswith("Plumbing only: this study is too small for verdicts.")
