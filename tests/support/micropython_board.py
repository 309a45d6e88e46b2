"""The real MicroPython in Node.js: as a board on a pseudo-terminal, and as a program that runs a module.

The npm package is fetched once, at the version and digest of `micropython_vm/package-lock.json`, into a cache outside
the repository.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import tty
from pathlib import Path

import pytest

from firmware.flashing.modules import ROOT, needed_files

SCRIPTS = Path(__file__).parent / "micropython_vm"
FETCH_SECONDS = 120
_PACKAGE = Path("node_modules/@micropython/micropython-webassembly-pyscript/micropython.mjs")


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    lock = (SCRIPTS / "package-lock.json").read_bytes()
    return Path(base) / "tocsin" / "node" / f"micropython-{hashlib.sha256(lock).hexdigest()[:12]}"


def _fetch(folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not here; install Node.js 18 or later with npm, and the twin runs on the real MicroPython")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as staging:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(SCRIPTS / name, staging)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", staging]
        try:
            done = subprocess.run(
                command, cwd=staging, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            pytest.skip("npm did not fetch the MicroPython VM in time; connect this machine to the npm registry once")
        if "EINTEGRITY" in done.stderr:
            pytest.fail(f"the MicroPython VM that npm fetched is not the pinned one: {done.stderr}")
        if done.returncode:
            pytest.skip("npm cannot fetch the MicroPython VM; connect this machine to the npm registry once")
        folder.mkdir()
        Path(staging, "node_modules").rename(folder / "node_modules")


def micropython_vm() -> Path:
    """The VM's module, fetched at its first use; skips the test when it cannot be had."""
    if shutil.which("node") is None:
        pytest.skip("node is not here; install Node.js 18 or later, and the twin runs on the real MicroPython")
    folder = _cache()
    if not (folder / _PACKAGE).is_file():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with (folder.parent / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / _PACKAGE).is_file():
                shutil.rmtree(folder, ignore_errors=True)
                _fetch(folder)
    return folder / _PACKAGE


def lay_out(folder: Path) -> None:
    """Put the twin's modules and main.py into `folder` as they stand on a board."""
    for path in needed_files():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, folder / path)
    shutil.copy(ROOT / "firmware/micropython/main.py", folder / "main.py")


def run_module(folder: Path, module: str, *, heap_kib: int = 16384, limit_seconds: float = 120) -> str:
    """Run `module` of `folder` in the VM, step by step; what it printed. Its files of /out are in ``folder/out``."""
    command = ["node", str(SCRIPTS / "run.mjs"), str(micropython_vm()), str(folder), module, str(heap_kib)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=limit_seconds, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


class MicroPythonBoard:
    """A board on a pseudo-terminal, `port`, with the files of `folder`."""

    def __init__(self, folder: Path) -> None:
        program = micropython_vm()
        board, self._line = os.openpty()
        tty.setraw(self._line)
        os.set_blocking(board, False)
        self.port = os.ttyname(self._line)
        self._process = subprocess.Popen(
            ["node", str(SCRIPTS / "board.mjs"), str(program), str(folder)], stdin=board, stdout=board
        )
        os.close(board)

    def __enter__(self) -> "MicroPythonBoard":
        return self

    def __exit__(self, *_exception: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._line)
