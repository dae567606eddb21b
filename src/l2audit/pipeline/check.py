"""What can be known to fail before anything is judged, and that the schema of the registration does not know."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from l2audit.config.checks import arms_of_choices
from l2audit.config.claims import AGAINST, MEASURED, Claim, Part, Registration, claim_faults, registered
from l2audit.config.faults import ConfigError, Fault, gathered
from l2audit.config.load import arm_faults, draft, read_tables, studies
from l2audit.config.reader import Document, read
from l2audit.config.schema import schema_faults
from l2audit.config.study import PRIMARY_LOSS, Config
from l2audit.effects.estimands import ESTIMANDS, parameter_faults
from l2audit.effects.estimands.base import KINDS
from l2audit.effects.evidence import stratum_of
from l2audit.effects.grid import Block
from l2audit.effects.table import arms_of, levels_of
from l2audit.files import sha256_of
from l2audit.pipeline.feasible import check_faults, layer_faults, source_faults, training_faults
from l2audit.plan import plan
from l2audit.registry import UnknownName
from l2audit.specifications.choices import load as load_choices

FIX = "take one that docs/claims.md lists, or write it: docs/your-claim.md"


def check(root: Path, study: str | None, registration: Path) -> tuple[list[Config], Registration]:
    """A study, a name or a path, and the registration, if nothing in config/ or in them can fail later.

    study: None for all studies of config/ and all entries of datasets. A study is checked with its own datasets alone:
    a local table that it does not name may be elsewhere. root: the folder whose config/ is read. ConfigError: every
    fault of every file, each on its line.
    """
    choices = root / "config" / "specifications.yaml"
    faults: list[Fault] = []
    tables = read_tables(root, registration)
    configs = []
    for name in studies(root) if study is None else [study]:
        config, found = draft(tables, name)
        faults += found
        if config:
            faults += training_faults(config)
            configs.append(config)
    if (document := tables.documents.get("datasets")) and study is None:
        faults += source_faults(document, [entry for entry in document.data if document.data[entry]])
    if document := tables.documents.get("architectures"):
        faults += layer_faults(document, [entry for entry in document.data if document.data[entry]])
    if document := tables.documents.get("claims"):
        faults += check_faults(document)
    with gathered(faults):
        load_choices(choices)
        document = read(choices)
        faults += arm_faults(tables, document, arms_of_choices(document))
    with gathered(faults):
        found_registration = load_verified(registration)
    if faults:
        raise ConfigError(faults)
    return configs, found_registration


def load_verified(path: Path) -> Registration:
    """The registration in `path`, with estimands that exist and the parameters that they take.

    ConfigError: every fault, each on its line.
    """
    document = read(path)
    faults = schema_faults(document, "claims") or [*claim_faults(document), *_estimand_faults(document)]
    if faults:
        raise ConfigError(faults)
    return registered(document, sha256_of(path))


def _estimand_faults(document: Document) -> Iterator[Fault]:
    for index, claim in enumerate(document.data["claims"]):
        for number, part in enumerate(claim["parts"]):
            if "estimand" not in part:
                continue
            place = ("claims", index, "parts", number)
            try:
                for parameter, problem, fix in parameter_faults(part["estimand"], part.get("parameters", {})):
                    yield document.fault((*place, "parameters", parameter), problem, fix)
            except UnknownName as error:
                yield document.fault((*place, "estimand"), str(error), FIX)


def without_evidence(registration: Registration, config: Config) -> dict[str, list[str]]:
    """Why a study gives a claim nothing to judge -> the ids of those claims.

    A claim needs a contrast of one of its own arms for each of its parts.
    """
    study = _Planned(config)
    found: dict[str, list[str]] = {}
    for claim in registration.family(*MEASURED):
        reasons = [reason for part in claim.parts if (reason := study.lacks(claim, part))]
        if reasons:
            found.setdefault(reasons[0], []).append(claim.id)
    return found


class _Planned:
    """What a study trains, as claims ask for it: of every dataset under every arm, its losses and its levels."""

    def __init__(self, config: Config) -> None:
        self.shards = {Block(one.role, one.dataset, one.task, one.arm): one for one in plan(config)}
        levels = [level for shard in self.shards.values() for level in shard.contaminations]
        self.kinds = {one.level: one.kind for one in levels}
        strata = {kind: entry["stratum"] for kind, entry in config.contaminations.items()}
        self.strata = {  # whether a dataset is collinear is known only once it is prepared
            level: {stratum_of(kind, strata, collinear) for collinear in (False, True)}
            for level, kind in self.kinds.items()
        }

    def lacks(self, claim: Claim, part: Part) -> str:
        """What the study has not that the part needs; "" if it has a contrast for it (see `effects.concerns`)."""
        against = part.parameters.get(AGAINST)
        further = ESTIMANDS[part.estimand].losses
        kinds = part.parameters.get(KINDS)
        wanted = [f"of the kinds {', '.join(kinds)}"] if kinds else []
        wanted += [f"of the strata {', '.join(claim.strata)}"] if claim.strata else []
        needs: tuple[tuple[str, Callable[[Block], bool]], ...] = (
            (f"dataset of the role {claim.role}", lambda block: block.role == claim.role),
            ("dataset that they name", lambda block: not claim.datasets or block.dataset in claim.datasets),
            (f"dataset for {' or '.join(part.delta)}", lambda block: block.task in part.delta),
            (
                f"arm {' or '.join(claim.arms)} on their datasets",
                lambda block: block.arm in claim.arms,
            ),
            (f"arm {against} on their datasets", lambda block: block._replace(arm=against or block.arm) in self.shards),
            (f"loss {' and '.join(further)} in their arms", lambda block: self._has_losses(block, part, further)),
            (" ".join(["level", *wanted, "in their arms"]), lambda block: bool(self._levels(block, claim, part))),
        )
        left = list(self.shards)
        for need, holds in needs:
            left = [block for block in left if holds(block)]
            if not left:
                return f"no {need}"
        return ""

    def _has_losses(self, block: Block, part: Part, further: Collection[str]) -> bool:
        needed = {PRIMARY_LOSS[block.task], *further}
        return all(needed <= set(self.shards[block._replace(arm=arm)].losses) for arm in arms_of(part, block.arm))

    def _levels(self, block: Block, claim: Claim, part: Part) -> list[str]:
        """The levels at which the part is measured and counted in one of the claim's rows."""
        own, rival = (
            {one.level for one in self.shards[block._replace(arm=arm)].contaminations}
            for arm in arms_of(part, block.arm)
        )
        found = levels_of(part, sorted(own & rival), self.kinds)
        return [level for level in found if not claim.strata or self.strata[level] & set(claim.strata)]
