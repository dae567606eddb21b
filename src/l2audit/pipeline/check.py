"""Everything that can be known to fail before anything is trained or judged, over all files of config/.

`l2audit.config` checks each file by itself and the names that files share. Here is what other rooms know: sources of
data, layers and penalties, solvers, estimands and exact checks. Nothing here imports TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from l2audit.config.claims import AGAINST, MEASURED, Claim, Part, Registration
from l2audit.config.claims import load as load_claims
from l2audit.config.faults import ConfigError, Fault, gathered, key_of
from l2audit.config.load import Tables, studies
from l2audit.config.reader import Document
from l2audit.config.study import CLASSIFICATION, PRIMARY_LOSS, Arm, Config
from l2audit.data.entries import Entry, entry_faults, local_file, read_entry
from l2audit.data.sources import loader_of
from l2audit.data.split import Sizes, sizes_for
from l2audit.data.synthetic import recipe_of
from l2audit.effects.estimands import ESTIMANDS, KINDS, parameter_faults
from l2audit.effects.evidence import stratum_of
from l2audit.effects.grid import Block
from l2audit.effects.table import arms_of, levels_of
from l2audit.errors import UserError
from l2audit.facts.fact import CLAIMS
from l2audit.linear.fit import supports
from l2audit.models.architectures import Architecture
from l2audit.models.penalties import read_penalty
from l2audit.plan import Shard, network_of, plan
from l2audit.registry import UnknownName
from l2audit.specifications.choices import arms_named
from l2audit.specifications.choices import load as load_choices

EXAMPLES = "write for example `l2`, `l2 except output`, `l2 with biases`, `l1` or `decay` (docs/workflow.md)"
SOURCES: Mapping[str, Callable[[Entry], object]] = {"bundled": loader_of, "synthetic": recipe_of, "file": local_file}
"""Kind of source -> what finds the source of an entry, where that takes no network; UserError: it is not there."""


def check(root: Path, study: str | None, registration: Path) -> tuple[list[Config], Registration]:
    """A study, a name or a path, and the registration, if nothing in config/ or in them can fail later.

    study: None for all studies of config/ and all entries of datasets. A study is checked with its own datasets alone:
    a local table that it does not name may be elsewhere. ConfigError: every fault of every file, each on its line.
    """
    faults: list[Fault] = []
    configs = []
    tables = Tables(root, registration)
    for name in studies(root) if study is None else [study]:
        config, found = tables.draft(name)
        faults += found
        if config:
            faults += training_faults(config)
            configs.append(config)
    if study is None and (names := tables.sound("datasets")):
        faults += source_faults(tables.documents["datasets"], names)
    if names := tables.sound("architectures"):
        faults += layer_faults(tables.documents["architectures"], names)
    with gathered(faults):
        path = root / "config" / "specifications.yaml"
        load_choices(path, lambda document: tables.unknown_arms(document, arms_named(document)))
    with gathered(faults):
        verified = load_verified(registration)
    if faults:
        raise ConfigError(faults)
    return configs, verified


def load_verified(path: Path) -> Registration:
    """The registration in `path`, if all it names can be computed; ConfigError: every fault, each on its line."""
    checks = {name: claim for claim, names in CLAIMS.items() for name in names}

    def part_faults(document: Document) -> Iterator[Fault]:
        for index, claim in enumerate(document.data["claims"]):
            for number, part in enumerate(claim["parts"]):
                at = ("claims", index, "parts", number)
                if "estimand" in part:
                    try:
                        for parameter, problem, fix in parameter_faults(part["estimand"], part.get("parameters", {})):
                            yield document.fault((*at, "parameters", parameter), problem, fix)
                    except UnknownName as error:
                        fix = "take one that docs/claims.md lists, or write it: docs/your-claim.md"
                        yield document.fault((*at, "estimand"), str(error), fix)
                named = part.get("checks", ())
                yield from document.unknown((*at, "checks"), named, checks, "check")
                for place, name in enumerate(named):
                    if checks.get(name, claim["id"]) != claim["id"]:
                        fix = f"checks of claim {claim['id']} are: {', '.join(CLAIMS.get(claim['id'], ())) or 'none'}"
                        problem = f"'{name}' is a check of claim {checks[name]}"
                        yield document.fault((*at, "checks", place), problem, fix)

    return load_claims(path, part_faults)


def source_faults(document: Document, names: Iterable[str]) -> Iterator[Fault]:
    """What is wrong with the entries `names` of the table of datasets, and sources that are not there."""
    for name in names:
        declared = document.data[name]
        found = list(entry_faults(name, declared))
        if not found:
            entry = read_entry(name, declared)
            try:
                if entry.kind in SOURCES:
                    SOURCES[entry.kind](entry)
            except UserError as error:
                found = [error]
        yield from (document.fault(key_of(error.key or name), error.problem, error.fix) for error in found)
        shared = declared.get("shares_table_with", ())
        yield from document.unknown((name, "shares_table_with"), shared, document.data, "dataset")


def layer_faults(document: Document, names: Iterable[str]) -> Iterator[Fault]:
    """Texts that are no layers in the entries `names` of the table of architectures."""
    for name in names:
        for index, text in enumerate(document.data[name].get("layers", ())):
            try:
                Architecture(name, [text])
            except UserError as error:
                yield document.fault((name, "layers", index), error.problem, error.fix)


def training_faults(config: Config) -> list[Fault]:
    """Why runs of a study cannot be trained; of a draft, what its own faults report already is left out."""
    datasets = [name for name in config.study.all_datasets if config.datasets.get(name)]
    arms = config.study.arms.values()
    architectures = {arm.architecture for arm in arms if config.architectures.get(arm.architecture)}
    return [
        *source_faults(config.documents["datasets"], datasets),
        *layer_faults(config.documents["architectures"], architectures),
        *(fault for arm in arms for fault in _arm_faults(config, arm)),
        *(fault for name in datasets for fault in _row_faults(config, name)),
    ]


def _arm_faults(config: Config, arm: Arm) -> Iterator[Fault]:
    """A text that is not a penalty, layers that do not fit a dataset, and what an engine cannot do with the penalty."""
    document, study = config.documents["study"], config.study
    own = ("arms", arm.name, "penalty")
    key = own if own in document.lines else ("penalty",)
    try:
        penalty = read_penalty(arm.penalty)
        layers = config.architectures.get(arm.architecture, {}).get("layers")
        architecture = Architecture(arm.architecture, layers or ())
    except ValueError as error:
        yield document.fault(key, str(error), EXAMPLES)
        return
    except UserError:  # reported by `layer_faults`
        return
    if layers is None:
        return
    controls = study.controls.datasets if arm.name in study.controls.architectures else ()
    for name in (*(study.datasets if arm.datasets is None else arm.datasets), *controls):
        dataset = config.datasets.get(name)
        if not dataset:
            continue
        try:
            if not layers:  # the output layer alone: solved exactly
                for loss in arm.losses.get(dataset["task"], ()):
                    supports(loss, penalty)
            elif dataset.get("image") or not architecture.takes_images:  # else reported by `l2audit.config.studies`
                penalty.covers(len(network_of(config, arm, name).kernels))
        except UserError as error:
            at = (arm.architecture, "layers")
            yield config.documents["architectures"].fault(at, error.problem, error.fix)
        except UnknownName as error:
            section = "arms" if ("arms", arm.name) in document.lines else "architectures"
            fix = "write one that is known, or give this loss to architectures with layers only"
            yield document.fault((section, arm.name, "losses", dataset["task"]), str(error), fix)
        except ValueError as error:
            yield document.fault(key, str(error), EXAMPLES)


def _row_faults(config: Config, dataset: str) -> Iterator[Fault]:
    """Parts of a dataset with fewer rows than classes, and levels that hit none of its rows."""
    document, entry, caps = config.documents["study"], config.datasets[dataset], Sizes(**config.study.rows)
    told: dict[str, Any] = {**entry.get("parameters", {}), **entry.get("facts", {})}
    try:
        sizes = sizes_for(int(told["rows"]), caps) if "rows" in told else caps
    except UserError as error:
        yield config.documents["datasets"].fault((dataset,), error.problem, error.fix)
        return
    classes = len(told.get("class_counts", ())) or told.get("classes", 0)
    for part, size in vars(sizes).items():
        if entry["task"] == CLASSIFICATION and size < classes:
            problem = f"the {size} {part} rows of {dataset} cannot hold its {classes} classes"
            yield document.fault(("rows", part), problem, "allow more rows, or take another dataset")
    rows = min(sizes.train, sizes.validation)  # test rows are never contaminated
    for index, level in enumerate(document.data["contaminations"].get(entry["task"], ())):
        counted = config.contaminations.get(level["kind"], {}).get("rate")
        units = rows if counted == "rows" else rows * told.get("columns", 0) if counted == "cells" else 0
        if units and round(level["rate"] * units) == 0:
            problem = f"{level['rate']:g} of {units} {counted} of {dataset} is none"
            fix = f"write a value above {0.5 / units:.2g}, or use a dataset with more rows"
            yield document.fault(("contaminations", entry["task"], index, "rate"), problem, fix)


def without_evidence(registration: Registration, config: Config) -> dict[str, list[str]]:
    """Why a study has no contrast for a part of a claim (see `effects.concerns`) -> the ids of those claims."""
    shards = {Block(one.role, one.dataset, one.task, one.arm): one for one in plan(config)}
    strata = {kind: entry["stratum"] for kind, entry in config.contaminations.items()}

    def lack(claim: Claim, part: Part) -> str:
        """What the study lacks of what a part needs; "" if it has a contrast for the part."""
        against = part.parameters.get(AGAINST)
        losses = ESTIMANDS[part.estimand].losses
        kinds = part.parameters.get(KINDS)
        wanted = [f"of the kinds {', '.join(kinds)}"] if kinds else []
        wanted += [f"of the strata {', '.join(claim.kinds)}"] if claim.kinds else []

        def compared(block: Block) -> list[Shard]:
            return [shards[block._replace(arm=arm)] for arm in arms_of(part, block.arm)]

        def has_level(block: Block) -> bool:
            """Whether the part is measured at a level of one of the claim's rows; any dataset may prove collinear."""
            own, rival = ({one.level: one.kind for one in shard.contaminations} for shard in compared(block))
            measured = levels_of(part, sorted(own.keys() & rival.keys()), own)
            rows = {stratum_of(own[level], strata, collinear) for level in measured for collinear in (False, True)}
            return bool(rows & set(claim.kinds) if claim.kinds else measured)

        needs: tuple[tuple[str, Callable[[Block], bool]], ...] = (
            (f"dataset of the role {claim.role}", lambda block: block.role == claim.role),
            ("dataset that they name", lambda block: not claim.datasets or block.dataset in claim.datasets),
            (f"dataset for {' or '.join(part.delta)}", lambda block: block.task in part.delta),
            (f"arm {' or '.join(claim.arms)} on their datasets", lambda block: block.arm in claim.arms),
            (f"arm {against} on their datasets", lambda block: block._replace(arm=against or block.arm) in shards),
            (
                f"loss {' and '.join(losses)} in their arms",
                lambda block: all({PRIMARY_LOSS[block.task], *losses} <= set(one.losses) for one in compared(block)),
            ),
            (" ".join(["level", *wanted, "in their arms"]), has_level),
        )
        left = list(shards)
        for need, holds in needs:
            left = [block for block in left if holds(block)]
            if not left:
                return f"no {need}"
        return ""

    found: dict[str, list[str]] = {}
    for claim in registration.family(*MEASURED):
        if reason := next(filter(None, (lack(claim, part) for part in claim.parts)), ""):
            found.setdefault(reason, []).append(claim.id)
    return found
