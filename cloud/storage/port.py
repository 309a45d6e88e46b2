"""What the cloud asks of a store of readings, whichever it is.

One writer (the ingest) and any number of readers. `append` is the only way in: readings, rescores and marks of a
batch become durable together or not at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shared.messages.codec import Alarm, Data, Judged, Rescore


@dataclass(frozen=True, slots=True)
class Mark:
    """How far one epoch of a gateway has come, and what was counted on the way (all totals, in uploads).

    `next_sequence` is the upload expected next. ``next_sequence == taken + lost``.
    """

    gateway: str
    epoch: int
    next_sequence: int = 0
    taken: int = 0
    duplicates: int = 0
    lost: int = 0
    early: int = 0
    undecodable: int = 0
    received_bytes: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """One data message with the gateway's verdicts: consecutive readings of one device, boot, stretch and model."""

    data: Data
    judged: Judged


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What one transaction makes durable. Rescores apply after the blocks; `received_ns` is wall time, UTC.

    `alarms` are for stores that show them beside the readings; the facts hold them in any case.
    """

    blocks: tuple[Block, ...]
    rescores: tuple[Rescore, ...]
    marks: tuple[Mark, ...]
    received_ns: int
    alarms: tuple[Alarm, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusals:
    """Points that a store's server refused and that wait to be taken, and why the last of them was refused."""

    points: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Position:
    """How far one boot of a device has come, and its newest reading.

    Readings below `next_sequence` are stored or lost: ``next_sequence == stored + lost``. Scores: 1.0 is the
    threshold, None is none.
    """

    device: str
    boot: int
    next_sequence: int = 0
    stored: int = 0
    lost: int = 0
    duplicates: int = 0
    time_ns: int | None = None
    received_ns: int = 0
    model_version: int = 0
    sensor_score: float | None = None
    gateway_score: float | None = None
    score: float | None = None
    flagged: bool = False
    alarm: bool = False
    top_channel: int | None = None


@dataclass(frozen=True, slots=True)
class Bucket:
    """A few neighbouring readings drawn as one point. No peak is hidden: it is `score_max`.

    `time_ns` is the time of the first reading; `value_*` are counts (slow) or feature units (fast).
    """

    time_ns: int
    readings: int
    score_min: float | None
    score_max: float | None
    score_mean: float | None
    value_min: int | None
    value_max: int | None
    value_mean: float | None
    flagged: int
    alarm: bool


@dataclass(frozen=True, slots=True, eq=False)
class StoredReadings:
    """Readings of one device as arrays, ordered by (boot, sequence); exactly one of `counts`, `features` is there.

    ``times_ns, boots, sequences, stretches, model_versions`` int64[n]; ``sensor_scores, gateway_scores, scores``
    float64[n], NaN = none; ``flagged, alarm`` bool[n]; ``counts`` int32[n, channels]; ``features`` int16[n, features].
    """

    times_ns: NDArray[np.int64]
    boots: NDArray[np.int64]
    sequences: NDArray[np.int64]
    stretches: NDArray[np.int64]
    model_versions: NDArray[np.int64]
    sensor_scores: NDArray[np.float64]
    gateway_scores: NDArray[np.float64]
    scores: NDArray[np.float64]
    flagged: NDArray[np.bool_]
    alarm: NDArray[np.bool_]
    counts: NDArray[np.int32] | None
    features: NDArray[np.int16] | None

    def __len__(self) -> int:
        return len(self.times_ns)


class ReadingStore(Protocol):
    """A durable store of readings. Every method may raise `StoreUnavailable`."""

    def append(self, batch: Batch) -> None:
        """Make a batch durable, all of it or nothing. A reading that is already there is dropped and counted."""

    def marks(self) -> tuple[Mark, ...]:
        """Every epoch of every gateway."""

    def positions(self, device: str | None = None) -> tuple[Position, ...]:
        """Every boot of every device (or of one), in order of device and boot."""

    def latest(self, device: str) -> Position | None:
        """The newest boot's position of a device."""

    def span(self, device: str) -> tuple[int, int] | None:
        """Earliest and latest time of a device's readings, ns; None without readings."""

    def history(
        self, device: str, from_ns: int, to_ns: int, points: int, column: tuple[str, int] | None = None
    ) -> Sequence[Bucket]:
        """At most `points` buckets of ``from_ns <= time <= to_ns``, in order of time.

        `column` chooses a value beside the score: ``("counts", channel)`` or ``("features", feature)``.
        """

    def readings(
        self,
        device: str,
        *,
        healthy: bool = False,
        newest: int | None = None,
        model_versions: Sequence[int] | None = None,
        without: Sequence[tuple[int, int]] = (),
    ) -> StoredReadings:
        """Readings of a device; `newest` keeps only so many of the last.

        `healthy` leaves out those in alarm or flagged (score of at least 1), `without` those whose time lies in one of
        these spans (first and last ns, both belong to it). `model_versions` keeps those made with one of these.
        """

    def counts(self, device: str) -> tuple[int, int]:
        """Rows of a device and distinct (boot, sequence) among them, both counted anew."""

    def refused(self) -> Refusals:
        """What waits because a server refused it; a store without a server refuses nothing."""

    def trouble(self) -> str:
        """Why the store's server cannot be used, also while nothing is asked of it; empty if it can, or is none."""

    def close(self) -> None:
        """Let go of the files and connections."""
