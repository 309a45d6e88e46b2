"""Writing many lines so that one that the server refuses does not hold the others."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

from cloud.errors import StoreUnavailable
from cloud.storage.influxdb.answers import PointsRefused

#: Lines of one request: more make it no faster.
REQUEST_LINES = 5_000
#: With so many refused and none accepted the cause is common to all, and nothing is gained by asking on.
COMMON_CAUSE_LINES = 100


class Writer(Protocol):
    """Where lines go: durable when it returns; `PointsRefused` if not all of them were taken."""

    def write(self, lines: bytes) -> None:
        """Write lines."""


@dataclass(slots=True)
class Written:
    """What became of lines: how many were accepted, and which were refused, with the reason."""

    accepted: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)


def write_lines(writer: Writer, lines: Iterable[str], *, common_cause: bool = True) -> Written:
    """Write lines, in requests of `REQUEST_LINES`, halving a refused request until the culprits are alone.

    A server says how many lines of a request it dropped, not which. So a line counts as accepted only when a request
    that holds it was taken whole. Refused are a line alone, and lines that the server says it dropped all.

    Raises
    ------
    StoreUnavailable
        Not now; or (with `common_cause`) so many were refused, and none accepted, that the cause is common.
    """
    written = Written()
    for chunk in _chunks(lines):
        _write(writer, chunk, written, common_cause)
    return written


def _write(writer: Writer, chunk: list[str], written: Written, common_cause: bool) -> None:
    try:
        writer.write("\n".join(chunk).encode())
    except PointsRefused as refusal:
        if len(chunk) == 1 or refusal.dropped == len(chunk):
            written.refused += [(line, refusal.reason) for line in chunk]
            if common_cause and not written.accepted and len(written.refused) >= COMMON_CAUSE_LINES:
                raise StoreUnavailable(
                    f"InfluxDB refuses every point ({refusal.reason}): see to the bucket's retention and to the types "
                    "of its fields."
                ) from refusal
            return
        middle = len(chunk) // 2
        _write(writer, chunk[:middle], written, common_cause)
        _write(writer, chunk[middle:], written, common_cause)
    else:
        written.accepted += len(chunk)


def _chunks(lines: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(lines)
    while chunk := list(islice(rest, REQUEST_LINES)):
        yield chunk
