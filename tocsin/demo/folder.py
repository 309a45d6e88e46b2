"""The demo's data folder: emptied at the start, ours alone, and never somebody else's."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from shared.errors import UsageError

MARKER = ".tocsin-demo"


@contextmanager
def data_folder(folder: Path) -> Iterator[None]:
    """`folder`, emptied and locked; UsageError when another demo has it, or when it holds anything but a demo."""
    try:
        if folder.exists() and any(folder.iterdir()) and not (folder / MARKER).exists():
            raise UsageError(f"the data folder {folder} holds other files; choose an empty one with --data")
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder.parent / f".{folder.name}.lock").open("w")
    except OSError as error:
        raise UsageError(
            f"the data folder {folder} cannot be used ({error.strerror}); choose another with --data"
        ) from error
    with lock:
        _take(lock, folder)
        for path in list(folder.iterdir()):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        (folder / MARKER).touch()
        yield


def _take(lock: IO[str], folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise UsageError(
            f"another demo runs on the data folder {folder}; stop it, or choose another folder with --data"
        ) from error
