"""Requests to InfluxDB: lines are written, queries answered as CSV; whatever goes wrong is one of our errors."""

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import influxdb_client
import urllib3.exceptions
from influxdb_client.client.exceptions import InfluxDBError
from influxdb_client.client.write_api import SYNCHRONOUS

from cloud.storage.influxdb.answers import NotNow, not_now, query_failed, refusal_of
from cloud.storage.settings import StoreSettings
from shared.credentials import read_secret
from shared.errors import TocsinError, UsageError

#: A whole answer may take so many time-outs, however steadily it drips.
ANSWER_TIMEOUTS = 6
_CHUNK_BYTES = 1 << 20
_TOKEN_VARIABLE = "TOCSIN_INFLUXDB_TOKEN_FILE"  # noqa: S105  (the name of the setting)
#: The library leaves the types of half of its functions out.
_library: Any = influxdb_client
#: Plain CSV with a header, without annotations; times with all their digits.
_CSV = _library.Dialect(header=True, delimiter=",", annotations=[], comment_prefix="#", date_time_format="RFC3339Nano")
_FAILURES = (InfluxDBError, urllib3.exceptions.HTTPError, OSError)

Answer = TypeVar("Answer")


class Connection:
    """One InfluxDB, from any number of threads. Nothing is asked before the first request.

    Raises
    ------
    UsageError
        The token file cannot be read or holds none; only by the constructor.

    Attributes
    ----------
    url
        Where it is.
    written_at
        When the last write was taken, monotonic seconds.
    """

    def __init__(self, settings: StoreSettings) -> None:
        self.url = settings.influxdb_url
        self.written_at = 0.0
        self._settings = settings
        self._lock = threading.Lock()
        self._token = _token(settings)
        self._client: Any = None
        self._not_before = 0.0
        self._pause_told: NotNow | None = None
        self._is_2: bool | None = None

    def write(self, lines: bytes) -> None:
        """Write lines, with times in ns; they are durable when this returns.

        Raises
        ------
        PointsRefused
            The server takes some of them, or none.
        StoreUnavailable
            Not now.
        """
        settings = self._settings
        self._ask(
            lambda client: client.write_api(write_options=SYNCHRONOUS).write(
                settings.influxdb_bucket, settings.influxdb_organisation, lines
            ),
            is_write=True,
        )
        self.written_at = time.monotonic()

    def query(self, flux: str) -> bytes:
        """The CSV that answers a query.

        Raises
        ------
        CloudError
            The server does not understand it.
        StoreUnavailable
            Not now.
        """

        return self._ask(
            lambda client: self._whole(client.query_api().query_raw(flux, self._settings.influxdb_organisation, _CSV)),
            is_write=False,
        )

    def query_influxql(self, statement: str) -> bytes:
        """The CSV that answers an InfluxQL statement, with times in ns. For InfluxDB 1.8; errors as of `query`."""
        database, _, policy = self._settings.influxdb_bucket.partition("/")
        parameters = {"db": database, "rp": policy, "q": statement, "epoch": "ns"}

        def ask(client: Any) -> bytes:
            return self._whole(
                client.api_client.call_api(
                    "/query",
                    "POST",
                    query_params=[(name, value) for name, value in parameters.items() if value],
                    header_params={"Accept": "application/csv"},
                    response_type="file",
                    _preload_content=False,
                    _return_http_data_only=True,
                )
            )

        return self._ask(ask, is_write=False)

    def _whole(self, answer: Any) -> bytes:
        """All of an answer, if it comes in time."""
        deadline = time.monotonic() + ANSWER_TIMEOUTS * self._settings.influxdb_timeout_seconds
        chunks = []
        try:
            for chunk in answer.stream(_CHUNK_BYTES):
                chunks.append(chunk)
                if time.monotonic() > deadline:
                    raise TimeoutError
        except BaseException:
            answer.close()  # the rest of it must not reach the next request
            raise
        answer.release_conn()
        return b"".join(chunks)

    def is_2(self) -> bool:
        """Whether the server is an InfluxDB 2, which works out windows in its storage engine; 1.8 does not."""
        if self._is_2 is None:

            def look(client: Any) -> bool:
                try:
                    _library.SetupService(client.api_client).get_setup()
                except InfluxDBError as error:
                    if getattr(error, "status", None) != 404:
                        raise
                    return False
                return True

            self._is_2 = self._ask(look, is_write=False)
        return self._is_2

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _ask(self, request: Callable[[Any], Answer], *, is_write: bool) -> Answer:
        if self._pause_told is not None and time.monotonic() < self._not_before:
            raise self._pause_told
        try:
            return request(self._ready())
        except _FAILURES as error:
            refused = refusal_of(error)
            if refused is not None:
                raise (refused if is_write else query_failed(refused.reason, self._settings)) from error
            told = not_now(error, self._settings)
            if told.pause_seconds:
                self._pause_told, self._not_before = told, time.monotonic() + told.pause_seconds
            if told.token_refused:
                self._read_token_again()
            raise told from error

    def _ready(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = _library.InfluxDBClient(
                    self._settings.influxdb_url,
                    self._token,
                    org=self._settings.influxdb_organisation,
                    timeout=round(self._settings.influxdb_timeout_seconds * 1000),
                )
            return self._client

    def _read_token_again(self) -> None:
        """The file may hold another token by now; one that cannot be read changes nothing."""
        try:
            token = _token(self._settings)
        except TocsinError:
            return
        if token != self._token:
            self._token = token
            self.close()


def _token(settings: StoreSettings) -> str:
    path = settings.influxdb_token_file
    if path is None:
        raise UsageError(f"{_TOKEN_VARIABLE} must name the file that holds InfluxDB's token.")
    token = read_secret(path, _TOKEN_VARIABLE, shortest=1)  # in 1.8 it is a user's password
    if not token.isprintable():
        raise UsageError(f"The secret file {path} ({_TOKEN_VARIABLE}) holds more than one line: write the token alone.")
    return token
