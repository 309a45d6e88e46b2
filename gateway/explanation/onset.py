"""Since when: the most likely moment at which the scores of a device rose to where an alarm found them.

Kept is how far the logarithms of the last 64 scores rose above half the way from their healthy median to the limit of
the alarm, one by one, and before them the sums of 64 blocks of 16: 1,088 readings in about 1 KB. What stays below, the
ups and downs of healthy days, counts as nothing. These levels are taken for a constant with independent errors of equal
variance that either steps up at some reading or climbs from it on; the moment is the one with the largest likelihood
over both courses, which is where a least-squares fit explains most (Hinkley, 1970, Inference about the change-point in
a sequence of random variables). A change that is older than the memory, or than the end of the alarm before, is dated
too late.
"""

import itertools
from collections import deque
from typing import Any

import numpy as np

SINGLE, BLOCKS, BLOCK_READINGS = 64, 64, 16
#: A level is kept as a whole number of such steps, so that a stored memory is small and continues to the bit.
_STEPS = 64


class Onset:
    """The recent scores of one device, and when they changed.

    >>> onset = Onset()
    >>> for second in range(100):
    ...     onset.add(second, 2.0 if second >= 70 else 0.0)
    >>> onset.since()
    70
    """

    def __init__(self) -> None:
        self._single: deque[tuple[int, int]] = deque()
        #: Time of the first reading and sum of the levels of each block.
        self._blocks: deque[tuple[int, int]] = deque(maxlen=BLOCKS)

    def add(self, time_ns: int, level: float) -> None:
        """Remember one reading: its time and its level, 0 or above."""
        single = self._single
        single.append((time_ns, round(level * _STEPS)))
        if len(single) >= SINGLE + BLOCK_READINGS:
            first = single[0][0]
            self._blocks.append((first, sum(single.popleft()[1] for _ in range(BLOCK_READINGS))))

    def since(self) -> int | None:
        """Time (ns UTC) of the reading with which the scores began to rise; None where they did not."""
        blocks, count = len(self._blocks), len(self._single)
        if blocks + count < 2:
            return self._single[0][0] if count else None
        times = [time for time, _ in (*self._blocks, *self._single)]
        weights = np.concatenate((np.full(blocks, float(BLOCK_READINGS)), np.ones(count)))
        sums = [total for _, total in (*self._blocks, *self._single)]
        levels = np.array(sums, np.float64) / weights
        begins = np.concatenate(([0.0], np.cumsum(weights)[:-1]))
        middles = begins + 0.5 * (weights - 1.0)
        candidates = np.arange(1, len(times))
        gone = middles[None] - begins[candidates][:, None]
        step, climb = (gone >= 0.0).astype(np.float64), np.maximum(gone + 1.0, 0.0)
        explained = np.maximum(_explained(step, levels, weights), _explained(climb, levels, weights))
        best = int(explained.argmax())
        return times[int(candidates[best])] if explained[best] > 0.0 else None

    def fields(self) -> dict[str, Any]:
        """Everything that later answers depend on."""
        times = [time for time, _ in (*self._blocks, *self._single)]
        return {
            "onset first time": times[0] if times else 0,
            "onset steps": [after - before for before, after in itertools.pairwise(times)],
            "onset levels": [level for _, level in self._single],
            "onset blocks": [total for _, total in self._blocks],
        }

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> "Onset":
        """The memory whose `fields` these are, empty where a state has none; ValueError when they do not fit."""
        restored = cls()
        levels, blocks = fields.get("onset levels", []), fields.get("onset blocks", [])
        if not levels and not blocks:
            return restored
        times = [fields["onset first time"]]
        for step in fields["onset steps"]:
            times.append(times[-1] + step)
        restored._blocks.extend(zip(times[: len(blocks)], blocks, strict=True))
        restored._single.extend(zip(times[len(blocks) :], levels, strict=True))
        return restored


def _explained(courses: Any, levels: Any, weights: Any) -> Any:
    """How much of the levels (e,) each course (c, e) explains by least squares; none where it would have to fall."""
    total = weights.sum()
    about = courses - ((courses * weights).sum(axis=1) / total)[:, None]
    weighted = about * weights
    along = (weighted * (levels - (levels * weights).sum() / total)).sum(axis=1)
    own = (weighted * about).sum(axis=1)
    return np.where(along > 0.0, along * along / np.maximum(own, 1e-12), 0.0)
