"""One board in QEMU: started with a firmware, watched, stopped.

Both serial lines are TCP ports of 127.0.0.1. Each takes one client at a time. QEMU waits for the first client of the
gateway's line before the board starts, so that its first words are heard; what it says while nobody listens is lost, as
on a wire. A board that resets itself ends QEMU: its next start has the next boot number.
"""

import contextlib
import shutil
import socket
import subprocess
import tempfile
from types import TracebackType
from typing import Self

from firmware.board_build import BOOT_RECORD_BYTES, BoardFirmware
from firmware.errors import FirmwareError
from shared.processes import bound_to_us

HOST = "127.0.0.1"
#: After the record of the boot before: places for records, erased.
_ERASED = b"\xff" * 56
_STOP_SECONDS = 5.0


def find_qemu() -> str:
    """The program qemu-system-arm; FirmwareError with the remedy when there is none."""
    found = shutil.which("qemu-system-arm")
    if found is None:
        raise FirmwareError(
            "there is no qemu-system-arm on the path; install it (Debian, Ubuntu: apt install qemu-system-arm)"
        )
    return found


def boot_record(before: int) -> bytes:
    """What the first of the two sectors holds when boot number `before` was the last one (0: none yet).

    >>> boot_record(2)[:8].hex(), boot_record(0)[:8].hex()
    ('02000000fdffffff', 'ffffffffffffffff')
    """
    if before == 0:
        return b"\xff" * 8 + _ERASED
    return before.to_bytes(4, "little") + (before ^ 0xFFFFFFFF).to_bytes(4, "little") + _ERASED


def _listen(port: int, line: str) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise FirmwareError(
            f"port {port} for the {line} of the emulated board cannot be taken ({error.strerror}); name another one"
        ) from error
    listener.listen(1)
    return listener


class EmulatedBoard:
    """A firmware in QEMU that starts as boot number `boot`; ports of 0 are chosen, `extra` goes to QEMU as it is.

    Attributes
    ----------
    gateway_port, samples_port
        Ports of the two lines; connections are taken from the moment the object exists, and answered once `start` was
        called.
    """

    def __init__(
        self,
        firmware: BoardFirmware,
        boot: int,
        *,
        gateway_port: int = 0,
        samples_port: int = 0,
        extra: tuple[str, ...] = (),
    ) -> None:
        if firmware.board.qemu_machine is None:
            raise FirmwareError(f"QEMU has no machine for board {firmware.board.name}")
        self.firmware = firmware
        self.boot = boot
        self._extra = extra
        self._program = find_qemu()
        self._listeners = [_listen(gateway_port, "gateway's line")]
        try:
            self._listeners.append(_listen(samples_port, "samples line"))
        except FirmwareError:
            self._listeners[0].close()
            raise
        self.gateway_port, self.samples_port = (int(listener.getsockname()[1]) for listener in self._listeners)
        # Without a name from the start: nothing is left behind, however we end.
        self._files = contextlib.ExitStack()
        self._record = self._files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - closed by stop
        self._said = self._files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - closed by stop
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def start(self) -> None:
        """Start QEMU in the background."""
        self._record.write(boot_record(self.boot - 1))
        self._record.flush()
        record = self._record.fileno()
        board = self.firmware.board
        records_at = board.flash_origin + board.flash_bytes - BOOT_RECORD_BYTES
        gateway, samples = (listener.fileno() for listener in self._listeners)
        command = [
            self._program,
            *("-machine", str(board.qemu_machine), "-nodefaults", "-display", "none", "-no-reboot"),
            *("-kernel", str(self.firmware.elf)),
            *("-device", f"loader,file=/dev/fd/{record},addr={records_at:#x},force-raw=on"),
            *("-chardev", f"socket,id=gateway,fd={gateway},server=on,wait=on", "-serial", "chardev:gateway"),
            *("-chardev", f"socket,id=samples,fd={samples},server=on,wait=off", "-serial", "chardev:samples"),
            *self._extra,
        ]
        self._process = subprocess.Popen(
            bound_to_us(command),
            stdin=subprocess.DEVNULL,
            stdout=self._said,
            stderr=self._said,
            pass_fds=(gateway, samples, record),
        )
        for listener in self._listeners:
            listener.close()

    def ended(self, wait_seconds: float = 0.0) -> str | None:
        """None while the board runs; else one sentence about how it ended. Waits that long for an end that is near."""
        if self._stopped or self._process is None:
            return None
        try:
            self._process.wait(wait_seconds)
        except subprocess.TimeoutExpired:
            return None
        if self._process.returncode == 0:
            return f"the emulated board reset itself (boot {self.boot}); its last line on the gateway's line says why"
        self._said.seek(0)
        said = self._said.read().decode(errors="replace").strip().splitlines()
        return f"QEMU ended with status {self._process.returncode}: {said[-1] if said else 'it said nothing'}"

    def stop(self) -> None:
        """End QEMU; may be called again."""
        self._stopped = True
        for listener in self._listeners:
            listener.close()
        if self._process is not None:
            if self._process.poll() is None:
                self._process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(_STOP_SECONDS)
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()
        self._files.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
