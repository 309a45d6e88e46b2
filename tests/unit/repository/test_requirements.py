"""The locked requirements: hashes on every line, no addresses, one version of a package, nothing heavy on a gateway."""

import re
import shutil
import subprocess
import sys
import tomllib
from importlib import util
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tocsin.doctor import requirements_of

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "requirements"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS_BY_FILE = {
    "all.txt": ["all", "dev"],
    "cloud.txt": ["cloud", "console", "train"],
    "gateway.txt": ["gateway"],
    "sensor.txt": ["sensor"],
}
FILES = [*EXTRAS_BY_FILE, "install.txt"]
HEAVY = {"tensorflow", "tensorflow-cpu", "keras", "nicegui"}
NO_NETWORK = re.compile(r"Failed to fetch|error sending request|the network was disabled")


def entries(text: str) -> list[str]:
    """The requirements of a file, each with its hashes on one line."""
    joined = text.replace("\\\n", " ")
    return [line.strip() for line in joined.splitlines() if line.strip() and not line.startswith("#")]


def locked(text: str) -> dict[str, str]:
    """Version and marker by name."""
    found: dict[str, str] = {}
    for entry in entries(text):
        requirement = Requirement(entry.split(" --hash=")[0].strip())
        name = canonicalize_name(requirement.name)
        assert name not in found, f"{name} is locked twice"
        found[name] = f"{requirement.specifier} {requirement.marker}"
    return found


def declared() -> list[Requirement]:
    """Every requirement of pyproject.toml in the form of installed metadata."""
    lines = list(PROJECT["dependencies"])
    for extra, needed in PROJECT["optional-dependencies"].items():
        for line in needed:
            requirement, _, marker = line.partition(";")
            condition = f"({marker.strip()}) and extra == '{extra}'" if marker else f"extra == '{extra}'"
            lines.append(f"{requirement.strip()}; {condition}")
    return [Requirement(line) for line in lines]


def test_every_file_is_checked_here() -> None:
    assert sorted(path.name for path in FOLDER.glob("*.txt")) == sorted(FILES)


@pytest.mark.parametrize("name", FILES)
def test_every_requirement_is_pinned_and_hashed(name: str) -> None:
    found = entries((FOLDER / name).read_text())
    assert found
    for entry in found:
        assert re.match(r"[a-z0-9.-]+==[^ ]+( ; .*?)?( +--hash=sha256:[0-9a-f]{64})+$", entry), entry[:100]


@pytest.mark.parametrize("name", FILES)
def test_no_address_and_no_path(name: str) -> None:
    text = (FOLDER / name).read_text()
    assert not re.search(r"://|--index-url|--extra-index-url|--find-links| @ |(^|\s)/", text)


@pytest.mark.parametrize("name", FILES)
def test_versions_are_those_of_all(name: str) -> None:
    everything = locked((FOLDER / "all.txt").read_text())
    for package, version in locked((FOLDER / name).read_text()).items():
        assert version.split()[0] == everything[package].split()[0]


@pytest.mark.parametrize("name", EXTRAS_BY_FILE)
def test_what_the_project_declares_is_locked(name: str) -> None:
    found = locked((FOLDER / name).read_text())
    for extra in ["", *EXTRAS_BY_FILE[name]]:
        for requirement in requirements_of(extra, declared()):
            version = found[canonicalize_name(requirement.name)].split()[0].removeprefix("==")
            assert requirement.specifier.contains(version, prereleases=True), requirement


def test_gateway_and_sensor_hold_nothing_heavy() -> None:
    assert not HEAVY & locked((FOLDER / "gateway.txt").read_text()).keys()
    assert not HEAVY & locked((FOLDER / "sensor.txt").read_text()).keys()
    assert locked((FOLDER / "all.txt").read_text()).keys() >= HEAVY


def resolve(name: str, folder: Path, *arguments: str) -> dict[str, str]:
    """What uv resolves for the extras of a file, preferring the versions that it holds."""
    if util.find_spec("uv") is None:
        pytest.skip("uv is not installed in this environment: run make install")
    if name in EXTRAS_BY_FILE:
        shutil.copy(FOLDER / name, folder / name)
    sources = ["pyproject.toml", *(["requirements/install.in"] if name == "all.txt" else [])]
    extras = [f"--extra={extra}" for extra in EXTRAS_BY_FILE.get(name, [])]
    command = [
        sys.executable,
        "-m",
        "uv",
        "pip",
        "compile",
        "--quiet",
        "--no-python-downloads",
        *sources,
        *extras,
        *arguments,
    ]
    command += ["--no-header", "--no-annotate", "-o", str(folder / name)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
    if result.returncode != 0 and NO_NETWORK.search(result.stderr):
        pytest.skip("the package index cannot be reached: this test resolves against it")
    assert result.returncode == 0, result.stderr
    return locked((folder / name).read_text())


@pytest.mark.parametrize("name", EXTRAS_BY_FILE)
def test_locked_file_is_what_resolution_gives(name: str, tmp_path: Path) -> None:
    constraint = () if name == "all.txt" else ("--constraint=requirements/all.txt",)
    universal = ("--universal", "--python-version=3.11", "--fork-strategy=fewest")
    assert resolve(name, tmp_path, *universal, *constraint) == locked((FOLDER / name).read_text()), "run make lock"


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
@pytest.mark.parametrize("machine", ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"])
def test_a_gateway_resolves_from_wheels_and_stays_light(version: str, machine: str, tmp_path: Path) -> None:
    """A Raspberry Pi has no compiler to spare: every package must have a wheel for it."""
    constraint = "--constraint=requirements/all.txt"
    arguments = (
        "--extra=gateway",
        f"--python-version={version}",
        f"--python-platform={machine}",
        "--only-binary=:all:",
        constraint,
    )
    found = resolve("resolved.txt", tmp_path, *arguments)
    assert {"river", "paho-mqtt", "cbor2"} <= found.keys()
    assert not HEAVY & found.keys()
    assert found.keys() <= locked((FOLDER / "gateway.txt").read_text()).keys()
