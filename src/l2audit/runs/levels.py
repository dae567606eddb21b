"""The training sets of a shard: each seed's split under each contamination, in the scaling that the shard asks for."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from l2audit.contamination import Contaminated, Reference, Rows, contaminate
from l2audit.data.arrays import Prepared
from l2audit.data.split import Scaler, Sizes, split
from l2audit.plan import CLEAN_SCALING, Contamination


@dataclass(frozen=True)
class Replicate:
    """One seed's split: clean rows, all scaled alike, and what a contamination may know of the training rows."""

    reference: Reference
    train: Rows
    validation: Rows
    test: Rows


@dataclass(frozen=True)
class Level:
    """One training set of a shard: a seed under a contamination.

    train, validation: contaminated. clean: the same split without contamination, in the scaling of this level, which
    differs between the levels of a seed unless `scaling` is "clean". Test rows are always those of `clean`.
    """

    seed: int
    contamination: Contamination
    train: Contaminated
    validation: Contaminated
    clean: Replicate


def replicate_of(prepared: Prepared, seed: int, caps: Sizes) -> Replicate:
    """Split and scale: X (and a regression target) by mean and SD of the clean training rows, never of others."""
    parts = split(prepared.name, prepared.task, prepared.y, seed, caps)
    classes = int(prepared.y.max()) + 1 if prepared.task == "classification" else None
    target = None if classes else prepared.y[parts.train]
    scaler = Scaler.fit(prepared.X[parts.train], target)

    def rows(index: NDArray[np.int64]) -> Rows:
        y = prepared.y[index]
        return Rows(scaler.features(prepared.X[index]), y if classes else scaler.target(y), classes)

    train = rows(parts.train)
    return Replicate(Reference(train), train, rows(parts.validation), rows(parts.test))


def level_of(dataset: str, seed: int, contamination: Contamination, replicate: Replicate, scaling: str) -> Level:
    """`replicate` under `contamination`, by `scaling`, one of `l2audit.data.split.SCALINGS`.

    Rows are contaminated in the scaling of the clean rows, so that an outlier is the same outlier in every scaling.
    With another `scaling` than "clean", a second scaler is then learnt from this level's training rows: by mean and SD
    ("contaminated") or by median and MAD ("robust"). It is applied to all rows of the level, targets included.
    """

    def hit(rows: Rows, part: str) -> Contaminated:
        return contaminate(
            rows,
            replicate.reference,
            kind=contamination.kind,
            rate=contamination.rate,
            magnitude=contamination.magnitude,
            dataset=dataset,
            seed=seed,
            part=part,
        )

    level = Level(
        seed, contamination, hit(replicate.train, "train"), hit(replicate.validation, "validation"), replicate
    )
    return level if scaling == CLEAN_SCALING else _rescaled(level, scaling)


def _rescaled(level: Level, scaling: str) -> Level:
    regression = level.clean.train.classes is None
    scaler = Scaler.fit(level.train.X, level.train.y if regression else None, scaling)

    def rows(one: Rows) -> Rows:
        return Rows(scaler.features(one.X), scaler.target(one.y) if regression else one.y, one.classes)

    def contaminated(one: Contaminated) -> Contaminated:
        return replace(one, X=scaler.features(one.X), y=scaler.target(one.y) if regression else one.y)

    clean = level.clean
    train = rows(clean.train)
    return Level(
        level.seed,
        level.contamination,
        contaminated(level.train),
        contaminated(level.validation),
        Replicate(Reference(train), train, rows(clean.validation), rows(clean.test)),
    )
