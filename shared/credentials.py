"""Secrets that an operator gives in files: read at the start, checked, never in a setting, a log or a message.

A file keeps a password out of the environment, which every child and every look at a process shows. Docker mounts such
files below ``/run/secrets``; ``tocsin init`` makes them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from shared.errors import UsageError

#: A shorter secret was typed by a person or cut off.
SHORTEST_SECRET = 16
#: `tocsin init` makes only what is missing.
_MAKE_ANEW = "remove it and run 'tocsin init'"


class Login(NamedTuple):
    """Who we are at a broker. Shows its user alone."""

    user: str
    password: str

    def __repr__(self) -> str:
        return f"Login({self.user!r})"


def read_secret(path: Path, variable: str, *, shortest: int = SHORTEST_SECRET) -> str:
    """The secret in a file, without the white space around it.

    Parameters
    ----------
    path
        The file.
    variable
        The setting that names the file, for the sentence.
    shortest
        Fewest characters that are taken for a secret.

    Raises
    ------
    UsageError
        The file is missing, cannot be read, is no text, is empty or holds less than a secret.

    >>> read_secret(Path("/nowhere/token"), "TOCSIN_TOKEN_FILE")
    Traceback (most recent call last):
    shared.errors.UsageError: The secret file /nowhere/token (TOCSIN_TOKEN_FILE) cannot be read (No such file or
    directory): make it with 'tocsin init', or name the right file.
    """
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError as error:
        raise _unusable(path, variable, f"cannot be read ({error.strerror})", "make it with 'tocsin init'") from error
    except OSError as error:
        raise _unusable(path, variable, f"cannot be read ({error.strerror})", "let this user read it") from error
    except ValueError as error:
        raise _unusable(path, variable, "is no text", _MAKE_ANEW) from error
    if not secret:
        raise _unusable(path, variable, "is empty", _MAKE_ANEW)
    if len(secret) < shortest:
        raise _unusable(path, variable, f"holds {len(secret)} characters and needs at least {shortest}", _MAKE_ANEW)
    return secret


def _unusable(path: Path, variable: str, reason: str, remedy: str) -> UsageError:
    return UsageError(f"The secret file {path} ({variable}) {reason}: {remedy}, or name the right file.")


def read_login(user: str, password_file: Path | None, prefix: str) -> Login | None:
    """User and password at a broker, None where neither is set.

    `prefix` names the settings: ``<prefix>USER`` and ``<prefix>PASSWORD_FILE``.

    Raises
    ------
    UsageError
        Only one of the two is set, or the file holds no secret.

    >>> read_login("", None, "TOCSIN_SENSOR_BROKER_") is None
    True
    """
    if not user and password_file is None:
        return None
    if password_file is None:
        raise UsageError(f"The variable {prefix}USER is set without {prefix}PASSWORD_FILE: set both or neither.")
    if not user:
        raise UsageError(f"The variable {prefix}PASSWORD_FILE is set without {prefix}USER: set both or neither.")
    return Login(user, read_secret(password_file, f"{prefix}PASSWORD_FILE"))


def login_from(environment: Mapping[str, str], prefix: str) -> Login | None:
    """`read_login` with what the environment says: for programs too small for a settings class.

    >>> login_from({}, "TOCSIN_SENSOR_BROKER_") is None
    True
    """
    file = environment.get(f"{prefix}PASSWORD_FILE", "")
    return read_login(environment.get(f"{prefix}USER", ""), Path(file) if file else None, prefix)
