"""One HTTP request to a server of this machine: no proxy, no redirect, nothing kept open."""

import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit


@dataclass(frozen=True)
class Answer:
    """What a server answered."""

    status: int
    body: bytes

    def json(self) -> Any:
        """The decoded body; an empty object when it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return {}

    def reason(self) -> str:
        """Why a server refused, in its own words where it has some.

        >>> Answer(401, b'{"code": "unauthorized", "message": "unauthorized access"}').reason()
        'status 401, unauthorized access'
        >>> Answer(502, b"<html>").reason()
        'status 502'
        """
        found = self.json()
        words = found.get("message") or found.get("error") if isinstance(found, dict) else None
        return f"status {self.status}, {words}" if words else f"status {self.status}"


def ask(
    url: str,
    method: str,
    path: str,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    *,
    timeout_seconds: float = 30.0,
) -> Answer:
    """Send one request to `url` and read the whole answer, whatever its status.

    Raises
    ------
    OSError
        No connection, time-out, or no HTTP in the answer.
    """
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port or 80, timeout=timeout_seconds)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return Answer(answer.status, answer.read())
    except http.client.HTTPException as error:
        raise OSError(f"no HTTP answer: {error!r}") from error
    finally:
        connection.close()


def form(**fields: str) -> tuple[bytes, dict[str, str]]:
    """Body and headers of a form.

    >>> form(q="SHOW DATABASES")[0]
    b'q=SHOW+DATABASES'
    """
    return urlencode(fields).encode(), {"Content-Type": "application/x-www-form-urlencoded"}
