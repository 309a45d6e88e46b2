"""Points that InfluxDB refused: kept in the ledger, tried again for as long as it takes."""

import logging
import re
import threading
from collections.abc import Sequence
from dataclasses import replace

from cloud.errors import StoreUnavailable
from cloud.storage.influxdb.layout import HAS_SENSOR, READINGS, judgement_fields
from cloud.storage.influxdb.lines import Value, line, parse
from cloud.storage.influxdb.writing import Writer, write_lines
from cloud.storage.ledger import Ledger, RefusedPoint
from shared.messages.codec import Rescore

_log = logging.getLogger(__name__)
#: With more than this in the ledger nothing is taken any more: the gateway keeps it.
LEDGER_LIMIT = 100_000
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 60.0, 3_600.0
#: Tried at once; between two such batches readings can be written.
_BATCH_LINES = 500
#: What differs between two points that are refused for the same reason.
_VARYING = re.compile(r"'.*'| - .*|\d+", re.DOTALL)


def refused_points(refused: Sequence[tuple[str, str]]) -> list[RefusedPoint]:
    """Entries for the ledger, from lines and reasons."""
    found = []
    for text, reason in refused:
        point = parse(text)
        boot, sequence = point.fields.get("boot"), point.fields.get("sequence")
        of_reading = point.measurement == READINGS and isinstance(boot, int) and isinstance(sequence, int)
        entry = RefusedPoint(text, reason, device=point.tags.get("device"))
        if of_reading:
            entry = replace(entry, boot=int(str(boot)), sequence=int(str(sequence)))
        found.append(entry)
    return found


def rescored(point: RefusedPoint, rescore: Rescore) -> RefusedPoint:
    """A refused point of a reading with the scores of a rescore in the place of its own."""
    assert point.sequence is not None
    measurement, tags, fields, time_ns = parse(point.line)
    index = point.sequence - rescore.sequence
    present = fields.get("present", 0)
    assert isinstance(present, int)
    kept: dict[str, Value | None] = {
        name: value for name, value in fields.items() if name not in ("gateway_score", "score")
    }
    kept.update(judgement_fields(rescore, index, present & HAS_SENSOR))
    text = line(measurement, tags, kept, time_ns)
    assert text is not None
    return replace(point, line=text)


class RefusedPoints(threading.Thread):
    """Tries the refused points again: at the start, then every minute, with growing pauses while none is taken.

    Parameters
    ----------
    turn
        Held while a batch is written and the ledger follows, so that a rescore cannot come in between.
    """

    def __init__(self, ledger: Ledger, writer: Writer, turn: threading.Lock) -> None:
        super().__init__(name="refused-points", daemon=True)
        self._ledger = ledger
        self._writer = writer
        self._turn = turn
        self._stopping = threading.Event()
        self._told: set[str] = set()
        self.pause_seconds = FIRST_PAUSE_SECONDS

    def tell(self, points: Sequence[RefusedPoint]) -> None:
        """Say each reason once, and begin anew with short pauses."""
        self.pause_seconds = FIRST_PAUSE_SECONDS
        for point in points:
            kind = _VARYING.sub("", point.reason)
            if kind not in self._told:
                self._told.add(kind)
                _log.warning(
                    "InfluxDB refused a point of device %s (%s): it waits in the ledger, like any other that is "
                    "refused for this reason, and is tried again", point.device, point.reason,
                )  # fmt: skip

    def run(self) -> None:
        """The life of the thread."""
        while not self._stopping.is_set():
            try:
                self.pause_seconds = min(
                    FIRST_PAUSE_SECONDS if self.try_again() else self.pause_seconds * 2, LONGEST_PAUSE_SECONDS
                )
            except StoreUnavailable:
                self.pause_seconds = FIRST_PAUSE_SECONDS  # the ingest says why
            self._stopping.wait(self.pause_seconds)

    def try_again(self) -> bool:
        """Offer all of them once; True when none is left or some were taken."""
        taken, after = 0, 0
        while not self._stopping.is_set():
            with self._turn:
                points = self._ledger.refused(after, _BATCH_LINES)
                if not points:
                    break
                written = write_lines(self._writer, (point.line for point in points), common_cause=False)
                still = {text for text, _ in written.refused}
                accepted = [point.identifier for point in points if point.line not in still]
                self._ledger.forget_refused([identifier for identifier in accepted if identifier is not None])
            taken += len(accepted)
            after = points[-1].identifier or 0
        left = self._ledger.refused_count()
        if taken:
            _log.info("InfluxDB took %d points that it had refused, %d wait", taken, left)
        if not left:
            self._told.clear()
        return bool(taken) or not left

    def stop(self) -> None:
        """End the thread, after the batch it is at."""
        self._stopping.set()
        if self.is_alive():
            self.join(30.0)
