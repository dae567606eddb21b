"""One sentence a verdict, in plain units and plain words, and the verdict table for the terminal.

Sentences are made from the published entries alone, so a reader of verdicts.json can check each word against a number.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from l2audit.config import claims
from l2audit.config.claims import AGAINST, SUPPORTED, Claim, Constants, Part
from l2audit.config.study import PRIMARY_LOSS
from l2audit.effects.estimands import ESTIMANDS
from l2audit.effects.estimands.base import CONTAMINATED, KINDS
from l2audit.wording.display import MINUS, number
from l2audit.wording.phrases import (
    Entry,
    against_delta,
    brief,
    capital,
    counted,
    estimate,
    multiple,
    named,
    outlook,
    titled,
)
from l2audit.wording.registered import CHANGED

STRATA = {
    "all": "all together",
    "label": "label noise",
    "target": "vertical outliers",
    "leverage-collinear": "bad leverage, collinear design",
    "leverage-other": "bad leverage, other designs",
    "cellwise": "cellwise outliers",
    "good-leverage": "good leverage (control)",
}
"""Strata in words; one that is not listed goes by its own name."""


def correction(row: Entry, family: str) -> str:
    """Which multiplicity the verdict has survived; nothing for a row that is judged alone."""
    rows = row["rows_in_family"]
    if rows == 1:
        return ""
    return (
        f" after correction for {rows} {'claims' if family == 'claims' and row['stratum'] == 'all' else 'comparisons'}"
    )


def _part(row: Entry) -> Entry:
    found: Entry = next(part for part in row["parts"] if part["id"] == row["deciding_part"])
    return found


def _average(row: Entry, part: Entry) -> str:
    return f"averaged over {counted(part['n_datasets'], 'dataset')}, {estimate(part)}"


def _parts(row: Entry, lead: str) -> str:
    """In a conjunction: `lead` with the number of parts, and which part the figures that follow belong to."""
    n = len(row["parts"])
    if n == 1:
        return ""
    return f"{lead} {'both' if n == 2 else f'all {n}'} parts, least clearly for {named(_part(row))}: "


def _supported(row: Entry, family: str, strata: Sequence[Entry]) -> str:
    part = _part(row)
    body = capital(_parts(row, "it holds for") + _average(row, part))
    return _with_outlook(f"{body}, {against_delta(part, 'larger')}{correction(row, family)}.", part)


def _reversed(row: Entry, family: str, strata: Sequence[Entry]) -> str:
    part = _part(row)
    lead = _parts(row, "the opposite holds for") or "the opposite holds: "
    beyond = f"{against_delta(part, 'reverse')}{correction(row, family)}"
    return _with_outlook(f"{capital(lead)}{_average(row, part)}, {beyond}.", part)


def _with_outlook(text: str, part: Entry) -> str:
    return f"{text} {outlook(part)}".replace(",.", ".").rstrip()


def _excluded(row: Entry, family: str, strata: Sequence[Entry]) -> str:
    part = _part(row)
    fact = f"{against_delta(part, 'excluded')}{correction(row, family)}"
    detail = f"{_average(row, part)}; zero or reversed is not settled"
    if len(row["parts"]) == 1:
        return f"{capital(fact)}: {detail}."
    if part["verdict"] == claims.REVERSED:
        fact, detail = "the opposite holds", _average(row, part)
    others = [f"{named(other)} {READING[other['verdict']]}" for other in row["parts"] if other is not part]
    return f"It fails as a whole because {named(part)} fails; {fact}: {detail}. {capital('; '.join(others))}."


READING = {
    claims.SUPPORTED: "holds",
    claims.REVERSED: "fails as well, the opposite holds",
    claims.EXCLUDED: "fails as well",
    claims.NEGLIGIBLE: "fails as well, the effect is too small to count",
    claims.INCONCLUSIVE: "is not settled",
    claims.TOO_FEW: "is not judged",
}


def _negligible(row: Entry, family: str, strata: Sequence[Entry]) -> str:
    part = _part(row)
    kinds = ", and in no kind of contamination estimated larger" if strata else ""
    share = f"{100 * row['missed_share']:.0f} %"
    body = f"{capital(_average(row, part))}: {against_delta(part, 'within')}{kinds}{correction(row, family)}. "
    return f"{body}An exception in up to {share} of such datasets could have been missed.".replace(",,", ",")


def _mixed(row: Entry, family: str, strata: Sequence[Entry]) -> str:
    if row["mixed_by"] == "kind":
        sides = {claims.SUPPORTED: "it holds for", claims.REVERSED: "the opposite holds for"}
        named = [
            f"{side} {' and for '.join(_stratum(entry) for entry in strata if entry['reading'] == reading)}"
            for reading, side in sides.items()
        ]
        return f"It depends on the kind of outlier: {'; '.join(named)}."
    above, below = (
        min(sum(entry["decisive"] == side for entry in part["datasets"]) for part in row["parts"])
        for side in ("above", "below")
    )
    datasets = counted(row["n_datasets"], "dataset")
    return f"It depends on the dataset: of {datasets}, {above} decisively show it and {below} decisively the reverse."


def _stratum(entry: Entry) -> str:
    return f"{STRATA.get(entry['stratum'], entry['stratum'])} ({brief(_part(entry))})"


LEANS = {
    "supported": "it leans towards the claim",
    "refuted": "it leans against the claim",
    "small": "it leans towards an effect too small to count",
    "": "it leans nowhere",
}


def _inconclusive(row: Entry, family: str, strata: Sequence[Entry]) -> str:
    needed = row["datasets_to_settle"]
    settle = (
        f"{f'about {needed}' if needed else f'not even {claims.MOST_DATASETS}'} datasets would settle it at this spread"
    )
    only = "" if row["alone"].startswith("inconclusive") else f" As the only claim it would be {row['alone']}."
    part = _part(row)
    return f"Not settled: {_weakest(row)}{_average(row, part)}; {LEANS[row['leans']]}; {settle}.{only}"


def _weakest(row: Entry) -> str:
    return "" if len(row["parts"]) == 1 else f"for the weakest part, {named(_part(row))}, "


def _inactive(row: Entry, family: str, strata: Sequence[Entry]) -> str:
    return (
        f"Not settled: the penalty hardly acted in more than half of the {counted(row['n_datasets'], 'dataset')}, "
        "so an absent effect says nothing about it."
    )


def _too_few(row: Entry, family: str, strata: Sequence[Entry]) -> str:
    planned = row["n_planned_datasets"]
    scored = f"{row['n_datasets']} of {counted(planned, 'planned dataset')} could be scored"
    return f"This study cannot judge it: {scored if planned else row['unplanned']}, and {row['k_min']} are needed."


def unplanned(row: Entry, claim: Claim) -> str:
    """What no dataset was planned with, of the first part that has none; "" where every part has one."""
    part = next(
        (p for p, entry in zip(claim.parts, row["parts"], strict=True) if not entry["n_planned_datasets"]), None
    )
    if part is None:
        return ""
    if row["stratum"] != "all":
        return "no dataset was planned"
    whose = " that the claim names" if claim.datasets else ""
    (task,) = part.delta if len(part.delta) == 1 else ("",)
    what = " ".join(word for word in ("control" if claim.role == "control" else "", task, "dataset") if word)
    own, rival = " or ".join(claim.arms), part.parameters.get(AGAINST)
    arms = f"both {own} and {rival}" if rival else own
    others = any(entry["n_planned_datasets"] for entry in row["parts"])
    lead = f"for {titled(part.statement)}, " if others else ""
    return (
        f"{lead}no {what}{whose} was planned for which it trains {arms} under {_losses(part)}{_outliers(part, claim)}"
    )


def _losses(part: Part) -> str:
    """The losses that a part reads: the primary one of its task, and with it those of its estimand."""
    further = ESTIMANDS[part.estimand].losses
    read = [" and ".join(LOSSES.get(loss, loss) for loss in (PRIMARY_LOSS[task], *further)) for task in part.delta]
    return f"{' or '.join(read)} loss"


LOSSES = {"cross_entropy": "cross-entropy", "huber": "Huber"}
"""Losses in words, where those differ from their names."""


def _outliers(part: Part, claim: Claim) -> str:
    """The outliers that a part needs in the training rows."""
    if ESTIMANDS[part.estimand].levels != CONTAMINATED:
        return ""
    strata = [STRATA.get(name, name) for name in claim.strata]
    kinds = part.parameters.get(KINDS) or strata
    return f" on training rows with {' or '.join(kinds) or 'outliers'}"


def control_sentence(row: Entry) -> str:
    """The sentence of a control that nothing should come of, where its interval is too wide to show that."""
    part = _part(row)
    wanted = f"To show that nothing comes of it the interval would have to be {against_delta(part, 'within')}."
    return f"Underpowered: {_average(row, part)}. {wanted}"


SENTENCES: dict[str, Callable[[Entry, str, Sequence[Entry]], str]] = {
    claims.SUPPORTED: _supported,
    claims.REVERSED: _reversed,
    claims.EXCLUDED: _excluded,
    claims.NEGLIGIBLE: _negligible,
    claims.MIXED: _mixed,
    claims.INCONCLUSIVE: _inconclusive,
    claims.INACTIVE: _inactive,
    claims.TOO_FEW: _too_few,
}


def sentence(row: Entry, family: str, strata: Sequence[Entry], constants: Constants) -> str:
    """The sentence of a row's verdict. `strata`: the entries of the claim's strata, for the row "all"; else empty."""
    text = SENTENCES[row["verdict"]]({**row, "k_min": constants.k_min}, family, strata)
    clipped = sum(part["n_clipped"] for part in row["parts"] if part["id"] == row["deciding_part"])
    if clipped and estimate(_part(row)) in text:
        times = f"{constants.clip:g} times the smallest effect that counts"
        text += f" ({capital(counted(clipped, 'dataset'))} beyond {times} entered as {constants.clip:g} times.)"
    if row["uncertified"] and row["n_planned_datasets"]:
        text += f" (Runs of {' and '.join(row['uncertified'])} enter whether or not they had converged.)"
    return text


def _brief(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.3g}"


def identity_sentence(claim: Claim, verdict: str, checks: Sequence[Entry]) -> str:
    """The sentence of a claim that calculation settles: how many checks hold, or what the first that fails obtained."""
    failed = [check for check in checks if not check["holds"]]
    if verdict == SUPPORTED:
        return f"True by calculation: {counted(len(checks), 'exact check')} out of {len(checks)} hold."
    if verdict.startswith(claims.INCONCLUSIVE):
        return "Not settled: an exact check of this claim is missing or does not hold."
    shown = f"; expected {_brief(failed[0]['expected'])}, obtained {_brief(failed[0]['obtained'])}" if failed else ""
    refuted = claim.parts[0].statement.strip().rstrip(".")
    return f"False by calculation: “{refuted}” does not hold{shown}."


def table(verdicts: Mapping[str, Any], width: int = 100) -> str:
    """The verdicts as text of at most `width` columns, ASCII apart from the sentences' quotes: for the terminal."""
    sections = [("Claims", verdicts["claims"]), ("Added", verdicts["added"]), ("Controls", verdicts["controls"])]
    blocks = [_section(title, entries, width) for title, entries in sections if entries]
    if notice(verdicts):
        blocks.insert(0, textwrap.fill(notice(verdicts), width))
    return "\n\n".join(blocks).translate({ord(MINUS): "-", ord("“"): '"', ord("”"): '"'}) + "\n"


def notice(verdicts: Mapping[str, Any]) -> str:
    """What must be said above all verdicts: that the registration was changed after training. Else ""."""
    about = verdicts.get("registered")
    return str(about["sentence"]) if about and about["status"] == CHANGED else ""


def markdown(verdicts: Mapping[str, Any]) -> str:
    """The verdicts as a Markdown table: claim, quote and author, verdict, sentence."""
    lines = [f"**{notice(verdicts)}**", ""] if notice(verdicts) else []
    lines += ["| | what was said | verdict | |", "|---|---|---|---|"]
    for entry in (*verdicts["claims"], *verdicts["added"]):
        said = f"“{entry['quote']}” ({entry['author']})" if entry["quote"] else f"{entry['question']} (added)"
        lines.append(f"| {entry['id']} | {said} | **{entry['verdict']}** | {entry['sentence']} |")
    return "\n".join(lines) + "\n"


HEADINGS = ("claim", "verdict", "estimate [low, high]*", "datasets")
FOOT = "* in multiples of the smallest effect that counts; plus agrees with the claim"


def _section(title: str, entries: Sequence[Entry], width: int) -> str:
    lines = [cells for entry in entries for cells in _lines(entry)]
    widths = [max(len(cell) for cell in column) for column in zip(HEADINGS, *lines, strict=True)]
    wide = sum(widths) + 2 * (len(widths) - 1) <= width
    rule = "-" * min(width, sum(widths) + 2 * (len(widths) - 1))
    out = [title.upper()]
    if wide:
        out += [_joined(HEADINGS, widths), rule]
    for entry in entries:
        for cells in _lines(entry):
            out += [_joined(cells, widths)] if wide else textwrap.wrap(": ".join(cells[:2]), width)
        for text in (entry["sentence"], _outcome(entry)):
            out += textwrap.wrap(text, width, initial_indent="    ", subsequent_indent="    ")
    if wide and any(entry["estimate"] is not None for entry in entries):
        out += textwrap.wrap(FOOT, width)
    return "\n".join(out)


def _outcome(entry: Entry) -> str:
    return f"control {entry['outcome']}: expected {' or '.join(entry['expects'])}" if "outcome" in entry else ""


def _lines(entry: Entry) -> list[tuple[str, ...]]:
    return [_cells(entry, entry["id"]), *(_cells(row, f"  {row['stratum']}") for row in entry["strata"])]


def _cells(entry: Entry, name: str) -> tuple[str, ...]:
    if entry["estimate"] is None:
        value = ""
    elif entry["ci_low"] is None:
        value = number(entry["estimate"], 1, sign=True)
    else:
        value = multiple(entry["estimate"], entry["ci_low"], entry["ci_high"])
    datasets = f"{entry['n_datasets']} of {entry['n_planned_datasets']}" if entry["n_planned_datasets"] else ""
    return name, entry["verdict"], value, datasets


def _joined(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
