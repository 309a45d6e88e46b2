"""One file over HTTPS into a .part file: continued where an earlier attempt ended, and never longer than allowed."""

import errno
import http.client
import urllib.error
import urllib.request
from collections.abc import Callable
from email.message import Message
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from shared.errors import TocsinError, UsageError

#: Told after every block: bytes that are there, bytes in all (0 = unknown).
Progress = Callable[[int, int], None]
#: A connection that was cut is taken up again as long as it brought something, so often at most.
ATTEMPTS = 5
_BLOCK_BYTES = 1 << 16
_TIMEOUT_SECONDS = 30.0
_THIS_MACHINE = ("127.0.0.1", "localhost", "::1")
_ELSEWHERE = "take the files from a copy with --from FOLDER"


class _CutError(Exception):
    """The connection ended before the file did."""


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect only to where a first request may go."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        _check_scheme(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


def download(address: str, part: Path, most_bytes: int, progress: Progress) -> None:
    """Bring what is at `address` into `part`; what `part` holds already is taken for its beginning.

    Whether the bytes are right is for the caller to see. After a failure `part` stays, for the next attempt.

    Raises
    ------
    TocsinError
        Not there, no connection, cut too often, disk full, or longer than `most_bytes`.
    """
    _check_scheme(address)
    for _ in range(ATTEMPTS):
        before = _size(part)
        try:
            _attempt(address, part, most_bytes, progress)
            return
        except _CutError:
            if _size(part) <= before:
                break
    raise TocsinError(
        f"the connection to {urlsplit(address).hostname} was cut after {_size(part)} bytes of {address}; "
        "the same command goes on from there"
    )


def _attempt(address: str, part: Path, most_bytes: int, progress: Progress) -> None:
    """One request; `_CutError` when its answer ends early."""
    held = _size(part)
    request = urllib.request.Request(address, headers={"User-Agent": "tocsin", "Accept-Encoding": "identity"})  # noqa: S310
    if held:
        request.add_header("Range", f"bytes={held}-")
    host = urlsplit(address).hostname
    try:
        with urllib.request.build_opener(_SafeRedirects).open(request, timeout=_TIMEOUT_SECONDS) as answer:
            _receive(answer, address, part, held, most_bytes, progress)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and held:
            if error.headers.get("Content-Range", "") == f"bytes */{held}":
                return None  # an earlier attempt had brought all of it
            part.unlink()  # what is there is no beginning of the file
            return _attempt(address, part, most_bytes, progress)
        if error.code in (http.client.NOT_FOUND, http.client.GONE):
            raise TocsinError(f"{address} is not there any more ({error.code}); {_ELSEWHERE}") from error
        raise TocsinError(f"{host} answered {error.code} {error.reason} for {address}; {_ELSEWHERE}") from error
    except urllib.error.URLError as error:
        raise TocsinError(
            f"{host} cannot be reached ({error.reason}); check the connection, or {_ELSEWHERE}"
        ) from error
    except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
        raise _CutError from error


def _receive(answer: Any, address: str, part: Path, held: int, most_bytes: int, progress: Progress) -> None:
    """Append the answer to `part`, or begin anew where the server sends the whole file."""
    start = _start_of(answer)
    if start not in (0, held):
        raise TocsinError(f"{address} came from byte {start} on, not from {held}; {_ELSEWHERE}")
    told = answer.headers.get("Content-Length")
    in_all = start + int(told) if told and told.isdecimal() else 0
    if in_all > most_bytes:
        raise TocsinError(_too_long(address, most_bytes))
    done = start
    try:
        with part.open("ab" if start else "wb") as target:
            while block := answer.read(_BLOCK_BYTES):
                done += len(block)
                if done > most_bytes:
                    raise TocsinError(_too_long(address, most_bytes))
                target.write(block)
                progress(done, in_all)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise TocsinError(f"{part} cannot grow: the disk is full; free space, the same command goes on") from error
        raise
    if done < in_all:
        raise _CutError


def _start_of(answer: Any) -> int:
    """First byte of an answer: 0 where the server sends the whole file in spite of what was asked."""
    if answer.status != http.client.PARTIAL_CONTENT:
        return 0
    first = answer.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return int(first) if first.isdecimal() else -1


def _too_long(address: str, most_bytes: int) -> str:
    return f"{address} is longer than the {most_bytes} bytes that it may have; {_ELSEWHERE}"


def _check_scheme(address: str) -> None:
    place = urlsplit(address)
    if place.scheme != "https" and not (place.scheme == "http" and place.hostname in _THIS_MACHINE):
        raise UsageError(f"{address} is not https; {_ELSEWHERE}")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
