"""The instructions of a Dockerfile, as far as ours use them: what an image starts, and the steps that make it."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from shared.errors import UsageError

_OPTION = re.compile(r"--([a-z-]+)=(\S+)\s*")
_ASSIGNMENT = re.compile(r"(\w+)=(\"[^\"]*\"|\S*)")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction with its continuation lines joined: ``RUN``, its options, and the rest."""

    name: str
    options: dict[str, str]
    rest: str

    @property
    def words(self) -> list[str]:
        """The exec form (a JSON list), else the words of the rest."""
        if self.rest.startswith("["):
            try:
                listed: list[str] = json.loads(self.rest)
            except ValueError as error:
                raise UsageError(f"{self.name} {self.rest} is no JSON list; write the exec form") from error
            return listed
        return self.rest.split()


@dataclass(frozen=True, slots=True)
class Image:
    """What the last stage of a Dockerfile says about running the image."""

    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    user: str = ""
    health: tuple[str, ...] = ()


def read_instructions(text: str) -> list[Instruction]:
    r"""All instructions in order.

    >>> [(one.name, one.rest) for one in read_instructions("# no\nRUN a \\\n  && b\nUSER 1:1\n")]
    [('RUN', 'a && b'), ('USER', '1:1')]
    """
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\s*\\\n\s*", " ", "\n".join(lines))
    found = []
    for line in filter(None, map(str.strip, joined.splitlines())):
        name, _, rest = line.partition(" ")
        options = {}
        rest = rest.strip()
        while option := _OPTION.match(rest):
            options[option[1]] = option[2]
            rest = rest[option.end() :]
        found.append(Instruction(name.upper(), options, rest))
    return found


def read_image(file: Path) -> Image:
    """How the image of a Dockerfile runs.

    Raises
    ------
    UsageError
        The file cannot be read.
    """
    try:
        instructions = read_instructions(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{file} cannot be read ({error.strerror}); run this in Tocsin's folder") from error
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: dict[str, str] = {}
    user, health = "", ()  # type: str, tuple[str, ...]
    for one in instructions:
        if one.name == "FROM":
            entrypoint, command, environment, user, health = (), (), {}, "", ()
        elif one.name == "ENTRYPOINT":
            entrypoint = tuple(one.words)
        elif one.name == "CMD":
            command = tuple(one.words)
        elif one.name == "USER":
            user = one.rest
        elif one.name == "ENV":
            environment |= {name: value.strip('"') for name, value in _ASSIGNMENT.findall(one.rest)}
        elif one.name == "HEALTHCHECK":
            health = tuple(Instruction("CMD", {}, one.rest.removeprefix("CMD").strip()).words)
    return Image(entrypoint, command, environment, user, health)
