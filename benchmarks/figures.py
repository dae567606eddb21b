"""From rates to figures: medians and spreads over rounds, targets, the table of docs/benchmarks.md."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np

from benchmarks.measure import SIDES, Rounds
from benchmarks.workload import conv5, flop_of_step, mlp, network_of

Results = dict[str, Any]
Series = dict[str, list[float]]

DIGITS = 4  # significant ones, in the file
OPTIMIZERS = ("momentum", "adam")
CONTENDERS = ("ours", "keras", "sklearn", "jax")
SLACK = 0.2
"""A target that was met and is now missed by more than this share of it is a fault (`--check`)."""


@dataclass(frozen=True)
class Target:
    """A figure and the value that it must reach: at least, or (`at_most`) at most."""

    key: str
    text: str
    bound: float
    at_most: bool = False
    index: int | None = None  # of a list
    share: bool = False  # shown in per cent

    def value(self, results: Mapping[str, Any]) -> float | None:
        """The figure, None where it was not measured."""
        found = results.get(self.key)
        return found if self.index is None or found is None else found[self.index]

    def spread(self, results: Mapping[str, Any]) -> list[float] | None:
        """Lowest and highest of the rounds."""
        found = results.get("spread", {}).get(self.key)
        chosen: list[float] | None = found if self.index is None or found is None else found[self.index]
        return chosen

    def met(self, value: float | None, slack: float = 0.0) -> bool:
        """Whether `value` reaches the target, or misses it by no more than the share `slack` of it."""
        if value is None:
            return False
        return value <= self.bound * (1 + slack) if self.at_most else value >= self.bound * (1 - slack)

    def shown(self, value: float | None) -> str:
        """A value of this figure as text."""
        if value is None:
            return "not measured"
        return f"{100 * value:.0f} %" if self.share else f"{value:.3g}"

    @property
    def demand(self) -> str:
        """The target as text."""
        return f"{'≤' if self.at_most else '≥'} {self.shown(self.bound)}"


TARGETS = (
    Target("keras_ratio", "MLP 64-64, models per second: ours over Keras `fit`", 200),
    Target("sklearn_ratio", "ours over scikit-learn `MLPClassifier`", 18),
    Target("jax_ratio", "ours over `jax.vmap`", 1.1),
    Target("sgemm_share_64", "share of sgemm, width 64", 0.55, share=True),
    Target("sgemm_share_256", "share of sgemm, width 256", 0.65, share=True),
    *(
        Target("conv5_keras_ratio", f"conv5, {side}×{side}: ours over Keras `fit`", bound, index=index)
        for index, (side, bound) in enumerate(zip(SIDES, (11, 5.5, 2.8), strict=True))
    ),
    Target("conv5_sgemm_share", "conv5, 28×28: share of sgemm", 0.70, index=2, share=True),
    Target("cost_growth", "cost of a model in a study, over its cost in the best smaller one", 1.05, at_most=True),
    Target("pipeline_overhead", "default study: wall over training seconds a core", 1.2, at_most=True),
    Target("default_study_minutes", "default study: minutes", 10, at_most=True),
    Target("default_study_models", "default study: models", 10_000),
)


def ratios(rounds: Rounds, above: str, below: str, key: str = "rate") -> list[float]:
    """The ratio of two contenders' rates in each round."""
    return [a["rate"] / b[key] for a, b in zip(rounds[above], rounds[below], strict=True)]


def shares(rounds: Rounds, name: str, flop_of_model: float) -> list[float]:
    """What part of sgemm's rate in the same round a contender's models per second amount to."""
    return [
        one["rate"] * flop_of_model / 1e9 / peak["gflops"]
        for one, peak in zip(rounds[name], rounds["sgemm"], strict=True)
    ]


def network_series(networks: Rounds, wide: Rounds, optimizer: str, steps: int) -> Series:
    """Every round's figures of one optimizer on the dense networks."""
    mine = f"ours.{optimizer}"
    found = {
        "keras_ratio": ratios(networks, mine, f"keras.{optimizer}"),
        "keras_compiled_ratio": ratios(networks, mine, f"keras.{optimizer}", "compiled_rate"),
        "sklearn_ratio": ratios(networks, mine, f"sklearn.{optimizer}"),
    }
    if f"jax.{optimizer}" in networks:
        found["jax_ratio"] = ratios(networks, mine, f"jax.{optimizer}")
    for width, rounds in ((64, networks), (256, wide)):
        flop = flop_of_step(network_of(mlp(width), 8))
        found[f"sgemm_share_{width}"] = shares(rounds, mine, flop["convention"] * steps)
        found[f"sgemm_share_{width}_needed"] = shares(rounds, mine, flop["needed"] * steps)
    return found


def summary(series: Series) -> Results:
    """Medians over the rounds, and under `spread` the lowest and highest."""
    medians: Results = {name: float(np.median(values)) for name, values in series.items()}
    return {**medians, "spread": {name: [min(values), max(values)] for name, values in series.items()}}


def optimizer_profile(networks: Rounds, wide: Rounds) -> Results:
    """For each width: core-time of a model relative to plain SGD's, which keeps no state, and what is lost to it."""
    found: Results = {}
    for width, rounds in ((64, networks), (256, wide)):
        for optimizer in OPTIMIZERS:
            slower = float(np.median(ratios(rounds, "ours.sgd", f"ours.{optimizer}")))
            found[f"time_over_sgd_{width}_{optimizer}"] = slower
        found[f"share_of_time_{width}_adam_over_momentum"] = 1 - float(
            np.median(ratios(rounds, "ours.adam", "ours.momentum"))
        )
    return found


def convolution_figures(convolutions: Mapping[int, Rounds], passes: Sequence[int], steps_a_pass: int) -> Results:
    """Lists over SIDES: ratio to Keras' compiled `fit`, the same with its compilation, share of sgemm, ms a step."""
    found: Results = {
        name: [] for name in ("keras_ratio", "keras_first_ratio", "sgemm_share", "ms_a_step", "keras_ms_a_step")
    }
    spread: dict[str, list[list[float]]] = {"keras_ratio": [], "sgemm_share": []}
    for side, count in zip(SIDES, passes, strict=True):
        rounds, steps = convolutions[side], count * steps_a_pass
        flop = flop_of_step(network_of(conv5(), side))["convention"]
        series = {
            "keras_ratio": ratios(rounds, "ours.momentum", "keras.momentum", "compiled_rate"),
            "keras_first_ratio": ratios(rounds, "ours.momentum", "keras.momentum"),
            "sgemm_share": shares(rounds, "ours.momentum", flop * steps),
            "ms_a_step": [1e3 / one["rate"] / steps for one in rounds["ours.momentum"]],
            "keras_ms_a_step": [1e3 / one["compiled_rate"] / steps for one in rounds["keras.momentum"]],
        }
        for name, values in series.items():
            found[name].append(float(np.median(values)))
            if name in spread:
                spread[name].append([min(values), max(values)])
    return {f"conv5_{name}": values for name, values in found.items()} | {
        "spread": {f"conv5_{name}": values for name, values in spread.items()}
    }


def rates(networks: Rounds) -> Results:
    """Median models per second of every contender, and the mean loss of its models on the training rows."""
    found: Results = {}
    for name, turns in networks.items():
        found[name] = {key: float(np.median([turn[key] for turn in turns])) for key in turns[0]}
    return found


def disagreement(networks: Rounds, optimizer: str) -> float:
    """The largest relative difference between a contender's mean training loss and ours."""
    mine = networks[f"ours.{optimizer}"][-1]["loss"]
    others = [f"{name}.{optimizer}" for name in CONTENDERS[1:] if f"{name}.{optimizer}" in networks]
    return max(abs(networks[name][-1]["loss"] / mine - 1) for name in others)


def growth(costs: Sequence[float]) -> float:
    """The most that a cost exceeds the least of those before it, as a ratio: 1 or less is flat or falling."""
    least = list(accumulate(costs, min))
    return max(cost / before for cost, before in zip(costs[1:], least, strict=False))


def rounded(value: Any) -> Any:
    """`value` with all its floats at DIGITS significant digits."""
    match value:
        case dict():
            return {key: rounded(one) for key, one in value.items()}
        case list() | tuple():
            return [rounded(one) for one in value]
        case float():
            return float(f"{value:.{DIGITS}g}")
    return value


def to_json(results: Results) -> str:
    """Sorted, indented, no NaN: equal results give equal text."""
    return json.dumps(results, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def verdicts(results: Results) -> str:
    """One line a target, for the terminal."""
    width = max(len(target.text) for target in TARGETS)
    lines = []
    for target in TARGETS:
        value = target.value(results)
        word = "not measured" if value is None else "met" if target.met(value) else "NOT MET"
        lines.append(f"{target.text:{width}}  {target.demand:>8}  {target.shown(value):>12}  {word}")
    return "\n".join(lines)


def lost(published: Results, results: Results) -> list[str]:
    """Targets that `published` meets and `results`, where measured, miss by more than SLACK."""
    return [
        f"{target.text}: {target.demand} was met ({target.shown(target.value(published))}), now {target.shown(value)}"
        for target in TARGETS
        if target.met(target.value(published))
        and (value := target.value(results)) is not None
        and not target.met(value, SLACK)
    ]


def markdown(results: Results) -> str:
    """The tables of docs/benchmarks.md."""
    parts: tuple[Callable[[Results], Iterator[str]], ...] = (_machine, _targets, _rates, _adam, _conv5, _cost, _notes)
    return "\n\n".join("\n".join(part(results)) for part in parts if any(part(results))) + "\n"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _head(*cells: str) -> Iterator[str]:
    yield _row(*cells)
    yield _row(*("---" for _ in cells))


def _machine(results: Results) -> Iterator[str]:
    machine = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in sorted(machine["versions"].items()))
    cache = f", {machine['l2_kib_a_core']} KiB L2 each" if "l2_kib_a_core" in machine else ""
    peak = results["rates"]["sgemm"]["gflops"]
    if results["quick"]:
        yield "A quick run: not to be quoted.\n"
    yield (
        f"Measured on: {machine['processor']}, {machine['cores']} cores{cache}, "
        f"{' '.join(machine['vector_instructions'])}; {versions}. sgemm on all cores together: {peak:.0f} GFLOP/s. "
        f"{results['rounds']} rounds, {results['short_rounds']} for width 256 and conv5."
    )


def _targets(results: Results) -> Iterator[str]:
    yield from _head("figure", "target", "reached", "lowest to highest round", "")
    for target in TARGETS:
        value, spread = target.value(results), target.spread(results)
        between = f"{target.shown(spread[0])} to {target.shown(spread[1])}" if spread else ""
        word = "" if value is None else "met" if target.met(value) else "**not met**"
        yield _row(target.text, target.demand, target.shown(value), between, word)


def _rates(results: Results) -> Iterator[str]:
    found = results["rates"]
    yield from _head("MLP 64-64, models per second", "momentum", "loss", "Adam", "loss")
    for name in CONTENDERS:
        if f"{name}.momentum" in found:
            cells = [found[f"{name}.{one}"] for one in OPTIMIZERS]
            yield _row(name, *(text for cell in cells for text in (f"{cell['rate']:.3g}", f"{cell['loss']:.4f}")))
    cells = [found[f"keras.{one}"] for one in OPTIMIZERS]
    yield _row("keras, compiled already", *(text for cell in cells for text in (f"{cell['compiled_rate']:.3g}", "")))


def _adam(results: Results) -> Iterator[str]:
    adam = results["adam"]
    yield from _head("the same with Adam", "momentum", "Adam", "lowest to highest round")
    for target in TARGETS[:5]:
        low, high = adam["spread"].get(target.key, (None, None))
        between = f"{target.shown(low)} to {target.shown(high)}" if low is not None else ""
        yield _row(target.text, target.shown(results.get(target.key)), target.shown(adam.get(target.key)), between)
    for width in (64, 256):
        over = [adam["profile"][f"time_over_sgd_{width}_{one}"] for one in OPTIMIZERS]
        yield _row(f"time of a step over plain SGD's, width {width}", *(f"{one:.3g}" for one in over), "")


def _conv5(results: Results) -> Iterator[str]:
    yield from _head("conv5, whole machine", *(f"{side}×{side}" for side in SIDES))
    rows = {
        "ours, ms a step and model": ("conv5_ms_a_step", 1, ".3g"),
        "Keras `fit`, compiled already, ms a step": ("conv5_keras_ms_a_step", 1, ".3g"),
        "ratio": ("conv5_keras_ratio", 1, ".3g"),
        "ratio with Keras' compilation, in schedules as short as these": ("conv5_keras_first_ratio", 1, ".3g"),
        "share of sgemm, %": ("conv5_sgemm_share", 100, ".0f"),
    }
    for text, (key, times, layout) in rows.items():
        yield _row(text, *(f"{times * one:{layout}}" for one in results[key]))


def _cost(results: Results) -> Iterator[str]:
    yield from _head("models in a study", "core-ms a model", "with starting and compiling", "peak memory of a job, MB")
    for one in results["cost"]:
        yield _row(
            f"{one['models']:,}",
            f"{one['milliseconds_a_model']:.3g}",
            f"{one['milliseconds_a_model_with_start']:.3g}",
            f"{one['peak_memory_mb']:.0f}",
        )


def _notes(results: Results) -> Iterator[str]:
    for name, text in sorted(results["notes"].items()):
        yield f"- `{name}`: {text}"
