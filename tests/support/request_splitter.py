"""Where the HTTP requests of one connection begin and end."""

import re
from dataclasses import dataclass

_REQUEST_LINE = re.compile(rb"[A-Z]{1,16} \S* HTTP/1\.[01]\r\n")


@dataclass(frozen=True)
class Part:
    """Bytes of one request; `head` is (method, path) where they begin one, `ends` where they end one."""

    data: bytes
    head: tuple[str, str] | None = None
    ends: bool = False


class RequestSplitter:
    """Finds where HTTP/1.1 requests begin and end in what a client sends.

    Bytes of an unfinished head are held back. What is no HTTP comes back as it is, from then on without a look.

    >>> splitter = RequestSplitter()
    >>> splitter.feed(b"POST /write HTTP/1.1\\r\\nContent-Le")
    []
    >>> [(part.head, part.ends) for part in splitter.feed(b"ngth: 3\\r\\n\\r\\nabcGET / HTTP/1.1\\r\\n\\r\\n")]
    [(('POST', '/write'), False), (None, True), (('GET', '/'), True)]
    """

    def __init__(self) -> None:
        self._held = b""
        self._left = 0
        self._is_http = True

    def feed(self, piece: bytes) -> list[Part]:
        """Whole heads and pieces of bodies, in order; together they are what was fed, less an unfinished head."""
        if not self._is_http:
            return [Part(piece)]
        data, self._held = self._held + piece, b""
        found = []
        while data:
            if self._left:
                body, data = data[: self._left], data[self._left :]
                self._left -= len(body)
                found.append(Part(body, ends=self._left == 0))
                continue
            end = data.find(b"\r\n\r\n")
            if end < 0 and (b"\r\n" not in data or _REQUEST_LINE.match(data)) and data[:1].isupper():
                self._held = data
                break
            head = data[: end + 4]
            if end < 0 or not _REQUEST_LINE.match(head) or b"\r\ntransfer-encoding:" in head.lower():
                self._is_http = False
                found.append(Part(data))
                break
            data = data[end + 4 :]
            length = re.search(rb"\r\ncontent-length: *(\d+)", head.lower())
            self._left = int(length[1]) if length else 0
            method, path = head.split(b" ", 2)[:2]
            found.append(Part(head, (method.decode(), path.decode()), ends=self._left == 0))
        return found
