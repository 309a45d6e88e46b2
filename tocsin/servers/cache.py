"""Where the servers of this machine lie, and which one is taken.

A program that was built here lies in ``<cache>/influxdb-<version>/influxd``; one that the machine has is taken from the
environment variable ``TOCSIN_INFLUXD`` or from the path, when what it says of itself fits.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

from shared.errors import UsageError

INFLUXDB_2 = "2.7.12"
INFLUXDB_1 = "1.8.10"
#: `influxd version` reads a few kilobytes and ends; one that does not is no influxd.
_VERSION_SECONDS = 20.0
#: What a build without a version says: 1.x calls itself "vunknown", 2.x "dev".
_UNNAMED = {"unknown": (1,), "dev": (2,)}


def cache_folder() -> Path:
    """The folder of the servers built here: ``${XDG_CACHE_HOME:-~/.cache}/tocsin/servers``; perhaps not there yet."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "tocsin" / "servers"


def built_influxd(version: str) -> Path:
    """Where `tocsin servers build` puts the program of a version; perhaps not there yet."""
    return cache_folder() / f"influxdb-{version}" / "influxd"


def find_influxd(version: str = INFLUXDB_2, *, any_2: bool = True) -> Path | None:
    """An influxd for `version`: ``TOCSIN_INFLUXD``, else the cache, else the path; None when there is none.

    Parameters
    ----------
    version
        What is wanted, such as ``2.7.12``; another patch of the same major and minor will do.
    any_2
        Any 2.x from ``TOCSIN_INFLUXD`` or the path will do where a 2.x is wanted.

    Raises
    ------
    UsageError
        ``TOCSIN_INFLUXD`` names something that is not an influxd.
    """
    named = os.environ.get("TOCSIN_INFLUXD")
    if named:
        says = version_of(Path(named))
        if says is None:
            raise UsageError(
                f"TOCSIN_INFLUXD is {named}, which does not run as an influxd: name the program influxd, or unset it."
            )
        if fits(says, version, any_2=any_2):
            return Path(named).absolute()
    built = built_influxd(version)
    if os.access(built, os.X_OK):
        return built
    on_path = shutil.which("influxd")
    if on_path is not None:
        says = version_of(Path(on_path))
        if says is not None and fits(says, version, any_2=any_2):
            return Path(on_path).absolute()
    return None


def version_of(binary: Path) -> tuple[int, ...] | None:
    """What an influxd says of itself: ``(2, 7, 12)``, ``(2,)`` for a build without a version, None for no influxd."""
    try:
        answer = subprocess.run(
            [str(binary), "version"], capture_output=True, text=True, timeout=_VERSION_SECONDS, check=False
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return parse_version(answer.stdout) if answer.returncode == 0 else None


def parse_version(text: str) -> tuple[int, ...] | None:
    """The numbers in the output of ``influxd version``.

    >>> parse_version("InfluxDB v2.7.12 (git: ec9dcde5d6) build_date: 2025-05-20T22:48:52Z")
    (2, 7, 12)
    >>> parse_version("InfluxDB v1.8.10 (git: 1.8 688e697c51fd5353725da078555adbeff0363d01)")
    (1, 8, 10)
    >>> parse_version("InfluxDB dev (git: none) build_date: 2026-11-22T18:47:42Z")
    (2,)
    >>> parse_version("etcd Version: 3.5.0") is None
    True
    """
    found = re.match(r"InfluxDB v?(\d+(?:\.\d+)*|unknown|dev)", text.strip())
    if found is None:
        return None
    return _UNNAMED.get(found[1]) or tuple(int(number) for number in found[1].split("."))


def fits(says: tuple[int, ...], wanted: str, *, any_2: bool) -> bool:
    """Whether a program of version `says` will do where `wanted` is asked for.

    >>> fits((1, 8, 4), "1.8.10", any_2=True), fits((2, 6, 1), "2.7.12", any_2=True)
    (True, True)
    >>> fits((2, 6, 1), "2.7.12", any_2=False), fits((2, 7), "1.8.10", any_2=True), fits((3, 0), "2.7.12", any_2=True)
    (False, False, False)
    """
    line = tuple(int(number) for number in wanted.split("."))[:2]
    same = says[: len(line)] == line[: len(says)]
    return same or (any_2 and line[0] == 2 == says[0])
