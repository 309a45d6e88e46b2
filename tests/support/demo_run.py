"""Running `tocsin demo` as a person would, without a terminal, and reading what it left behind."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
from waiting import PATIENCE_SECONDS

from firmware.host.journal import read_journal

#: For a whole demo; with the marks of `pytestmark`, which are for tests that run one.
LIMIT_SECONDS = 560


def run_demo(folder: Path, *arguments: str) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """The finished process and its summary (empty when it wrote none)."""
    process = start_demo(folder, *arguments)
    return finish(process, folder)


def start_demo(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """The demo, running."""
    return subprocess.Popen(
        [sys.executable, "-m", "tocsin", "demo", "--data", str(folder), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str], folder: Path) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """Wait for the demo's end."""
    try:
        output, _ = process.communicate(timeout=LIMIT_SECONDS)
    except subprocess.TimeoutExpired:
        process.terminate()
        output, _ = process.communicate(timeout=PATIENCE_SECONDS)
        raise AssertionError(f"the demo did not end within {LIMIT_SECONDS} s:\n{output}") from None
    summary = folder / "summary.json"
    return (
        subprocess.CompletedProcess(process.args, process.returncode, output),
        json.loads(summary.read_text()) if summary.exists() else {},
    )


def stored_readings(folder: Path) -> dict[str, list[tuple[int, int]]]:
    """(boot, sequence) of every row in the cloud's store, by device."""
    (database,) = (folder / "cloud").glob("**/*.duckdb")
    with duckdb.connect(str(database), read_only=True) as connection:
        rows = connection.execute("SELECT device, boot, sequence FROM all_readings ORDER BY ALL").fetchall()
    found: dict[str, list[tuple[int, int]]] = {}
    for device, boot, sequence in rows:
        found.setdefault(device, []).append((boot, sequence))
    return found


def produced_readings(folder: Path) -> dict[str, list[tuple[int, int]]]:
    """(boot, sequence) of every reading that the sensors wrote into their journals, by device."""
    return {
        journal.parent.name: [
            (entry.boot, sequence)
            for entry in read_journal(journal)
            for sequence in range(entry.sequence, entry.sequence + entry.readings)
        ]
        for journal in (folder / "fleet").glob("*/journal")
    }


def processes_of(folder: Path, session: int) -> list[str]:
    """Command lines of the processes that know of `folder` or stand in its session (not on Linux: by `ps`)."""
    if not Path("/proc/self/environ").exists():
        listing = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
        return [line for line in listing.splitlines() if str(folder) in line]
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes()
            surroundings = (entry / "environ").read_bytes()
            state, _parent, _group, its_session = (entry / "stat").read_text().rsplit(")", 1)[1].split()[:4]
        except (OSError, ValueError):
            continue  # it has just ended
        known = str(folder).encode() in command + surroundings or int(its_session) == session
        if known and state != "Z":
            found.append(command.replace(b"\0", b" ").decode(errors="replace"))
    return found
