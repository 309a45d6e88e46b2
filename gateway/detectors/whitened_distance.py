"""How far a row lies from the healthy ones, with the directions that hardly moved weighing most.

``y' S**-1.5 y / d`` over the shrunk covariance S of the standardised healthy rows. With the power 1 it is Hotelling's
T2 per feature, which gives every direction the same say; 1.5 leans towards relations that held while the machine was
healthy, and was better on every recording that it was tried on (docs/detection.md).
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from gateway.detectors.detector import Floats, healthy_moments, row_of
from gateway.detectors.precision import inverse_root, invert, moments, product, products, sums_in_order
from gateway.detectors.stacking import stacked

#: A feature that hardly moved while healthy is judged as if it had moved by this much.
DEVIATION_FLOOR = 0.1
#: Added to the diagonal: shrinkage reckons with independent rows, and running means are not.
RIDGE = 0.05
#: Features of one covariance; wider rows are judged in groups, each by its own.
GROUP_FEATURES = 192


class WhitenedDistance:
    """A frozen distance: what is healthy stays what it was when the machine was commissioned.

    Learning a row after the fit changes nothing, so that no fault can be learned away; `learn_one` is there for
    river's sake. Rows come in healthy deviations, as all features of the recipe do: the floor and the ridge are meant
    in them. A missing value counts as the healthy mean.

    References
    ----------
    Hotelling, H., 1947. Multivariate quality control. Ledoit, O. and Wolf, M., 2004. A well-conditioned estimator for
    large-dimensional covariance matrices.

    >>> rows = np.random.default_rng(1).normal(size=(500, 2)) @ np.array([[1.0, 0.9], [0.0, 0.4]])
    >>> along, across = WhitenedDistance.fit(rows).score_many(np.array([[1.0, 0.9], [1.0, -0.9]])).tolist()
    >>> across > 5 * along
    True
    """

    name: ClassVar[str] = "whitened distance"

    def __init__(self, centre: Floats, scale: Floats, matrices: list[Floats]) -> None:
        self.centre, self.scale = centre, scale
        self.features = len(centre)
        self._matrices = matrices

    @classmethod
    def fit(cls, rows: Floats, seed: int = 0) -> Self:
        """A distance from healthy rows (n, d)."""
        centre, variance = healthy_moments(rows)
        scale = np.sqrt(variance + DEVIATION_FLOOR**2)
        standardised = (rows - centre) / scale
        standardised = np.where(np.isnan(standardised), 0.0, standardised)
        matrices, begin = [], 0
        for size in _even_groups(rows.shape[1]):
            matrices.append(_matrix(np.ascontiguousarray(standardised[:, begin : begin + size])))
            begin += size
        return cls(centre, scale, matrices)

    @property
    def matrices(self) -> tuple[Floats, ...]:
        """``S**-1.5`` of each group of features, in their order."""
        return tuple(self._matrices)

    def standardised(self, rows: Floats) -> Floats:
        """Rows in healthy deviations from their healthy mean, 0 where missing."""
        return np.asarray(self.standardised_together([self], rows[None])[0])

    @staticmethod
    def standardised_together(distances: Sequence["WhitenedDistance"], rows: Floats) -> Floats:
        """`standardised` of rows (D, m, d) by D distances."""
        centre = stacked([distance.centre for distance in distances])[:, None]
        scale = stacked([distance.scale for distance in distances])[:, None]
        values = (rows - centre) / scale
        return np.where(np.isnan(values), 0.0, values)

    def contributions(self, standardised: Floats) -> Floats:
        """What each feature adds to d times the score, (m, d). Single ones may be negative; their sum is not."""
        return np.asarray(self.contributions_together([self], standardised[None])[0])

    @staticmethod
    def contributions_together(distances: Sequence["WhitenedDistance"], standardised: Floats) -> Floats:
        """`contributions` of rows (D, m, d) to D distances."""
        parts, begin = [], 0
        for matrices in zip(*(distance._matrices for distance in distances), strict=True):
            own = standardised[..., begin : begin + len(matrices[0])]
            parts.append(own * products(own, matrices))
            begin += len(matrices[0])
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)

    def score_many(self, rows: Floats) -> Floats:
        """Scores (m,), about 1 for a healthy row."""
        return self.total(self.contributions(self.standardised(rows)))

    def total(self, contributions: Floats) -> Floats:
        """The score of rows from what their features add, (..., d)."""
        return np.maximum(sums_in_order(contributions), 0.0) / self.features

    def learn_many(self, rows: Floats) -> None:
        """Nothing: what is healthy was told at the fit."""

    def score_one(self, x: Mapping[int, float]) -> float:
        """`score_many` of one row."""
        return float(self.score_many(row_of(x, self.features)[None])[0])

    def learn_one(self, x: Mapping[int, float]) -> None:
        """Nothing: what is healthy was told at the fit."""

    def fields(self) -> dict[str, Any]:
        """Everything that scores depend on; symmetric matrices by their upper halves."""
        halves = np.concatenate([matrix[np.triu_indices(len(matrix))] for matrix in self._matrices])
        narrow = halves.astype(np.float32)
        return {
            "centre": self.centre,
            "scale": self.scale,
            "groups": np.array([len(matrix) for matrix in self._matrices], np.float64),
            # Matrices of earlier versions have all digits.
            "halves": narrow if np.array_equal(narrow, halves) else halves,
        }

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> Self:
        """The distance whose `fields` these are; KeyError or ValueError when they do not fit together."""
        centre, scale, halves = fields["centre"], fields["scale"], fields["halves"]
        matrices, begin = [], 0
        for size in fields["groups"].astype(np.int64).tolist():
            matrix = np.empty((size, size))
            upper = np.triu_indices(size)
            matrix[upper] = halves[begin : begin + len(upper[0])]
            matrix.T[upper] = matrix[upper]
            begin += len(upper[0])
            matrices.append(matrix)
        if begin != len(halves) or sum(map(len, matrices)) != len(centre) or scale.shape != centre.shape:
            raise ValueError("matrices, centre and scale differ in size")
        return cls(centre, scale, matrices)


def _even_groups(features: int) -> list[int]:
    count = -(-features // GROUP_FEATURES)
    edges = [features * group // count for group in range(count + 1)]
    return [high - low for low, high in itertools.pairwise(edges)]


def _matrix(standardised: NDArray[np.float64]) -> Floats:
    """``S**-1.5`` of standardised rows (n, d): their covariance, shrunk (Ledoit and Wolf), with a ridge."""
    rows, features = standardised.shape
    covariance = moments(standardised) / rows
    size = float(np.trace(covariance)) / features
    target = size * np.eye(features)
    distance = float(((covariance - target) ** 2).sum())
    squares = standardised * standardised
    noise = (float(moments(squares).sum()) / rows - float((covariance**2).sum())) / rows
    share = min(max(noise, 0.0), distance) / distance if distance > 0.0 else 1.0
    shrunk = (1.0 - share) * covariance
    shrunk[np.diag_indices_from(shrunk)] += share * size + RIDGE
    found = product(invert(shrunk), inverse_root(shrunk))
    return as_stored(0.5 * (found + found.T))


def as_stored(matrix: Floats) -> Floats:
    """The matrix in the precision that a state holds it in, so that scores are those of the restored distance."""
    return matrix.astype(np.float32).astype(np.float64)
