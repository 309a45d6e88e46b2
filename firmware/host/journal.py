"""What a replayed sensor produced, written down as it happens: the reference that loss accounting is checked against.

One line a message: ``boot sequence readings``; appended when the message is made, before it is sent.
"""

from pathlib import Path
from typing import NamedTuple


class Entry(NamedTuple):
    """One message of a journal."""

    boot: int
    sequence: int
    readings: int


class Journal:
    """Appends to `path`; each line is flushed to the system at once."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", encoding="ascii", buffering=1)

    def add(self, boot: int, sequence: int, readings: int) -> None:
        """Write down one message."""
        self._file.write(f"{boot} {sequence} {readings}\n")

    def close(self) -> None:
        """Nothing more will be written."""
        self._file.close()


def read_journal(path: Path) -> list[Entry]:
    """All messages of a journal; a last line cut short by a crash is left out."""
    text = path.read_text(encoding="ascii")
    lines = text.splitlines() if text.endswith("\n") else text.splitlines()[:-1]
    return [Entry(*map(int, line.split())) for line in lines]
