"""Catalogued files out of an archive: only their names are taken, and none may be larger than the catalogue says."""

import io
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO

from shared.errors import TocsinError
from tocsin.datasets.catalogue import File, Source

#: An archive within an archive is read into memory; it may have so many bytes.
INNER_BYTES = 512 << 20
Take = Callable[[File, IO[bytes]], None]


def take_out(archive: Path, source: Source, files: list[File], take: Take) -> None:
    """Hand each of `files` to `take`, with a stream of its bytes: at most one more than the catalogue says.

    Raises
    ------
    TocsinError
        The archive is damaged, or lacks one of them.
    """
    wanted = {source.inside + file.at: file for file in files}
    try:
        if source.address.endswith(".zip"):
            _of_zip(archive, source, wanted, take)
        else:
            _of_tar(archive, wanted, take)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error) as error:
        raise TocsinError(f"{source.address} came as a damaged archive ({error}); fetch it again") from error
    if wanted:
        raise TocsinError(
            f"{source.address} holds no {min(wanted)} any more; take the files from a copy with --from FOLDER"
        )


def _of_tar(archive: Path, wanted: dict[str, File], take: Take) -> None:
    """In the order of the archive, which can only be read forward; what was taken leaves `wanted`."""
    with tarfile.open(archive) as tar:
        for member in tar:
            if member.name in wanted and member.isfile():
                content = tar.extractfile(member)
                assert content is not None
                file = wanted.pop(member.name)
                take(file, _limited(content, file.size))


def _of_zip(archive: Path, source: Source, wanted: dict[str, File], take: Take) -> None:
    with zipfile.ZipFile(archive) as outer:
        if not source.inner:
            _from(outer, wanted, take)
            return
        if source.inner not in outer.namelist() or outer.getinfo(source.inner).file_size > INNER_BYTES:
            return
        with zipfile.ZipFile(io.BytesIO(outer.read(source.inner))) as inner:
            _from(inner, wanted, take)


def _from(archive: zipfile.ZipFile, wanted: dict[str, File], take: Take) -> None:
    for name in set(archive.namelist()) & set(wanted):
        file = wanted.pop(name)
        with archive.open(name) as content:
            take(file, _limited(content, file.size))


def _limited(content: IO[bytes], size: int) -> IO[bytes]:
    """One byte more than the catalogued size is enough to see that a file is too long."""
    return io.BytesIO(content.read(size + 1))
