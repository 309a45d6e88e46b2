"""Two places for model images in a folder, so that a bad, half-written or unproved image never replaces a good one.

`active` holds the number of the slot that runs and whether it is proved: an image is on trial from the switch until
the device has
reported with it; a start that finds it still on trial goes back to the other slot.
"""

import os

from shared.errors import ImageError


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as source:
            return source.read()
    except OSError:
        return b""


def _write(path: str, content: bytes) -> None:
    with open(path + ".new", "wb") as target:
        target.write(content)
        target.flush()
        if hasattr(os, "fsync"):
            os.fsync(target.fileno())
    os.rename(path + ".new", path)


class Slots:
    """The two slots in `folder`, which exists."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        record = _read(folder + "/active")
        self.active = 1 if record[:1] == b"1" else 0
        self.on_trial = record[1:2] == b"?"

    def _path(self, slot: int) -> str:
        return self.folder + "/slot-" + str(slot) + ".image"

    def _record(self) -> None:
        _write(self.folder + "/active", (b"1" if self.active else b"0") + (b"?" if self.on_trial else b"!"))

    def provision(self, image: bytes) -> None:
        """Put the factory's image into both slots."""
        _write(self._path(0), image)
        _write(self._path(1), image)
        self.active = 0
        self.on_trial = False
        self._record()

    def boot_image(self) -> "tuple[bytes, bool]":
        """The image to start with, and whether a trial was given up for it."""
        reverted = self.on_trial
        if reverted:
            self.active = 1 - self.active
            self.on_trial = False
            self._record()
        image = _read(self._path(self.active))
        if not image:
            raise ImageError("model image: none in " + self.folder + "; provision the device first")
        return image, reverted

    def store(self, image: bytes) -> None:
        """Write an accepted image into the other slot and run it on trial."""
        _write(self._path(1 - self.active), image)
        self.active = 1 - self.active
        self.on_trial = True
        self._record()

    def prove(self) -> None:
        """The device has reported with the image on trial: it stays."""
        if self.on_trial:
            self.on_trial = False
            self._record()

    def next_boot(self) -> int:
        """Count this start: the boot number, from 1."""
        record = _read(self.folder + "/boot")
        boot = int(record) + 1 if record else 1
        _write(self.folder + "/boot", str(boot).encode())
        return boot
