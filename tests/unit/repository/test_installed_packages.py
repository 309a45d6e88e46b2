"""The five packages have common names: what is imported must be this repository's, and nobody else may provide them."""

import subprocess
import sys
import tomllib
from importlib import import_module, metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"][
    "packages"
]


def is_installed() -> bool:
    try:
        metadata.version("tocsin")
    except metadata.PackageNotFoundError:
        return False
    return True


def import_elsewhere(name: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Import a module as a process that runs in another folder would: from what is installed only."""
    code = f"import {name}; print({name}.__file__)"
    command = [sys.executable, "-I", "-c", code]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def test_the_five_packages_are_named() -> None:
    assert sorted(PACKAGES) == ["cloud", "firmware", "gateway", "shared", "tocsin"]


@pytest.mark.parametrize("name", PACKAGES)
def test_package_comes_from_this_repository(name: str) -> None:
    package = import_module(name)
    assert package.__file__ is not None
    assert Path(package.__file__).resolve() == ROOT / name / "__init__.py"
    assert package.__doc__


@pytest.mark.parametrize("name", PACKAGES)
def test_no_other_distribution_provides_the_package(name: str) -> None:
    providers = set(metadata.packages_distributions().get(name, []))
    assert providers <= {"tocsin"}


@pytest.mark.skipif(not is_installed(), reason="tocsin is not installed in this environment: run make install")
class TestInstalled:
    @pytest.mark.parametrize("name", PACKAGES)
    def test_package_is_found_from_another_folder(self, name: str, tmp_path: Path) -> None:
        result = import_elsewhere(name, tmp_path)
        assert result.returncode == 0, result.stderr
        assert Path(result.stdout.strip()).resolve() == ROOT / name / "__init__.py"

    @pytest.mark.parametrize("name", ["tests", "datasets", "docs"])
    def test_other_folders_are_not_exposed(self, name: str, tmp_path: Path) -> None:
        result = import_elsewhere(name, tmp_path)
        assert "ModuleNotFoundError" in result.stderr

    def test_command_is_declared(self) -> None:
        scripts = metadata.entry_points(group="console_scripts", name="tocsin")
        assert [script.value for script in scripts] == ["tocsin.cli:main"]
