"""TCP ports of this machine for servers that other programs are told of before they listen."""

import atexit
import secrets
import socket
import sys
from collections import deque

from shared.errors import TocsinError

HOST = "127.0.0.1"
#: Below the ports of outgoing connections (Linux: from 32768, macOS: from 49152), above those of known services.
_RANGE = range(20_000, 32_000)
_TRIES = 100
#: Sockets that keep chosen ports ours, the newest ones of this process.
_held: deque[socket.socket] = deque()
_HELD_MAX = 256


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now, and that nobody else gets before it is used.

    The system's own choice, port 0, lies among those of outgoing connections: one of them could take it before the
    server listens, or while a server that died is started again. On Linux the port is also held, so that no other call
    gives it as long as this process lives: a server that reuses addresses, as all do that start again on their port,
    can listen there all the same. Elsewhere that is not possible, and only chance keeps two calls apart.

    Raises
    ------
    TocsinError
        None was free in a hundred tries.
    """
    for _ in range(_TRIES):
        port = _RANGE[secrets.randbelow(len(_RANGE))]
        if _take(port):
            return port
    raise TocsinError(f"No TCP port of {HOST} was free among {_RANGE[0]} to {_RANGE[-1]}: end programs that listen.")


def _take(port: int) -> bool:
    """Whether nobody has a port; then it is held."""
    probe = socket.socket()
    try:
        probe.bind((HOST, port))
    except OSError:
        probe.close()
        return False
    if sys.platform != "linux":
        probe.close()
        return True
    # Only now: with it, the port of another call's held socket would have looked free.
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    _held.append(probe)
    if len(_held) > _HELD_MAX:
        _held.popleft().close()
    return True


@atexit.register
def _release() -> None:
    """Close what is held, in order."""
    while _held:
        _held.pop().close()
