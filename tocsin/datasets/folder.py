"""Where recordings lie on this machine: one folder for all sets, never one inside the repository by itself."""

import os
import sys
from pathlib import Path

VARIABLE = "TOCSIN_DATASETS"


def recordings_folder() -> Path:
    """The folder with a folder per set: ``TOCSIN_DATASETS``, else the cache that `fetch` fills; perhaps not there yet.

    The cache is ``${XDG_CACHE_HOME:-~/.cache}/tocsin/datasets``, on macOS ``~/Library/Caches/tocsin/datasets``.
    """
    named = os.environ.get(VARIABLE, "")
    if named:
        return Path(named).expanduser()
    base = os.environ.get("XDG_CACHE_HOME", "")
    if base:
        return Path(base) / "tocsin" / "datasets"
    return Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "tocsin" / "datasets"
