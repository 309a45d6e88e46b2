"""Whether a file is the one that the catalogue means: by its bytes, or by what it says where only that can agree."""

import hashlib
import json
from pathlib import Path

import numpy as np

from tocsin.datasets.catalogue import Entry, File

_BLOCK_BYTES = 1 << 20


def is_right(path: Path, file: File, entry: Entry) -> bool:
    """Whether the file at `path` has the catalogued bytes, or else the catalogued content."""
    if path.stat().st_size == file.size and sha256_of(path) == file.sha256:
        return True
    if not file.content:
        return False
    kind, _, digest = file.content.partition(":")
    try:
        return digest == (content_of_npz(path) if kind == "npz" else content_of_streams(path, entry))
    except (OSError, ValueError, KeyError, EOFError):
        return False


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as content:
        while block := content.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def content_of_npz(path: Path) -> str:
    """SHA-256 over names, types, shapes and values of the arrays: the same however they were compressed."""
    digest = hashlib.sha256()
    with np.load(path, allow_pickle=False) as arrays:
        for name in sorted(arrays):
            array = np.ascontiguousarray(arrays[name])
            digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
            digest.update(array.tobytes())
    return digest.hexdigest()


def content_of_streams(path: Path, entry: Entry) -> str:
    """SHA-256 of what a JSON object says of the streams ``data/<key>`` of a set, whatever else it tells and however
    it is indented."""
    told = json.loads(path.read_text(encoding="utf-8"))
    streams = {file.name.removeprefix("data/") for file in entry.files}
    kept = {key: told[key] for key in sorted(streams & set(told))}
    return hashlib.sha256(json.dumps(kept, separators=(",", ":")).encode()).hexdigest()
