"""An operator's word, its answer and drift: written and read alike, as their definition says, and refused otherwise."""

import re
from pathlib import Path

import cbor2
import pytest

from shared.errors import MessageError
from shared.messages import normality
from shared.messages.normality import Answer, Drift, Moved, Normal

NORMAL = Normal("0123456789abcdef", "acme/north/pump 1", "cdc4541ee3f26fad", -5, 1_700_000_000_000_000_000, "M. Kühn")
ANSWER = Answer("0123456789abcdef", "acme/north/pump 1", "waiting", "waits for 20 more readings of pump-1", 7)
DRIFT = Drift(
    "pump-1", "acme/north/pump 1", "sudden", "operating point", 5, 9,
    (Moved("flow", 2.5, -1.25, "l/s"),), "not seen while healthy", "flow changed.",
)  # fmt: skip
CASES = {
    "normal": (normality.encode_normal(NORMAL, bytes(8), bytes(64)), normality.decode_normal),
    "answer": (normality.encode_answer(ANSWER), normality.decode_answer),
    "drift": (normality.encode_drift(DRIFT), normality.decode_drift),
}


def test_what_is_written_is_read():
    assert normality.decode_normal(CASES["normal"][0]) == (NORMAL, bytes(8), bytes(64))
    assert normality.decode_answer(CASES["answer"][0]) == ANSWER
    assert normality.decode_drift(CASES["drift"][0]) == DRIFT


def test_every_part_of_an_operators_word_is_signed():
    parts = {normality.signed_part(NORMAL)}
    for change in ({"identifier": "f"}, {"asset": "x"}, {"alarm": ""}, {"since_ns": None}, {"asked_ns": 1}, {"by": ""}):
        fields = {name: getattr(NORMAL, name) for name in Normal.__slots__} | change
        parts.add(normality.signed_part(Normal(**fields)))
    assert len(parts) == 7


@pytest.mark.parametrize("name", CASES)
def test_fields_are_those_of_the_definition(name):
    text = (Path(normality.__file__).parent / "normality.cddl").read_text(encoding="utf-8")
    body = re.search(rf"^{name} = \{{(.*?)^\}}", text, re.MULTILINE | re.DOTALL)[1]
    assert {int(key) for key in re.findall(r"^  (\d+):", body, re.MULTILINE)} == set(cbor2.loads(CASES[name][0]))


@pytest.mark.parametrize("name", CASES)
def test_damaged_bytes_are_refused_with_a_reason(name):
    payload, decode = CASES[name]
    for length in range(len(payload)):
        with pytest.raises(MessageError, match=f"^{name} message"):
            decode(payload[:length])
    fields = cbor2.loads(payload)
    for key in fields:
        for wrong in (None, -1, 1.5, "\N{SNOWMAN}" * 5000, [1], {}):
            damaged = {**fields, key: wrong}
            if wrong is None and (name, key) in {("normal", 4), ("answer", 5)}:
                continue
            if type(fields[key]) is type(wrong) and wrong == -1:
                continue
            with pytest.raises(MessageError, match=f"^{name} message"):
                decode(cbor2.dumps(damaged))
    with pytest.raises(MessageError, match="unknown field 99"):
        decode(cbor2.dumps({**fields, 99: 1}))
