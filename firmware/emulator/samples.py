"""The samples line: rows go to a board in SAMPLES frames, no more unanswered than its receive ring holds."""

import collections
import contextlib
import socket
import struct

import numpy as np
from numpy.typing import NDArray

from firmware.errors import FirmwareError
from shared.serial import framing

UNANSWERED_MAX = 8
FRAME_LIMIT_BYTES = 1024
#: Kind, flags, CRC-32, the zero bytes on both sides, and what COBS adds to a frame of this length.
_FRAME_OVERHEAD_BYTES = 1 + 1 + framing.CRC_BYTES + 2 + 5
_ROW_TIME_BYTES = 8


def rows_per_frame(channels: int) -> int:
    """How many rows a frame takes; FirmwareError when one does not fit.

    >>> rows_per_frame(2), rows_per_frame(3)
    (63, 50)
    """
    rows = (FRAME_LIMIT_BYTES - _FRAME_OVERHEAD_BYTES) // (_ROW_TIME_BYTES + 4 * channels)
    if rows == 0:
        raise FirmwareError(f"a row of {channels} channels does not fit a frame of the samples line")
    return rows


def packed_rows(times_ns: NDArray[np.int64], counts: NDArray[np.int32]) -> bytes:
    """Rows as they stand in a frame; `counts` has the shape (rows, channels).

    >>> packed_rows(np.array([1]), np.array([[-1]], np.int32)).hex()
    '0100000000000000ffffffff'
    """
    records = np.empty(len(times_ns), np.dtype([("time", "<i8"), ("counts", "<i4", (counts.shape[1],))]))
    records["time"] = times_ns
    records["counts"] = counts
    return records.tobytes()


def samples_frame(rows: bytes, *, clip: bool = False) -> bytes:
    """One frame of packed rows; with `clip` the first one does not continue what came before."""
    return framing.encode(framing.SAMPLES, bytes([framing.SAMPLES_FLAG_CLIP if clip else 0]) + rows)


class SamplesLine:
    """A connection to a board's samples line. Nothing here waits: call `poll` often.

    Attributes
    ----------
    queued_rows, taken_rows
        Rows handed over by `add`, and rows that the board has reported as taken.
    """

    def __init__(self, port: int, channels: int, host: str = "127.0.0.1") -> None:
        self._row_bytes = _ROW_TIME_BYTES + 4 * channels
        self._rows_per_frame = rows_per_frame(channels)
        self._socket = socket.create_connection((host, port), timeout=10.0)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)
        self._decoder = framing.Decoder(FRAME_LIMIT_BYTES)
        self._waiting: collections.deque[tuple[bytes, int]] = collections.deque()
        self._unanswered: collections.deque[int] = collections.deque()
        self._unsent = b""
        self.queued_rows = 0
        self.taken_rows = 0

    def add(self, rows: bytes, *, clip: bool = False) -> None:
        """Queue packed rows; with `clip` and no rows, what came before ends."""
        step = self._rows_per_frame * self._row_bytes
        for position in range(0, max(len(rows), 1), step):
            part = rows[position : position + step]
            self.queued_rows += len(part) // self._row_bytes
            self._waiting.append((samples_frame(part, clip=clip and position == 0), self.queued_rows))

    def next_rows(self) -> int | None:
        """Rows that will have been sent after the next frame; None when nothing waits."""
        return self._waiting[0][1] if self._waiting else None

    @property
    def idle(self) -> bool:
        """Whether everything queued was taken by the board."""
        return not (self._waiting or self._unanswered or self._unsent)

    def poll(self, rows_max: int | None = None) -> bool:
        """Read answers, then send what may be sent, nothing beyond row `rows_max`. Whether anything moved.

        Raises FirmwareError when the board has gone, or has not taken rows that it was sent.
        """
        moved = self._receive()
        while self._unsent or (self._waiting and len(self._unanswered) < UNANSWERED_MAX):
            if not self._unsent:
                frame, rows = self._waiting[0]
                if rows_max is not None and rows > rows_max:
                    break
                self._waiting.popleft()
                self._unanswered.append(rows)
                self._unsent = frame
            sent = 0
            with contextlib.suppress(BlockingIOError):
                sent = self._send()
            self._unsent = self._unsent[sent:]
            moved = True
            if self._unsent:
                break
        return moved

    def _send(self) -> int:
        try:
            return self._socket.send(self._unsent)
        except (ConnectionError, TimeoutError) as error:
            raise FirmwareError(f"the samples line of the emulated board broke off ({error})") from error

    def _receive(self) -> bool:
        try:
            received = self._socket.recv(65536)
        except BlockingIOError:
            return False
        except OSError as error:
            raise FirmwareError(f"the samples line of the emulated board broke off ({error})") from error
        if not received:
            raise FirmwareError("the samples line of the emulated board was closed")
        for kind, body in self._decoder.push(received):
            if kind == framing.TAKEN and len(body) == 4:
                self._take_answer(struct.unpack("<I", body)[0])
        return True

    def _take_answer(self, rows: int) -> None:
        expected = self._unanswered.popleft() if self._unanswered else self.taken_rows
        if rows != expected & 0xFFFFFFFF:
            raise FirmwareError(
                f"the board took {rows} of {expected} rows from its samples line; give it the rows of its own channels"
            )
        self.taken_rows = expected

    def close(self) -> None:
        """End the connection."""
        self._socket.close()
