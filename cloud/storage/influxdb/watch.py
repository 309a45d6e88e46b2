"""Whether InfluxDB can be used at this moment: asked every few seconds, also while there is nothing to store."""

import logging
import threading
import time
from collections.abc import Callable

from cloud.errors import CloudError
from cloud.storage.influxdb.answers import PointsRefused
from cloud.storage.influxdb.connection import Connection
from cloud.storage.influxdb.flux import source
from cloud.storage.influxdb.layout import READINGS

_log = logging.getLogger(__name__)
#: Between two looks.
PAUSE_SECONDS = 15.0


class ServerWatch(threading.Thread):
    """Writes no line and reads one empty nanosecond, with the settings' token and bucket.

    Both fail for what stops a real request at once: no server, no bucket, a token that may not. Who uses the store
    tells `trouble`.
    """

    def __init__(self, connection: Connection, bucket: str) -> None:
        super().__init__(name="influxdb-watch", daemon=True)
        self._connection = connection
        self._bucket = bucket
        self._stopping = threading.Event()
        #: When the last write was begun (monotonic seconds), and what came of it.
        self._write: tuple[float, str] = (0.0, "")
        self._query_trouble = ""

    def trouble(self) -> str:
        """What the last look found, one sentence, empty if all was well; a later write that succeeded outdoes it."""
        begun, trouble = self._write
        return trouble if trouble and self._connection.written_at < begun else self._query_trouble

    def run(self) -> None:
        """The life of the thread."""
        self.look()
        if not self.trouble():
            _log.info("readings go into bucket %s of InfluxDB at %s", self._bucket, self._connection.url)
        while not self._stopping.wait(PAUSE_SECONDS):
            self.look()

    def look(self) -> None:
        """Ask once. Where nothing can be written, nothing is queried."""
        begun = time.monotonic()
        write_trouble = _trouble_of(lambda: self._connection.write(b""))
        self._write = begun, write_trouble
        query = source(self._bucket, READINGS, "", 0, 1, ["time_ns"])
        self._query_trouble = "" if write_trouble else _trouble_of(lambda: self._connection.query(query))

    def stop(self) -> None:
        """End the thread; one that waits for an answer is left to its time-out."""
        self._stopping.set()
        if self.is_alive():
            self.join(1.0)


def _trouble_of(request: Callable[[], object]) -> str:
    try:
        request()
    except CloudError as error:
        return str(error)
    except PointsRefused:
        return ""  # it answers, and found no fault with token or bucket
    return ""
