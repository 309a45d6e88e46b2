"""Flashing tools as processes: found, run within a time, their output as text."""

import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from firmware.errors import FlashError

UDEV_RULES = Path(__file__).resolve().parents[1] / "boards" / "udev" / "60-tocsin.rules"
#: What USB tools say when the system does not let this user have the device.
_NO_PERMISSION = re.compile(r"LIBUSB_ERROR_ACCESS|errno=13\b|permission denied|insufficient permissions", re.IGNORECASE)

#: Where steps and outcomes are said, line by line.
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that is done to a board; `command` as it is typed, empty for what needs no tool."""

    purpose: str
    command: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """For people: the purpose, and the command below it."""
        return [self.purpose, *([f"    {shlex.join(self.command)}"] if self.command else [])]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a command: its exit status, and all that it wrote."""

    status: int
    text: str

    def last_line(self) -> str:
        """The last line that is not empty, for a sentence."""
        lines = [line.strip() for line in self.text.replace("\r", "\n").splitlines() if line.strip()]
        return lines[-1] if lines else "it said nothing"

    def not_permitted(self) -> bool:
        """Whether the system kept the device from us."""
        return _NO_PERMISSION.search(self.text) is not None


def installed(tool: str) -> bool:
    """Whether a program of that name is on the path."""
    return shutil.which(tool) is not None


def run(command: tuple[str, ...], limit_seconds: float, folder: Path | None = None) -> Outcome:
    """Run a command to its end, in `folder` if one is given; FlashError when it is not there or takes longer."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=limit_seconds,
            check=False,
            cwd=folder,
        )
    except subprocess.TimeoutExpired as error:
        raise FlashError(
            f"{command[0]} did not finish within {limit_seconds:g} s; unplug the board, plug it in and try again"
        ) from error
    except OSError as error:
        raise FlashError(f"{command[0]} cannot be run ({error.strerror}); install it again") from error
    return Outcome(done.returncode, done.stdout.decode("utf-8", "replace"))


def permission_error(tool: str) -> FlashError:
    """What to do when the system keeps a USB device from this user."""
    return FlashError(
        f"{tool} found the board but may not open it; allow it once with: sudo cp {shlex.quote(str(UDEV_RULES))} "
        "/etc/udev/rules.d/ && sudo udevadm control --reload-rules && sudo udevadm trigger; then plug the board in "
        "again"
    )
