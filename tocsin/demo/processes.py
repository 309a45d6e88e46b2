"""The demo's child processes: started with a log each, watched, and ended with it, whatever happens.

Children get a session of their own, so that Ctrl-C reaches the demo alone, which then ends them in order.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from shared.errors import TocsinError
from shared.processes import bound_to_us

STOP_SECONDS = 60.0


class Child:
    """One process: `python -m <module> <arguments>` with `environment` added to ours."""

    def __init__(self, name: str, arguments: list[str], environment: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        self._arguments = arguments
        self._environment = {**os.environ, **environment, "PYTHONUNBUFFERED": "1"}
        self._stopping = False
        self.restarts = -1
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it (again)."""
        self.restarts += 1
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                bound_to_us([sys.executable, "-m", *self._arguments]),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._environment,
                start_new_session=True,
            )

    @property
    def pid(self) -> int | None:
        """Its process id, None before the start."""
        return None if self.process is None else self.process.pid

    def alive(self) -> bool:
        """Whether it runs."""
        return self.process is not None and self.process.poll() is None

    def watch(self, limit: int = 5) -> None:
        """Start it again if it was killed; raise TocsinError if it ended with an error of its own, or keeps dying."""
        status = None if self.process is None else self.process.poll()
        if status is None or self._stopping:
            return
        if status >= 0 or self.restarts >= limit:
            raise TocsinError(f"the {self.name} ended with status {status}: {self.last_words()} (log: {self.log})")
        self.start()

    def last_words(self) -> str:
        """The last line of its log."""
        lines = [line for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        return lines[-1] if lines else "it said nothing"

    def ask_to_stop(self) -> None:
        """Send SIGTERM."""
        self._stopping = True
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def wait(self, seconds: float = STOP_SECONDS) -> None:
        """Wait for its end, by force once the time is over."""
        if self.process is None:
            return
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
