import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cloud.storage.influxdb.lines import Point, field, line, parse, tag_text

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
KEYS = st.sampled_from(["boot", "score", "count_0", "flagged", "reason"])
VALUES = st.one_of(st.booleans(), INTEGERS, FLOATS, TEXTS)


@given(
    st.dictionaries(st.sampled_from(["asset", "device", "unit"]), TEXTS),
    st.dictionaries(KEYS, VALUES, min_size=1),
    INTEGERS,
)
@example({"asset": "a\\"}, {"reason": "\\"}, -(2**63))
@example({"asset": "\\, \\=", "device": ",= "}, {"score": -0.0, "boot": -(2**63), "reason": '",x=1 2'}, 0)
@example({"unit": "\n\r\0"}, {"score": 5e-324, "reason": "\n"}, 2**63 - 1)
def test_what_is_written_is_read_back(tags, fields, time_ns):
    text = line("readings", tags, fields, time_ns)
    point = parse(text)
    assert point == Point("readings", {key: tag_text(value) for key, value in tags.items() if value}, fields, time_ns)
    for name, value in fields.items():
        assert type(point.fields[name]) is type(value)
        if isinstance(value, float):
            assert math.copysign(1.0, point.fields[name]) == math.copysign(1.0, value)


@given(TEXTS)
def test_a_tag_holds_the_text_itself_but_for_what_no_tag_can_hold(text):
    held = tag_text(text)
    assert tag_text(held) == held
    assert not any(ord(character) < 32 for character in held)
    assert not held.endswith("\\")
    if not text.endswith("\\") and text.isprintable():
        assert held == text


@given(st.integers(0, 2**64 - 1))
def test_every_finite_float_keeps_its_bits(bits):
    value = float(np.uint64(bits).view(np.float64))
    text = field(value)
    if not math.isfinite(value):
        assert text is None
    else:
        assert np.float64(text).view(np.uint64) == bits


def test_a_line_without_fields_is_none():
    assert line("values", {}, {"value": math.inf, "other": None}, 1) is None


@pytest.mark.parametrize("text", ["", "readings", "readings x", "readings x= 1", "readings x=1i", "readings x=1i y"])
def test_what_is_no_line_is_refused(text):
    with pytest.raises(ValueError):
        parse(text)
