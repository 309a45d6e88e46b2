"""Variables in a compose file, replaced as compose does: ``$X``, ``${X}``, ``${X:-y}``, ``${X:?sentence}``, ``$$``."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shared.errors import UsageError

_VARIABLE = re.compile(
    r"\$(?:(?P<dollar>\$)|(?P<plain>[A-Za-z_]\w*)"
    r"|\{(?P<name>[A-Za-z_]\w*)(?:(?P<operator>:?[-?+])(?P<word>[^{}]*))?\}|(?P<wrong>))"
)


def interpolated(value: Any, variables: Mapping[str, str], place: str = "") -> Any:
    """`value`, its lists and maps included, with the variables in its texts replaced.

    Raises
    ------
    UsageError
        A required variable is missing, or what follows a ``$`` is none.

    >>> interpolated({"a": ["${X:-1}", "$Y", "$$Z"]}, {"Y": "2"})
    {'a': ['1', '2', '$Z']}
    """
    if isinstance(value, str):
        return _VARIABLE.sub(lambda match: _value(match, variables, value, place), value)
    if isinstance(value, list):
        return [interpolated(entry, variables, f"{place}[{number}]") for number, entry in enumerate(value)]
    if isinstance(value, dict):
        return {
            key: interpolated(entry, variables, f"{place}.{key}" if place else str(key)) for key, entry in value.items()
        }
    return value


def _value(match: re.Match[str], variables: Mapping[str, str], text: str, place: str) -> str:
    if match["dollar"]:
        return "$"
    if match["wrong"] is not None:
        raise UsageError(
            f"{place} of the compose file has a '$' that begins no variable ({text!r}); write '$$' for one"
        )
    name, operator, word = match["plain"] or match["name"], match["operator"] or "", match["word"] or ""
    given = variables.get(name)
    there = bool(given) if operator.startswith(":") else given is not None
    if operator.endswith("+"):
        return word if there else ""
    if there:
        return given or ""
    if operator.endswith("?"):
        raise UsageError(f"{place} of the compose file needs the variable {name}: {word or 'set it'}")
    return word if operator.endswith("-") else ""


def read_variables(folder: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that compose sees: those of ``.env`` beside the compose file, and above them the environment's.

    >>> read_variables(Path("/nowhere"), {"X": "1"})
    {'X': '1'}
    """
    found: dict[str, str] = {}
    file = folder / ".env"
    if file.is_file():
        for line in file.read_text(encoding="utf-8").splitlines():
            name, equals, value = line.strip().partition("=")
            if equals and not name.startswith("#"):
                found[name.removeprefix("export ").strip()] = value.strip().strip("'\"")
    return found | dict(environment)
