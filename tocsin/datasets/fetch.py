"""A set of recordings from its home, or from a folder: checked file by file, and put in place whole or not at all."""

import fcntl
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from urllib.parse import quote

from shared.errors import TocsinError, UsageError
from tocsin.datasets.archive import take_out
from tocsin.datasets.catalogue import Entry, File, Source
from tocsin.datasets.digests import is_right, sha256_of
from tocsin.datasets.download import download
from tocsin.datasets.pickles import join, read_array

#: Told as bytes come: what, bytes that are there, bytes in all (0 = unknown).
Progress = Callable[[str, int, int], None]
#: The most that an archive, or a pickled array, may have: their sizes are not catalogued.
ARCHIVE_BYTES = 4 << 30
PICKLE_BYTES = 64 << 20
_PICKLES = ("_train.pkl", "_test.pkl", "_test_label.pkl")


def fetch(entry: Entry, folder: Path, copy: Path | None, progress: Progress) -> int:
    """Bring the files of a set that are not there yet below the folder of all recordings; how many came.

    Parameters
    ----------
    copy
        A folder to take them from instead of the net: that of all recordings, or that of this set.

    Raises
    ------
    UsageError
        Nothing can be fetched for this set, or another file is in the place of one of its files.
    TocsinError
        What `download` raises; wrong bytes; no space. Files that came are kept, and what came of the next one too.
    """
    if not entry.files:
        raise UsageError(f"{entry.name} has nothing to fetch: {entry.facts['remark']}")
    home = folder / entry.folder
    if not _missing(entry, home):
        return 0
    with _alone(home):
        missing = _missing(entry, home)  # another fetch may have ended meanwhile
        _check_space(home, missing)
        if copy is not None:
            for file in missing:
                _copy(entry, file, home, copy)
                progress(file.name, file.size, file.size)
        elif entry.source is None:
            raise UsageError(f"{entry.name} is published nowhere as files; take them with --from FOLDER")
        elif entry.source.kind == "archive":
            _from_archive(entry, entry.source, missing, home, progress)
        else:
            bring = _from_pickles if entry.source.kind == "pickles" else _from_home
            for file in missing:
                bring(entry, entry.source, file, home, progress)
        return len(missing)


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Keep a second fetch out of the folder of a set."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / ".fetch.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise TocsinError(f"another process is fetching into {home}; wait until it has ended") from error
        yield


def _missing(entry: Entry, home: Path) -> list[File]:
    missing = []
    for file in entry.files:
        path = home / file.name
        if not path.exists():
            missing.append(file)
        elif not is_right(path, file, entry):
            raise UsageError(f"{path} is there with other bytes than {entry.name} has; move it away, then fetch again")
    return missing


def _check_space(home: Path, missing: list[File]) -> None:
    needed, free = sum(file.size for file in missing), shutil.disk_usage(home).free
    if free < needed:
        raise TocsinError(f"{home} has {free} bytes free and needs {needed}; free space, or choose another --to")


def _part(home: Path, file: File) -> Path:
    path = home / file.name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.with_name(path.name + ".part")


def _settle(entry: Entry, file: File, part: Path, origin: str) -> None:
    """Give a complete .part its name if it is right; else remove it and say so."""
    if not is_right(part, file, entry):
        found, size = sha256_of(part), part.stat().st_size
        part.unlink()
        raise TocsinError(
            f"{origin} has other bytes than those that the results of Tocsin were computed on ({size} bytes, "
            f"SHA-256 {found}, not {file.size} bytes, {file.sha256}); nothing of it was kept: "
            "take the file from a copy with --from FOLDER"
        )
    part.replace(part.with_name(part.name.removesuffix(".part")))


def _from_home(entry: Entry, source: Source, file: File, home: Path, progress: Progress) -> None:
    address = source.address + quote(file.at)
    part = _part(home, file)
    resumed = part.exists()
    # Where only the content is compared, the home may have more to say than the catalogued bytes.
    most_bytes = PICKLE_BYTES if file.content else file.size
    if resumed and part.stat().st_size > most_bytes:
        part.unlink()
    _download(address, part, most_bytes, file, progress)
    if resumed and not is_right(part, file, entry):  # the part was no beginning of this file
        part.unlink()
        _download(address, part, most_bytes, file, progress)
    _settle(entry, file, part, address)


def _download(address: str, part: Path, most_bytes: int, file: File, progress: Progress) -> None:
    download(address, part, most_bytes, lambda done, in_all: progress(file.name, done, in_all))


def _from_pickles(entry: Entry, source: Source, file: File, home: Path, progress: Progress) -> None:
    """Three pickled arrays of a machine, joined to one file."""
    part = _part(home, file)
    pickled = [part.with_name(file.name + ending + ".part") for ending in _PICKLES]
    addresses = [source.address + quote(file.at + ending) for ending in _PICKLES]
    for path, address in zip(pickled, addresses, strict=True):
        _download(address, path, PICKLE_BYTES, file, progress)
    try:
        train, test, labels = (read_array(path, address) for path, address in zip(pickled, addresses, strict=True))
        join(train, test, labels, part)
    finally:
        for path in pickled:
            path.unlink()
    _settle(entry, file, part, f"{source.address}{file.at}*.pkl")


def _from_archive(entry: Entry, source: Source, missing: list[File], home: Path, progress: Progress) -> None:
    archive = home / ".archive.part"
    download(source.address, archive, ARCHIVE_BYTES, lambda done, in_all: progress("archive", done, in_all))

    def take(file: File, member: IO[bytes]) -> None:
        part = _part(home, file)
        _write(part, member)
        _settle(entry, file, part, f"{file.at} in {source.address}")

    try:
        take_out(archive, source, missing, take)
    except TocsinError:
        archive.unlink()  # another attempt would find the same in it
        raise
    archive.unlink()


def _copy(entry: Entry, file: File, home: Path, copy: Path) -> None:
    places = [copy / entry.folder / file.name, copy / file.name]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise UsageError(f"neither {places[0]} nor {places[1]} is there; point --from to a copy of {entry.name}")
    part = _part(home, file)
    with found.open("rb") as content:
        _write(part, content)
    _settle(entry, file, part, str(found))


def _write(part: Path, content: IO[bytes]) -> None:
    try:
        with part.open("wb") as target:
            shutil.copyfileobj(content, target)
    except OSError as error:
        raise TocsinError(f"{part} cannot be written ({error.strerror}); free space, or choose another --to") from error
