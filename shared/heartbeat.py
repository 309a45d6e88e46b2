"""A small file that says a process is at work, for whoever watches it: ``python -m shared.heartbeat FILE``.

The process writes it from the very loop that does the work, so a loop that hangs stops beating. The file holds the
clock of the machine since its start, which no correction of the time of day moves, and one word or more on what is
missing, nothing when all is well.
"""

import contextlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

#: A beat is written at most so often,
BEAT_SECONDS = 1.0
#: and a loop that wrote none for so long hangs. A training or a full disk may hold it up for a while.
STALE_SECONDS = 15.0


class Heartbeat:
    """Writes the beats of one process.

    Parameters
    ----------
    file
        Where; its folder must be there. What cannot be written is left out: the watcher then sees no beat.
    now
        The clock; the same for every process of a machine.
    """

    def __init__(self, file: Path, now: Callable[[], float] = time.monotonic) -> None:
        self._file = file
        self._now = now
        self._due = 0.0
        self._told = ""

    def beat(self, missing: str = "") -> None:
        """Say that the loop came round; `missing` is what it waits for, such as "no connection to the broker"."""
        now = self._now()
        if now < self._due and missing == self._told:
            return
        self._due, self._told = now + BEAT_SECONDS, missing
        unfinished = self._file.with_name(f"{self._file.name}.{os.getpid()}")
        with contextlib.suppress(OSError):
            unfinished.write_text(f"{now:.3f} {missing}\n", encoding="utf-8")
            unfinished.replace(self._file)


def trouble(file: Path, now: Callable[[], float] = time.monotonic) -> str:
    """What is wrong with the process that writes `file`, as a sentence; empty when it is at work.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "heartbeat"
    ...     Heartbeat(file, lambda: 100.0).beat()
    ...     trouble(file, lambda: 101.0), trouble(file, lambda: 200.0)
    ('', 'The last beat is 100 s old.')
    """
    try:
        written, _, missing = file.read_text(encoding="utf-8").partition(" ")
        age = now() - float(written)
    except OSError as error:
        return f"There is no beat in {file} ({error.strerror})."
    except ValueError:
        return f"The file {file} holds no beat."
    if not 0.0 <= age <= STALE_SECONDS:
        return (
            f"The last beat is {age:.0f} s old." if age > 0.0 else "The last beat is from before the machine started."
        )
    return missing.strip()


def main(arguments: list[str]) -> int:
    """Status 0 when the process behind the file is at work, 1 with a sentence when it is not."""
    if len(arguments) != 1:
        sys.stderr.write("python -m shared.heartbeat FILE\n")
        return 2
    found = trouble(Path(arguments[0]))
    sys.stdout.write(f"{found or 'at work'}\n")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
