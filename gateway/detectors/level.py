"""One level for a reading: the distances of all blocks, and the distance to what was kept, in one scale.

The level is the natural logarithm of a squared distance. Prototypes take part as far as they generalise: the ratio of
distances out of block and within tells whether the healthy part shows all that is healthy. Where it does, what was
kept is a good picture; where it does not, every new state would look strange.

What was kept knows no relation between channels. So the distances are the level in its place where they stand that much
higher (`_lead`): beyond their own healthy tail where one cloud explains the healthy rows, and farther the more their
distances scatter, as they do where states come and go that no covariance describes.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.detectors.calibration import FLAGGED_ONE_IN, effective_readings, out_of_block, tail_quantile
from gateway.detectors.prototypes import Prototypes
from gateway.detectors.row_features import Found
from gateway.detectors.session import distance_of_session, out_of_fold, recentred
from gateway.detectors.stacking import stacked
from gateway.detectors.whitened_distance import WhitenedDistance

Floats = NDArray[np.float64]

#: Ratio of distances out of block and within above which prototypes have no say; half below it they have all of it.
RATIO_LIMIT = 2.2
#: Their say at most where a reading is a whole window: a window knows its own variation.
WINDOW_SHARE_LIMIT = 0.5
#: Rows that are fitted at most; longer healthy parts are thinned evenly.
FIT_ROWS = 6000
#: One cloud's healthy distances are at most this many times as wide as a Gaussian one's; beyond, the distances need so
#: much more of a lead over the kept rows to be heard beside them.
ONE_CLOUD, LEAD_PER_CLOUD = 1.6, 4.0
_LEAST_DISTANCE = 0.01


class Level:
    """Level of readings from their features. Made by `fit` or `from_fields`; it never learns."""

    def __init__(self, distances: list[WhitenedDistance], prototypes: Prototypes | None, share: float) -> None:
        self.distances = distances
        self.prototypes = prototypes
        #: What the prototypes have to say, 0 to 1.
        self.share = share
        self._middle = np.zeros(2)
        self._spread = np.ones(2)
        #: What the distances' standing must exceed the mixed one by to be the level in its place.
        self._lead = math.inf

    @classmethod
    def fit(cls, found: Found, *, share_limit: float = 1.0, relations: bool = True) -> tuple["Level", Floats]:
        """Distances of healthy features, and the levels (n,) of these by models of the other blocks.

        `relations`: there are several channels, so that the distances may see what the kept rows cannot.
        """
        step = -(-len(found.states) // FIT_ROWS)
        thinned = found.part(slice(None, None, step))
        distances = [WhitenedDistance.fit(block) for block in thinned.blocks]
        outside = [out_of_block(block, lambda rows: WhitenedDistance.fit(rows).score_many) for block in thinned.blocks]
        within = [distance.score_many(block) for distance, block in zip(distances, thinned.blocks, strict=True)]
        ratio = float(
            np.mean([np.median(o) / max(float(np.median(i)), 1e-12) for o, i in zip(outside, within, strict=True)])
        )
        share = min(max(2.0 * (RATIO_LIMIT - ratio), 0.0), share_limit)
        level = cls(distances, Prototypes.fit(thinned.states) if share > 0.0 else None, share)
        first = _mean_log(outside)
        level._middle[0], level._spread[0] = _standard(first)
        second = None
        if level.prototypes is not None:
            second = np.log(out_of_block(thinned.states, lambda rows: Prototypes.fit(rows).score_many))
            level._middle[1], level._spread[1] = _standard(second)
            if relations:
                level._lead = level._lead_of(first, second, within)
        levels = level._fused(first, second)
        if step == 1:
            return level, levels
        # Readings that were left out of the fit take the level of the one before them that was not.
        return level, np.repeat(levels, step)[: len(found.states)]

    def of_session(
        self, found: Found, shift: Floats, *, memory_rows: int, several: float
    ) -> tuple["Level", Floats, float]:
        """The level of a new session, from the features of its healthy readings; their levels (n,) out of fold; and how
        many independent readings they tell as much as.

        `shift`: what brings old states into the features of the session. `memory_rows`: readings that a feature
        remembers. `several`, 0 to 1: the machine has several states, of which a stretch shows some.
        """
        step = -(-len(found.states) // FIT_ROWS)
        thinned = found.part(slice(None, None, step))
        count = len(thinned.states)
        moved = [recentred(old, block) for old, block in zip(self.distances, thinned.blocks, strict=True)]
        effective = effective_readings(Level(moved, None, 0.0)._logs(thinned)[:, 0])
        effective = min(effective, max(len(found.states) / memory_rows, 1.0))

        def made(rows: NDArray[np.int64]) -> "Level":
            told = effective * len(rows) / count
            distances = [
                distance_of_session(old, block[rows], told)
                for old, block in zip(self.distances, thinned.blocks, strict=True)
            ]
            kept = None if self.prototypes is None else self.prototypes.joined_by(thinned.states[rows], shift)
            return Level(distances, kept, self.share)

        level = made(np.arange(count))
        pairs = out_of_fold(count, lambda rows, fold: made(rows)._logs(thinned.part(fold)))
        level._spread, level._lead = self._spread, self._lead
        middle = np.median(pairs, axis=0)
        level._middle = middle + several * np.maximum(self._middle - middle, 0.0)
        levels = level._fused(pairs[:, 0], None if self.prototypes is None else pairs[:, 1])
        return level, np.repeat(levels, step)[: len(found.states)], effective

    def _logs(self, found: Found) -> Floats:
        """Logarithms (m, 2) of the distances and of the distance to what was kept, 0 where nothing was."""
        first = _mean_log(
            [distance.score_many(block) for distance, block in zip(self.distances, found.blocks, strict=True)]
        )
        second = np.zeros(len(first)) if self.prototypes is None else np.log(self.prototypes.score_many(found.states))
        return np.stack((first, second), axis=1)

    def standings(self, found: Found) -> Floats:
        """How far the distances and the distance to what was kept stand above their healthy medians, in the heights of
        their highest healthy twentieths, (m, 2); NaN where nothing was kept."""
        standing = (self._logs(found) - self._middle) / self._spread
        if self.prototypes is None:
            standing[:, 1] = np.nan
        return standing

    def of(self, found: Found) -> tuple[Floats, tuple[Floats, ...]]:
        """Levels (m,) of readings, and what each feature adds to each distance, standardised to a sum of 1."""
        alone = Found(tuple(block[None] for block in found.blocks), found.states[None], found.usual[None])
        levels, added, _ = self.of_together([self], alone)
        return levels[0], tuple(parts[0] for parts in added)

    @staticmethod
    def of_together(levels: Sequence["Level"], found: Found) -> tuple[Floats, tuple[Floats, ...], Floats]:
        """`of` for readings of D devices with as many features: levels (D, m), what each feature adds, and the features
        of the first block in healthy deviations (D, m, d)."""
        added, scores, deviations = [], [], []
        for number, block in enumerate(found.blocks):
            distances = [level.distances[number] for level in levels]
            deviations.append(WhitenedDistance.standardised_together(distances, block))
            contributions = WhitenedDistance.contributions_together(distances, deviations[-1])
            score = distances[0].total(contributions)
            scores.append(score)
            added.append(contributions / np.maximum(score * distances[0].features, 1e-12)[..., None])
        fused = _mean_log(scores)
        kept: dict[int, list[int]] = {}
        for number, level in enumerate(levels):
            if level.prototypes is not None:
                kept.setdefault(level.prototypes.kept, []).append(number)
        for numbers in kept.values():
            prototypes = [prototype for number in numbers if (prototype := levels[number].prototypes) is not None]
            second = np.log(Prototypes.score_together(prototypes, found.states[numbers]))
            share = np.array([[levels[number].share] for number in numbers])
            middle = stacked([levels[number]._middle for number in numbers])[:, None]
            spread = stacked([levels[number]._spread for number in numbers])[:, None]
            lead = np.array([[levels[number]._lead] for number in numbers])
            fused[numbers] = _in_one_scale(fused[numbers], second, share, middle, spread, lead)
        return fused, tuple(added), deviations[0]

    def _lead_of(self, first: Floats, second: Floats, within: Sequence[Floats]) -> float:
        """From levels (n,) out of block, and the distances of every block within: both pass their thresholds as rarely,
        and the more the healthy rows look like several clouds, the less the distances have to say."""
        standing = (first - self._middle[0]) / self._spread[0]
        other = (second - self._middle[1]) / self._spread[1]
        mixed = (1.0 - self.share) * standing + self.share * other
        beside = tail_quantile(standing, FLAGGED_ONE_IN) - tail_quantile(mixed, FLAGGED_ONE_IN)
        clouds = _clouds(_mean_log(within), self.distances[0].features)
        return beside + LEAD_PER_CLOUD * max(clouds - ONE_CLOUD, 0.0)

    def _fused(self, first: Floats, second: Floats | None) -> Floats:
        """The distances' level, with that of the prototypes in its scale by their share."""
        return (
            first
            if second is None
            else _in_one_scale(first, second, self.share, self._middle, self._spread, self._lead)
        )

    def fields(self) -> dict[str, Any]:
        """Everything that levels depend on."""
        own: dict[str, Any] = {"share": self.share, "middle": self._middle, "spread": self._spread, "lead": self._lead}
        for number, distance in enumerate(self.distances):
            own |= {f"distance {number} {name}": value for name, value in distance.fields().items()}
        if self.prototypes is not None:
            own |= {f"prototypes {name}": value for name, value in self.prototypes.fields().items()}
        return own | {"distances": len(self.distances)}

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> "Level":
        """The level whose `fields` these are; KeyError or ValueError when they do not fit together."""

        def of(prefix: str) -> dict[str, Any]:
            return {name.removeprefix(prefix): value for name, value in fields.items() if name.startswith(prefix)}

        distances = [WhitenedDistance.from_fields(of(f"distance {number} ")) for number in range(fields["distances"])]
        share = float(fields["share"])
        prototypes = Prototypes.from_fields(of("prototypes ")) if share > 0.0 else None
        restored = cls(distances, prototypes, share)
        restored._middle, restored._spread = fields["middle"], fields["spread"]
        restored._lead = fields.get("lead", math.inf)
        return restored


def _in_one_scale(
    first: Floats, second: Floats, share: Floats | float, middle: Floats, spread: Floats, lead: Floats | float
) -> Floats:
    """The first level, with the second in its scale by its share; `middle` and `spread` (..., 2)."""
    standard = (first - middle[..., 0]) / spread[..., 0]
    other = (second - middle[..., 1]) / spread[..., 1]
    mixed = (1.0 - share) * standard + share * other
    return np.asarray(np.maximum(mixed, standard - lead) * spread[..., 0] + middle[..., 0])


def _clouds(logs: Floats, features: int) -> float:
    """How much wider the upper half of healthy log distances (n,) lies than that of one Gaussian cloud in so many
    features, whose squared distances are chi-squared."""
    gaussian = 1.645 * math.sqrt(2.0 / features)
    return (float(np.quantile(logs, 0.95)) - float(np.median(logs))) / gaussian


def _mean_log(scores: Sequence[Floats]) -> Floats:
    total = np.log(scores[0] + _LEAST_DISTANCE)
    for score in scores[1:]:
        total = total + np.log(score + _LEAST_DISTANCE)
    return np.asarray(total / len(scores))


def _standard(levels: Floats) -> tuple[float, float]:
    """Median, and the height of the highest twentieth above it."""
    middle = float(np.median(levels))
    return middle, float(np.quantile(levels, 0.95)) - middle + 0.1
