"""Two places for model images in a folder, so that a bad, half-written or unproved image never replaces a good one.

`active` holds the number of the slot that runs and whether it is proved: an image is on trial from the switch until
the device has reported with it; a start that finds it still on trial goes back to the other slot. Every file is
written beside its place and renamed into it. What a worn flash damages all the same is not believed: an image is
checked before it is started, and the boot number is kept twice.
"""

import os

from shared.errors import ImageError, TocsinError
from shared.model_image import ImageContent, read

_NO_SUCH_FILE = 2
#: More digits than a boot count ever has; less than 2**62 in any case.
_BOOT_DIGITS_MAX = 18


def _read(path: str) -> "bytes | None":
    """What stands in a file; None without the file, nothing where it cannot be read."""
    try:
        with open(path, "rb") as source:
            return source.read()
    except OSError as error:
        return None if error.args and error.args[0] == _NO_SUCH_FILE else b""


def _write(path: str, content: bytes) -> None:
    with open(path + ".new", "wb") as target:
        target.write(content)
        target.flush()
        if hasattr(os, "fsync"):
            os.fsync(target.fileno())
    os.rename(path + ".new", path)
    if hasattr(os, "O_DIRECTORY"):
        folder = os.open(path.rsplit("/", 1)[0], os.O_RDONLY)
        try:
            os.fsync(folder)  # the new name too, or a boot number could come twice
        finally:
            os.close(folder)


class Slots:
    """The two slots in `folder`, which exists."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        record = _read(folder + "/active")
        #: Whether it is known which slot runs.
        self.known = record in (b"0!", b"0?", b"1!", b"1?")
        self.active = 1 if record in (b"1!", b"1?") else 0
        self.on_trial = record in (b"0?", b"1?")

    def _path(self, slot: int) -> str:
        return self.folder + "/slot-" + str(slot) + ".image"

    def _switch(self, active: int, on_trial: bool) -> None:
        _write(self.folder + "/active", (b"1" if active else b"0") + (b"?" if on_trial else b"!"))
        self.known = True
        self.active = active
        self.on_trial = on_trial

    def _sound(self, slot: int) -> "tuple[bytes, ImageContent] | None":
        image = _read(self._path(slot))
        if not image:
            return None
        try:
            return image, read(image)
        except ImageError:
            return None

    def provision(self, image: bytes) -> None:
        """Put the factory's image into both slots."""
        _write(self._path(0), image)
        _write(self._path(1), image)
        self._switch(0, False)

    def boot_image(self) -> "tuple[bytes, bool]":
        """The image to start with, and whether a trial was given up for it.

        A slot whose image is damaged counts as empty. If it is not known which slot runs, it is the older image:
        the newer one may never have been proved. ImageError: there is no whole image.
        """
        first = 1 - self.active if self.on_trial else self.active
        found = [self._sound(0), self._sound(1)]
        zero, one = found
        if not self.known and zero is not None and one is not None:
            first = 1 if one[1].version < zero[1].version else 0
        for slot in (first, 1 - first):
            sound = found[slot]
            if sound is not None:
                given_up = self.on_trial and slot != self.active
                if not self.known or self.on_trial or slot != self.active:
                    self._switch(slot, False)
                return sound[0], given_up
        raise ImageError("model image: no whole one in " + self.folder + "; provision the device first")

    def store(self, image: bytes) -> None:
        """Write an accepted image beside the proved one and run it on trial.

        An image that is still on trial is overwritten, never the proved one. OSError: nothing was switched.
        """
        slot = self.active if self.on_trial else 1 - self.active
        _write(self._path(slot), image)
        self._switch(slot, True)

    def prove(self) -> None:
        """The device has reported with the image on trial: it stays."""
        if self.on_trial:
            self._switch(self.active, False)

    def next_boot(self) -> int:
        """Count this start: the boot number, from 1, above every number given before.

        TocsinError: a count is there, but neither of its two copies can be read.
        """
        last = 0
        found = 0
        damaged = 0
        for name in ("/boot", "/boot-copy"):
            record = _read(self.folder + name)
            if record is None:
                continue
            found += 1
            record = record.strip()
            if record.isdigit() and len(record) <= _BOOT_DIGITS_MAX:
                last = max(last, int(record))
            else:
                damaged += 1
        if found and damaged == found:
            raise TocsinError(
                "boot count: boot and boot-copy in "
                + self.folder
                + " cannot be read; write a number above the device's last boot into boot"
            )
        content = str(last + 1).encode()
        _write(self.folder + "/boot-copy", content)
        _write(self.folder + "/boot", content)
        return last + 1
