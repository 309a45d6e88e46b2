"""``tocsin cloud normal``: an operator's word, given to the cloud of this machine over HTTP like any client would."""

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from datetime import UTC, datetime
from typing import Any

from cloud.api.access import token_path
from cloud.errors import CloudError
from cloud.health_check import authority
from cloud.settings import CloudSettings
from shared.errors import UsageError

_TIMEOUT_SECONDS = 10.0
_ASK_AGAIN_SECONDS = 0.25


def say(
    settings: CloudSettings, asset: str, by: str, alarm: str | None, since: str | None, wait_seconds: float
) -> list[dict[str, Any]]:
    """Ask, and follow the answers of the gateways for at most `wait_seconds`; the words as ``/api/normal`` tells them.

    Raises
    ------
    CloudError
        The cloud does not answer, or refuses.
    UsageError
        `since` is no time.
    """
    question = {"asset": asset, "by": by, "alarm": alarm, "since_ns": None if since is None else time_ns_of(since)}
    words: list[dict[str, Any]] = _call(settings, "/api/normal", json.dumps(question).encode())
    asked = {word["id"] for word in words}
    deadline = time.monotonic() + wait_seconds
    while any(word["state"] == "asked" for word in words) and time.monotonic() < deadline:
        time.sleep(_ASK_AGAIN_SECONDS)
        found = _call(settings, f"/api/normal?asset={urllib.parse.quote(asset, safe='')}")
        words = [word for word in found if word["id"] in asked]
    return words


def sentence_of(word: dict[str, Any]) -> str:
    """A word and what became of it."""
    if word["state"] == "asked":
        return f"{word['gateway']}: asked, no answer yet; follow it at /api/normal or in the console."
    return f"{word['gateway']}: {word['state']}. {word['sentence']}"


def time_ns_of(text: str) -> int:
    """A time of ISO 8601 in ns UTC; without a zone it is UTC.

    >>> time_ns_of("2023-11-14T22:13:20Z")
    1700000000000000000
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"The time {text!r} is none: write it as 2026-03-02T14:05:00Z.") from error
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return int(moment.timestamp()) * 1_000_000_000


def _call(settings: CloudSettings, path: str, body: bytes | None = None) -> Any:
    url = f"http://{authority(settings)}{path}"
    headers = {"Content-Type": "application/json"}
    if body is not None:
        file = token_path(settings.data_folder, settings.api_token_file)
        try:
            headers["Authorization"] = f"Bearer {file.read_text().strip()}"
        except OSError as error:
            raise CloudError(
                f"The access token {file} cannot be read ({error.strerror}): set TOCSIN_CLOUD_DATA_FOLDER to the "
                "folder of the running cloud, or TOCSIN_CLOUD_API_TOKEN_FILE."
            ) from error
    try:
        request = urllib.request.Request(url, body, headers)
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
            return json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            raise CloudError(_sentence(error.read(), url)) from error
    except (OSError, ValueError) as error:
        raise CloudError(f"The cloud at {url} does not answer ({error}): is it running, and on this port?") from error


def _sentence(answer: bytes, url: str) -> str:
    try:
        return str(json.loads(answer)["error"])
    except (ValueError, KeyError, TypeError):
        return f"The cloud at {url} refused without a reason."
