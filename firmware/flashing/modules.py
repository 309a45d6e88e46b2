"""Which files of this package the twin needs on a board: what `main.py` imports, and what that imports."""

import ast
from pathlib import Path

#: The folder that holds the packages `firmware` and `shared`.
ROOT = Path(__file__).resolve().parents[2]
MAIN = Path("firmware/micropython/main.py")
_PACKAGES = ("firmware", "shared")


def needed_files(root: Path = ROOT, main: Path = MAIN) -> list[Path]:
    """Paths below `root`, in order, of every module that `main` needs, itself left out.

    >>> [str(path) for path in needed_files() if path.parent.name == "serial"]
    ['shared/serial/__init__.py', 'shared/serial/framing.py']
    """
    found: set[Path] = set()
    waiting = [main]
    while waiting:
        for name in _imported(root / waiting.pop()):
            for path in _files_of(root, name):
                if path not in found:
                    found.add(path)
                    waiting.append(path)
    return sorted(found)


def _imported(path: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            # `from package import module` names a module or something in the package
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [name for name in names if name.split(".")[0] in _PACKAGES]


def _files_of(root: Path, name: str) -> list[Path]:
    """The module's file and the packages around it; nothing where the name is not a module."""
    parts = name.split(".")
    packages = [Path(*parts[:count], "__init__.py") for count in range(1, len(parts))]
    module = Path(*parts[:-1], f"{parts[-1]}.py")
    package = Path(*parts, "__init__.py")
    for path in (module, package):
        if (root / path).is_file():
            return [*packages, path]
    return []
