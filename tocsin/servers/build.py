"""InfluxDB built from its published sources, once, into the cache.

A Go module of our own names the wanted version, so that Go fetches it and checks it against its checksum database. 2.x
also holds a Rust part (the Flux parser), which InfluxData's own `pkg-config` builds with cargo while Go compiles.
"""

import contextlib
import fcntl
import os
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from shared.errors import TocsinError, UsageError
from shared.processes import bound_to_us
from tocsin.servers.cache import INFLUXDB_1, INFLUXDB_2, built_influxd, cache_folder
from tocsin.servers.toolchain import CARGO, COMPILER, PKG_CONFIG, Tool, go, require, rust_settings

LIMIT_SECONDS = 30 * 60.0
"""A build that takes longer hangs: cold, on two cores, the longer one took five minutes."""
_OUR_MODULE = "tocsin.invalid/servers"
_FLUX_BUILDER = "github.com/influxdata/pkg-config@v0.2.14"
#: Newer Rust takes what the Flux sources forbid themselves as errors; RUSTFLAGS does not reach that build.
_LENIENT_RUSTC = '#!/bin/sh\nexec "$@" --cap-lints=warn\n'
_TELLING = ("error", "fatal", "cannot", "could not", "no such", "not found", "timeout", "refused", "denied", "full")


@dataclass(frozen=True)
class Recipe:
    """How one server is built: its main package, what must be on the machine, the version that it shows, build tags."""

    name: str
    version: str
    package: str
    tools: tuple[Tool, ...]
    stamp: str
    tags: str = ""
    has_rust_part: bool = False

    @property
    def title(self) -> str:
        """What people call it."""
        return f"InfluxDB {self.version}"


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            "influxdb",
            INFLUXDB_2,
            "github.com/influxdata/influxdb/v2/cmd/influxd",
            (go((1, 23)), CARGO, PKG_CONFIG, COMPILER),
            stamp=f"v{INFLUXDB_2}",
            tags="sqlite_foreign_keys,sqlite_json",
            has_rust_part=True,
        ),
        Recipe(
            "influxdb-1.8",
            INFLUXDB_1,
            "github.com/influxdata/influxdb/cmd/influxd",
            (go((1, 22)),),
            stamp=INFLUXDB_1,  # it puts the "v" before it itself
        ),
    )
}


def recipe_named(name: str) -> Recipe:
    """The recipe of a server.

    Raises
    ------
    UsageError
        There is none of that name.
    """
    if name not in RECIPES:
        raise UsageError(f"There is no server {name!r}: name one of {', '.join(RECIPES)}.")
    return RECIPES[name]


def build_server(name: str, say: Callable[[str], None]) -> Path:
    """Build a server into the cache, whole or not at all, and return its program; at once when it is there.

    Parameters
    ----------
    name
        ``influxdb`` or ``influxdb-1.8``.
    say
        Gets one line at the start and one at the end.

    Raises
    ------
    UsageError
        There is no such server.
    MissingToolsError
        The machine lacks tools; nothing was tried.
    TocsinError
        The build failed or hung; the sentence names the log.
    """
    recipe = recipe_named(name)
    built = built_influxd(recipe.version)
    if os.access(built, os.X_OK):
        return built
    require(recipe.tools, f"Building {recipe.title}")
    with _alone(recipe, say):
        if os.access(built, os.X_OK):
            return built
        began = time.monotonic()
        say(f"building {recipe.title} from its sources into {built.parent} (minutes, once)")
        work = cache_folder() / f"building-{recipe.name}"
        try:
            _make_anew(work)
            _build(recipe, work)
            shutil.rmtree(built.parent, ignore_errors=True)
            (work / "out").rename(built.parent)
        except OSError as error:
            raise TocsinError(
                f"{recipe.title} cannot be put into {cache_folder()} ({error.strerror or error}): "
                "make room there or let XDG_CACHE_HOME name another place."
            ) from error
        finally:
            shutil.rmtree(work, ignore_errors=True)
        say(f"built {recipe.title} in {time.monotonic() - began:.0f} s")
        return built


@contextlib.contextmanager
def _alone(recipe: Recipe, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of a recipe; wait for another builder."""
    try:
        cache_folder().mkdir(parents=True, exist_ok=True)
        lock = (cache_folder() / f"{recipe.name}.lock").open("w")
    except OSError as error:
        raise TocsinError(
            f"The folder {cache_folder()} cannot be used ({error.strerror}): let XDG_CACHE_HOME name another place."
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another build of {recipe.title}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make_anew(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
    (folder / "module").mkdir(parents=True)
    (folder / "out").mkdir()


def _build(recipe: Recipe, work: Path) -> None:
    """Run the steps; ``<work>/out/influxd`` is there afterwards."""
    program = work / "out" / "influxd"
    environment = {name: value for name, value in os.environ.items() if name not in ("PKG_CONFIG", "GOWORK")}
    environment |= {"GOFLAGS": "-mod=mod", "GOBIN": str(work / "bin"), "CGO_ENABLED": "0"}
    steps = [
        ["go", "mod", "init", _OUR_MODULE],
        ["go", "get", f"{recipe.package}@v{recipe.version}"],
    ]
    if recipe.has_rust_part:
        rustc = work / "rustc"
        rustc.write_text(_LENIENT_RUSTC, encoding="ascii")
        rustc.chmod(rustc.stat().st_mode | stat.S_IXUSR)
        environment |= rust_settings() | {"RUSTC_WRAPPER": str(rustc), "CGO_ENABLED": "1"}
        environment.setdefault("CC", COMPILER.find() or "cc")
        # In front of the machine's own pkg-config, which it asks for everything that is not the Flux parser.
        environment["PATH"] = f"{work / 'bin'}{os.pathsep}{environment.get('PATH', os.defpath)}"
        steps.append(["go", "install", _FLUX_BUILDER])
    flags = f"-s -w -X main.version={recipe.stamp}"
    steps.append(["go", "build", "-tags", recipe.tags, "-ldflags", flags, "-o", str(program), recipe.package])
    log = work / "build.log"
    deadline = time.monotonic() + LIMIT_SECONDS
    for step in steps:
        failure = _run(step, work / "module", environment, log, deadline)
        if failure is not None:
            kept = log.replace(cache_folder() / f"{recipe.name}-build.log")
            raise TocsinError(f"{recipe.title} cannot be built: '{' '.join(step[:2])}' {failure}; see {kept}.")


def _run(step: list[str], folder: Path, environment: dict[str, str], log: Path, deadline: float) -> str | None:
    """Run one step with its children; None, or what went wrong in words."""
    with log.open("ab") as output:
        output.write(f"$ {' '.join(step)}\n".encode())
        output.flush()
        begin = output.tell()
        process = subprocess.Popen(
            bound_to_us([shutil.which(step[0]) or step[0], *step[1:]]),
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            status = process.wait(max(0.0, deadline - time.monotonic()))
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)  # compilers and cargo too
            process.wait()
            if isinstance(error, subprocess.TimeoutExpired):
                return f"was ended after {LIMIT_SECONDS / 60:.0f} minutes"
            raise
    if status == 0:
        return None
    with log.open("rb") as written:
        written.seek(begin)
        return telling_line(written.read().decode(errors="replace")) or f"ended with status {status}"


def telling_line(output: str) -> str:
    """The last line of a tool's output that speaks of a failure, else its last line; empty when it said nothing.

    >>> telling_line("go: downloading a v1\\nerror: linker `cc` not found\\n\\nnote: run with -v\\n")
    'says: error: linker `cc` not found'
    """
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if any(word in line.lower() for word in _TELLING)]
    return f"says: {(telling or lines)[-1][:300]}" if lines else ""
