"""One training as a process: its progress read line by line, its life bounded by ours and by a time limit."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from cloud.errors import CloudError
from cloud.jobs.request import LOG
from shared.processes import bound_to_us

TRAINING_MODULE = "cloud.training.job"


class TrainingProcess:
    """A training that runs now.

    Parameters
    ----------
    folder
        The request folder; what the process says beside its progress goes into its log file.
    on_progress
        Called with (stage, done, total) for each line of progress.
    """

    def __init__(self, folder: Path, on_progress: Callable[[str, int, int], None]) -> None:
        self._folder = folder
        self._on_progress = on_progress
        self._ended_by = ""
        with (folder / LOG).open("wb") as log:
            self._process = subprocess.Popen(
                bound_to_us([sys.executable, "-m", TRAINING_MODULE, str(folder)], signal.SIGKILL),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )

    def wait(self, timeout_seconds: float) -> None:
        """Follow it to its end.

        Raises
        ------
        CloudError
            It failed, was cancelled or took longer than `timeout_seconds`.
        """
        limit = threading.Timer(timeout_seconds, self.end, [f"it took longer than {timeout_seconds:g} s"])
        limit.daemon = True
        limit.start()
        try:
            assert self._process.stdout is not None
            with self._process.stdout as lines:
                for line in lines:
                    self._read(line)
            status = self._process.wait()
        finally:
            limit.cancel()
        if self._ended_by:
            raise CloudError(f"The training was ended: {self._ended_by}.")
        if status:
            raise CloudError(f"The training failed with status {status} ({self._last_words()}).")

    def end(self, reason: str) -> None:
        """Kill it and everything it started."""
        if self._process.poll() is None:
            self._ended_by = self._ended_by or reason
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _read(self, line: bytes) -> None:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            progress = json.loads(line)
            self._on_progress(str(progress["stage"]), int(progress["done"]), int(progress["total"]))

    def _last_words(self) -> str:
        log = self._folder / LOG
        lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
        return f"{lines[-1]}; see {log}" if lines else f"see {log}"
