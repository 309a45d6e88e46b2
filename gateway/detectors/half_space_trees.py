"""Half-space trees: built by river, run as arrays.

Tan, Ting and Liu, 2011, *Fast anomaly detection for streaming data*. river draws the trees (`make_padded_tree`, by way
of its own first learned row); masses and walks are arrays over all trees at once, and `test_detectors_trees.py` holds
scores equal to river's. They serve as a second opinion: packed anomalies raise the mass around themselves.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from river.anomaly import HalfSpaceTrees as RiverTrees

from gateway.detectors.detector import Floats, healthy_limits, row_of

TREES = 25
HEIGHT = 8
#: Rows whose masses are the reference of the next ones.
WINDOW_ROWS = 250
#: Trees divide the space within so many healthy deviations around the healthy mean.
REACH = 6.0
#: A walk ends where so small a share of a window's rows came by (river's own constant).
_SMALL_SHARE = 0.1


class HalfSpaceTrees:
    """Rows are judged in healthy deviations, so scale and shift of a feature do not matter.

    The score is 0 in the middle of what was learned and towards 1 away from it. A missing value follows the child that
    more rows of the present window went to, as river has it. Cuts are drawn for features by their number: another
    order of features matters as another seed does.

    Parameters
    ----------
    centre, scale
        Healthy mean and deviation per feature, float64 (d,).
    feature, threshold
        Of each inner node, int64 and float64 (trees, 2**height - 1), in the order of a heap.
    """

    name: ClassVar[str] = "half-space trees"

    def __init__(
        self, centre: Floats, scale: Floats, feature: NDArray[np.int64], threshold: Floats, window_rows: int
    ) -> None:
        self.centre, self.scale = centre, scale
        self.features = len(centre)
        self.window_rows = window_rows
        self._feature, self._threshold = feature, threshold
        self._trees, inner = feature.shape
        self._height = (inner + 1).bit_length() - 1
        self._learning = np.zeros((self._trees, 2 * inner + 1), np.int64)
        self._reference = np.zeros_like(self._learning)
        self._learned = 0
        self._ready = False
        self._number = np.arange(self._trees)

    @classmethod
    def fit(cls, rows: Floats, seed: int = 0) -> Self:
        """Trees within `REACH` deviations of healthy rows (n, d); masses of all of them, in their order."""
        centre, scale = healthy_limits(rows)
        window_rows = min(WINDOW_ROWS, max(1, len(rows)))
        detector = cls.drawn(centre, scale, seed, window_rows)
        detector.learn_many(rows)
        return detector

    @classmethod
    def drawn(cls, centre: Floats, scale: Floats, seed: int, window_rows: int = WINDOW_ROWS) -> Self:
        """Trees as river draws them for this seed, without any mass."""
        features = len(centre)
        drawn = RiverTrees(
            n_trees=TREES,
            height=HEIGHT,
            window_size=window_rows,
            limits=dict.fromkeys(range(features), (-REACH, REACH)),
            seed=seed,
        )
        drawn.learn_one(dict.fromkeys(range(features), 0.0))  # type: ignore[no-untyped-call]
        inner = (1 << HEIGHT) - 1
        feature, threshold = np.empty((TREES, inner), np.int64), np.empty((TREES, inner))
        for number, root in enumerate(drawn.trees):
            nodes: list[Any] = [root]
            for place in range(inner):
                node = nodes[place]
                feature[number, place], threshold[number, place] = node.feature, node.threshold
                nodes += node.children
        return cls(centre, scale, feature, threshold, window_rows)

    def _standardised(self, rows: Floats) -> Floats:
        return np.asarray((rows - self.centre) / self.scale)

    def score_many(self, rows: Floats) -> Floats:
        """Scores (n,), 0 to 1; 0 until the first window is full."""
        if not self._ready:
            return np.zeros(len(rows))
        values = self._standardised(rows)
        index = np.arange(len(rows))[:, None]
        place = np.zeros((len(rows), self._trees), np.int64)
        walking = np.ones((len(rows), self._trees), bool)
        total = np.zeros((len(rows), self._trees), np.int64)
        small = _SMALL_SHARE * self.window_rows
        for depth in range(self._height):
            mass = self._reference[self._number, place]
            total += np.where(walking, mass << depth, 0)
            walking &= mass >= small
            place = np.where(walking, self._below(values, index, place), place)
        total += np.where(walking, self._reference[self._number, place] << self._height, 0)
        # Whole numbers: their sum is the same in any order.
        most = self._trees * self.window_rows * ((2 << self._height) - 1)
        return np.asarray(1.0 - total.sum(axis=1) / most)

    def _below(self, values: Floats, index: NDArray[np.int64], place: NDArray[np.int64]) -> NDArray[np.int64]:
        """The child of each node (n, trees) that each row goes to."""
        feature = self._feature[self._number, place]
        value = values[index, feature]
        right = ~(value < self._threshold[self._number, place])
        missing = np.isnan(value)
        if missing.any():
            left_mass = self._learning[self._number, 2 * place + 1]
            right_mass = self._learning[self._number, 2 * place + 2]
            right = np.where(missing, left_mass < right_mass, right)
        return np.asarray(2 * place + 1 + right)

    def learn_many(self, rows: Floats) -> None:
        """Rows one behind the other; every `window_rows` the masses become the reference."""
        values = self._standardised(rows)
        begin = 0
        while begin < len(values):
            step = min(self.window_rows - self._learned, len(values) - begin)
            if np.isnan(values[begin : begin + step]).any():
                step = 1  # where a missing value goes hangs on the rows before it
            self._add(values[begin : begin + step])
            begin += step
            self._learned += step
            if self._learned == self.window_rows:
                self._reference, self._learning = self._learning, np.zeros_like(self._learning)
                self._learned, self._ready = 0, True

    def _add(self, values: Floats) -> None:
        index = np.arange(len(values))[:, None]
        place = np.zeros((len(values), self._trees), np.int64)
        number = np.broadcast_to(self._number, place.shape)
        for depth in range(self._height + 1):
            np.add.at(self._learning, (number, place), 1)
            if depth < self._height:
                place = self._below(values, index, place)

    def score_one(self, x: Mapping[int, float]) -> float:
        """`score_many` of one row."""
        return float(self.score_many(row_of(x, self.features)[None])[0])

    def learn_one(self, x: Mapping[int, float]) -> None:
        """`learn_many` of one row."""
        self.learn_many(row_of(x, self.features)[None])

    def fields(self) -> dict[str, Any]:
        """Trees, masses, and where the window stands."""
        return {
            "centre": self.centre,
            "scale": self.scale,
            "tree features": self._feature.astype(np.float64),
            "tree thresholds": self._threshold,
            "window rows": self.window_rows,
            "masses": self._learning.astype(np.float64),
            "reference": self._reference.astype(np.float64),
            "learned": self._learned,
            "ready": self._ready,
        }

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> Self:
        """The trees whose `fields` these are; KeyError or ValueError when they do not fit together."""
        feature = fields["tree features"].astype(np.int64)
        threshold = fields["tree thresholds"]
        restored = cls(fields["centre"], fields["scale"], feature, threshold, int(fields["window rows"]))
        if restored.scale.shape != restored.centre.shape:
            raise ValueError("centre and scale differ in size")
        if feature.shape != threshold.shape or feature.min() < 0 or feature.max() >= restored.features:
            raise ValueError("the trees do not fit the features")
        masses, reference = fields["masses"].astype(np.int64), fields["reference"].astype(np.int64)
        if masses.shape != restored._learning.shape or reference.shape != masses.shape:
            raise ValueError("masses and trees differ in size")
        restored._learning, restored._reference = masses, reference
        restored._learned, restored._ready = int(fields["learned"]), bool(fields["ready"])
        return restored
