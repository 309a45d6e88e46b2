"""Whether the files of a set lie here as the catalogue says."""

from dataclasses import dataclass
from pathlib import Path

from tocsin.datasets.catalogue import Entry
from tocsin.datasets.digests import is_right


@dataclass(frozen=True, slots=True)
class Found:
    """Names of the files of a set that are here with the catalogued bytes, here with others, and not here."""

    right: tuple[str, ...]
    altered: tuple[str, ...]
    missing: tuple[str, ...]


def verify(entry: Entry, folder: Path) -> Found:
    """Read every file of a set below the folder of all recordings, and compare."""
    right: list[str] = []
    altered: list[str] = []
    missing: list[str] = []
    for file in entry.files:
        path = folder / entry.folder / file.name
        if not path.is_file():
            missing.append(file.name)
        else:
            (right if is_right(path, file, entry) else altered).append(file.name)
    return Found(tuple(right), tuple(altered), tuple(missing))


def count_here(entry: Entry, folder: Path) -> int:
    """How many files of a set are here; their bytes are not read."""
    return sum((folder / entry.folder / file.name).is_file() for file in entry.files)
