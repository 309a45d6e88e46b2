"""The twin's files as they will stand on a board with MicroPython: modules, main.py, the device, its keys."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from firmware.board_build import read_board_device
from firmware.flashing.modules import MAIN, ROOT, needed_files
from firmware.host.sensor import birth_of
from shared.errors import UsageError
from shared.messages import codec

DEVICE_FOLDER = "device"


@dataclass(frozen=True, slots=True)
class StagedFile:
    """One file of a board: its path there (``/shared/errors.py``), its content."""

    path: str
    content: bytes

    def digest(self) -> str:
        """SHA-256, hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True)
class Staged:
    """All files of a board, and the last boot number that this machine knows of its device."""

    files: tuple[StagedFile, ...]
    device: str
    last_boot: int

    def tops(self) -> list[str]:
        """Files and folders at the top of the board, in order."""
        return sorted({file.path.split("/")[1] for file in self.files})

    def total_bytes(self) -> int:
        """Bytes of all files."""
        return sum(len(file.content) for file in self.files)


def stage(device_folder: Path, *, name: str | None, keys: list[bytes], sensor: Path | None) -> Staged:
    """Put together what a board needs; UsageError where the device's folder or the sensor's file cannot be used."""
    files = [StagedFile(f"/{path.as_posix()}", (ROOT / path).read_bytes()) for path in needed_files()]
    files.append(StagedFile("/main.py", (ROOT / MAIN).read_bytes()))
    device = read_board_device(device_folder, name)
    profile = device.birth.profile
    files.append(StagedFile(f"/{DEVICE_FOLDER}/profile.cbor", codec.encode_birth(birth_of(profile, 0, device.content))))
    files += [StagedFile(f"/{DEVICE_FOLDER}/slot-{slot}.image", device.image) for slot in (0, 1)]
    files.append(StagedFile(f"/{DEVICE_FOLDER}/active", b"0!"))
    if keys:
        files.append(StagedFile(f"/{DEVICE_FOLDER}/keys", b"".join(keys)))
    if sensor is not None:
        try:
            files.append(StagedFile("/sensor.py", sensor.read_bytes()))
        except OSError as error:
            raise UsageError(f"{sensor} cannot be read ({error.strerror}); give the file with your read()") from error
    return Staged(tuple(files), profile.device, _last_boot(device_folder))


def _last_boot(folder: Path) -> int:
    """The last boot number that a device of this folder has used here; 0 without one."""
    numbers = [0]
    for name in ("boot", "boot-copy"):
        path = folder / name
        if path.is_file() and (text := path.read_text(encoding="ascii", errors="replace").strip()).isdigit():
            numbers.append(int(text))
    return max(numbers)
