"""Watching a device for drift: Page's test of every column against what was healthy, and a report when one gives way.

Means of 16 readings are measured from the nearest operating point in their healthy wander. A sum for each column and
direction grows by what exceeds an allowance and never falls below 0 (Page, 1954, Continuous inspection schemes); past
its limit the device has drifted. The usual Page-Hinkley test and ADWIN move their reference with the data, so that a
slow change becomes their normal; this one stands still until an operator says that it may move.

Nothing is learned here, and no score depends on it.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gateway.detectors import portable
from gateway.drift.history import History
from gateway.drift.reference import BLOCK_READINGS, Reference
from gateway.drift.report import Change, report
from gateway.drift.shape import shape_of
from gateway.errors import GatewayError
from shared.messages.codec import Birth
from shared.messages.normality import Drift

Floats = NDArray[np.float64]

#: Allowance and limit of the sums, and the most that one block adds, in healthy wanders.
ALLOWANCE, LIMIT, BLOCK_LIMIT = 1.0, 12.0, 4.0
#: A change smaller than this, in healthy deviations, is none that anyone would go and see to.
LEAST_CHANGE = 0.75
#: A mean further than this from every operating point, in healthy wanders, is in none of them.
KNOWN_LIMIT = 6.0
#: Blocks that tell where a device stands now.
RECENT_BLOCKS = 4
#: The device is back when no column is off by more than this share of what it was.
BACK_SHARE = 0.4
#: Earlier changes that are remembered, and how alike (cosine) one must be to be the same again.
EPISODES, ALIKE = 6, 0.8
_STATE = "drift watch"


@dataclass(slots=True)
class _Standing:
    """How the device stands: since when it is off ("none": it is not), by how much, and what was told of it."""

    kind: str = "none"
    since_ns: int = 0
    moved: Floats | None = None
    blocks: int = 0
    told_at: int = 0


class DriftWatch:
    """Watches one device, whose columns are those that its detector gets. The grouping of readings changes no bit."""

    def __init__(self, reference: Reference) -> None:
        columns = len(reference.unit)
        self._reference = reference
        self._sums = np.zeros((2, columns))
        self._history = History(columns)
        self._waiting = np.zeros((0, columns))
        self._waiting_times: list[int] = []
        self._time_ns = 0
        self._point = 0
        self._standing = _Standing()
        self._episodes: list[Floats] = []

    @classmethod
    def fit(cls, times_ns: NDArray[np.int64], values: Floats) -> Self:
        """A watch over a device whose healthy values (n, columns) these are."""
        watch = cls(Reference.fit(values))
        watch._time_ns = watch._standing.since_ns = int(times_ns[-1])
        return watch

    @property
    def since_ns(self) -> int | None:
        """When the change began that lasts; None where there is none."""
        return None if self._standing.kind == "none" else self._standing.since_ns

    def take(self, birth: Birth, times_ns: NDArray[np.int64], values: Floats) -> list[Drift]:
        """Take in m readings (m, columns); each change of how the device stands."""
        rows = np.concatenate((self._waiting, values)) if len(self._waiting) else values
        times = self._waiting_times + times_ns.tolist()
        count = len(rows) // BLOCK_READINGS
        whole = count * BLOCK_READINGS
        self._waiting, self._waiting_times = rows[whole:].copy(), times[whole:]
        if not count:
            return []
        means = _block_means(rows[:whole].reshape(count, BLOCK_READINGS, -1))
        about, points = self._reference.about(means)
        about = np.where(np.isnan(about), 0.0, about)
        strayed = np.minimum(np.maximum(about / self._reference.wander, -BLOCK_LIMIT), BLOCK_LIMIT)
        steps = np.stack((strayed - ALLOWANCE, -strayed - ALLOWANCE), axis=1)
        told: list[Drift] = []
        for number in range(count):
            self._time_ns = times[(number + 1) * BLOCK_READINGS - 1]
            self._point = int(points[number])
            self._history.add(about[number], times[number * BLOCK_READINGS])
            self._sums = np.maximum(self._sums + steps[number], 0.0)
            if self._standing.kind != "none" or self._sums.max() > LIMIT:
                told += self._changed(birth)
        return told

    def told(self, birth: Birth) -> Drift:
        """How the device stands now."""
        standing = self._standing
        # What came at once is known better by all of it, what grows by how it is now.
        lasting = standing.kind not in ("none", "gradual")
        moved = self._history.latest(max(standing.blocks, RECENT_BLOCKS) if lasting else RECENT_BLOCKS)
        strayed = float(np.abs(self._history.latest(1) / self._reference.wander).max())
        change = Change(standing.kind, standing.since_ns, self._time_ns, moved, self._point, strayed <= KNOWN_LIMIT)
        return report(birth, self._reference, change)

    def _changed(self, birth: Birth) -> list[Drift]:
        """What there is to tell after a block while a sum is past its limit or a change lasts."""
        standing, moved = self._standing, self._history.latest(RECENT_BLOCKS)
        size = float(np.abs(moved).max())
        if standing.kind == "none" or standing.moved is None:
            if size < LEAST_CHANGE:
                return []
            self._begin(moved)
            return [self.told(birth)]
        standing.blocks += 1
        if size < max(BACK_SHARE * float(np.abs(standing.moved).max()), 0.5 * LEAST_CHANGE):
            self._end()
            return [self.told(birth)]
        if _likeness(moved, standing.moved) < 0.0:  # straight over to the other side
            self._remember()
            self._begin(moved)
            return [self.told(birth)]
        if standing.blocks < 2 * standing.told_at:
            return []
        standing.told_at = standing.blocks
        kind, since_ns, before = standing.kind, standing.since_ns, standing.moved
        self._see(moved)
        grown = float(np.abs(moved - before).max()) > 0.25 * float(np.abs(before).max())
        return [self.told(birth)] if (kind, since_ns) != (standing.kind, standing.since_ns) or grown else []

    def _begin(self, moved: Floats) -> None:
        self._standing = _Standing("sudden", self._time_ns, moved, 1, 1)
        self._see(moved)

    def _see(self, moved: Floats) -> None:
        """What the change looks like by now."""
        standing = self._standing
        means, counts, times = self._history.buckets()
        direction = moved / max(float(np.sqrt(moved @ moved)), 1e-12)
        path = means @ direction
        shape = shape_of(path, counts)
        again = any(_likeness(moved, earlier) > ALIKE for earlier in self._episodes)
        standing.kind = "recurring" if again else shape.kind
        standing.since_ns, standing.moved = int(times[shape.since]), moved

    def _remember(self) -> None:
        """What the device was like, so that it is known when it comes again."""
        if self._standing.moved is not None:
            self._episodes = [*self._episodes, self._standing.moved][-EPISODES:]

    def _end(self) -> None:
        """The device is back."""
        self._remember()
        self._standing = _Standing(since_ns=self._time_ns)
        self._sums = np.zeros_like(self._sums)
        self._history = History(self._sums.shape[1])

    def state(self) -> bytes:
        """Everything that later reports depend on, for `from_state`."""
        standing = self._standing
        own: dict[str, Any] = {
            "sums": self._sums,
            "waiting": self._waiting,
            "waiting times": list(self._waiting_times),
            "time": self._time_ns,
            "point": self._point,
            "kind": standing.kind,
            "since": standing.since_ns,
            "moved": standing.moved,
            "off for": standing.blocks,
            "told at": standing.told_at,
            "episodes": np.array(self._episodes) if self._episodes else np.zeros((0, self._sums.shape[1])),
        }
        return portable.pack(_STATE, own | self._reference.fields() | self._history.fields())

    @classmethod
    def from_state(cls, content: bytes) -> Self:
        """The watch whose `state` this is: it continues to the bit.

        Raises
        ------
        GatewayError
            The bytes are no such state.
        """
        fields = portable.unpack(content, _STATE)
        try:
            watch = cls(Reference.from_fields(fields))
            watch._history = History.from_fields(fields)
            watch._sums, watch._waiting = fields["sums"], fields["waiting"]
            watch._waiting_times, watch._time_ns = [int(time) for time in fields["waiting times"]], fields["time"]
            watch._point = fields["point"]
            watch._standing = _Standing(
                fields["kind"], fields["since"], fields["moved"], fields["off for"], fields["told at"]
            )
            watch._episodes = list(fields["episodes"])
            if not 0 <= watch._point < len(watch._reference.points):
                raise ValueError("the operating point is none")
            if watch._sums.shape[1:] != watch._reference.unit.shape:
                raise ValueError("sums and reference differ in size")
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise GatewayError(
                f"stored drift watch: not a state that this version reads ({error}); commission the device anew"
            ) from error
        return watch


def _block_means(blocks: Floats) -> Floats:
    """Means (m, columns) of blocks (m, readings, columns) over what is there; NaN where nothing is."""
    present = np.isfinite(blocks)
    if present.all():
        total = blocks[:, 0].copy()
        for reading in range(1, blocks.shape[1]):
            total += blocks[:, reading]
        return np.asarray(total / blocks.shape[1])
    counts = present.sum(axis=1)
    sums = np.where(present, blocks, 0.0).sum(axis=1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _likeness(first: Floats, second: Floats) -> float:
    """Cosine between two changes."""
    return float(first @ second) / max(float(np.sqrt((first @ first) * (second @ second))), 1e-12)
