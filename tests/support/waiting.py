"""Waiting for what must come: a condition, and a limit that a starved machine does not reach either.

A limit costs nothing while the condition comes, so there is one for all, far above what a test needs; the limit of a
whole test (`timeout` in pyproject.toml) is above it.
"""

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_SECONDS = 120.0
_POLL_SECONDS = 0.01

Found = TypeVar("Found")


def until(condition: Callable[[], Found], what: str, limit_seconds: float = PATIENCE_SECONDS) -> Found:
    """The first true value of `condition`; AssertionError, with `what` was waited for, after the limit."""
    deadline = time.monotonic() + limit_seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {limit_seconds:g} s for {what}"
        time.sleep(_POLL_SECONDS)
    return found
