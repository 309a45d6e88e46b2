"""A board in QEMU as a player of the fleet: it takes the samples that a twin would take, and speaks to a gateway.

The board does the work: it makes the messages, sends them on its serial line, repeats them and takes the marks. Beside
it a twin is given the same samples. From the twin come the numbers that a replay asks for (readings produced, messages
made, the journal), and each message of the board that passes the tap is compared with the twin's: one that differs in
a byte ends the run. Marks, and what the board had to drop, are read from the line as well.

A plant cannot stand still, a recording can: no row is sent to a board whose buffer has no room left for its message.
"""

import queue
from collections.abc import Callable
from pathlib import Path

import numpy as np

from firmware.board_build import BoardDevice, build_board
from firmware.boards.registry import board_named
from firmware.elf_files import read_sizes
from firmware.emulator.qemu import EmulatedBoard
from firmware.emulator.samples import SamplesLine, packed_rows
from firmware.emulator.tap import Tap
from firmware.errors import FirmwareError
from firmware.host.journal import Journal
from firmware.host.sensor import BUFFER_BYTES, birth_of
from firmware.micropython.buffer import Buffer
from firmware.micropython.device import Device
from firmware.micropython.slots import Slots
from shared.errors import MessageError
from shared.identity import DeviceProfile
from shared.messages import codec
from shared.model_image import ImageContent, read
from shared.serial import framing

BOARD = "stm32f405"
#: What the board's ring needs for a message beside its bytes (TOCSIN_BUFFER_ENTRY_BYTES).
_ENTRY_BYTES = 16
#: Between the end of a line and the end of its board.
_ENDING_SECONDS = 1.0


class BoardInput:
    """What a replay pushes samples into: the twin counts at once, the board takes them as its line allows.

    `rows` counts the rows that were pushed before the push that is under way.
    """

    def __init__(self, twin: Device, line: SamplesLine) -> None:
        self.twin = twin
        self.line = line
        self.rows = 0
        self._clip = False
        self._rows: list[bytes] = []

    @property
    def image(self) -> ImageContent:
        """What the device computes."""
        return self.twin.image

    @property
    def sequence(self) -> int:
        """Readings produced so far."""
        return self.twin.sequence

    def push_row(self, time_ns: int, counts: list[int]) -> None:
        """The next row of a slow device."""
        self.twin.push_row(time_ns, counts)
        self._rows.append(packed_rows(np.array([time_ns], np.int64), np.array([counts], np.int32)))
        self.rows += 1

    def push_run(self, times_ns: list[int], columns: list[list[int]]) -> None:
        """The next samples of a fast device."""
        self.twin.push_run(times_ns, columns)
        self._rows.append(packed_rows(np.array(times_ns, np.int64), np.array(columns, np.int32).T))
        self.rows += len(times_ns)

    def end_stretch(self) -> None:
        """What follows is not a continuation."""
        self.flush()
        self.twin.end_stretch()
        self._clip = True

    def close_message(self) -> None:
        """Hand over the readings collected so far, if any: on a samples line, by the end of the stretch."""
        self.flush()
        self.twin.end_stretch()
        self.line.add(b"", clip=True)
        self._clip = False

    def flush(self) -> None:
        """Put the rows pushed so far into the line's queue."""
        rows = b"".join(self._rows)
        self._rows = []
        if rows:
            self.line.add(rows, clip=self._clip)
            self._clip = False


class EmulatedLink:
    """`connected`: the board runs, takes samples, and a gateway listens to it."""

    connected = False


class EmulatedSensor:
    """An STM32F405 in QEMU for the device in `folder`; a gateway finds its line at ``tcp://127.0.0.1:gateway_port``.

    The folder must have been provisioned (`firmware.host.fleet.write_device`); its count of boots goes on, whoever
    plays the device. QEMU starts with `start()`. A board that ends raises FirmwareError at the next `poll`.
    """

    def __init__(self, profile: DeviceProfile, folder: Path, gateway_port: int) -> None:
        self.profile = profile
        slots = Slots(str(folder))
        image = slots.boot_image()[0]
        self.image = read(image)
        firmware = build_board(
            board_named(BOARD),
            folder / "firmware",
            device=BoardDevice(birth_of(profile, 0, self.image), image, self.image),
        )
        self._room_bytes = read_sizes(firmware.elf).waiting * 3 // 4
        self.boot = slots.next_boot()
        self.buffer = Buffer(BUFFER_BYTES)
        self.journal = Journal(folder / "journal")
        self.link = EmulatedLink()
        self.data_bytes = 0
        #: Messages that were the twin's in every byte, and lines of text that the board said.
        self.compared = 0
        self.said: list[str] = []
        #: Told of each frame that passes: whether it comes from the board, its kind and body.
        self.watch: Callable[[bool, int, bytes], None] | None = None
        #: The first reading of each message that is not stored, and the rows that had been pushed before it closed.
        self._rows_before: dict[int, int] = {}
        #: Whether the board has announced itself: what is sent to it before its ports are on is lost.
        self._is_up = False
        self._board = EmulatedBoard(firmware, self.boot)
        self._tap: Tap | None = None
        self._line: SamplesLine | None = None
        try:
            self._tap = Tap(self._board.gateway_port, gateway_port)
            self._line = line = SamplesLine(self._board.samples_port, len(profile.channels))
        except BaseException:
            self._close()
            raise
        self.device = BoardInput(Device(profile.device, self.boot, self.image, self._take_message), line)

    @property
    def gateway_port(self) -> int:
        """Where the gateway finds the board's line."""
        if self._tap is None:
            raise FirmwareError("the emulated board has been stopped")
        return self._tap.port

    def _take_message(self, sequence: int, readings: int, head: bytes, tail: bytes) -> None:
        self.journal.add(self.boot, sequence, readings)
        self.buffer.add(sequence, readings, head, tail)
        self._rows_before[sequence] = self.device.rows

    def start(self) -> None:
        """Start QEMU and the relay."""
        if self._tap is not None:
            self._board.start()
            self._tap.start()

    def poll(self) -> None:
        """Handle what passed on the lines, then send samples that may be sent. Never waits."""
        if self._tap is None:
            return
        ended = self._board.ended()
        if ended is not None:
            raise FirmwareError(f"{self.profile.device}: {ended}")
        while True:
            try:
                from_board, kind, body = self._tap.passed.get_nowait()
            except queue.Empty:
                break
            if self.watch is not None:
                self.watch(from_board, kind, body)
            self._take_frame(from_board, kind, body)
        self.link.connected = self._tap.connected and self._is_up
        self.device.flush()
        if self._is_up:
            self._send_samples()

    def _send_samples(self) -> None:
        try:
            self.device.line.poll(self._rows_allowed())
        except FirmwareError as error:
            raise FirmwareError(f"{self.profile.device}: {self._board.ended(_ENDING_SECONDS) or error}") from error

    def _rows_allowed(self) -> int | None:
        """Rows whose messages the board can hold until they are stored; None when there is room for all."""
        held = 0
        for sequence, _, head, tail in self.buffer.entries:
            held += len(head) + len(tail) + _ENTRY_BYTES
            if held > self._room_bytes:
                return self._rows_before[sequence]
        return None

    def _take_frame(self, from_board: bool, kind: int, body: bytes) -> None:
        try:
            if not from_board and kind == framing.STORED:
                mark = codec.decode_stored(body)
                if mark.sender == self.profile.device and mark.boot == self.boot:
                    self._forget(mark.next_sequence)
            elif from_board and kind == framing.DATA:
                self._compare(codec.decode_data(body), body)
                self.data_bytes += len(body)
            elif from_board and kind == framing.BIRTH:
                self._is_up = True
            elif from_board and kind == framing.LOG:
                self.said.append(body.decode(errors="replace"))
        except MessageError as error:
            if from_board:
                raise FirmwareError(f"{self.profile.device}: the board sent what is no message ({error})") from error

    def _forget(self, next_sequence: int) -> None:
        before = [entry[0] for entry in self.buffer.entries]
        self.buffer.stored(next_sequence)
        for sequence in before[: len(before) - len(self.buffer.entries)]:
            del self._rows_before[sequence]

    def _compare(self, data: codec.Data, body: bytes) -> None:
        if data.oldest > self.buffer.mark:
            self.buffer.lost = max(self.buffer.lost, data.oldest - self.buffer.mark)
        if data.sequence < self.buffer.mark:
            return
        for sequence, _, head, tail in self.buffer.entries:
            if sequence == data.sequence:
                if not (body.startswith(head) and body.endswith(tail)):
                    break
                self.compared += 1
                return
        raise FirmwareError(
            f"{self.profile.device}: the board's message of reading {data.sequence} is not the twin's; "
            "build the firmware and the twin from the same sources"
        )

    def delivered(self) -> bool:
        """Whether everything produced so far is stored at the gateway."""
        return self.buffer.mark == self.device.sequence

    def all_sent(self) -> bool:
        """Whether the board has taken every row."""
        return self.device.line.idle

    def stop(self) -> None:
        """End QEMU and close the journal; may be called again."""
        self._close()
        self.link.connected = False
        self.journal.close()

    def _close(self) -> None:
        if self._tap is not None:
            self._tap.stop()
            self._tap = None
        if self._line is not None:
            self._line.close()
        self._board.stop()
