"""Where scores are written: refused before the work if it cannot be, and never left half-written."""

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from shared.errors import TocsinError, UsageError


def check_out(out: Path, inputs: Iterable[str], option: str = "--out") -> None:
    """UsageError if `out` is a folder, lies in none that can be written, or is one of the recordings `inputs`."""
    if not out.parent.is_dir():
        raise UsageError(f"the folder {out.parent} of {option} does not exist; make it, or choose another {option}")
    if out.is_dir():
        raise UsageError(f"{option} {out} is a folder; name a file in it")
    if not os.access(out if _is_device(out) else out.parent, os.W_OK):
        raise UsageError(f"{option} {out} cannot be written (no permission); choose another one")
    for text in inputs:
        source = Path(text) if Path(text).exists() else Path(text.rpartition("::")[0])
        if (source.is_file() and out.exists() and source.samefile(out)) or (
            source.is_dir() and source.samefile(out.parent)
        ):
            raise UsageError(f"{option} {out} would become part of the recording {source}; choose another one")


def write_whole(out: Path, lines: Iterable[str]) -> None:
    """Write a text file that appears whole or not at all; a device such as /dev/stdout takes the lines as they come.

    Raises
    ------
    TocsinError
        It cannot be written, for instance because the disk is full. What was there before still is.
    """
    unfinished: Path | None = None
    try:
        if _is_device(out):
            with out.open("w", encoding="utf-8", newline="\n") as target:
                target.writelines(lines)
            return
        final = Path(os.path.realpath(out))
        unfinished = final.with_name(f".{final.name}.{os.getpid()}.unfinished")
        with unfinished.open("w", encoding="utf-8", newline="\n") as target:
            target.writelines(lines)
        unfinished.replace(final)
    except OSError as error:
        raise TocsinError(f"{out} cannot be written ({error.strerror}); free space or choose another --out") from error
    finally:
        if unfinished is not None:
            unfinished.unlink(missing_ok=True)


def _is_device(path: Path) -> bool:
    """Whether something is there that is neither a file nor a folder."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
