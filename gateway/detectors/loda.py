"""LODA: river's ensemble of one-dimensional histograms, with scores for many rows at once and a state of its own.

Pevny, 2016, *Loda: lightweight on-line detector of anomalies*. Projections and histograms are river's and learn by
river's code; densities of many rows come from arrays, and `test_detectors_trees.py` holds them equal.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from river import anomaly
from river.sketch.histogram import Bin

from gateway.detectors.detector import Floats, healthy_limits, row_of

CUTS = 25
BINS = 32
_LEAST_DENSITY = 1e-12


class Loda:
    """Rows are judged in healthy deviations. A missing value counts as the healthy mean, as river counts it as 0.

    The score is the mean negative logarithm of the densities, at most 27.6. Projections are drawn for features by their
    number: another order of features matters as another seed does.
    """

    name: ClassVar[str] = "LODA"

    def __init__(self, centre: Floats, scale: Floats, model: anomaly.LODA) -> None:
        self.centre, self.scale = centre, scale
        self.features = len(centre)
        self._model = model
        self._tables: list[tuple[Floats, Floats, Floats]] | None = None
        self._weights: Floats | None = None

    @classmethod
    def fit(cls, rows: Floats, seed: int = 0) -> Self:
        """Projections drawn by river for this seed, histograms of healthy rows (n, d) in their order."""
        centre, scale = healthy_limits(rows)
        detector = cls(centre, scale, anomaly.LODA(n_bins=BINS, n_random_cuts=CUTS, seed=seed))
        detector.learn_many(rows)
        return detector

    def _standardised(self, rows: Floats) -> Floats:
        values = (rows - self.centre) / self.scale
        return np.where(np.isfinite(values), values, 0.0)

    def learn_many(self, rows: Floats) -> None:
        """Rows one behind the other, by river's code."""
        for row in self._standardised(rows).tolist():
            self._model.learn_one(dict(enumerate(row)))  # type: ignore[no-untyped-call]
        if len(rows):
            self._tables = None

    def score_many(self, rows: Floats) -> Floats:
        """Scores (n,); 0 before anything was learned."""
        if not self._model.projections_:
            return np.zeros(len(rows))
        values = self._standardised(rows)
        weights = self._projections()
        total = np.zeros(len(rows))
        for weight, (left, right, density) in zip(weights, self._histograms(), strict=True):
            projected = np.zeros(len(rows))
            for number in np.flatnonzero(weight):
                projected += weight[number] * values[:, number]
            place = np.searchsorted(right, projected, side="left")
            inside = place < len(right)
            bounded = np.where(inside, place, 0)
            found = np.where(inside & (projected >= left[bounded]), density[bounded], 0.0)
            total -= np.log(np.maximum(found, _LEAST_DENSITY))
        return np.asarray(total / len(weights))

    def _projections(self) -> Floats:
        if self._weights is None:
            self._weights = np.zeros((CUTS, self.features))
            for cut, projection in enumerate(self._model.projections_):
                for number, weight in projection.items():
                    self._weights[cut, number] = weight
        return self._weights

    def _histograms(self) -> list[tuple[Floats, Floats, Floats]]:
        """Left and right ends and the density of the bins of each histogram."""
        if self._tables is None:
            self._tables = [_table(histogram.data, histogram.n) for histogram in self._model.histograms_]
        return self._tables

    def score_one(self, x: Mapping[int, float]) -> float:
        """`score_many` of one row."""
        return float(self.score_many(row_of(x, self.features)[None])[0])

    def learn_one(self, x: Mapping[int, float]) -> None:
        """`learn_many` of one row."""
        self.learn_many(row_of(x, self.features)[None])

    def fields(self) -> dict[str, Any]:
        """Projections and bins."""
        histograms = self._model.histograms_
        bins = np.full((CUTS, BINS, 3), np.nan)
        for cut, histogram in enumerate(histograms):
            for place, part in enumerate(histogram.data):
                bins[cut, place] = part.left, part.right, part.count
        return {
            "centre": self.centre,
            "scale": self.scale,
            "projections": self._projections() if histograms else np.zeros((CUTS, self.features)),
            "bins": bins,
            "learned": histograms[0].n if histograms else 0,
        }

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> Self:
        """The ensemble whose `fields` these are; KeyError or ValueError when they do not fit together."""
        centre, projections, bins = fields["centre"], fields["projections"], fields["bins"]
        if projections.shape != (CUTS, len(centre)) or bins.shape != (CUTS, BINS, 3):
            raise ValueError("projections and bins do not fit the features")
        if fields["scale"].shape != centre.shape:
            raise ValueError("centre and scale differ in size")
        model = anomaly.LODA(n_bins=BINS, n_random_cuts=CUTS, seed=0)
        if fields["learned"]:
            model._initialize(dict.fromkeys(range(len(centre)), 0.0))
            model.projections_ = [
                {int(number): float(weight[number]) for number in np.flatnonzero(weight)} for weight in projections
            ]
            for histogram, parts in zip(model.histograms_, bins, strict=True):
                known = parts[np.isfinite(parts[:, 0])]
                histogram.data = [
                    Bin(left, right, int(count))  # type: ignore[no-untyped-call]
                    for left, right, count in known.tolist()
                ]
                histogram.n = int(fields["learned"])
        return cls(centre, fields["scale"], model)


def _table(bins: list[Bin], learned: int) -> tuple[Floats, Floats, Floats]:
    """Ends and densities of bins: over a bin's width, or over the nearest gap where it holds one value."""
    left = np.array([part.left for part in bins])
    right = np.array([part.right for part in bins])
    share = np.array([part.count for part in bins]) / learned
    gaps = np.concatenate(([np.inf], left[1:] - right[:-1], [np.inf]))
    nearest = np.minimum(gaps[:-1], gaps[1:])
    width = np.where(right > left, right - left, np.where(np.isfinite(nearest) & (nearest > 0.0), nearest, 1.0))
    return left, right, share / width
