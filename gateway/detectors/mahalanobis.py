"""Running Mahalanobis distance: how far a row of features lies from the healthy ones, in all directions at once."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np

from gateway.detectors.covariance import RunningCovariance
from gateway.detectors.detector import Floats, healthy_moments, row_of
from gateway.detectors.precision import invert, product

#: A feature that hardly moved while healthy is judged as if it had moved by this much (in healthy deviations).
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


class RunningMahalanobis:
    """Hotelling's T2 over a shrunk covariance, per feature: 1 is the healthy average of a well-behaved row.

    ``T2 = y' P y / d`` with ``y`` the standardised features less their mean, ``P`` the inverse of river's Ledoit-Wolf
    covariance plus `RIDGE`. The score is unbounded; a threshold comes from calibration. Rows come in healthy
    deviations: the floor is meant in them. A missing value counts as the learned mean.

    Parameters
    ----------
    centre, scale
        Healthy mean and deviation per feature, float64 (d,), fixed: they say what one unit of a feature is.

    References
    ----------
    Hotelling, H., 1947. Multivariate quality control. Ledoit, O. and Wolf, M., 2004. A well-conditioned estimator for
    large-dimensional covariance matrices.

    >>> rows = np.random.default_rng(1).normal(size=(500, 2)) @ np.array([[1.0, 0.9], [0.0, 0.4]])
    >>> along, across = RunningMahalanobis.fit(rows).score_many(np.array([[1.0, 0.9], [1.0, -0.9]])).tolist()
    >>> across > 5 * along
    True
    """

    name: ClassVar[str] = "running Mahalanobis"

    def __init__(self, centre: Floats, scale: Floats) -> None:
        self.centre = np.array(centre, dtype=np.float64)
        self.scale = np.array(scale, dtype=np.float64)
        self.features = len(self.centre)
        self.covariance = RunningCovariance(self.features)
        self.judged_mean = np.zeros_like(self.centre)
        self._precision = np.zeros((self.features, self.features))
        self._since_refresh = 0

    @classmethod
    def fit(cls, rows: Floats, seed: int = 0) -> Self:
        """A detector of healthy rows (n, d), n >= 2, each with the same weight."""
        thinned = rows[:: -(-len(rows) // FIT_ROWS)]
        centre, variance = healthy_moments(thinned)
        detector = cls(centre, np.sqrt(variance + DEVIATION_FLOOR**2))
        for index, row in enumerate(thinned):
            detector._take(row, 1.0 / (index + 1))
        detector._refresh()
        return detector

    def _take(self, row: Floats, weight: float) -> None:
        standardised = (row - self.centre) / self.scale
        known = self.covariance.mean if self.covariance.learned else np.zeros(self.features)
        self.covariance.learn(np.where(np.isnan(standardised), known, standardised), weight)

    def _refresh(self) -> None:
        """Let the scores follow what was learned."""
        shrunk = self.covariance.shrunk()
        shrunk[np.diag_indices_from(shrunk)] += RIDGE
        self._precision = invert(shrunk)
        self.judged_mean = self.covariance.mean
        self._since_refresh = 0

    def score_many(self, rows: Floats) -> Floats:
        """T2 per feature of rows, (n,)."""
        standardised = (rows - self.centre) / self.scale - self.judged_mean
        standardised = np.where(np.isnan(standardised), 0.0, standardised)
        contributions = standardised * product(standardised, self._precision)
        # Column after column: a row has the same bits alone and among others.
        total = np.zeros(len(rows))
        for column in range(self.features):
            total += contributions[:, column]
        return np.maximum(total, 0.0) / self.features

    def learn_many(self, rows: Floats) -> None:
        """Take in healthy rows one behind the other; scores follow every `REFRESH_ROWS` rows."""
        for row in rows:
            self._take(row, LEARNING_WEIGHT)
            self._since_refresh += 1
            if self._since_refresh >= REFRESH_ROWS:
                self._refresh()

    def score_one(self, x: Mapping[int, float]) -> float:
        """`score_many` of one row."""
        return float(self.score_many(row_of(x, self.features)[None])[0])

    def learn_one(self, x: Mapping[int, float]) -> None:
        """`learn_many` of one row."""
        self.learn_many(row_of(x, self.features)[None])

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
    def from_fields(cls, fields: dict[str, Any]) -> Self:
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
