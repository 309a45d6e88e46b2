"""What is committed says nothing about the machine that it was written on, nor where packages were fetched."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
LARGEST_BYTES = 2_000_000

# Written so that this file does not match itself.
HOMES = re.compile(r"(?<![\w.~-])/(home|Users)/[a-z]\w+/|(?<![\w.~-])/r[o]ot/\w|[A-Z]:\\Users\\")
ADDRESSES = re.compile(
    r"https?://\S+/simple\b|\bfiles\.python[h]osted\.org|\bregistry\.npm[j]s\.org|index-url[= ]+https?:"
)


def committed_files() -> list[Path]:
    command = ["git", "ls-files", "-z"]
    try:
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    except FileNotFoundError:
        pytest.skip("git is not installed: install it to check what is committed")
    if result.returncode != 0:
        pytest.skip("this is not a git checkout: only a clone knows what is committed")
    return [path for name in result.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def committed_texts() -> dict[str, str]:
    texts = {}
    for path in committed_files():
        try:
            texts[str(path.relative_to(ROOT))] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
    return texts


def test_the_patterns_find_what_they_are_for() -> None:
    assert HOMES.search("/home/" + "somebody/venv")
    assert HOMES.search("see /root" + "/work")
    assert not HOMES.search("assets/home/page/1")
    assert ADDRESSES.search("https://example.org" + "/simple/river")
    assert not ADDRESSES.search("--no-emit-index-url --no-header")


def test_no_machine_path_and_no_index_address() -> None:
    texts = committed_texts()
    assert "pyproject.toml" in texts
    found = {
        f"{name}: {match.group()}"
        for name, text in texts.items()
        for pattern in (HOMES, ADDRESSES)
        for match in pattern.finditer(text)
    }
    here = {name for name, text in texts.items() if str(ROOT) + "/" in text or str(Path.home()) + "/" in text}
    assert not found
    assert not here


def test_no_large_file() -> None:
    """Recordings and weights are fetched or made, never committed."""
    assert [path for path in committed_files() if path.stat().st_size > LARGEST_BYTES] == []


def test_test_folders_are_no_packages_and_names_are_unique() -> None:
    """Pytest's importlib mode needs neither, and two files of one name confuse people."""
    assert list((ROOT / "tests").rglob("__init__.py")) == []
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))
