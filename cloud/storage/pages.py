"""Pages: which times the readings of a run of sequences lie in, so that a few of a device's readings are found fast."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from cloud.storage.port import Block

#: A page is full with so many sequences: what one query fetches at most of one boot.
PAGE_READINGS = 16_384
_HOUR_NS = 3_600 * 10**9


@dataclass(frozen=True, slots=True)
class Page:
    """Readings ``first_sequence <= sequence < next_sequence`` of a boot have times from `first_ns` to `last_ns`."""

    device: str
    boot: int
    first_sequence: int
    next_sequence: int
    first_ns: int
    last_ns: int


def extend(page: Page | None, block: Block, first: int) -> Page:
    """The page that holds the readings of a block from index `first` on: the boot's last page, longer, or a new one.

    A new one begins when the page is full, when time goes back, and when it leaps ahead: a clock that was wrong for a
    moment must not make a page of years.
    """
    data = block.data
    begin, end = int(data.times_ns[first:].min()), int(data.times_ns[first:].max())
    sequence, after = data.sequence + first, data.sequence + len(data)
    if page is not None:
        leap = page.last_ns + max(_HOUR_NS, 4 * (page.last_ns - page.first_ns))
        if after - page.first_sequence <= PAGE_READINGS and page.first_ns <= begin and end <= leap:
            return replace(page, next_sequence=after, last_ns=max(page.last_ns, end))
    return Page(data.device, data.boot, sequence, after, begin, end)


def extend_all(known: dict[tuple[str, int], Page], kept: Iterable[tuple[Block, int]]) -> list[Page]:
    """The pages that new readings make or change, in order; `known` are the last pages of their boots."""
    last = dict(known)
    changed: dict[tuple[str, int, int], Page] = {}
    for block, first in kept:
        key = (block.data.device, block.data.boot)
        page = extend(last.get(key), block, first)
        last[key] = changed[(*key, page.first_sequence)] = page
    return list(changed.values())
