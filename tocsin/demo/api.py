"""The demo asks the cloud as any other client would: over HTTP."""

import http.client
import json
import urllib.error
import urllib.request
from typing import Any

from shared.errors import TocsinError

#: A machine that has much to do, trainings of models for example, answers late.
TIMEOUT_SECONDS = 60.0


class Api:
    """The cloud's API at `url`; `token` allows writing."""

    def __init__(self, url: str, token: str = "") -> None:
        self.url = url
        self._token = token

    def get(self, path: str) -> Any:
        """The decoded answer; TocsinError when the cloud does not answer."""
        return self._ask(urllib.request.Request(f"{self.url}{path}"))  # noqa: S310

    def get_or_none(self, path: str) -> Any:
        """The same, None while the cloud does not answer (it may be restarting)."""
        try:
            return self.get(path)
        except TocsinError:
            return None

    def post(self, path: str) -> Any:
        """Ask for something to be done."""
        request = urllib.request.Request(  # noqa: S310
            f"{self.url}{path}", method="POST", data=b"", headers={"Authorization": f"Bearer {self._token}"}
        )
        return self._ask(request)

    def put(self, path: str, body: bytes) -> Any:
        """Hand over bytes."""
        request = urllib.request.Request(  # noqa: S310
            f"{self.url}{path}",
            method="PUT",
            data=body,
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/octet-stream"},
        )
        return self._ask(request)

    def _ask(self, request: urllib.request.Request) -> Any:
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.HTTPError as error:
            try:
                reason = json.load(error)["error"]
            except (ValueError, KeyError, TypeError):
                reason = str(error)
            raise TocsinError(f"the cloud refused {request.full_url}: {reason}") from error
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise TocsinError(f"the cloud at {self.url} does not answer ({error})") from error
