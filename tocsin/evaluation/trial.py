"""What is judged, what is known of it, and what a candidate says: the three things that an evaluation handles."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gateway.alarms.evidence import DEFAULT_FALSE_ALARMS_PER_DAY
from shared.recordings import Recording


@dataclass(frozen=True, eq=False)
class Trial:
    """One recording with its truth. Of all this a candidate sees the recording's values and times, the number of
    healthy rows and the recalibration, never the rest.

    Attributes
    ----------
    name
        For people: ``valve1/0``.
    recording
        n rows; the first `healthy_rows` are declared healthy.
    labels
        Anomalous rows, bool (n,).
    counted
        Rows that enter the figures, bool (n,); the healthy part never does.
    windows
        First and last row of each true window, where a protocol has windows wider than its labels (NAB).
    recalibration
        First row, and row after the last, of a stretch told to be healthy again in a new session; without labels.
    group
        What is drawn together in a bootstrap: a bearing, a machine, a file.
    """

    name: str
    recording: Recording
    healthy_rows: int
    labels: NDArray[np.bool_]
    counted: NDArray[np.bool_]
    windows: tuple[tuple[int, int], ...] = ()
    recalibration: tuple[int, int] | None = None
    group: str = ""


@dataclass(frozen=True, slots=True)
class Published:
    """A figure that others published for the same protocol."""

    detector: str
    source: str
    figures: dict[str, float]
    remark: str = ""


@dataclass(frozen=True)
class Exam:
    """A protocol: its trials from a folder of recordings, and what others got.

    `tiers`: those that are judged, if not all. `asked_false_alarms`: the budget that is set, alarms a day of an asset.
    `coverage` says how many recordings of the published protocol are not here, in a sentence, if some are not.
    """

    name: str
    title: str
    protocol: str
    trials: Callable[[Path], Iterator[Trial]]
    published: tuple[Published, ...] = ()
    coverage: str = ""
    asked_false_alarms: float = DEFAULT_FALSE_ALARMS_PER_DAY
    tiers: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Scores:
    """What a candidate says of n rows: ``scores`` float64 (n,), 1 = threshold, NaN = none yet; ``flagged`` and
    ``alarm`` bool (n,); ``top_channel`` int64 (n,), -1 = none. A window's score stands from its last row until the next
    window ends. ``novelty`` float64 (n,), of a single slow channel: what tells events, where the scores rank what
    lasts; it stands at its own row only, NaN = none."""

    scores: NDArray[np.float64]
    flagged: NDArray[np.bool_]
    alarm: NDArray[np.bool_]
    top_channel: NDArray[np.int64]
    provisional: bool = False
    novelty: NDArray[np.float64] | None = None


class Candidate(Protocol):
    """Whatever can judge a recording."""

    @property
    def name(self) -> str:
        """What people type."""
        ...

    @property
    def tier(self) -> str:
        """sensor, gateway, both or baseline."""
        ...

    @property
    def deployed(self) -> bool:
        """Whether a plant runs it by default."""
        ...

    def judge(
        self, recording: Recording, healthy_rows: int, recalibration: tuple[int, int] | None, seed: int
    ) -> Scores:
        """Scores of every row: those of a row depend on the healthy part and on rows up to it, on nothing else."""
        ...
