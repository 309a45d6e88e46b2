"""How far a row lies from the nearest healthy ones that were kept: for machines with several states.

A covariance sees one cloud; a machine with speeds, loads and batches has several. The mean squared distance to the
nearest few of at most 128 healthy rows knows them all, without finding or naming one.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from gateway.detectors.detector import Floats, healthy_moments, row_of
from gateway.detectors.precision import products, sums_in_order
from gateway.detectors.stacking import stacked

#: Healthy rows that are kept, thinned evenly.
PROTOTYPES = 128
#: The mean over so many of the nearest is the distance.
NEIGHBOURS = 3
#: A feature that hardly moved while healthy is judged as if it had moved by this much.
DEVIATION_FLOOR = 0.3
_LEAST = 1e-9


class Prototypes:
    """A frozen distance, of rows in healthy deviations (see `WhitenedDistance`). A missing value counts as the mean.

    >>> rows = np.concatenate((np.zeros((50, 2)), np.full((50, 2), 9.0)))
    >>> near, between = Prototypes.fit(rows).score_many(np.array([[9.0, 9.0], [4.5, 4.5]])).tolist()
    >>> between > 100 * near
    True
    """

    name: ClassVar[str] = "prototypes"

    def __init__(self, centre: Floats, scale: Floats, kept: NDArray[np.float16]) -> None:
        self.centre, self.scale = centre, scale
        self.features = len(centre)
        self._kept = kept
        wide = kept.astype(np.float64)
        self._columns = np.ascontiguousarray(wide.T)
        self._squares = sums_in_order(wide * wide)

    @classmethod
    def fit(cls, rows: Floats, seed: int = 0) -> Self:
        """Prototypes of healthy rows (n, d)."""
        centre, variance = healthy_moments(rows)
        scale = np.sqrt(variance + DEVIATION_FLOOR**2)
        places = np.linspace(0, len(rows) - 1, min(PROTOTYPES, len(rows))).astype(np.int64)
        kept = (rows[places] - centre) / scale
        return cls(centre, scale, np.where(np.isnan(kept), 0.0, kept).astype(np.float16))

    def joined_by(self, rows: Floats, shift: Floats) -> Self:
        """Prototypes that know healthy rows (n, d) of a new session too, measured as before.

        `shift` (d,) is what is added to old rows to bring them into the features of the session. At most half of the
        places go to the new rows.
        """
        places = np.linspace(0, len(rows) - 1, min(PROTOTYPES // 2, len(rows))).astype(np.int64)
        new = (rows[places] - self.centre - shift) / self.scale
        old = self._kept[
            np.linspace(0, len(self._kept) - 1, min(PROTOTYPES - len(new), len(self._kept))).astype(np.int64)
        ]
        kept = np.concatenate((old, np.where(np.isnan(new), 0.0, new).astype(np.float16)))
        return type(self)(self.centre + shift, self.scale, kept)

    @property
    def kept(self) -> int:
        """Number of rows that were kept."""
        return len(self._kept)

    def score_many(self, rows: Floats) -> Floats:
        """Scores (m,), above 0: mean squared distance per feature."""
        return np.asarray(self.score_together([self], rows[None])[0])

    @staticmethod
    def score_together(devices: Sequence["Prototypes"], rows: Floats) -> Floats:
        """`score_many` of rows (D, m, d) by D prototypes that kept equally many rows, (D, m)."""
        centre = stacked([device.centre for device in devices])[:, None]
        scale = stacked([device.scale for device in devices])[:, None]
        values = (rows - centre) / scale
        values = np.where(np.isnan(values), 0.0, values)
        squares = products(values, [device._columns for device in devices])
        squares *= -2.0
        squares += sums_in_order(values * values)[..., None]
        squares += stacked([device._squares for device in devices])[:, None]
        nearest = min(NEIGHBOURS, devices[0].kept)
        squares.partition(nearest - 1, axis=-1)
        found = np.sort(squares[..., :nearest], axis=-1)
        return np.maximum(sums_in_order(found) / nearest, _LEAST) / devices[0].features

    def learn_many(self, rows: Floats) -> None:
        """Nothing: what is healthy was told at the fit."""

    def score_one(self, x: Mapping[int, float]) -> float:
        """`score_many` of one row."""
        return float(self.score_many(row_of(x, self.features)[None])[0])

    def learn_one(self, x: Mapping[int, float]) -> None:
        """Nothing: what is healthy was told at the fit."""

    def fields(self) -> dict[str, Any]:
        """Everything that scores depend on."""
        return {"centre": self.centre, "scale": self.scale, "kept": self._kept}

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> Self:
        """The prototypes whose `fields` these are; KeyError or ValueError when they do not fit together."""
        kept = fields["kept"].astype(np.float16)
        if kept.ndim != 2 or kept.shape[1] != len(fields["centre"]) or fields["scale"].shape != fields["centre"].shape:
            raise ValueError("prototypes, centre and scale differ in size")
        return cls(fields["centre"], fields["scale"], kept)
