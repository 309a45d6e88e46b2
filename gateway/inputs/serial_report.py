"""What a running gateway leaves in its data folder about its serial lines, for `tocsin gateway status`."""

import contextlib
import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_NAME = "serial-lines.json"


@dataclass(frozen=True, slots=True)
class LineReport:
    """How a line stands. `frames` and `refused` count since the gateway started; `reason` says why it is away."""

    address: str
    connected: bool
    device: str | None
    frames: int
    refused: int
    reason: str


def write_report(folder: Path, lines: Sequence[LineReport]) -> None:
    """Write it whole or not at all; a disk without room is no reason to stop."""
    path = folder / _NAME
    with contextlib.suppress(OSError):
        if not lines:
            path.unlink(missing_ok=True)
            return
        unfinished = path.with_suffix(".unfinished")
        report = {"time": time.time(), "lines": [asdict(line) for line in lines]}
        unfinished.write_text(json.dumps(report), encoding="utf-8")
        os.replace(unfinished, path)  # noqa: PTH105


def read_report(folder: Path) -> list[dict[str, Any]]:
    """The fields of each line's report and `seconds_ago`; empty if the gateway has no line."""
    try:
        report = json.loads((folder / _NAME).read_text(encoding="utf-8"))
        return [{**line, "seconds_ago": round(time.time() - report["time"], 1)} for line in report["lines"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []
