"""The store when ``TOCSIN_STORE=influxdb``: the server that the environment names, else one of the demo's own."""

import os
import secrets
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from cloud.storage.settings import INFLUXDB, store_settings_from
from tocsin.servers.build import build_server
from tocsin.servers.cache import find_influxd
from tocsin.servers.influxdb import InfluxServer

ORGANISATION = "tocsin"
BUCKET = "demo"
VERSION = "2.7.12"


def _wants_own_server() -> bool:
    return os.environ.get("TOCSIN_STORE") == INFLUXDB and not os.environ.get("TOCSIN_INFLUXDB_URL")


def check_store() -> None:
    """`UsageError` when the environment names a store that cannot be."""
    if not _wants_own_server():
        store_settings_from()


def own_server(say: Callable[[str], None]) -> Path | None:
    """The program of the demo's own server, built when it is nowhere; None when none of its own is wanted.

    Raises
    ------
    TocsinError
        There is no server, and none can be built here.
    """
    if not _wants_own_server():
        return None
    return find_influxd(VERSION) or build_server("influxdb", say)


def start_server(binary: Path, folder: Path, stack: ExitStack) -> dict[str, str]:
    """Start the demo's own server in `folder`; the settings by which the cloud finds it. It ends with `stack`."""
    server = stack.enter_context(InfluxServer(folder, binary=binary))
    token = secrets.token_urlsafe(32)
    token_file = folder / "token"
    token_file.touch(0o600)
    token_file.write_text(token + "\n", encoding="ascii")
    server.set_up(ORGANISATION, BUCKET, token, password=secrets.token_urlsafe(32))
    return {
        "TOCSIN_INFLUXDB_URL": server.url,
        "TOCSIN_INFLUXDB_ORGANISATION": ORGANISATION,
        "TOCSIN_INFLUXDB_BUCKET": BUCKET,
        "TOCSIN_INFLUXDB_TOKEN_FILE": str(token_file),
    }
