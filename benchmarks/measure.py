"""The measurements: who does what in which order. Every round's rates come back; figures.py makes sense of them.

The contenders of one measurement take turns, round after round, so that a machine which slows down slows all of them
down alike: what counts is the ratio within a round.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.processes import Contender, Team, cores, job_environment, plain_environment, teams
from benchmarks.workload import PASSES, ROOT, SHARD, STEPS_A_PASS, conv5, digits, mlp

Turn = Callable[[], dict[str, float]]
Rounds = dict[str, list[dict[str, float]]]
Say = Callable[[str], None]

SIDES = (8, 14, 28)
JAX_CHUNKS = (8, 16, 32)
MOST_SECONDS = 240
ONE_THREAD = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


@dataclass(frozen=True)
class Plan:
    """How much is measured. models: of ours, a process and turn; passes of conv: one entry for each of SIDES."""

    rounds: int
    short_rounds: int  # of the measurements that take long: width 256, convolutions
    models: int
    wide_models: int
    conv_models: int
    conv_passes: tuple[int, int, int]
    sklearn_models: int
    sgemm_seconds: float
    jax_chunks: tuple[int, ...]
    cost_models: tuple[int, ...]
    cost_passes: int
    start_models: int


FULL = Plan(
    rounds=3,
    short_rounds=2,
    models=96,
    wide_models=16,
    conv_models=2,
    conv_passes=(20, 20, 10),
    sklearn_models=5,
    sgemm_seconds=1.0,
    jax_chunks=JAX_CHUNKS,
    cost_models=(100, 1_000, 10_000, 100_000),
    cost_passes=1,
    start_models=SHARD,
)
QUICK = Plan(
    rounds=2,
    short_rounds=1,
    models=32,
    wide_models=8,
    conv_models=1,
    conv_passes=(5, 5, 3),
    sklearn_models=2,
    sgemm_seconds=0.6,
    jax_chunks=(32,),
    cost_models=(100, 1_000),
    cost_passes=1,
    start_models=32,
)


def engine() -> Contender:
    """This project's engine, as the workflow runs it: a job with one thread on every core."""
    return Contender("ours", job_environment(), count=cores())


def ceiling() -> Contender:
    """sgemm on every core at once."""
    return Contender("sgemm", job_environment(), count=cores())


def take_turns(turns: Mapping[str, Turn], rounds: int, say: Say) -> Rounds:
    """Every turn once a round; what each returned, round by round."""
    found: Rounds = {name: [] for name in turns}
    for number in range(1, rounds + 1):
        for name, turn in turns.items():
            found[name].append(turn())
            say(f"  round {number}/{rounds}  {name:18} {_shown(found[name][-1])}")
    return found


def _shown(numbers: Mapping[str, float]) -> str:
    return "  ".join(f"{name} {value:.4g}" for name, value in numbers.items())


def ours(team: Team, layers: list[str], optimizer: str, models: int, passes: int, side: int = 8) -> Turn:
    """Models per second of the whole machine: `models` on every core, or as many more as make whole chunks."""
    chunk = team.ask("chunk", layers=layers, side=side).replies[0]["chunk"]
    models = -(-models // chunk) * chunk

    def turn() -> dict[str, float]:
        answer = team.ask("train", layers=layers, optimizer=optimizer, models=models, passes=passes, side=side)
        return {"rate": models * len(answer.replies) / answer.seconds, "loss": answer.mean("loss")}

    return turn


def keras(team: Team, layers: list[str], optimizer: str, passes: int, side: int = 8) -> Turn:
    """Models per second as a user trains them, and of a second `fit`, which does not compile any more."""

    def turn() -> dict[str, float]:
        (reply,) = team.ask("train", layers=layers, optimizer=optimizer, passes=passes, side=side).replies
        return {"rate": 1 / reply["seconds"], "compiled_rate": 1 / reply["warm_seconds"], "loss": reply["loss"]}

    return turn


def sklearn(team: Team, optimizer: str, models: int) -> Turn:
    """Models per second."""

    def turn() -> dict[str, float]:
        (reply,) = team.ask("train", width=64, optimizer=optimizer, models=models, passes=PASSES).replies
        return {"rate": 1 / float(np.median(reply["seconds"])), "loss": reply["loss"]}

    return turn


def sgemm(team: Team, seconds: float) -> Turn:
    """GFLOP/s of all cores together."""
    return lambda: {"gflops": team.ask("measure", seconds=seconds).total("gflops")}


def jax(team: Team, rows: Path, optimizer: str, chunk: int, models: int) -> Turn:
    """Models per second of the whole machine, `models` in every process."""

    def turn() -> dict[str, float]:
        answer = team.ask(
            "train", rows=str(rows), width=64, optimizer=optimizer, chunk=chunk, models=models, passes=PASSES
        )
        count = models // chunk * chunk * len(answer.replies)
        return {"rate": count / answer.largest("seconds"), "loss": answer.mean("loss")}

    return turn


def jax_ways(python: str) -> dict[str, Contender]:
    """One process with all threads, or one pinned process with one thread on every core."""
    environment = {**plain_environment(), "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)}
    single = {**environment, "XLA_FLAGS": ONE_THREAD, "OMP_NUM_THREADS": "1"}
    return {
        "one process, all threads": Contender("jax_vmap", environment, python=python),
        "one pinned single-threaded process a core": Contender(
            "jax_vmap", single, count=cores(), python=python, pinned=True
        ),
    }


def best_of_jax(python: str, rows: Path, logs: Path, plan: Plan, say: Say) -> tuple[str, dict[str, int], str]:
    """The faster way to use the machine with JAX, and for each optimizer the fastest chunk; and JAX's version."""
    rates: dict[tuple[str, str, int], float] = {}
    version = ""
    for way, contender in jax_ways(python).items():
        with teams(logs, jax=contender) as crew:
            version = str(crew["jax"].ask("version").replies[0]["version"])
            for optimizer in ("momentum", "adam"):
                for chunk in plan.jax_chunks:
                    rate = jax(crew["jax"], rows, optimizer, chunk, max(plan.jax_chunks))()["rate"]
                    rates[way, optimizer, chunk] = rate
                    say(f"  {way}, {optimizer}, {chunk} models: {rate:.4g} models/s")
    way = max(rates, key=lambda key: rates[key] if key[1] == "momentum" else 0.0)[0]
    chunks = {
        optimizer: max(plan.jax_chunks, key=lambda chunk: rates[way, optimizer, chunk])
        for optimizer in ("momentum", "adam")
    }
    return way, chunks, version


def networks(logs: Path, plan: Plan, python: str | None, say: Say) -> dict[str, Any]:
    """The 64-64 network by all contenders, momentum and Adam; `sgd` shows what the optimizers cost."""
    rows = logs / "rows.npz"
    X, y = digits()
    np.savez(rows, X=X, y=y)
    contenders = {
        "ours": engine(),
        "keras": Contender("keras_fit", plain_environment()),
        "sklearn": Contender("sklearn_mlp", plain_environment()),
        "sgemm": ceiling(),
    }
    found: dict[str, Any] = {}
    chunks: dict[str, int] = {}
    if python:
        way, chunks, found["jax_version"] = best_of_jax(python, rows, logs, plan, say)
        found["jax_way"], found["jax_chunks"] = way, chunks
        contenders["jax"] = jax_ways(python)[way]
    with teams(logs, **contenders) as crew:
        layers = mlp(64)
        turns: dict[str, Turn] = {"sgemm": sgemm(crew["sgemm"], plan.sgemm_seconds)}
        for optimizer in ("momentum", "adam"):
            turns[f"ours.{optimizer}"] = ours(crew["ours"], layers, optimizer, plan.models, PASSES)
            turns[f"keras.{optimizer}"] = keras(crew["keras"], layers, optimizer, PASSES)
            turns[f"sklearn.{optimizer}"] = sklearn(crew["sklearn"], optimizer, plan.sklearn_models)
            if python:
                turns[f"jax.{optimizer}"] = jax(crew["jax"], rows, optimizer, chunks[optimizer], plan.models)
        turns["ours.sgd"] = ours(crew["ours"], layers, "sgd", plan.models, PASSES)
        warm_up(crew["ours"], layers, PASSES)
        found["rounds"] = take_turns(turns, plan.rounds, say)
    return found


def warm_up(team: Team, layers: list[str], passes: int) -> None:
    """Compile what the turns will run, once for each optimizer."""
    for optimizer in ("momentum", "adam", "sgd"):
        ours(team, layers, optimizer, 2, passes)()


def wide(logs: Path, plan: Plan, say: Say) -> Rounds:
    """The 256-256 network: ours beside sgemm."""
    with teams(logs, ours=engine(), sgemm=ceiling()) as crew:
        warm_up(crew["ours"], mlp(256), PASSES)
        turns: dict[str, Turn] = {"sgemm": sgemm(crew["sgemm"], plan.sgemm_seconds)}
        for optimizer in ("momentum", "adam", "sgd"):
            turns[f"ours.{optimizer}"] = ours(crew["ours"], mlp(256), optimizer, plan.wide_models, PASSES)
        return take_turns(turns, plan.short_rounds, say)


def convolutions(logs: Path, plan: Plan, say: Say) -> dict[int, Rounds]:
    """conv5 on images of each of SIDES: ours, Keras and sgemm."""
    found = {}
    layers = conv5()
    keras_fit = Contender("keras_fit", plain_environment())
    with teams(logs, ours=engine(), keras=keras_fit, sgemm=ceiling()) as crew:
        for side, passes in zip(SIDES, plan.conv_passes, strict=True):
            say(f"  {side} x {side} pixels")
            turns = {
                "sgemm": sgemm(crew["sgemm"], plan.sgemm_seconds),
                "ours.momentum": ours(crew["ours"], layers, "momentum", plan.conv_models, passes, side),
                "keras.momentum": keras(crew["keras"], layers, "momentum", passes, side),
            }
            ours(crew["ours"], layers, "momentum", 1, passes, side)()  # compiles
            found[side] = take_turns(turns, plan.short_rounds, say)
    return found


def cost(logs: Path, plan: Plan, say: Say) -> list[dict[str, float]]:
    """Studies of growing size, each by fresh processes: core-milliseconds a model and the highest memory of a process.

    Such a study is what the workflow makes of it: jobs side by side, one shard after another. A size that would take
    more than MOST_SECONDS, by the one before it, is left out.
    """
    found: list[dict[str, float]] = []
    for models in plan.cost_models:
        if found and models * found[-1]["milliseconds_a_model"] / 1e3 / cores() > MOST_SECONDS:
            say(f"  {models} models would take more than {MOST_SECONDS} s: left out")
            break
        with teams(logs, ours=engine()) as crew:
            share = -(-models // cores())
            ours(crew["ours"], mlp(64), "momentum", 2, plan.cost_passes)()
            started = crew["ours"].started
            answer = crew["ours"].ask(
                "train", layers=mlp(64), optimizer="momentum", models=share, passes=plan.cost_passes
            )
            trained = share * cores()
            whole = time.perf_counter() - started
            found.append(
                {
                    "models": models,
                    "milliseconds_a_model": 1e3 * cores() * answer.seconds / trained,
                    "milliseconds_a_model_with_start": 1e3 * cores() * whole / trained,
                    "peak_memory_mb": answer.largest("peak_mb"),
                }
            )
        say(f"  {_shown(found[-1])}")
    return found


def start(logs: Path, plan: Plan, say: Say) -> dict[str, float]:
    """A shard on every core from nothing: starting Python, importing, compiling, training."""
    with teams(logs, ours=engine()) as crew:
        ours(crew["ours"], mlp(64), "momentum", 2, PASSES)()
        compiled = time.perf_counter() - crew["ours"].started
    with teams(logs, ours=engine()) as crew:
        begun = crew["ours"].started
        crew["ours"].ask("train", layers=mlp(64), optimizer="momentum", models=plan.start_models, passes=PASSES)
        whole = time.perf_counter() - begun
    found = {
        "models_a_core": plan.start_models,
        "seconds_until_the_first_models": compiled,
        "seconds": whole,
        "rate": plan.start_models * cores() / whole,
    }
    say(f"  {_shown(found)}")
    return found


def cost_steps(plan: Plan) -> int:
    """Optimizer steps of every model in `cost`."""
    return plan.cost_passes * STEPS_A_PASS
