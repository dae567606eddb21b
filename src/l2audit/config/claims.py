"""The registration (`config/claims.yaml`) as frozen dataclasses: what is claimed, how it is measured."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from l2audit.config.faults import ConfigError, Fault, Key
from l2audit.config.reader import Document, read
from l2audit.config.schema import schema_faults
from l2audit.files import sha256_of
from l2audit.seeds import canonical

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

VERDICTS = (SUPPORTED, REVERSED, EXCLUDED, REFUTED, NEGLIGIBLE, MIXED, INCONCLUSIVE, INACTIVE, TOO_FEW)


def matches(verdict: str, expected: str) -> bool:
    """Whether `verdict` is `expected` or one of its kinds: "refuted" covers "refuted (reversed)"."""
    return verdict == expected or verdict.startswith(f"{expected} (")


@dataclass(frozen=True)
class Constants:
    """The numbers of the rule, each registered before any result exists.

    alpha            family-wise error rate, in (0, 1)
    clip             scores beyond +-clip (units of delta) count as +-clip
    k_min            datasets that a row needs to be judged
    dataset_share    share of datasets decisively on each side that makes a row "mixed"
    seed_share       share of its planned seeds that a cell needs to be judged
    cell_share       share of its planned cells that a dataset needs in a stratum
    gradient_ratio, balance, band, activity   certificates and bands, read by the estimands
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
class Thread:
    """Where the quotes come from and under which licence they are repeated."""

    title: str
    url: str
    licence: str
    note: str = ""


@dataclass(frozen=True)
class Part:
    """One measured (or exactly checked) statement of a claim; words before a colon in the statement name the part.

    delta, scale and unit are keyed by task: theta * scale is in `unit`; |theta| < delta is too small to count.
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
        rivals = (part.parameters[AGAINST] for part in self.parts if part.certificate == OWN_ARM)
        return tuple(dict.fromkeys(rivals))


@dataclass(frozen=True)
class Registration:
    """The whole registration with the SHA-256 of the file that it was read from."""

    version: int
    thread: Thread
    constants: Constants
    claims: tuple[Claim, ...]
    sha256: str

    def __getitem__(self, claim_id: str) -> Claim:
        """The claim called `claim_id` (KeyError if none is)."""
        for claim in self.claims:
            if claim.id == claim_id:
                return claim
        raise KeyError(claim_id)

    @property
    def headline(self) -> str:
        """Id of the claim that answers the question of the study: the first measured one where none says so."""
        said = [claim.id for claim in self.claims if claim.purpose == HEADLINE]
        return (said or [claim.id for claim in self.family("claims", "added")] or [""])[0]

    def family(self, *names: str) -> tuple[Claim, ...]:
        """The claims of the families `names`, in the order of registration."""
        return tuple(claim for claim in self.claims if claim.family in names)


def load(path: str | Path) -> Registration:
    """Read and check the registration; the SHA-256 is that of the file's bytes.

    ConfigError: lists every fault with its line.
    """
    return _registration(read(Path(path)), sha256_of(path))


def parse(raw: object) -> Registration:
    """As `load`, of YAML that was parsed already; the SHA-256 is that of its canonical JSON."""
    return _registration(Document("claims.yaml", raw, {(): 1}), hashlib.sha256(canonical(raw).encode()).hexdigest())


def _registration(document: Document, sha256: str) -> Registration:
    faults = schema_faults(document, "claims") or list(claim_faults(document))
    if faults:
        raise ConfigError(faults)
    return registered(document, sha256)


def registered(document: Document, sha256: str) -> Registration:
    """The registration in a document without faults."""
    raw = document.data
    return Registration(
        version=raw["version"],
        thread=Thread(**raw["thread"]),
        constants=Constants(**raw["constants"]),
        claims=tuple(_claim(entry) for entry in raw["claims"]),
        sha256=sha256,
    )


def _claim(entry: Mapping[str, Any]) -> Claim:
    lists = {key: tuple(entry[key]) for key in ("architectures", "strata", "expects", "datasets") if key in entry}
    fields: dict[str, Any] = {**entry, **lists, "parts": tuple(_part(part) for part in entry["parts"])}
    fields["arms"] = fields.pop("architectures", ())
    return Claim(**fields)


def _part(entry: Mapping[str, Any]) -> Part:
    return Part(**{**entry, "checks": tuple(entry.get("checks", ()))})


KEYS_OF_MEASURED = ("estimand", "unit", "scale", "delta", "reason")
KEYS_OF_CHECKED = ("checks", "holds_means")
NEVER_OF_CHECKED = (*KEYS_OF_MEASURED, "parameters")
NEVER_OF_CONTROLS = {"purpose": "a control answers no question of the study"}
OF_CONTROLS = {"expects": "only a control expects a verdict", "gate": "only a control can do without the gate"}


def claim_faults(document: Document) -> Iterator[Fault]:
    """What the schema cannot say: names given once, keys that belong to a family, one set of tasks per part."""
    claims = document.data["claims"]
    yield from _repeated(document, ("claims",), claims)
    headlines = [index for index, claim in enumerate(claims) if claim.get("purpose") == HEADLINE]
    for index in headlines[1:]:
        yield document.fault(
            ("claims", index, "purpose"),
            f"'{claims[headlines[0]]['id']}' is the headline already",
            "remove one of the two",
        )
    for index, claim in enumerate(claims):
        key: Key = ("claims", index)
        yield from _repeated(document, (*key, "parts"), claim["parts"])
        exact = claim["family"] in IDENTITIES
        if not exact:
            yield from _absent(document, key, claim, ("architectures", "strata"), "a measured claim needs this key")
        if claim["family"] == "control":
            yield from _absent(document, key, claim, ("expects",), "a control needs the verdicts that pass")
        misplaced = NEVER_OF_CONTROLS if claim["family"] == "control" else OF_CONTROLS
        for name in misplaced.keys() & claim.keys():
            yield document.fault((*key, name), misplaced[name], "remove the key")
        for where, part in enumerate(claim["parts"]):
            place = (*key, "parts", where)
            yield from _absent(
                document,
                place,
                part,
                KEYS_OF_CHECKED if exact else KEYS_OF_MEASURED,
                f"needed in family {claim['family']}",
            )
            for name in NEVER_OF_CHECKED if exact else KEYS_OF_CHECKED:
                if name in part:
                    problem = f"this key means nothing in family {claim['family']}"
                    yield document.fault((*place, name), problem, "remove the key")
            yield from _parameter_faults(document, place, claim, part)
            if "certificate" in part and AGAINST not in part.get("parameters", {}):
                problem = "this part compares its arm with no other one"
                yield document.fault((*place, "certificate"), problem, f"remove the key, or name the arm: `{AGAINST}:`")
            tasks = [set(part.get(name, {})) for name in ("delta", "unit", "scale")]
            if any(other != tasks[0] for other in tasks):
                problem = "delta, unit and scale name different tasks"
                yield document.fault((*place, "delta"), problem, "give all three for the same tasks")


def _parameter_faults(
    document: Document, place: Key, claim: Mapping[str, Any], part: Mapping[str, Any]
) -> Iterator[Fault]:
    """Parameters that do not fit the claim's arms or the tasks of the part."""
    parameters, tasks = part.get("parameters", {}), set(part.get("delta", {}))
    if parameters.get(AGAINST) in claim.get("architectures", ()):
        problem = f"the claim would compare '{parameters[AGAINST]}' with itself"
        yield document.fault((*place, "parameters", AGAINST), problem, "name another arm")
    for name, value in parameters.items():
        for task in sorted(tasks - set(value)) if isinstance(value, Mapping) else ():
            problem = f"says nothing for {task}, which `delta` has"
            yield document.fault((*place, "parameters", name), problem, f"add `{task}:`")


def _repeated(document: Document, key: Key, entries: Sequence[Mapping[str, Any]]) -> Iterator[Fault]:
    seen: set[str] = set()
    for index, entry in enumerate(entries):
        if entry["id"] in seen:
            yield document.fault((*key, index, "id"), f"'{entry['id']}' is registered twice", "rename one of the two")
        seen.add(entry["id"])


def _absent(
    document: Document, key: Key, entry: Mapping[str, Any], names: Sequence[str], problem: str
) -> Iterator[Fault]:
    for name in names:
        if name not in entry:
            yield document.fault((*key, name), problem, f"add `{name}:`")
