"""What an answer of InfluxDB, or its absence, means: points refused, or not now."""

import json
import re
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import urllib3.exceptions
from influxdb_client.rest import ApiException

from cloud.errors import CloudError, StoreUnavailable
from cloud.storage.settings import StoreSettings

#: The server took exception to what was written, not to the moment or to us.
REFUSED_STATUS = frozenset({400, 413, 422})
#: A server's wish to be left alone is granted up to this.
LONGEST_PAUSE_SECONDS = 60.0
_DROPPED = re.compile(r"dropped=(\d+)")


class PointsRefused(Exception):  # noqa: N818  (named for what it says)
    """Points of a request were refused; `dropped` is how many by the server's own account, None if it gave none."""

    def __init__(self, reason: str) -> None:
        found = _DROPPED.search(reason)
        self.dropped = int(found[1]) if found else None
        # InfluxDB ends with the number, and may list the points in between.
        self.reason = _shortened(_DROPPED.sub("", reason).strip())
        super().__init__(self.reason)


class NotNow(StoreUnavailable):
    """InfluxDB cannot be used now.

    Attributes
    ----------
    pause_seconds
        So long the server wants to be left alone.
    token_refused
        The token may be another one by now.
    """

    def __init__(self, sentence: str, *, pause_seconds: float = 0.0, token_refused: bool = False) -> None:
        super().__init__(sentence)
        self.pause_seconds = pause_seconds
        self.token_refused = token_refused


def refusal_of(error: Exception) -> PointsRefused | None:
    """The refusal that the failure of a write stands for; None if it is something else."""
    if isinstance(error, ApiException) and error.status in REFUSED_STATUS:
        return PointsRefused(reason_of(error.body) or f"status {error.status}")
    return None


def not_now(error: Exception, settings: StoreSettings) -> NotNow:
    """The sentence for any other failure of a request."""
    where = f"InfluxDB at {settings.influxdb_url}"
    if not isinstance(error, ApiException) or not error.status:
        return NotNow(_no_answer(error, where, settings))
    status, reason = error.status, reason_of(error.body)
    if status in (401, 403):
        return NotNow(
            f"{where} refuses the token in {settings.influxdb_token_file} ({_or_status(reason, status)}): put one into "
            f"the file that may read and write bucket {settings.influxdb_bucket}.",
            token_refused=True,
        )
    if status == 404 or _is_missing(status, reason):
        return NotNow(
            f"{where} has no bucket {settings.influxdb_bucket} for organisation {settings.influxdb_organisation} "
            f"({_or_status(reason, status)}): make it ('influx bucket create', in 1.8 CREATE DATABASE) or set "
            "TOCSIN_INFLUXDB_BUCKET and TOCSIN_INFLUXDB_ORGANISATION."
        )
    pause = _pause(error.headers)
    until = f", and asks for {pause:g} s of patience" if pause else ""
    if status == 429:
        return NotNow(
            f"{where} takes no more requests for now ({_or_status(reason, status)}){until}.", pause_seconds=pause
        )
    return NotNow(f"{where} failed ({_or_status(reason, status)}){until}: see its log.", pause_seconds=pause)


def query_failed(reason: str, settings: StoreSettings) -> CloudError:
    """The error for a query that the server does not understand: waiting does not help."""
    return CloudError(
        f"InfluxDB at {settings.influxdb_url} refused a query ({_shortened(reason)}): see whether something else "
        f"writes into bucket {settings.influxdb_bucket}."
    )


def reason_of(body: Any) -> str:
    """The reason in the body of an answer, on one line, without a full stop.

    >>> reason_of(b'{"code":"invalid","message":"unable  to parse."}'), reason_of('{"error":"no database"}')
    ('unable to parse', 'no database')
    >>> reason_of("<html>"), reason_of(None)
    ('<html>', '')
    """
    text = body.decode(errors="replace") if isinstance(body, bytes) else str(body or "")
    try:
        content = json.loads(text)
    except ValueError:
        content = None
    if isinstance(content, dict):
        text = str(content.get("message") or content.get("error") or "")
    return " ".join(text.split()).rstrip(".")


def _shortened(reason: str, limit: int = 200) -> str:
    return reason if len(reason) <= limit else reason[:limit].rsplit(" ", 1)[0] + " ..."


def _or_status(reason: str, status: int) -> str:
    return f"{status}, {_shortened(reason)}" if reason else f"status {status}"


def _is_missing(status: int, reason: str) -> bool:
    """1.8 answers a query of a database that does not exist with status 500."""
    return status == 500 and reason.endswith("no database")


def _no_answer(error: Exception, where: str, settings: StoreSettings) -> str:
    cause: BaseException = error
    if isinstance(cause, urllib3.exceptions.MaxRetryError) and cause.reason is not None:
        cause = cause.reason
    if isinstance(cause, urllib3.exceptions.TimeoutError | TimeoutError) and not isinstance(
        cause, urllib3.exceptions.NewConnectionError
    ):
        return (
            f"{where} did not answer within {settings.influxdb_timeout_seconds:g} s: see to the server, or raise "
            "TOCSIN_INFLUXDB_TIMEOUT_SECONDS."
        )
    return f"{where} cannot be reached ({_cause(cause)}): start it, or set TOCSIN_INFLUXDB_URL."


def _cause(error: BaseException) -> str:
    """The innermost words of a failed connection."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.strerror:
            return seen.strerror
        seen = seen.__cause__ or seen.__context__
    return " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__


def _pause(headers: Any) -> float:
    """Seconds that a ``Retry-After`` asks for, within the limit; 0 without one.

    >>> _pause({"Retry-After": "7"}), _pause({"Retry-After": "86400"}), _pause(None), _pause({"Retry-After": "soon"})
    (7.0, 60.0, 0.0, 0.0)
    """
    text = (headers or {}).get("Retry-After")
    if text is None:
        return 0.0
    try:
        seconds = float(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
        except (TypeError, ValueError):
            return 0.0
        seconds = (moment - datetime.now(moment.tzinfo)).total_seconds()
    return min(max(seconds, 0.0), LONGEST_PAUSE_SECONDS) if seconds == seconds else 0.0
