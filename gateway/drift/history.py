"""Means of the past, fine for what is near and coarse for what is long ago, in bounded memory.

Buckets of 1, 2, 4, ... blocks, a few of each, as an exponential histogram keeps them (Datar, Gionis, Indyk and Motwani,
2002; ADWIN stands on the same one).
"""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Buckets of one size before the two oldest become one of twice the size.
PER_SIZE = 6
#: Sizes; beyond the largest one the oldest bucket is forgotten.
SIZES = 12


class History:
    """Blocks (columns,) in their order.

    >>> history = History(1)
    >>> for number in range(100):
    ...     history.add(np.array([float(number)]), number)
    >>> means, counts, times = history.buckets()
    >>> int(counts.sum()), int(counts[0]), int(times[0]), round(float((means[:, 0] * counts).sum() / 100), 3)
    (100, 16, 0, 49.5)
    """

    def __init__(self, columns: int) -> None:
        self._columns = columns
        #: For each size, oldest first: mean and time of the first block of each bucket; four bytes a number, as stored.
        self._sizes: list[list[tuple[NDArray[np.float32], int]]] = [[]]

    def add(self, block: Floats, time_ns: int) -> None:
        """Take in the block that began at `time_ns`."""
        size = 0
        self._sizes[0].append((block.astype(np.float32), time_ns))
        while len(self._sizes[size]) > PER_SIZE:
            (first, begin), (second, _) = self._sizes[size][:2]
            del self._sizes[size][:2]
            if size + 1 == SIZES:
                return
            if size + 1 == len(self._sizes):
                self._sizes.append([])
            self._sizes[size + 1].append((np.float32(0.5) * (first + second), begin))
            size += 1

    def buckets(self) -> tuple[Floats, Floats, NDArray[np.int64]]:
        """Mean (m, columns), blocks (m,) and begin (m,) of each bucket, the oldest first."""
        means, counts, times = [], [], []
        for size in range(len(self._sizes) - 1, -1, -1):
            for mean, time_ns in self._sizes[size]:
                means.append(mean)
                counts.append(float(1 << size))
                times.append(time_ns)
        stacked = np.array(means, np.float64) if means else np.zeros((0, self._columns))
        return stacked, np.array(counts), np.array(times, np.int64)

    def latest(self, blocks: int) -> Floats:
        """Mean (columns,) of about the last `blocks` blocks, 0 where there are none."""
        means, counts, _ = self.buckets()
        if not len(counts):
            return np.zeros(self._columns)
        taken = np.cumsum(counts[::-1])[::-1] <= blocks
        taken[-1] = True
        return np.asarray((means[taken] * counts[taken, None]).sum(axis=0) / counts[taken].sum())

    def fields(self) -> dict[str, Any]:
        """Everything that later answers depend on."""
        means, _, times = self.buckets()
        return {
            "means": means.astype(np.float32),
            "times": times.tolist(),
            "sizes": [len(buckets) for buckets in self._sizes],
        }

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> Self:
        """The history whose `fields` these are; KeyError or ValueError when they do not fit together."""
        means, times, sizes = fields["means"], fields["times"], fields["sizes"]
        if sum(sizes) != len(times) or len(means) != len(times) or not 1 <= len(sizes) <= SIZES:
            raise ValueError("the buckets of the history do not fit together")
        restored = cls(means.shape[1])
        entries = list(zip(means.astype(np.float32), (int(time) for time in times), strict=True))
        end = len(entries)
        restored._sizes = []
        for size in sizes:
            restored._sizes.append(entries[end - size : end])
            end -= size
        return restored
