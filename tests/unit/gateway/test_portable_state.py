"""Packed states in a store: compressed, read again, refused when damaged."""

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.detectors import portable
from gateway.errors import GatewayError

STATE = portable.pack("mark", {"kept": np.arange(300.0), "count": 3})


def test_a_compressed_state_is_smaller_and_the_same() -> None:
    stored = portable.compressed(STATE)
    assert len(stored) < len(STATE) / 2
    assert portable.expanded(stored, "mark") == STATE


def test_a_state_that_was_never_compressed_is_read_as_it_is() -> None:
    assert portable.expanded(STATE, "mark") == STATE


@given(st.integers(1, 200), st.integers(0, 255))
def test_damage_is_refused_in_one_sentence_or_harmless(place: int, value: int) -> None:
    stored = bytearray(portable.compressed(STATE))
    stored[place % len(stored)] = value
    try:
        assert portable.expanded(bytes(stored), "mark") is not None
    except GatewayError as error:
        assert "commission the device anew" in str(error)  # noqa: PT017 - other damage leaves the bytes alone


def test_a_truncated_or_longer_one_is_refused() -> None:
    stored = portable.compressed(STATE)
    for damaged in (stored[:-1], stored[:20], stored + b"x"):
        with pytest.raises(GatewayError, match="stored mark: not a state"):
            portable.expanded(damaged, "mark")


def test_a_small_file_that_would_fill_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portable, "STATE_LIMIT_BYTES", 1000)
    with pytest.raises(GatewayError, match="stored mark: not a state"):
        portable.expanded(zlib.compress(bytes(10_000)), "mark")
