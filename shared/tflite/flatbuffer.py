"""Reads a flatbuffer that may lie: every offset and every length is checked before a byte is taken.

A table is a place in the file that points back to its *vtable*, which lists, as 16-bit numbers, how far behind that
place each field stands (0: absent). Vectors, strings and other tables are reached by 32-bit distances forward.
Nothing is followed unless it is asked for, so that the work is bounded by the questions, not by the file.
"""

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.errors import TfliteError

_NUMBERS = {code: struct.Struct("<" + code) for code in "bBHiI"}
_VTABLE_HEADER_BYTES = 4
_TEXT_MAX = 64


class Flatbuffer:
    """The bytes of a file; `name` stands in messages."""

    def __init__(self, content: bytes, name: str) -> None:
        self.content = content
        self.name = name

    def damaged(self, offset: int, reason: str) -> TfliteError:
        """The error for a fault at an offset of the file."""
        return TfliteError(f"{self.name} is damaged at offset {offset}: {reason}; copy or convert the file again")

    def number(self, code: str, offset: int, what: str) -> int:
        """A little-endian integer; `code` is one of b, B, H, i and I, as in `struct`."""
        form = _NUMBERS[code]
        if not 0 <= offset <= len(self.content) - form.size:
            raise TfliteError(
                f"{self.name} is cut off or damaged: {what} would lie at offset {offset}, outside the file's "
                f"{len(self.content)} bytes; copy or convert the file again"
            )
        value: int = form.unpack_from(self.content, offset)[0]
        return value

    def forward(self, offset: int, what: str) -> int:
        """Where the 32-bit distance that stands at `offset` leads to."""
        return offset + self.number("I", offset, what)

    def root(self) -> "Table":
        """The table that the file begins with."""
        return Table(self, self.forward(0, "the root"), "the root")


class Table:
    """One table. Fields are asked for by their number in the schema; `what` names the table in messages."""

    def __init__(self, buffer: Flatbuffer, offset: int, what: str) -> None:
        self.buffer = buffer
        self.offset = offset
        self.what = what
        vtable = offset - buffer.number("i", offset, what)
        length = buffer.number("H", vtable, what)
        if length < _VTABLE_HEADER_BYTES or length % 2 or vtable + length > len(buffer.content):
            raise buffer.damaged(vtable, f"the list of fields of {what} has an impossible length of {length} bytes")
        self._vtable = vtable
        self._bytes, *self._distances = struct.unpack_from(f"<{length // 2 - 1}H", buffer.content, vtable + 2)
        if self._bytes < _VTABLE_HEADER_BYTES or offset + self._bytes > len(buffer.content):
            raise buffer.damaged(vtable + 2, f"{what} has an impossible length of {self._bytes} bytes")

    def _place(self, field: int, size: int) -> int | None:
        """Offset of a field in the file, None when it is absent."""
        distance = self._distances[field] if field < len(self._distances) else 0
        if distance == 0:
            return None
        if distance < _VTABLE_HEADER_BYTES or distance + size > self._bytes:
            entry = self._vtable + _VTABLE_HEADER_BYTES + 2 * field
            raise self.buffer.damaged(entry, f"field {field} of {self.what} lies outside of it")
        return self.offset + distance

    def integer(self, field: int, code: str, absent: int = 0) -> int:
        """An integer field; `absent` when it is not there."""
        place = self._place(field, _NUMBERS[code].size)
        return absent if place is None else self.buffer.number(code, place, self.what)

    def has(self, field: int) -> bool:
        """Whether a field that is a table, a vector or a string is there."""
        return self._place(field, 4) is not None

    def where(self, field: int) -> int:
        """Offset of a field for a message, of the table itself when the field is absent."""
        place = self._place(field, 1)
        return self.offset if place is None else place

    def where_first(self, field: int) -> int:
        """Offset of the first element of a field that is a vector, of the table itself when the field is absent."""
        place = self._place(field, 4)
        return self.offset if place is None else self.buffer.forward(place, self.what) + 4

    def table(self, field: int, what: str) -> "Table | None":
        """A field that is a table, None when it is absent."""
        place = self._place(field, 4)
        return None if place is None else Table(self.buffer, self.buffer.forward(place, what), what)

    def vector(self, field: int, dtype: str, what: str) -> NDArray[Any]:
        """A field that is a vector of numbers, a view into the file; empty when it is absent.

        `dtype` as in NumPy, for example ``<f4``.
        """
        place = self._place(field, 4)
        if place is None:
            return np.zeros(0, dtype)
        begin = self.buffer.forward(place, what)
        count = self.buffer.number("I", begin, what)
        size = np.dtype(dtype).itemsize
        if count * size > len(self.buffer.content) - begin - 4:
            raise self.buffer.damaged(begin, f"{what} claims {count} elements and passes the end of the file")
        return np.frombuffer(self.buffer.content, dtype, count, begin + 4)

    def tables(self, field: int, what: str) -> "Tables":
        """A field that is a vector of tables; empty when it is absent."""
        place = self._place(field, 4)
        begin = 0 if place is None else self.buffer.forward(place, what) + 4
        return Tables(self.buffer, begin, self.vector(field, "<u4", what), what)

    def text(self, field: int) -> str:
        """A string, cut to 64 printable characters; empty when it is absent."""
        raw = self.vector(field, "u1", f"the text of {self.what}")[:_TEXT_MAX].tobytes().decode("utf-8", "replace")
        return "".join(character if character.isprintable() else "?" for character in raw)


class Tables:
    """A vector of tables, each read when it is asked for."""

    def __init__(self, buffer: Flatbuffer, begin: int, distances: NDArray[Any], what: str) -> None:
        self._buffer = buffer
        self._begin = begin
        self._distances = distances
        self._what = what

    def __len__(self) -> int:
        return len(self._distances)

    def at(self, index: int, asker: int) -> Table:
        """Table number `index`; `asker` is the offset of what named it, for the message when there is none."""
        if not 0 <= index < len(self):
            raise self._buffer.damaged(asker, f"{self._what} has no number {index}, there are {len(self)}")
        place = self._begin + 4 * index
        return Table(self._buffer, place + int(self._distances[index]), f"{self._what} {index}")
