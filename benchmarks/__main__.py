"""`python -m benchmarks`: measure, print every target, write results/throughput.json here and docs/benchmarks.md."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from benchmarks import figures, measure, study
from benchmarks.machine import describe
from benchmarks.measure import FULL, QUICK, Plan
from benchmarks.workload import PASSES, ROOT, STEPS_A_PASS
from l2audit.errors import UserError
from l2audit.files import write_text

THROUGHPUT = ROOT / "benchmarks" / "results" / "throughput.json"
QUICK_RESULTS = ROOT / "results" / "throughput-quick.json"
PAGE = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- begin: made by `make bench` -->", "<!-- end -->"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; 0, or with --check 1 where a target that was met is lost."""
    options = _options().parse_args(arguments)
    try:
        results = measured(options)
    except UserError as error:
        print(f"\nerror: {error}", file=sys.stderr)
        return 1
    print(f"\n{figures.verdicts(results)}\n")
    if options.check:
        return _check(results)
    _write(results)
    return 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="two rounds and little of each: in 2 minutes, not to quote"
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; end with status 1 where a target that was met is lost"
    )
    parser.add_argument("--study-run", action="store_true", help="run the default study too, in a fresh copy")
    parser.add_argument("--jax-python", default="", help="a Python that has JAX (default: this one)")
    return parser


def measured(options: argparse.Namespace) -> dict[str, Any]:
    """All measurements, as the content of throughput.json."""
    plan = QUICK if options.quick else FULL
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - started:6.0f} s{text}", flush=True)

    python, why_not = python_with_jax(options.jax_python)
    if why_not:
        say(f"  jax: left out, {why_not}")
    with tempfile.TemporaryDirectory(prefix="l2audit-bench-") as scratch:
        logs = Path(scratch)
        say(" networks 64-64")
        networks = measure.networks(logs, plan, python, say)
        say(" networks 256-256")
        wide = measure.wide(logs, plan, say)
        say(" conv5")
        convolutions = measure.convolutions(logs, plan, say)
        say(" cost of a model in studies of growing size")
        cost = measure.cost(logs, plan, say)
        say(" a shard from nothing")
        start = measure.start(logs, plan, say)
    say(" the default study")
    with study.fresh_run() if options.study_run else nullcontext(ROOT / "results" / study.STUDY) as folder:
        whole, why_no_study = study.figures_of(folder)
    notes = {"jax_ratio": why_not, "pipeline_overhead": why_no_study}
    results: dict[str, Any] = figures.rounded(
        {
            **assembled(plan, networks, wide, convolutions, cost),
            **whole,
            "start": start,
            "machine": _machine(networks.get("jax_version")),
            "notes": {name: text for name, text in notes.items() if text},
            "quick": options.quick,
        }
    )
    return results


def assembled(plan: Plan, networks: dict[str, Any], wide: Any, convolutions: Any, cost: Any) -> dict[str, Any]:
    """The figures of what was measured, in the keys of throughput.json."""
    rounds, steps = networks["rounds"], PASSES * STEPS_A_PASS
    momentum = figures.summary(figures.network_series(rounds, wide, "momentum", steps))
    adam = figures.summary(figures.network_series(rounds, wide, "adam", steps))
    conv5 = figures.convolution_figures(convolutions, plan.conv_passes, STEPS_A_PASS)
    return {
        "jax_ratio": None,
        **momentum,
        **conv5,
        "spread": {**momentum["spread"], **conv5["spread"]},
        "adam": {"jax_ratio": None, **adam, "profile": figures.optimizer_profile(rounds, wide)},
        "rates": figures.rates(rounds),
        "rates_256": figures.rates(wide),
        "loss_disagreement": {one: figures.disagreement(rounds, one) for one in figures.OPTIMIZERS},
        "jax": {key: networks[key] for key in ("jax_way", "jax_chunks") if key in networks},
        "cost": cost,
        "cost_growth": figures.growth([one["milliseconds_a_model"] for one in cost]),
        "cost_steps": measure.cost_steps(plan),
        "rounds": plan.rounds,
        "short_rounds": plan.short_rounds,
    }


def _machine(jax_version: str | None) -> dict[str, Any]:
    found = describe()
    if jax_version:
        found["versions"]["jax"] = jax_version
    return found


def python_with_jax(wanted: str) -> tuple[str | None, str | None]:
    """A Python that can import JAX; or None and why there is none."""
    python = wanted or sys.executable
    if not shutil.which(python):
        return None, "the Python named by BENCH_JAX_PYTHON does not exist"
    done = subprocess.run([python, "-c", "import jax"], capture_output=True, check=False)
    if done.returncode:
        return None, "no jax here (an optional dependency: pip install --group bench, or BENCH_JAX_PYTHON=...)"
    return python, None


def _check(results: dict[str, Any]) -> int:
    lost = figures.lost(json.loads(THROUGHPUT.read_text(encoding="utf-8")), results)
    print("\n".join(lost) or "check: no target that was met is lost")
    return 1 if lost else 0


def _write(results: dict[str, Any]) -> None:
    if results["quick"]:
        write_text(QUICK_RESULTS, figures.to_json(results))
        print(f"{QUICK_RESULTS.relative_to(ROOT)}: written (a quick run is not published)")
        return
    write_text(THROUGHPUT, figures.to_json(results))
    write_text(PAGE, with_tables(PAGE.read_text(encoding="utf-8"), results))
    print(f"{THROUGHPUT.relative_to(ROOT)} and {PAGE.relative_to(ROOT)}: written")


def with_tables(page: str, results: dict[str, Any]) -> str:
    """`page` with the tables of `results` between its two marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{figures.markdown(results)}\n{END}{after}"


if __name__ == "__main__":
    raise SystemExit(main())
