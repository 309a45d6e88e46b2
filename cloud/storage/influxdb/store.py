"""The store of readings in InfluxDB: the readings there, positions and marks in the ledger.

`append` writes the lines first; each request is durable when it is answered. Then the ledger commits. A kill in between
repeats the same lines, which overwrite the same points. Nothing waits in memory.
"""

import itertools
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from cloud.errors import StoreUnavailable
from cloud.storage.influxdb.connection import Connection
from cloud.storage.influxdb.fetch import fetch, fetch_points
from cloud.storage.influxdb.flux import FIRST_NS, LAST_NS, grid_range
from cloud.storage.influxdb.history import History, value_field
from cloud.storage.influxdb.layout import Place, alarm_line, place_of, reading_lines, rescore_lines, value_lines
from cloud.storage.influxdb.lines import tag_text
from cloud.storage.influxdb.pieces import Wish, gather
from cloud.storage.influxdb.refused import LEDGER_LIMIT, RefusedPoints, refused_points, rescored
from cloud.storage.influxdb.watch import ServerWatch
from cloud.storage.influxdb.writing import write_lines
from cloud.storage.ledger import Ledger, RefusedPoint
from cloud.storage.pages import Page, extend_all
from cloud.storage.port import Batch, Block, Bucket, Mark, Position, Refusals, StoredReadings
from cloud.storage.positions import admit, number_or_none
from cloud.storage.relational import Relations
from cloud.storage.settings import StoreSettings
from shared.messages import compact
from shared.messages.codec import ALARM, FLAGGED, Birth, Rescore

#: So many readings are counted at once.
SLICE_READINGS = 100_000
_RESCORED = ("boot", "sequence", "present")
Boot = tuple[str, int]


class InfluxStore:
    """A `ReadingStore` in InfluxDB.

    Parameters
    ----------
    settings
        Where it is. The server is asked for nothing before the first call that needs it.
    relations
        Where the ledger is kept.
    describe
        The birth of a device by its id, None if none is known.

    Raises
    ------
    CloudError
        The ledger belongs to another bucket; the token file cannot be used.
    StoreUnavailable
        The ledger cannot be used.
    """

    def __init__(self, settings: StoreSettings, relations: Relations, describe: Callable[[str], Birth | None]) -> None:
        self._bucket = settings.influxdb_bucket
        self._describe = describe
        self._connection = Connection(settings)
        self._ledger = Ledger(relations)
        self._ledger.settle(settings.influxdb_organisation, settings.influxdb_bucket)
        self._turn = threading.Lock()
        self._positions: dict[Boot, Position] | None = None
        self._last_pages: dict[Boot, Page] = {}
        self._places: dict[Boot, Place] = {}
        self._refused = RefusedPoints(self._ledger, self._connection, self._turn)
        self._refused.start()
        self._watch = ServerWatch(self._connection, self._bucket)
        self._watch.start()

    def append(self, batch: Batch) -> None:
        """See `ReadingStore.append`."""
        with self._turn:
            positions = self._known_positions()
            changed: dict[Boot, Position] = {}
            kept: list[tuple[Block, int]] = []
            for block in batch.blocks:
                key = (block.data.device, block.data.boot)
                before = changed.get(key) or positions.get(key) or Position(*key)
                changed[key], first = admit(before, block, batch.received_ns)
                if first < len(block.data):
                    kept.append((block, first))
            pages = extend_all(self._last_pages, kept)
            refused = self._write(batch, kept)
            waiting: dict[int, RefusedPoint] = {}
            for rescore in batch.rescores:
                refused += self._rescore(rescore, pages, refused, waiting)
                key = (rescore.device, rescore.boot)
                position = changed.get(key) or positions.get(key)
                if position is not None:
                    changed[key] = _rescored_position(position, rescore)
            if refused and self._ledger.refused_count() + len(refused) > LEDGER_LIMIT:
                raise StoreUnavailable(
                    f"InfluxDB refused more than {LEDGER_LIMIT} points ({refused[-1].reason}): see to the bucket's "
                    "retention and to the types of its fields."
                )
            try:
                self._ledger.commit(changed.values(), batch.marks, pages, refused, waiting.values())
            except BaseException:
                self._positions = None  # whether the commit came through is known by reading again
                raise
            positions.update(changed)
            self._last_pages.update({(page.device, page.boot): page for page in pages})
            if refused:
                self._refused.tell(refused)

    def _known_positions(self) -> dict[Boot, Position]:
        if self._positions is None:
            self._last_pages = {(page.device, page.boot): page for page in self._ledger.last_pages()}
            self._places = {
                key: Place(asset, tuple((name, unit, offset, step) for name, unit, offset, step in values))
                for key, (asset, values) in self._ledger.places().items()
            }
            self._positions = {(entry.device, entry.boot): entry for entry in self._ledger.positions()}
        return self._positions

    def _fix_places(self, boots: Iterable[Boot]) -> None:
        """Write down what the lines of new boots carry, before the first of them is written."""
        new = {key: place_of(key[0], self._describe(key[0])) for key in dict.fromkeys(boots) if key not in self._places}
        if new:
            self._ledger.fix_places(
                {key: [place.asset, [list(value) for value in place.values]] for key, place in new.items()}
            )
            self._places |= new

    def _write(self, batch: Batch, kept: Sequence[tuple[Block, int]]) -> list[RefusedPoint]:
        """Write the lines of new readings and of alarms, the readings first; returns what was refused."""
        of = [(block, first, (block.data.device, block.data.boot)) for block, first in kept]
        self._fix_places(key for _, _, key in of)
        groups: tuple[Iterable[str], ...] = (
            (text for block, first, key in of for text in reading_lines(block, first, self._places[key])),
            (text for block, first, key in of for text in value_lines(block, first, self._places[key])),
            (alarm_line(alarm) for alarm in batch.alarms),
        )
        return [point for lines in groups for point in refused_points(write_lines(self._connection, lines).refused)]

    def _rescore(
        self,
        rescore: Rescore,
        new_pages: Sequence[Page],
        refused: list[RefusedPoint],
        waiting: dict[int, RefusedPoint],
    ) -> list[RefusedPoint]:
        """Write the scores of a rescore onto the points that are there, and into those that wait.

        `refused` are those of this batch and are replaced in it; `waiting` takes those of the ledger that change.
        """
        device, boot, first, after = (
            rescore.device,
            rescore.boot,
            rescore.sequence,
            rescore.sequence + len(rescore.flags),
        )
        known = {page.first_sequence: page for page in self._ledger.pages(device, boot)}
        known |= {page.first_sequence: page for page in new_pages if (page.device, page.boot) == (device, boot)}
        found: list[RefusedPoint] = []
        for page in known.values():
            if page.first_sequence >= after or page.next_sequence <= first:
                continue
            columns = fetch(self._connection, self._bucket, device, page.first_ns, page.last_ns, _RESCORED)
            if not len(columns):
                continue
            sequences = columns.fields["sequence"]
            begin, end = max(first, page.first_sequence), min(after, page.next_sequence)
            own = columns.chosen((columns.fields["boot"] == boot) & (sequences >= begin) & (sequences < end))
            at = own.fields["sequence"]
            lines = rescore_lines(rescore, self._places[device, boot], at, own.point_times, own.fields["present"])
            numbers = dict(zip(lines, at.tolist(), strict=True))
            for text, reason in write_lines(self._connection, lines).refused:
                found.append(RefusedPoint(text, reason, tag_text(device), boot, numbers[text]))
        for point in self._ledger.refused_readings(tag_text(device), boot, first, after):
            assert point.identifier is not None
            waiting[point.identifier] = rescored(waiting.get(point.identifier, point), rescore)
        for index, point in enumerate(refused):
            of_it = point.device == tag_text(device) and point.boot == boot and point.sequence is not None
            if of_it and first <= (point.sequence or 0) < after:
                refused[index] = rescored(point, rescore)
        return found

    def marks(self) -> tuple[Mark, ...]:
        """See `ReadingStore.marks`."""
        return self._ledger.marks()

    def positions(self, device: str | None = None) -> tuple[Position, ...]:
        """See `ReadingStore.positions`."""
        return self._ledger.positions(device)

    def latest(self, device: str) -> Position | None:
        """See `ReadingStore.latest`."""
        found = self._ledger.positions(device)
        return found[-1] if found else None

    def refused(self) -> Refusals:
        """See `ReadingStore.refused`."""
        count = self._ledger.refused_count()
        return Refusals(count, self._ledger.refused_reason()) if count else Refusals()

    def trouble(self) -> str:
        """See `ReadingStore.trouble`."""
        return self._watch.trouble()

    def span(self, device: str) -> tuple[int, int] | None:
        """See `ReadingStore.span`."""
        extent = self._history(device).extent(FIRST_NS, LAST_NS + 1)
        if extent is None:
            return None
        first, last = (
            fetch_points(self._connection, self._bucket, device, *grid_range(at, at), ["time_ns"]).fields["time_ns"]
            for at in extent[1:]
        )
        return int(first.min()), int(last.max())

    def _history(self, device: str, column: tuple[str, int] | None = None) -> History:
        return History(self._connection, self._bucket, device, value_field(column))

    def history(
        self, device: str, from_ns: int, to_ns: int, points: int, column: tuple[str, int] | None = None
    ) -> Sequence[Bucket]:
        """See `ReadingStore.history`; single readings where these are few."""
        return self._history(device, column).buckets(int(from_ns), int(to_ns), max(points, 1))

    def readings(
        self,
        device: str,
        *,
        healthy: bool = False,
        newest: int | None = None,
        model_versions: Sequence[int] | None = None,
        without: Sequence[tuple[int, int]] = (),
    ) -> StoredReadings:
        """See `ReadingStore.readings`."""
        ends = {position.boot: position.next_sequence for position in self._ledger.positions(device)}
        return gather(
            device,
            self._ledger.pages(device),
            ends,
            Wish(healthy, newest, model_versions, without),
            lambda page: fetch(self._connection, self._bucket, device, page.first_ns, page.last_ns),
        )

    def counts(self, device: str) -> tuple[int, int]:
        """See `ReadingStore.counts`."""
        extent = self._history(device).extent(FIRST_NS, LAST_NS + 1)
        if extent is None:
            return 0, 0
        count, first, last = extent
        slices = -(-count // SLICE_READINGS)
        edges = [first + (last + 1 - first) * number // slices for number in range(slices + 1)]
        parts = [
            fetch_points(self._connection, self._bucket, device, start, stop, ["boot", "sequence"])
            for start, stop in itertools.pairwise(edges)
            if start < stop
        ]
        keys = np.concatenate(
            [np.stack((part.fields["boot"], part.fields["sequence"]), axis=1) for part in parts if len(part)]
        )
        return len(keys), len(np.unique(keys, axis=0))

    def close(self) -> None:
        """See `ReadingStore.close`."""
        self._watch.stop()
        self._refused.stop()
        self._connection.close()


def _rescored_position(position: Position, rescore: Rescore) -> Position:
    """The position after a rescore, which may hold its newest reading."""
    index = position.next_sequence - 1 - rescore.sequence
    if not 0 <= index < len(rescore.flags):
        return position
    flags, top = int(rescore.flags[index]), int(rescore.top_channels[index])
    return replace(
        position,
        gateway_score=number_or_none(float(rescore.gateway_scores[index])),
        score=number_or_none(float(rescore.fused_scores[index])),
        flagged=bool(flags & FLAGGED),
        alarm=bool(flags & ALARM),
        top_channel=None if top == compact.NO_FEATURE else top,
    )
