"""Running Mahalanobis distance: how far a row of features lies from the healthy ones, in all directions at once."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from river import base

from gateway.detectors.covariance import RunningCovariance
from gateway.detectors.precision import invert, times

#: A feature that hardly moved while healthy is judged as if it had moved by this much (in healthy deviations of its
#: channel): what varied in one block of the commissioning only would else be infinitely far in another.
DEVIATION_FLOOR = 0.1
#: Added to the diagonal of the standardised covariance. Ledoit and Wolf reckon with independent rows; running means
#: are not, so their shrinkage alone is too small.
RIDGE = 0.05
#: Rows that are fitted at most; longer healthy parts are thinned evenly, which loses little of running means.
FIT_ROWS = 4096
#: Weight of a row that is learned after the commissioning. Small whatever the healthy part was: a fault that grows
#: slowly would else be learned before it is seen.
LEARNING_WEIGHT = 1 / 4096
#: Learned rows after which the inverse is computed anew.
REFRESH_ROWS = 64


class RunningMahalanobis(base.AnomalyDetector):
    """Hotelling's T2 over a shrunk covariance, per feature: 1 is the healthy average of a well-behaved row.

    ``T2 = y' P y / d`` with ``y`` the standardised features less their mean, ``P`` the inverse of river's Ledoit-Wolf
    covariance plus `RIDGE`. The score is unbounded; a threshold comes from calibration.

    Parameters
    ----------
    centre, scale
        Healthy mean and deviation per feature, float64 (d,), fixed: they say what one unit of a feature is.

    References
    ----------
    Hotelling, H., 1947. Multivariate quality control. Ledoit, O. and Wolf, M., 2004. A well-conditioned estimator for
    large-dimensional covariance matrices.

    >>> rows = np.random.default_rng(1).normal(size=(500, 2)) @ np.array([[1.0, 0.9], [0.0, 0.4]])
    >>> detector = RunningMahalanobis.fit(rows)
    >>> along, across = detector.score(np.array([1.0, 0.9])), detector.score(np.array([1.0, -0.9]))
    >>> bool(across > 5 * along)
    True
    """

    def __init__(self, centre: NDArray[np.float64], scale: NDArray[np.float64]) -> None:
        self.centre = np.array(centre, dtype=np.float64)
        self.scale = np.array(scale, dtype=np.float64)
        self.covariance = RunningCovariance(len(self.centre))
        self.judged_mean = np.zeros_like(self.centre)
        self._precision = np.zeros((len(self.centre), len(self.centre)))
        self._since_refresh = 0

    @classmethod
    def fit(cls, rows: NDArray[np.float64]) -> "RunningMahalanobis":
        """A detector of healthy `rows`, float64 (n, d), all finite, n >= 2."""
        thinned = rows[:: -(-len(rows) // FIT_ROWS)]
        centre = thinned.mean(axis=0)
        scale = np.sqrt(thinned.var(axis=0) + DEVIATION_FLOOR**2)
        detector = cls(centre, scale)
        for index, row in enumerate(thinned):
            detector.covariance.learn((row - centre) / scale, 1.0 / (index + 1))
        detector.refresh()
        return detector

    def refresh(self) -> None:
        """Let the scores follow what was learned."""
        shrunk = self.covariance.shrunk()
        shrunk[np.diag_indices_from(shrunk)] += RIDGE
        self._precision = invert(shrunk)
        self.judged_mean = self.covariance.mean
        self._since_refresh = 0

    def standardised(self, row: NDArray[np.float64]) -> NDArray[np.float64]:
        """Features of a row in healthy deviations from their healthy mean, float64 (d,)."""
        return np.asarray((row - self.centre) / self.scale - self.judged_mean)

    def contributions(self, standardised: NDArray[np.float64]) -> NDArray[np.float64]:
        """What each feature adds to d * T2, float64 (d,). Single ones may be negative; their sum is not."""
        return standardised * times(self._precision, standardised)

    def score(self, row: NDArray[np.float64]) -> float:
        """T2 per feature of a row, float64 (d,)."""
        return float(self.contributions(self.standardised(row)).sum()) / len(row)

    def learn(self, row: NDArray[np.float64]) -> None:
        """Take in a row that was judged healthy."""
        self.covariance.learn((row - self.centre) / self.scale, LEARNING_WEIGHT)
        self._since_refresh += 1
        if self._since_refresh >= REFRESH_ROWS:
            self.refresh()

    def score_one(self, x: dict[Any, float]) -> float:
        """`score` with river's verb: `x` maps features, in their order, to values."""
        return self.score(np.fromiter(x.values(), np.float64, len(x)))

    def learn_one(self, x: dict[Any, float]) -> None:
        """`learn` with river's verb."""
        self.learn(np.fromiter(x.values(), np.float64, len(x)))

    def fields(self) -> dict[str, Any]:
        """Everything that later scores depend on."""
        own = {
            "centre": self.centre,
            "scale": self.scale,
            "judged mean": self.judged_mean,
            "precision": self._precision,
            "since refresh": self._since_refresh,
        }
        return own | self.covariance.fields()

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> "RunningMahalanobis":
        """The detector whose `fields` these are; KeyError or ValueError when they do not fit together."""
        restored = cls(fields["centre"], fields["scale"])
        restored.covariance = RunningCovariance.from_fields(fields)
        restored.judged_mean = np.array(fields["judged mean"], dtype=np.float64)
        restored._precision = np.array(fields["precision"], dtype=np.float64)
        restored._since_refresh = int(fields["since refresh"])
        size = len(restored.centre)
        if {restored.scale.shape, restored.judged_mean.shape, restored.covariance.mean.shape} != {(size,)}:
            raise ValueError("centre, scale and mean differ in size")
        if restored._precision.shape != (size, size):
            raise ValueError("precision has another size than the mean")
        return restored
