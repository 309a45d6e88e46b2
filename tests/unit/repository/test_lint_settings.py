"""The settings of the checks: they name files that exist, and the import contract refuses what it should."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from tocsin import doctor

ROOT = Path(__file__).resolve().parents[3]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = ("tocsin", "shared", "firmware", "gateway", "cloud")


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-c", code, "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def small_tree(tmp_path: Path) -> Path:
    """Five empty packages under this repository's contract."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in PACKAGES:
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    return tmp_path


@pytest.mark.parametrize(("importer", "imported"), [("tocsin", "gateway"), ("cloud", "shared"), ("tocsin", "shared")])
def test_contract_allows_imports_downwards(small_tree: Path, importer: str, imported: str) -> None:
    (small_tree / importer / "room.py").write_text(f"import {imported}\n")
    result = lint_imports(small_tree)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("importer", "imported"),
    [("shared", "gateway"), ("gateway", "cloud"), ("cloud", "gateway"), ("firmware", "gateway"), ("cloud", "tocsin")],
)
def test_contract_refuses_imports_upwards_and_between_tiers(small_tree: Path, importer: str, imported: str) -> None:
    (small_tree / importer / "room.py").write_text(f"import {imported}\n")
    result = lint_imports(small_tree)
    assert result.returncode == 1
    assert "BROKEN" in result.stdout


def test_exceptions_for_micropython_name_files_that_exist() -> None:
    ignores = SETTINGS["tool"]["ruff"]["lint"]["per-file-ignores"]
    names = [name for pattern in ignores if pattern.startswith("{") for name in pattern.strip("{}").split(",")]
    assert names
    for name in names:
        assert (ROOT / name.removesuffix("/**")).exists(), name


def test_the_doctor_knows_what_the_project_declares() -> None:
    project = SETTINGS["project"]
    assert set(doctor.EXTRAS) == project["optional-dependencies"].keys() - {"all"}
    assert SpecifierSet(project["requires-python"]) == doctor.PYTHON_VERSIONS
    assert sorted(doctor.PACKAGES) == sorted(SETTINGS["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])


def test_nothing_of_ours_is_uploaded_by_mistake() -> None:
    assert "Private :: Do Not Upload" in SETTINGS["project"]["classifiers"]
