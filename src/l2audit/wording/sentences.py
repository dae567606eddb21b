"""One sentence per verdict, in plain units and plain words, and one on whether the rule was there before the result.

Sentences are made from the published entries alone, so a reader of verdicts.json can check each word against a number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from l2audit.config import claims
from l2audit.config.claims import AGAINST, SUPPORTED, Claim, Constants, Registration
from l2audit.config.study import PRIMARY_LOSS
from l2audit.effects.estimands import CONTAMINATED, ESTIMANDS, KINDS
from l2audit.wording.display import number
from l2audit.wording.phrases import Entry, against_delta, brief, capital, listed, mean_clause, outlook, plural, titled

BEFORE, CHANGED, UNKNOWN = "before training", "changed after training", "unknown"
SHOWN = 12
"""Digits of a SHA-256 in a sentence; the entry holds all of them."""

STRATA = {
    "all": "all together",
    "label": "label noise",
    "local-label": "local label noise",
    "target": "vertical outliers",
    "leverage-collinear": "bad leverage, collinear design",
    "leverage-other": "bad leverage, other designs",
    "leverage-class": "bad leverage, classes",
    "cellwise": "cellwise outliers",
    "good-leverage": "good leverage (control)",
}
FAMILIES = {
    "linear": "linear models",
    "mlp-adam": "networks by Adam",
    "mlp-sgd": "networks by SGD",
    "conv5": "convolutional networks",
}
"""Arms that situations tell apart, in words."""
LOSS_NAMES = {"cross_entropy": "cross-entropy", "huber": "Huber"}
"""Losses in words, where those differ from their names."""

READING = {
    claims.SUPPORTED: "holds",
    claims.REVERSED: "fails as well, the opposite holds",
    claims.EXCLUDED: "fails as well",
    claims.NEGLIGIBLE: "fails as well, the effect is too small to count",
    claims.INCONCLUSIVE: "is not settled",
    claims.TOO_FEW: "is not judged",
}
"""Verdict of a part -> what a sentence says of a part beside the one that decides."""

LEANS = {
    "supported": "it leans towards the claim",
    "refuted": "it leans against the claim",
    "small": "it leans towards an effect too small to count",
    "": "it leans nowhere",
}


def stratum(name: str) -> str:
    """A stratum or a situation (`kind/arm`, or an arm alone) in words; a name of the user's own stands as it is.

    >>> stratum("target"), stratum("target/linear"), stratum("mlp-sgd"), stratum("mine/own")
    ('vertical outliers', 'linear models under vertical outliers', 'networks by SGD', 'own under mine')
    """
    kind, slash, arm = name.partition("/")
    return (
        f"{FAMILIES.get(arm, arm)} under {STRATA.get(kind, kind)}" if slash else {**FAMILIES, **STRATA}.get(name, name)
    )


def shown_rows(entry: Entry) -> list[Entry]:
    """The strata of a claim that a reader is shown: of situations those that the study has datasets for."""
    return [row for row in entry["strata"] if row["n_planned_datasets"] or "record" not in entry]


class Told(NamedTuple):
    """What a sentence is made of: a row, the strata below it, the deciding part, its average, the correction."""

    row: Entry
    strata: Sequence[Entry]
    constants: Constants
    part: Entry
    average: str
    corrected: str


def _deciding(row: Entry) -> Entry:
    found: Entry = next(part for part in row["parts"] if part["id"] == row["deciding_part"])
    return found


def _average(part: Entry) -> str:
    return f"averaged over {plural(part['n_datasets'], 'dataset')}, {mean_clause(part)}"


def _beyond(told: Told) -> str:
    """Supported or reversed; of a conjunction with the part that the figures belong to."""
    reverse = told.row["verdict"] == claims.REVERSED
    side, relation = ("the opposite holds", "reverse") if reverse else ("it holds", "larger")
    n = len(told.row["parts"])
    lead = f"{side}: " if reverse else ""
    if n > 1:
        parts = "both" if n == 2 else f"all {n}"
        lead = f"{side} for {parts} parts, least clearly for {titled(told.part['statement'])}: "
    compared = f"{against_delta(told.part, relation)}{told.corrected}"
    return f"{capital(lead + told.average)}, {compared}. {outlook(told.part)}"


def _excluded(told: Told) -> str:
    part = told.part
    fact = f"{against_delta(part, 'excluded')}{told.corrected}"
    detail = f"{told.average}; zero or reversed is not settled"
    if len(told.row["parts"]) == 1:
        return f"{capital(fact)}: {detail}."
    if part["verdict"] == claims.REVERSED:
        fact, detail = "the opposite holds", told.average
    others = (other for other in told.row["parts"] if other is not part)
    rest = "; ".join(f"{titled(other['statement'])} {READING[other['verdict']]}" for other in others)
    return f"It fails as a whole because {titled(part['statement'])} fails; {fact}: {detail}. {capital(rest)}."


def _negligible(told: Told) -> str:
    kinds = ", and in no kind of contamination estimated larger" if told.strata else ""
    body = f"{capital(told.average)}: {against_delta(told.part, 'within')}{kinds}{told.corrected}. "
    share = f"{100 * told.row['missed_share']:.0f} %"
    return f"{body}An exception in up to {share} of such datasets could have been missed."


def _mixed(told: Told) -> str:
    row = told.row
    if row["mixed_by"] == "kind":
        sides = []
        for reading, side in ((claims.SUPPORTED, "it holds for"), (claims.REVERSED, "the opposite holds for")):
            own = [entry for entry in told.strata if entry["reading"] == reading]
            kinds = [f"{stratum(entry['stratum'])} ({brief(_deciding(entry))})" for entry in own]
            sides.append(f"{side} {listed(kinds)}")
        return f"It depends on the kind of outlier: {'; '.join(sides)}."
    above, below = (
        min(sum(entry["decisive"] == side for entry in part["datasets"]) for part in row["parts"])
        for side in ("above", "below")
    )
    datasets = plural(row["n_datasets"], "dataset")
    return f"It depends on the dataset: of {datasets}, {above} decisively show it and {below} decisively the reverse."


def _inconclusive(told: Told) -> str:
    row = told.row
    weakest = f"for the weakest part, {titled(told.part['statement'])}, " if len(row["parts"]) > 1 else ""
    needed = f"about {row['datasets_to_settle']}" if row["datasets_to_settle"] else f"not even {claims.MOST_DATASETS}"
    only = "" if row["alone"].startswith("inconclusive") else f" As the only claim it would be {row['alone']}."
    leans = f"{LEANS[row['leans']]}; {needed} datasets would settle it at this spread with 90 % power"
    return f"Not settled: {weakest}{told.average}; {leans}.{only}"


def _inactive(told: Told) -> str:
    datasets = plural(told.row["n_datasets"], "dataset")
    hardly = f"the penalty hardly acted in more than half of the {datasets}"
    return f"Not settled: {hardly}, so an absent effect says nothing about it."


def _too_few(told: Told) -> str:
    row = told.row
    scored = f"{row['n_datasets']} of {plural(row['n_planned_datasets'], 'planned dataset')} could be scored"
    found = scored if row["n_planned_datasets"] else row["unplanned"]
    return f"This study cannot judge it: {found}, and {told.constants.k_min} are needed."


SENTENCES: dict[str, Callable[[Told], str]] = {
    claims.SUPPORTED: _beyond,
    claims.REVERSED: _beyond,
    claims.EXCLUDED: _excluded,
    claims.NEGLIGIBLE: _negligible,
    claims.MIXED: _mixed,
    claims.INCONCLUSIVE: _inconclusive,
    claims.INACTIVE: _inactive,
    claims.TOO_FEW: _too_few,
}


def sentence(row: Entry, strata: Sequence[Entry], constants: Constants) -> str:
    """The sentence of a row's verdict. `strata`: the entries of the claim's strata, for the row "all"; else empty."""
    part, rows = _deciding(row), row["rows_in_family"]
    corrected = f" after correction for {rows} comparisons" if rows > 1 else ""
    told = Told(row, strata, constants, part, _average(part), corrected)
    text = SENTENCES[row["verdict"]](told).replace(",.", ".").replace(",,", ",").rstrip()
    if part["n_clipped"] and mean_clause(part) in text:
        judged = f"the mean judged is {number(part['judged_mean'], 1, sign=True)} times it"
        text += f" (In the test a dataset counts at most {constants.clip:g} times the smallest effect that counts;"
        text += f" {part['n_clipped']} {'does' if part['n_clipped'] == 1 else 'do'}, and {judged}.)"
    return text


def headline_sentence(
    verdict: str, strata: Sequence[Entry], counts: Mapping[str, int], registration: Registration
) -> str:
    """The sentence of a claim in situations: the words that are registered for its verdict, filled in.

    strata: the rows of the situations; counts: of the situations `judged`, `supported`, `reversed` and `negative`.
    """
    if verdict == claims.TOO_FEW:
        least = registration.constants.k_min
        return f"This study cannot judge it: none of {len(strata)} situations has the {least} datasets that are needed."
    supported, reverse = (
        listed([stratum(row["stratum"]) for row in strata if row["verdict"] == side])
        for side in (claims.SUPPORTED, claims.REVERSED)
    )
    return registration.situations.words[verdict].format(
        supported=supported,
        reversed=reverse,
        supporting=counts["supported"],
        negative=counts["negative"],
        judged=counts["judged"],
    )


def control_sentence(row: Entry) -> str:
    """The sentence of a control that nothing should come of, where its interval is too wide to show that."""
    part = _deciding(row)
    wanted = f"To show that nothing comes of it the interval would have to be {against_delta(part, 'within')}."
    return f"Underpowered: {_average(part)}. {wanted}"


def identity_sentence(claim: Claim, verdict: str, checks: Sequence[Entry]) -> str:
    """The sentence of a claim that calculation settles: how many checks hold, or what the first that fails obtained."""
    if verdict == SUPPORTED:
        return f"True by calculation: {plural(len(checks), 'exact check')} out of {len(checks)} hold."
    if verdict.startswith(claims.INCONCLUSIVE):
        return "Not settled: an exact check of this claim is missing or does not hold."
    shown = ""
    if failed := next((check for check in checks if not check["holds"]), None):
        expected, obtained = (
            value if isinstance(value, str) else f"{value:.3g}" for value in (failed["expected"], failed["obtained"])
        )
        shown = f"; expected {expected}, obtained {obtained}"
    refuted = claim.parts[0].statement.strip().rstrip(".")
    return f"False by calculation: “{refuted}” does not hold{shown}."


def unplanned(row: Entry, claim: Claim) -> str:
    """What no dataset was planned with, of the first part that has none; "" where every part has one."""
    planned = [entry["n_planned_datasets"] > 0 for entry in row["parts"]]
    if all(planned):
        return ""
    if row["stratum"] != "all":
        return "no dataset was planned"
    part = claim.parts[planned.index(False)]
    estimand = ESTIMANDS[part.estimand]
    lead = f"for {titled(part.statement)}, " if any(planned) else ""
    task = next(iter(part.delta)) if len(part.delta) == 1 else ""
    what = " ".join(word for word in ("control" if claim.role == "control" else "", task, "dataset") if word)
    whose = " that the claim names" if claim.datasets else ""
    own, rival = " or ".join(claim.arms), part.parameters.get(AGAINST)
    arms = f"both {own} and {rival}" if rival else own
    read = ((PRIMARY_LOSS[task], *estimand.losses) for task in part.delta)
    losses = " or ".join(" and ".join(LOSS_NAMES.get(loss, loss) for loss in some) for some in read)
    kinds = part.parameters.get(KINDS) or list(map(stratum, claim.kinds))
    outliers = f" on training rows with {' or '.join(kinds) or 'outliers'}" if estimand.levels == CONTAMINATED else ""
    return f"{lead}no {what}{whose} was planned for which it trains {arms} under {losses} loss{outliers}"


def registration_status(present: str, shards: Mapping[str, int]) -> dict[str, Any]:
    """status, sentence, the SHA-256 of the registration that judges (`present`), and the numbers of shards by theirs.

    `shards`: SHA-256 (or "unknown", of shards that do not say) -> number of shards. A single shard that was trained
    under another registration makes the status "changed after training": nobody can see from outside which lines were
    changed in the light of a result.
    """
    others = {sha: n for sha, n in sorted(shards.items()) if sha not in (present, UNKNOWN)}
    silent, total = shards.get(UNKNOWN, 0), sum(shards.values())
    mute = f"{silent} of {total} shards of runs do not say under which registration they were trained"
    if others:
        status = CHANGED
        trained = ", ".join(
            f"{n} of {total} shards of runs were trained under {sha[:SHOWN]}" for sha, n in others.items()
        )
        sentence = f"The registration was changed after training: {trained}, and are judged here under"
        sentence += f" {present[:SHOWN]}. {mute}." if silent else f" {present[:SHOWN]}."
    elif silent or not total:
        status = UNKNOWN
        sentence = f"It is not known whether this registration is older than the results: {mute}."
    else:
        status = BEFORE
        sentence = f"Registered before training: all {total} shards of runs carry this registration, {present[:SHOWN]}."
    return {"status": status, "present": present, "shards": dict(sorted(shards.items())), "sentence": sentence}
