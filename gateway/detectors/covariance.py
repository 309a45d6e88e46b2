"""river's running Ledoit-Wolf covariance, with a state that can be stored and continued to the bit."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from river import covariance


class RunningCovariance(covariance.LedoitWolfCovariance):
    """`river.covariance.LedoitWolfCovariance` over numbered features, whose memory grows from 1 to `memory` rows.

    river weighs each row by a fixed ``fading_factor``. Here the n-th row has the weight ``1 / n`` until n reaches
    `memory`: so far every row counts alike and the shrinkage is that of Ledoit and Wolf (2004) for n rows; after that
    old rows fade. All arithmetic stays river's own.

    >>> running = RunningCovariance(features=1, memory=100)
    >>> for value in (1.0, 2.0, 3.0):
    ...     running.learn(np.array([value]))
    >>> round(float(running.mean[0]), 12), round(float(running.shrunk()[0, 0]), 12)
    (2.0, 0.666666666667)
    """

    def __init__(self, features: int, memory: int) -> None:
        super().__init__(fading_factor=1.0)
        self.features = features
        self.memory = memory
        self._names = list(range(features))

    @property
    def learned(self) -> int:
        """Rows learned so far."""
        return self._n

    @property
    def mean(self) -> NDArray[np.float64]:
        """Running mean, float64 (features,). A new array after every row."""
        return np.asarray(self._mean, dtype=np.float64)

    def learn(self, row: NDArray[np.float64]) -> None:
        """Take in one row, float64 (features,), finite."""
        self.fading_factor = 1.0 / min(self._n + 1, self.memory)
        self.update(dict(zip(self._names, row.tolist(), strict=True)))

    def shrunk(self) -> NDArray[np.float64]:
        """Covariance shrunk towards a multiple of the identity, float64 (features, features)."""
        return np.asarray(self._to_matrix_array(), dtype=np.float64)

    def fields(self) -> dict[str, Any]:
        """Everything that the next row depends on."""
        return {
            "memory": self.memory,
            "learned": self._n,
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
        restored = cls(len(mean), fields["memory"])
        restored._grow(restored._names)
        restored._mean = mean
        restored._M2 = moments
        restored._pi_bar = float(fields["dispersion"])
        restored._n = int(fields["learned"])
        restored._initialized[:] = restored._n > 0
        restored.fading_factor = 1.0 / min(max(restored._n, 1), restored.memory)
        return restored
