"""A device's readings as arrays, fetched page by page, the newest first, until there are enough."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloud.errors import CloudError
from cloud.storage.influxdb.fetch import Columns
from cloud.storage.pages import Page
from cloud.storage.port import StoredReadings


@dataclass(frozen=True, slots=True)
class Wish:
    """Which readings are wanted; see `ReadingStore.readings`."""

    healthy: bool = False
    newest: int | None = None
    model_versions: Sequence[int] | None = None
    without: Sequence[tuple[int, int]] = ()

    def mask(self, fields: dict[str, NDArray[Any]]) -> NDArray[np.bool_]:
        """Which of the points are wanted."""
        wanted = np.ones(len(fields["time_ns"]), np.bool_)
        if self.healthy:
            wanted &= ~(fields["alarm"] | fields["flagged"])
        if self.model_versions is not None:
            wanted &= np.isin(fields["model_version"], np.asarray(self.model_versions, np.int64))
        for first, last in self.without:
            wanted &= (fields["time_ns"] < first) | (fields["time_ns"] > last)
        return wanted


def gather(
    device: str, pages: Sequence[Page], ends: dict[int, int], wish: Wish, fetched: Callable[[Page], Columns]
) -> StoredReadings:
    """The wanted readings of `pages` (in order of boot and sequence), in that order.

    Parameters
    ----------
    ends
        For each boot the sequence before which its readings are stored; later ones are being written.
    fetched
        The points of a page's times, whatever boot they are of.
    """
    left = wish.newest
    pieces: list[Columns] = []
    for page in reversed(pages):
        if left is not None and left <= 0:
            break
        piece = _piece(fetched(page), page, ends.get(page.boot, 0), wish)
        if left is not None:
            piece = piece.chosen(slice(max(len(piece) - left, 0), None))
            left -= len(piece)
        if len(piece):
            pieces.append(piece)
    return _joined(device, pieces[::-1])


def _piece(columns: Columns, page: Page, end: int, wish: Wish) -> Columns:
    """A page's own readings among the points of its times, in order of sequence, each once."""
    if not len(columns):
        return columns
    boots, sequences = columns.fields["boot"], columns.fields["sequence"]
    own = (boots == page.boot) & (sequences >= page.first_sequence) & (sequences < min(page.next_sequence, end))
    columns = columns.chosen(np.flatnonzero(own & wish.mask(columns.fields)))
    _, first = np.unique(columns.fields["sequence"], return_index=True)
    return columns.chosen(first)


def _joined(device: str, pieces: Sequence[Columns]) -> StoredReadings:
    def column(name: str, kind: type[Any]) -> Any:
        parts = [piece.fields[name] for piece in pieces]
        return np.concatenate(parts).astype(kind, copy=False) if parts else np.zeros(0, kind)

    def scores(name: str) -> Any:
        parts = [piece.fields.get(name, np.full(len(piece), np.nan)) for piece in pieces]
        return np.concatenate(parts) if parts else np.zeros(0)

    def matrix(prefix: str, kind: type[np.integer]) -> Any:
        widths = {_width(device, piece, prefix) for piece in pieces}
        if not any(widths):
            return None
        if len(widths) > 1:
            raise _differ(device, prefix)
        rows = np.empty((sum(len(piece) for piece in pieces), widths.pop()), kind)
        at = 0
        for piece in pieces:
            for index in range(rows.shape[1]):
                rows[at : at + len(piece), index] = piece.fields[f"{prefix}_{index}"]
            at += len(piece)
        return rows

    return StoredReadings(
        times_ns=column("time_ns", np.int64),
        boots=column("boot", np.int64),
        sequences=column("sequence", np.int64),
        stretches=column("stretch", np.int64),
        model_versions=column("model_version", np.int64),
        sensor_scores=scores("sensor_score"),
        gateway_scores=scores("gateway_score"),
        scores=scores("score"),
        flagged=column("flagged", np.bool_),
        alarm=column("alarm", np.bool_),
        counts=matrix("count", np.int32),
        features=matrix("feature", np.int16),
    )


def _width(device: str, piece: Columns, prefix: str) -> int:
    """How many values each reading of a piece has; those of other boots leave columns that are wholly masked."""
    names = [name for name in piece.fields if name.startswith(f"{prefix}_")]
    missing = {name: int(np.count_nonzero(np.ma.getmaskarray(piece.fields[name]))) for name in names}
    if any(0 < count < len(piece) for count in missing.values()):
        raise _differ(device, prefix)
    return sum(count == 0 for count in missing.values())


def _differ(device: str, prefix: str) -> CloudError:
    return CloudError(f"The readings of device {device} differ in their number of {prefix}s: they cannot be joined.")
