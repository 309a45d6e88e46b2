"""The twin onto a board with MicroPython: copied with mpremote, compared file by file on the board, started.

The board's own count of boots and, unless others are given, its keys and `sensor.py` stay.
"""

import importlib.util
import sys
import tempfile
from pathlib import Path

from firmware.errors import FlashError
from firmware.flashing.staging import DEVICE_FOLDER, Staged
from firmware.flashing.tools import Outcome, Say, Step, run

COPY_LIMIT_SECONDS = 300
RUN_LIMIT_SECONDS = 60
#: Runs on the board: counts boots on from the last one known to this machine.
_BOOTS = """
last = 0
for name in ('boot', 'boot-copy'):
    try:
        with open('/{device}/' + name) as source:
            last = max(last, int(source.read()))
    except (OSError, ValueError):
        pass
if last < {last_boot}:
    for name in ('boot-copy', 'boot'):
        with open('/{device}/' + name, 'w') as target:
            target.write('{last_boot}')
"""
#: Runs on the board: the digest of each file, or what is wrong with it.
_DIGESTS = """
import binascii, hashlib
for path in {paths}:
    try:
        digest = hashlib.sha256()
        with open(path, 'rb') as source:
            while True:
                part = source.read(512)
                if not part:
                    break
                digest.update(part)
        print(path, binascii.hexlify(digest.digest()).decode())
    except OSError as error:
        print(path, 'missing')
"""


def plan(port: str, staged: Staged) -> list[Step]:
    """The steps, typed in the folder with the staged files; the last, the self-test, needs no tool."""
    connect = ("mpremote", "connect", port)
    return [
        Step(
            f"copy {len(staged.files)} files, {staged.total_bytes()} bytes (what is there already is left)",
            (*connect, "fs", "cp", "-r", *staged.tops(), ":"),
        ),
        Step("go on counting boots", (*connect, "run", "boots.py")),
        Step("compare the files on the board by SHA-256", (*connect, "run", "digests.py")),
        Step("start it and read its self-test"),
    ]


def flash(port: str, staged: Staged, say: Say) -> None:
    """Copy, compare; FlashError when the board holds something else than was sent, or cannot be reached."""
    if importlib.util.find_spec("mpremote") is None:
        raise FlashError("mpremote is not installed; install it with pip install 'tocsin[firmware]'")
    if port.startswith("/") and not Path(port).exists():
        raise FlashError(
            f"there is no port {port}; plug the board in, and look which ports there are with mpremote devs"
        )
    with tempfile.TemporaryDirectory(prefix="tocsin-flash-") as place:
        folder = Path(place)
        for file in staged.files:
            target = folder / file.path[1:]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.content)
        boots = _BOOTS.format(device=DEVICE_FOLDER, last_boot=staged.last_boot)
        (folder / "boots.py").write_text(boots, encoding="utf-8")
        digests = _DIGESTS.format(paths=[file.path for file in staged.files])
        (folder / "digests.py").write_text(digests, encoding="utf-8")
        *before, compare, _ = plan(port, staged)
        for step in before:
            say(step.purpose)
            _run(port, step, COPY_LIMIT_SECONDS, folder)
        say(compare.purpose)
        _compare(staged, _run(port, compare, RUN_LIMIT_SECONDS, folder).text)
    say(f"verified: the digests of all {len(staged.files)} files are right on the board")


def _run(port: str, step: Step, limit_seconds: float, folder: Path) -> Outcome:
    """Run a step of mpremote's with the one of this Python."""
    outcome = run((sys.executable, "-m", *step.command), limit_seconds, folder)
    if outcome.status == 0:
        return outcome
    said = outcome.last_line()
    if "failed to access" in said or "no device found" in said:
        raise FlashError(
            f"{port} cannot be opened ({said}); stop the gateway or monitor that reads it, and make sure that you are "
            "in the group of the port (Debian: sudo usermod -aG dialout $USER, then log in again)"
        )
    if "raw repl" in said:
        raise FlashError(
            f"no MicroPython answers on {port}; press the board's reset button and try again, or put it on"
        )
    if "ENOSPC" in outcome.text or "OSError: 28" in outcome.text:
        raise FlashError(f"the file system of the board on {port} is full; remove files with mpremote fs rm")
    raise FlashError(f"mpremote on {port}: {step.purpose}: {said}; reset the board and try again")


def _compare(staged: Staged, text: str) -> None:
    found = dict(line.split(" ", 1) for line in text.splitlines() if line.startswith("/") and " " in line)
    wrong = [file.path for file in staged.files if found.get(file.path, "").strip() != file.digest()]
    if wrong:
        raise FlashError(
            f"{len(wrong)} files on the board differ from what was sent, {wrong[0]} for one; flash it again"
        )
