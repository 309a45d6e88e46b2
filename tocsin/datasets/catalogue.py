"""The catalogue: one TOML file a set, with its home, licence, facts, and the size and SHA-256 of every file."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from shared.errors import TocsinError, UsageError

#: What `show` prints, in its order.
FACTS = ("home", "licence", "redistribution", "citation", "sampling", "channels", "labels", "protocol", "remark")
#: How a set comes from its home: file by file, out of an archive, or as pickled arrays that are joined to .npz files.
KINDS = ("files", "archive", "pickles")


@dataclass(frozen=True, slots=True)
class File:
    """A file of a set, as the committed results were computed on.

    Attributes
    ----------
    name
        Below the folder of the set, with ``/``.
    size, sha256
        Of its bytes.
    content
        ``npz:`` or ``streams:`` and a SHA-256 of what the file says, where its home has it in other bytes; else empty.
    at
        Where the source has it; like `name` if it is not said.
    """

    name: str
    size: int
    sha256: str
    content: str
    at: str


@dataclass(frozen=True, slots=True)
class Source:
    """Where the files of a set come from: `address` ends with ``/`` for files and pickles, and is a .zip, .tar.gz or
    .tgz for an archive. `inner` names an archive within the archive; `inside` is the folder in it."""

    kind: str
    address: str
    inner: str = ""
    inside: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A set of recordings. `folder` is its place below the folder of all recordings; `exam` names the protocol of
    ``tocsin evaluate`` that uses it, or is empty; `facts` has the keys of `FACTS`."""

    name: str
    title: str
    folder: str
    exam: str
    facts: dict[str, str]
    source: Source | None
    files: tuple[File, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


def catalogue_folder() -> Path:
    """Where the TOML files lie."""
    return Path(__file__).parent / "catalogue"


def names() -> list[str]:
    """Names of all sets."""
    return sorted(path.stem.upper() for path in catalogue_folder().glob("*.toml"))


def entries() -> Iterator[Entry]:
    """All sets, by name."""
    return (entry(name) for name in names())


def entry(name: str) -> Entry:
    """The set of that name, in capitals or not; UsageError when there is none."""
    if name.upper() not in names():
        raise UsageError(f"there is no set of recordings {name!r}; choose one of {', '.join(names())}")
    return _read(catalogue_folder() / f"{name.lower()}.toml")


@cache
def _read(path: Path) -> Entry:
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
        return _entry(path.stem.upper(), told)
    except (ValueError, KeyError, TypeError) as error:
        raise TocsinError(f"{path} is no entry of the catalogue ({error}); install Tocsin again") from error


def _entry(name: str, told: dict[str, Any]) -> Entry:
    source = Source(**told["source"]) if "source" in told else None
    if source is not None and source.kind not in KINDS:
        raise ValueError(f"a source is one of {', '.join(KINDS)}, not {source.kind}")
    files = tuple(
        File(_inside(row["name"]), row["bytes"], row["sha256"], row.get("content", ""), row.get("at", row["name"]))
        for row in told.get("content", {}).get("files", ())
    )
    facts = {key: told.get(key, "") for key in FACTS}
    return Entry(name, told["title"], _inside(told["folder"]), told.get("exam", ""), facts, source, files)


def _inside(name: str) -> str:
    """A relative path that cannot leave its folder."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"{name} leads out of the folder")
    return name
