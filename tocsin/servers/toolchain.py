"""The tools that building a server takes, and what to do about one that is not there."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass

from shared.errors import TocsinError

_TOOL_SECONDS = 30.0


class MissingToolsError(TocsinError):
    """A server cannot be built here for want of tools; nothing was tried."""


@dataclass(frozen=True)
class Tool:
    """A program on the path: any of `names`, at least of version `oldest` where that is asked; `remedy` brings it."""

    names: tuple[str, ...]
    remedy: str
    oldest: tuple[int, ...] = ()
    question: str = "--version"

    def find(self) -> str | None:
        """The program's full path, None when there is none that will do."""
        found = next((place for name in self.names if (place := shutil.which(name))), None)
        if found is None or (self.oldest and version_in(self._asked(found)) < self.oldest):
            return None
        return found

    def _asked(self, program: str) -> str:
        try:
            answer = subprocess.run(
                [program, self.question],
                capture_output=True,
                text=True,
                timeout=_TOOL_SECONDS,
                check=False,
                env=os.environ | rust_settings(),
            )
        except (OSError, subprocess.TimeoutExpired):
            return ""
        return answer.stdout if answer.returncode == 0 else ""

    def __str__(self) -> str:
        oldest = ".".join(str(number) for number in self.oldest)
        return f"{self.names[0]} {oldest} or newer" if oldest else self.names[0]


def rust_settings() -> dict[str, str]:
    """What rustup is told: its stable toolchain, unless the user chose one; sources may pin one that is not there."""
    return {} if os.environ.get("RUSTUP_TOOLCHAIN") else {"RUSTUP_TOOLCHAIN": "stable"}


def go(oldest: tuple[int, ...]) -> Tool:
    """Go, at least of this version."""
    remedy = "Go (Debian: apt install golang-go where that is new enough, or the Go project's own packages)"
    return Tool(("go",), remedy, oldest, "version")


CARGO = Tool(
    ("cargo",), "Rust (the Rust project's rustup; Debian: apt install cargo where that is new enough)", (1, 72)
)
PKG_CONFIG = Tool(("pkg-config",), "pkg-config (Debian: apt install pkg-config)")
COMPILER = Tool(("cc", "gcc", "clang"), "a C compiler (Debian: apt install gcc)")


def version_in(text: str) -> tuple[int, ...]:
    """The first version in what a tool says; empty when there is none.

    >>> version_in("go version go1.26.8 linux/amd64"), version_in("cargo 1.95.0 (f2d3ce0bd 2026-03-21)")
    ((1, 26, 8), (1, 95, 0))
    """
    found = re.search(r"\d+(?:\.\d+)+", text)
    return tuple(int(number) for number in found[0].split(".")) if found else ()


def require(tools: tuple[Tool, ...], purpose: str) -> None:
    """Return when all are there.

    Raises
    ------
    MissingToolsError
        Some are not: one sentence with their names and how to get them.
    """
    missing = [tool for tool in tools if tool.find() is None]
    if missing:
        raise MissingToolsError(
            f"{purpose} needs {_listed([str(tool) for tool in missing])}, not found on the path: install "
            f"{_listed([tool.remedy for tool in missing])}, or name an influxd in TOCSIN_INFLUXD, or use a server "
            "elsewhere by TOCSIN_INFLUXDB_URL."
        )


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
