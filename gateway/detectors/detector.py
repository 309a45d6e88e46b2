"""What every detector can do: river's verbs, the same for many rows at once, and a state that outlives a process.

Promises, tested for every detector by `tests/unit/gateway/test_detector_promises.py`: it never learns by scoring; many
rows give the bits that they give one by one; a missing value (NaN, or a feature that is left out) is survived; memory
is bounded; a stored state continues to the bit; channel order, scale and shift do not matter beyond what its
docstring says.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Detector(Protocol):
    """Judges rows of d features, float64, NaN where missing. Higher scores are stranger; no scale is promised."""

    #: What people type.
    name: ClassVar[str]
    features: int

    @classmethod
    def fit(cls, rows: Floats, seed: int = 0) -> Self:
        """A detector of healthy rows (n, d), learned in their order."""
        ...

    def score_one(self, x: Mapping[int, float]) -> float:
        """Score of one row: features by their numbers; one that is left out is missing."""
        ...

    def learn_one(self, x: Mapping[int, float]) -> None:
        """Take in one healthy row."""
        ...

    def score_many(self, rows: Floats) -> Floats:
        """Scores (n,) of rows (n, d), nothing learned in between: the bits of `score_one`."""
        ...

    def learn_many(self, rows: Floats) -> None:
        """Take in rows (n, d) in their order: the state that `learn_one` leaves."""
        ...

    def fields(self) -> dict[str, Any]:
        """Everything that later scores depend on, for `portable.pack`."""
        ...

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> Self:
        """The detector whose `fields` these are; KeyError or ValueError when they do not fit together."""
        ...


def row_of(x: Mapping[int, float], features: int) -> Floats:
    """A row (features,) of what river would be given; NaN where `x` has no such feature.

    >>> row_of({1: 2.0}, 2)
    array([nan,  2.])
    """
    row = np.full(features, np.nan)
    for number, value in x.items():
        row[number] = value
    return row


def healthy_moments(rows: Floats) -> tuple[Floats, Floats]:
    """Mean and variance of each feature of healthy rows (n, d), missing ones left out; 0 without any."""
    present = np.isfinite(rows)
    count = np.maximum(present.sum(axis=0), 1)
    mean = np.where(present, rows, 0.0).sum(axis=0) / count
    return mean, (np.where(present, rows - mean, 0.0) ** 2).sum(axis=0) / count


def healthy_limits(rows: Floats) -> tuple[Floats, Floats]:
    """Mean and deviation of each feature of healthy rows (n, d), missing ones left out.

    A feature that never moved has ``max(|mean| * 1e-3, 1e-9)`` as its deviation, one without any value 0 and 1.
    """
    mean, variance = healthy_moments(rows)
    deviation = np.sqrt(variance)
    still = deviation <= np.abs(mean) * 1e-12
    deviation = np.where(still, np.maximum(np.abs(mean) * 1e-3, 1e-9), deviation)
    return mean, np.where(np.isfinite(rows).any(axis=0), deviation, 1.0)
