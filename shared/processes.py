"""Child processes that do not outlive whoever started them."""

import os
import signal
import sys

#: Becomes the command, which on Linux is ended with the thread that started it, however that ends (PR_SET_PDEATHSIG).
_LAUNCHER = """
import os, sys
if sys.platform == "linux":
    import ctypes
    ctypes.CDLL(None).prctl(1, int(sys.argv[2]))
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
os.execv(sys.argv[3], sys.argv[3:])
"""


def bound_to_us(command: list[str], number: signal.Signals = signal.SIGTERM) -> list[str]:
    """A command line that runs `command` (its program by full path) and ends it with `number` when we end.

    >>> bound_to_us(["/bin/true"])[-1]
    '/bin/true'
    """
    return [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), str(int(number)), *command]
