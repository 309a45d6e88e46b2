"""river's running Ledoit-Wolf covariance, with a state that can be stored and continued to the bit."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from river import covariance


class RunningCovariance(covariance.LedoitWolfCovariance):
    """`river.covariance.LedoitWolfCovariance` over numbered features, each row with a weight of its own.

    river weighs every row by one ``fading_factor``. Here the caller gives it row by row: ``1 / n`` for the n-th row
    counts all rows alike (then mean and covariance are the plain ones), a fixed weight lets old rows fade. For the
    shrinkage river takes the fading factor as one over the number of rows; here that is the sum of the squared shares
    that the rows have in the mean (Kish, 1965, *Survey Sampling*: the effective sample size). All arithmetic on rows
    stays river's own.

    >>> running = RunningCovariance(features=1)
    >>> for count, value in enumerate((1.0, 2.0, 3.0), start=1):
    ...     running.learn(np.array([value]), 1 / count)
    >>> round(float(running.mean[0]), 12), round(float(running.shrunk()[0, 0]), 12), round(running.effective_rows, 9)
    (2.0, 0.666666666667, 3.0)
    """

    def __init__(self, features: int) -> None:
        super().__init__(fading_factor=1.0)
        self.features = features
        self._names = list(range(features))
        self._squared_shares = 0.0

    @property
    def learned(self) -> int:
        """Rows learned so far."""
        return self._n

    @property
    def effective_rows(self) -> float:
        """Number of equally weighted rows that would tell as much."""
        return 1.0 / self._squared_shares if self._squared_shares else 0.0

    @property
    def mean(self) -> NDArray[np.float64]:
        """Running mean, float64 (features,). A new array after every row."""
        return np.asarray(self._mean, dtype=np.float64)

    def learn(self, row: NDArray[np.float64], weight: float) -> None:
        """Take in one row, float64 (features,), finite; the first one with weight 1."""
        self._squared_shares = (1.0 - weight) ** 2 * self._squared_shares + weight * weight
        self.fading_factor = weight
        self.update(dict(zip(self._names, row.tolist(), strict=True)))

    def shrunk(self) -> NDArray[np.float64]:
        """Covariance shrunk towards a multiple of the identity, float64 (features, features)."""
        self.fading_factor = self._squared_shares
        return np.asarray(self._to_matrix_array(), dtype=np.float64)

    def fields(self) -> dict[str, Any]:
        """Everything that the next row depends on."""
        return {
            "learned": self._n,
            "squared shares": self._squared_shares,
            "mean": self.mean,
            "moments": np.asarray(self._M2, dtype=np.float64),
            "dispersion": float(self._pi_bar),
        }

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> "RunningCovariance":
        """The covariance whose `fields` these are; KeyError or ValueError when they do not fit together."""
        mean = np.array(fields["mean"], dtype=np.float64)
        moments = np.array(fields["moments"], dtype=np.float64)
        if mean.ndim != 1 or moments.shape != (len(mean), len(mean)):
            raise ValueError("mean and moments differ in size")
        restored = cls(len(mean))
        restored._grow(restored._names)
        restored._mean = mean
        restored._M2 = moments
        restored._pi_bar = float(fields["dispersion"])
        restored._n = int(fields["learned"])
        restored._squared_shares = float(fields["squared shares"])
        restored._initialized[:] = restored._n > 0
        return restored
