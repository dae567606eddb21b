"""The registration (`config/claims.yaml`) as frozen dataclasses: what is claimed, how it is measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from l2audit.config.faults import Fault, Key
from l2audit.config.reader import Document
from l2audit.config.schema import checked

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

EVERY_ARM, OWN_ARM = "every arm", "own arm"
"""Whose penalised runs a part asks for the certificate of convergence: those of both arms, or of the claim's own."""

MOST_DATASETS = 1000
"""Datasets beyond which the outlook of an inconclusive row stops counting."""

OF_MEASURED, OF_CHECKED = ("estimand", "unit", "scale", "delta", "reason"), ("checks", "holds_means")
"""Keys that a part needs in a measured claim, and in one that is settled by calculation."""
NEVER_OF_CONTROLS = {"purpose": "a control answers no question of the study"}
OF_CONTROLS = {"expects": "only a control expects a verdict", "gate": "only a control can do without the gate"}

VERDICTS = (SUPPORTED, REVERSED, EXCLUDED, REFUTED, NEGLIGIBLE, MIXED, INCONCLUSIVE, INACTIVE, TOO_FEW)


def matches(verdict: str, expected: str) -> bool:
    """Whether `verdict` is `expected` or one of its kinds: "refuted" covers "refuted (reversed)"."""
    return verdict == expected or verdict.startswith(f"{expected} (")


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
    certificate: EVERY_ARM or, beside the parameter `against` alone, OWN_ARM.
    Parts of identity claims hold `checks` (ids in identities.json) and what it means when all of them hold.
    """

    id: str
    statement: str
    estimand: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    certificate: str = EVERY_ARM
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
    arms: `architectures` in YAML; `strata == ()` means one row, "all"; `expects` (controls) lists the verdicts that
    pass; `gate` (controls): whether a negative verdict needs a penalty that acted.
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
    expects: tuple[str, ...] = ()
    note: str = ""
    datasets: tuple[str, ...] = ()
    gate: bool = True
    purpose: str = ""

    @property
    def uncertified(self) -> tuple[str, ...]:
        """The arms that its own are compared with and that are asked for no certificate of convergence."""
        return tuple(dict.fromkeys(part.parameters[AGAINST] for part in self.parts if part.certificate == OWN_ARM))


@dataclass(frozen=True)
class Registration:
    """The whole registration with the SHA-256 of the file that it was read from.

    thread: title, url, licence and note of the source of the quotes.
    """

    version: int
    thread: Mapping[str, str]
    constants: Constants
    claims: tuple[Claim, ...]
    sha256: str

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
        fields["arms"] = fields.pop("architectures", ())
        fields["parts"] = tuple(Part(**{**part, "checks": tuple(part.get("checks", ()))}) for part in entry["parts"])
        claims.append(Claim(**fields))
    thread = {"note": "", **raw["thread"]}
    return Registration(raw["version"], thread, Constants(**raw["constants"]), tuple(claims), sha256)


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
        needed = {} if exact else dict.fromkeys(("architectures", "strata"), "a measured claim needs this key")
        if control:
            needed["expects"] = "a control needs the verdicts that pass"
        for name in needed.keys() - claim.keys():
            yield document.fault((*at, name), needed[name], f"add `{name}:`")
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
            if "certificate" in part and AGAINST not in parameters:
                fix = f"remove the key, or name the arm: `{AGAINST}:`"
                yield document.fault((*place, "certificate"), "this part compares its arm with no other one", fix)
            if any(set(part.get(name, {})) != tasks for name in ("unit", "scale")):
                fix = "give all three for the same tasks"
                yield document.fault((*place, "delta"), "delta, unit and scale name different tasks", fix)
            if parameters.get(AGAINST) in claim.get("architectures", ()):
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
    for kind in filter(None, (kinds or {}).values()):
        split = kind["stratum"] == "leverage"
        strata |= {"leverage-collinear", "leverage-other"} if split else {kind["stratum"]}
    for index, claim in enumerate(document.data["claims"]):
        at: Key = ("claims", index)
        if kinds is not None:
            if all(kinds.values()):
                yield from document.unknown((*at, "strata"), claim.get("strata", ()), strata, "stratum")
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


def arms_named(document: Document) -> Iterator[tuple[Key, str]]:
    """Every arm that a registration names, and where."""
    for index, claim in enumerate(document.data["claims"]):
        for number, name in enumerate(claim.get("architectures", ())):
            yield ("claims", index, "architectures", number), name
        for number, part in enumerate(claim["parts"]):
            if name := part.get("parameters", {}).get(AGAINST):
                yield ("claims", index, "parts", number, "parameters", AGAINST), name
