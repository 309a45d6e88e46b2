"""The cloud as a process: HTTP server and ingest together, ended cleanly by SIGTERM or Ctrl-C."""

import contextlib
import logging
import signal
import socket
import threading
from collections.abc import Iterator
from types import FrameType

import uvicorn

from cloud.api.access import ensure_token, token_path
from cloud.api.application import create_application
from cloud.errors import CloudError
from cloud.registry.keys import ensure_signing_key
from cloud.settings import CloudSettings
from cloud.tier import CloudTier

_log = logging.getLogger(__name__)
#: Browsers keep their connections open; nobody waits for them longer than this.
SHUTDOWN_SECONDS = 2


class _Server(uvicorn.Server):
    """A server that leaves the signals to `serve`."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def serve(settings: CloudSettings) -> None:
    """Run until a signal comes.

    Raises
    ------
    CloudError
        The port is taken, the data folder is in use, or the ingest ended by itself.
    UsageError
        A secret file is missing or holds no secret.
    """
    _check_secrets(settings)
    listener = listen(settings.host, settings.port)
    try:
        tier = CloudTier(settings)
    except BaseException:
        listener.close()
        raise
    try:
        _serve(tier, listener)
    finally:
        listener.close()
        tier.close()
    if tier.ingest.failure is not None:
        raise CloudError(f"The cloud ended because the ingest failed ({tier.ingest.failure}): see the log.")


def _check_secrets(settings: CloudSettings) -> None:
    """UsageError before anything is opened when a secret file that the operator named is not usable."""
    settings.broker_login()
    if settings.api_token_file is not None:
        ensure_token(settings.data_folder, settings.api_token_file)
    if settings.signing_key_file is not None:
        ensure_signing_key(settings.data_folder, settings.signing_key_file)


def _serve(tier: CloudTier, listener: socket.socket) -> None:
    application = create_application(tier)
    if tier.settings.console:
        from cloud.console.page import mount_console

        mount_console(application, tier)
    server = _Server(
        uvicorn.Config(
            application,
            log_config=None,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
    )

    def end(_signal: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    tier.start()
    watch = threading.Thread(target=_end_with_ingest, args=(tier, server), name="watch", daemon=True)
    watch.start()
    host, port = listener.getsockname()[:2]
    _log.info("API at http://%s:%d/api/assets, console at http://%s:%d/", host, port, host, port)
    _log.info("access token in %s", token_path(tier.settings.data_folder, tier.settings.api_token_file))
    try:
        server.run(sockets=[listener])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end_with_ingest(tier: CloudTier, server: _Server) -> None:
    """A cloud that takes nothing in must not look alive."""
    tier.ingest.join()
    server.should_exit = True


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one.

    Raises
    ------
    CloudError
        The address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise CloudError(
            f"The cloud cannot listen on port {port} of {host} ({error.strerror}): "
            "stop what listens there or give another --port."
        ) from error
    return listener
