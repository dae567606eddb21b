"""The registration (`config/claims.yaml`) as frozen dataclasses: what is claimed, how it is measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from l2audit.config.faults import Fault, Key
from l2audit.config.reader import Document
from l2audit.config.schema import checked
from l2audit.registry import nearest

SUPPORTED = "supported"
REVERSED = "refuted (reversed)"
EXCLUDED = "refuted (excluded)"
REFUTED = "refuted"
"""Of exact identities only: there is no interval that could be reversed or excluded."""
NEGLIGIBLE = "no meaningful effect"
MIXED = "mixed"
INCONCLUSIVE = "inconclusive"
INACTIVE = "inconclusive (L2 inactive)"
TOO_FEW = "inconclusive (too few datasets)"

HEADLINE = "headline"
"""Purpose of the claim whose verdict answers the question of the study."""

MEASURED = ("claims", "added", "control")
IDENTITIES = ("identity", "added-identity")
"""Families of claims that runs decide, and that calculation settles."""

AGAINST = "against"
"""Parameter of a part that names the arm which the claim's own are compared with."""

EVERY_KIND = "all"
"""A kind of `situations` that stands for all levels of a part together; also the name of a claim's row over all."""

MOST_DATASETS = 1000
"""Datasets beyond which the outlook of an inconclusive row stops counting."""

OF_MEASURED, OF_CHECKED = ("estimand", "unit", "scale", "delta", "reason"), ("checks", "holds_means")
"""Keys that a part needs in a measured claim, and in one that is settled by calculation."""
NEVER_OF_CONTROLS = {
    "purpose": "a control answers no question of the study",
    "situations": "a control is judged as a whole",
    "multiplicity": "a control is judged alone",
}
OF_CONTROLS = {"expects": "only a control expects a verdict", "gate": "only a control can do without the gate"}

DEPENDS, OPEN = "depends", "open"
"""Verdicts of a claim that is judged in situations, beside SUPPORTED and REFUTED (`judge.rule.headline`)."""

VERDICTS = (SUPPORTED, REVERSED, EXCLUDED, REFUTED, NEGLIGIBLE, MIXED, INCONCLUSIVE, INACTIVE, TOO_FEW, DEPENDS, OPEN)


def matches(verdict: str, expected: str) -> bool:
    """Whether `verdict` is `expected` or one of its kinds: "refuted" covers "refuted (reversed)"."""
    return verdict == expected or verdict.startswith(f"{expected} (")


def situation(kind: str, arm: str) -> str:
    """The name of the row of one kind of contamination under one arm: `label/linear`; the arm, where kind is "all"."""
    return arm if kind == EVERY_KIND else f"{kind}/{arm}"


@dataclass(frozen=True)
class Constants:
    """The numbers of the rule, each registered before any result exists.

    - alpha: family-wise error rate, in (0, 1).
    - clip: scores beyond +-clip (units of delta) count as +-clip.
    - k_min: datasets that a row needs to be judged.
    - dataset_share: share of datasets decisively on each side that makes a row "mixed".
    - seed_share: share of its planned seeds that a cell needs to be judged.
    - cell_share: share of its planned cells that a dataset needs in a stratum.
    - gradient_ratio, balance, band, activity: certificates and bands, read by the estimands.
    """

    alpha: float = 0.05
    clip: float = 10.0
    k_min: int = 5
    dataset_share: float = 0.20
    seed_share: float = 0.80
    cell_share: float = 0.50
    gradient_ratio: float = 0.05
    balance: float = 0.05
    band: Mapping[str, float] = field(default_factory=dict)
    activity: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """One measured or exactly checked statement of a claim.

    Words before a colon in the statement name the part.
    delta, scale and unit are keyed by task. theta * scale is in `unit`. |theta| < delta is too small to count.
    Parts of identity claims hold `checks` (ids in identities.json) and what it means when all of them hold.
    """

    id: str
    statement: str
    estimand: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    unit: Mapping[str, str] = field(default_factory=dict)
    scale: Mapping[str, float] = field(default_factory=dict)
    delta: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    checks: tuple[str, ...] = ()
    holds_means: str = SUPPORTED


@dataclass(frozen=True)
class Claim:
    """A registered claim: a conjunction of its parts, judged overall and in each registered stratum.

    family: see MEASURED and IDENTITIES; role (`study` | `control`) says which datasets enter; `datasets` narrows them;
    arms: `architectures` in YAML; `expects` (controls) lists the verdicts that pass; `gate` (controls): whether a
    negative verdict needs a penalty that acted.

    situations: kind of contamination -> the arms judged there, each a row of its own; the row "all" is then a record.
    strata: those rows or, without situations, kinds that are judged over all arms together. (): one row, "all".
    multiplicity: the family whose error rate the rows of strata share; "" for the usual one (`judge.rule.families_of`).
    """

    id: str
    question: str
    family: str
    parts: tuple[Part, ...]
    quote: str = ""
    author: str = ""
    role: str = "study"
    arms: tuple[str, ...] = ()
    strata: tuple[str, ...] = ()
    situations: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    multiplicity: str = ""
    expects: tuple[str, ...] = ()
    note: str = ""
    datasets: tuple[str, ...] = ()
    gate: bool = True
    purpose: str = ""

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of contamination that its rows tell apart; () where levels of all kinds enter one row."""
        return tuple(kind for kind in self.situations if kind != EVERY_KIND) or (() if self.situations else self.strata)


@dataclass(frozen=True)
class Headline:
    """How the situations of a claim make one verdict (`judge.rule.headline`): the share, and a sentence for each."""

    share: float = 0.75
    words: Mapping[str, str] = field(
        default_factory=lambda: {
            DEPENDS: "It depends. It holds for {supported}; the opposite holds for {reversed}.",
            REFUTED: "No. Of {judged} situations {negative} speak against the claim, and none supports it.",
            SUPPORTED: "Yes. Of {judged} situations {supporting} support the claim, and none speaks against it.",
            OPEN: "Open. Of {judged} situations {supporting} support the claim and {negative} speak against it.",
        }
    )


@dataclass(frozen=True)
class Registration:
    """The whole registration with the SHA-256 of the file that it was read from.

    thread: title, url, licence and note of the source of the quotes. situations: how they make one verdict.
    """

    version: int
    thread: Mapping[str, str]
    constants: Constants
    claims: tuple[Claim, ...]
    sha256: str
    situations: Headline = field(default_factory=Headline)

    def __getitem__(self, claim_id: str) -> Claim:
        """The claim called `claim_id` (KeyError if none is)."""
        return {claim.id: claim for claim in self.claims}[claim_id]

    @property
    def headline(self) -> str:
        """Id of the claim that answers the question of the study: the first measured one where none says so."""
        said = [claim.id for claim in self.claims if claim.purpose == HEADLINE]
        return [*said, *(claim.id for claim in self.family("claims", "added")), ""][0]

    def family(self, *names: str) -> tuple[Claim, ...]:
        """The claims of the families `names`, in the order of registration."""
        return tuple(claim for claim in self.claims if claim.family in names)


def load(source: str | Path | Document, *checks: Callable[[Document], Iterable[Fault]]) -> Registration:
    """The registration, if the schema, `claim_faults` and `checks` find nothing; ConfigError: every fault."""
    raw, sha256 = checked(source, "claims", claim_faults, *checks)
    claims = []
    for entry in raw["claims"]:
        fields: dict[str, Any] = {key: tuple(one) if isinstance(one, list) else one for key, one in entry.items()}
        situations = {kind: tuple(arms) for kind, arms in entry.get("situations", {}).items()}
        if situations:
            fields["situations"] = situations
            fields["strata"] = tuple(situation(kind, arm) for kind, arms in situations.items() for arm in arms)
            fields["arms"] = tuple(dict.fromkeys(arm for arms in situations.values() for arm in arms))
        else:
            fields["arms"] = fields.pop("architectures", ())
        fields["parts"] = tuple(Part(**{**part, "checks": tuple(part.get("checks", ()))}) for part in entry["parts"])
        claims.append(Claim(**fields))
    thread = {"note": "", **raw["thread"]}
    headline = Headline(**raw.get("headline", {}))
    return Registration(raw["version"], thread, Constants(**raw["constants"]), tuple(claims), sha256, headline)


def claim_faults(document: Document) -> Iterator[Fault]:
    """What the schema cannot say: ids given once, keys of a family, parameters that fit the tasks and arms."""
    claims = document.data["claims"]
    yield from document.repeated(("claims",), claims, "id", "is registered twice")
    headlines = [index for index, claim in enumerate(claims) if claim.get("purpose") == HEADLINE]
    for index in headlines[1:]:
        problem = f"'{claims[headlines[0]]['id']}' is the headline already"
        yield document.fault(("claims", index, "purpose"), problem, "remove one of the two")
    for index, claim in enumerate(claims):
        at: Key = ("claims", index)
        family = claim["family"]
        exact, control = family in IDENTITIES, family == "control"
        needed: dict[str, str] = {}
        if not exact and "situations" not in claim:
            needed = dict.fromkeys(("architectures", "strata"), "a measured claim needs this key, or `situations`")
        if control:
            needed["expects"] = "a control needs the verdicts that pass"
        for name in needed.keys() - claim.keys():
            yield document.fault((*at, name), needed[name], f"add `{name}:`")
        for name in ("architectures", "strata") if "situations" in claim else ():
            if name in claim:
                problem = "`situations` says which arms are judged on which kinds"
                yield document.fault((*at, name), problem, "remove this key, or `situations`")
        misplaced = NEVER_OF_CONTROLS if control else OF_CONTROLS
        for name in misplaced.keys() & claim.keys():
            yield document.fault((*at, name), misplaced[name], "remove the key")
        yield from document.repeated((*at, "parts"), claim["parts"], "id", "is registered twice")
        for number, part in enumerate(claim["parts"]):
            place = (*at, "parts", number)
            wanted, useless = (OF_CHECKED, {*OF_MEASURED, "parameters"}) if exact else (OF_MEASURED, set(OF_CHECKED))
            for name in wanted:
                if name not in part:
                    yield document.fault((*place, name), f"needed in family {family}", f"add `{name}:`")
            for name in useless & part.keys():
                yield document.fault((*place, name), f"this key means nothing in family {family}", "remove the key")
            parameters, tasks = part.get("parameters", {}), set(part.get("delta", {}))
            if any(set(part.get(name, {})) != tasks for name in ("unit", "scale")):
                fix = "give all three for the same tasks"
                yield document.fault((*place, "delta"), "delta, unit and scale name different tasks", fix)
            if parameters.get(AGAINST) in named_arms(claim):
                problem = f"the claim would compare '{parameters[AGAINST]}' with itself"
                yield document.fault((*place, "parameters", AGAINST), problem, "name another arm")
            for name, value in parameters.items():
                for task in sorted(tasks - set(value)) if isinstance(value, Mapping) else ():
                    problem = f"says nothing for {task}, which `delta` has"
                    yield document.fault((*place, "parameters", name), problem, f"add `{task}:`")


def table_faults(
    document: Document, datasets: Mapping[str, Any] | None, kinds: Mapping[str, Any] | None
) -> Iterator[Fault]:
    """Datasets, strata and kinds that claims name and that no table has. A table that was not read: None."""
    strata: set[str] = set()
    for known in filter(None, (kinds or {}).values()):
        split = known["stratum"] == "leverage"
        strata |= {"leverage-collinear", "leverage-other"} if split else {known["stratum"]}
    for index, claim in enumerate(document.data["claims"]):
        at: Key = ("claims", index)
        if kinds is not None:
            if all(kinds.values()):
                yield from document.unknown((*at, "strata"), claim.get("strata", ()), strata, "stratum")
                for kind in claim.get("situations", {}).keys() - strata - {EVERY_KIND}:
                    fix = nearest(kind, strata)
                    yield document.fault((*at, "situations", kind), f"unknown stratum '{kind}'", fix)
            for number, part in enumerate(claim["parts"]):
                key, named = (*at, "parts", number, "parameters", "kinds"), part.get("parameters", {}).get("kinds", ())
                yield from document.unknown(key, named, kinds, "contamination kind")
        if datasets is None:
            continue
        named, role = claim.get("datasets", ()), claim.get("role", "study")
        yield from document.unknown((*at, "datasets"), named, datasets, "dataset")
        for number, name in enumerate(named):
            if datasets.get(name) and (other := datasets[name].get("role", "study")) != role:
                problem = f"'{name}' has the role {other}, and the claim is about datasets of the role {role}"
                yield document.fault((*at, "datasets", number), problem, f"remove it, or write `role: {other}`")


def named_arms(claim: Mapping[str, Any]) -> set[str]:
    """The arms of a claim as YAML has it."""
    return {*claim.get("architectures", ()), *(arm for arms in claim.get("situations", {}).values() for arm in arms)}


def arms_named(document: Document) -> Iterator[tuple[Key, str]]:
    """Every arm that a registration names, and where."""
    for index, claim in enumerate(document.data["claims"]):
        for number, name in enumerate(claim.get("architectures", ())):
            yield ("claims", index, "architectures", number), name
        for kind, arms in claim.get("situations", {}).items():
            for number, name in enumerate(arms):
                yield ("claims", index, "situations", kind, number), name
        for number, part in enumerate(claim["parts"]):
            if name := part.get("parameters", {}).get(AGAINST):
                yield ("claims", index, "parts", number, "parameters", AGAINST), name
