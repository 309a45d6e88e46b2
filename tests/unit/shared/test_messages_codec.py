"""Messages: what is written is read, one value has one encoding, and nothing but a message is taken for one."""

import re
from dataclasses import fields
from pathlib import Path

import cbor2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import MessageError
from shared.identity import Channel, DeviceProfile
from shared.messages import codec, compact

LIMIT = codec.SEQUENCE_LIMIT
counts = st.integers(0, LIMIT)
ids = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?", fullmatch=True)
texts = st.text(max_size=40)
numbers = st.floats(allow_nan=False, allow_infinity=False)


def column(draw, dtype, shape):
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return np.frombuffer(draw(st.binary(min_size=size, max_size=size)), dtype).reshape(shape)


@st.composite
def profiles(draw):
    channel = st.builds(Channel, texts, texts, numbers, st.floats(5e-324, 1e308))
    channels = draw(st.lists(channel, min_size=1, max_size=4))
    rate = draw(st.floats(1e-6, 1e6))
    return DeviceProfile(draw(ids), draw(texts), draw(st.sampled_from(["slow", "fast"])), rate, tuple(channels))


@st.composite
def data_messages(draw):
    readings, width, slow = draw(st.integers(1, 5)), draw(st.integers(1, 3)), draw(st.booleans())
    sequence = draw(counts)
    return codec.Data(
        draw(ids),
        draw(counts),
        sequence,
        draw(st.integers(0, sequence)),
        draw(counts),
        draw(counts),
        draw(counts),
        column(draw, "<i8", readings),
        column(draw, "<u4", readings),
        column(draw, "<u2", readings),
        column(draw, "<i4", (readings, width)) if slow else None,
        None if slow else column(draw, "<i2", (readings, width)),
    )


@st.composite
def verdicts(draw, readings):
    return tuple(column(draw, dtype, readings) for dtype in ("<f8", "<f8", "|u1", "<u2"))


@st.composite
def judged_messages(draw):
    data = draw(data_messages())
    return codec.Judged(codec.encode_data(data), *draw(verdicts(len(data))))


@st.composite
def rescores(draw):
    return codec.Rescore(draw(ids), draw(counts), draw(counts), *draw(verdicts(draw(st.integers(0, 5)))))


@st.composite
def uploads(draw):
    sequence = draw(counts)
    oldest, kind = draw(st.integers(0, sequence)), draw(st.sampled_from(codec.UPLOAD_KINDS))
    return codec.Upload(draw(ids), draw(counts), sequence, oldest, kind, draw(st.binary(max_size=40)))


@st.composite
def alarms(draw):
    begin = draw(st.integers(-(2**63), 2**63 - 1))
    end = draw(st.none() | st.integers(begin, 2**63 - 1))
    reasons = tuple(draw(st.lists(st.builds(codec.Reason, texts, texts, numbers, texts), max_size=3)))
    times = st.integers(-(2**63), 2**63 - 1)
    lines = tuple(draw(st.lists(st.builds(codec.Line, texts, numbers, texts, texts, texts), max_size=2)))
    like = draw(st.none() | st.builds(codec.Resemblance, texts, times, numbers))
    peak, provisional, since = draw(numbers), draw(st.booleans()), draw(st.none() | times)
    spoken = tuple(draw(st.lists(texts, max_size=2)))
    name, asset, device = draw(texts), draw(texts), draw(ids)
    return codec.Alarm(name, asset, device, begin, end, peak, provisional, reasons, since, spoken, lines, like)


names = st.lists(texts, max_size=4).map(tuple)
sizes = st.integers(0, 2**32)
states = st.builds(codec.State, ids, counts, counts, st.sampled_from(codec.STATE_RESULTS), counts, texts)
EVERY = {
    "birth": (st.builds(codec.Birth, profiles(), counts, counts, names, sizes, sizes)),
    "data": data_messages(),
    "stored": st.builds(codec.Stored, ids, counts, counts),
    "state": states,
    "upload": uploads(),
    "judged": judged_messages(),
    "rescore": rescores(),
    "alarm": alarms(),
    "counters": st.builds(codec.Counters, ids, *[counts] * 6),
}
kinds = pytest.mark.parametrize("kind", EVERY)


def encode(kind, message):
    return getattr(codec, f"encode_{kind}")(message)


def decode(kind, payload):
    decoded = getattr(codec, f"decode_{kind}")(payload)
    return decoded[0] if kind == "judged" else decoded


def comparable(message):
    """Fields with arrays as (type, shape, bytes): NaN equals itself, -0.0 differs from 0.0."""
    values = [(field.name, getattr(message, field.name)) for field in fields(message)]
    return [(n, (v.dtype.str, v.shape, v.tobytes()) if isinstance(v, np.ndarray) else v) for n, v in values]


def example(kind):
    """One fixed message of each kind, every field filled."""
    profile = DeviceProfile("pump-1", "acme/pump", "slow", 1.0, (Channel("flow", "l/s", 0.5, 0.25),))
    two = np.arange(2)
    data = codec.Data(
        "pump-1", 3, 16, 8, 1, 2, 0, two, two.astype(np.uint32), two.astype(np.uint16),
        np.ones((2, 1), np.int32), None,
    )  # fmt: skip
    judged = (two.astype(np.float64), two.astype(np.float64), two.astype(np.uint8), two.astype(np.uint16))
    return {
        "birth": codec.Birth(profile, 3, 2, ("flow value", "flow mean"), 16, 1),
        "data": data,
        "stored": codec.Stored("pump-1", 3, 160),
        "state": codec.State("pump-1", 3, 2, "refused", 1, "too old"),
        "upload": codec.Upload("gateway-1", 5, 7, 4, "alarm", b"body"),
        "judged": codec.Judged(codec.encode_data(data), *judged),
        "rescore": codec.Rescore("pump-1", 3, 0, *judged),
        "alarm": codec.Alarm("a1", "acme/pump", "pump-1", 5, 9, 1.5, False, (codec.Reason("f", "m", 4.0, "high"),)),
        "counters": codec.Counters("pump-1", 3, 30, 20, 10, 1, 0),
    }[kind]


@kinds
@settings(max_examples=60, deadline=None)
@given(draw=st.data())
def test_what_is_written_is_read_and_has_one_encoding(kind, draw):
    message = draw.draw(EVERY[kind])
    payload = encode(kind, message)
    again = decode(kind, payload)
    assert comparable(again) == comparable(message)
    assert encode(kind, again) == payload
    decoded = cbor2.loads(payload)
    assert list(decoded) == sorted(decoded)
    # canonical encoding would shorten floats, which are 64 bits here; everything else is equal to it
    if kind not in ("birth", "alarm"):
        assert cbor2.dumps(decoded, canonical=True) == payload


@given(data=data_messages(), state=states)
def test_the_devices_own_encoder_gives_what_the_library_gives(data, state):
    def typed(tag, values):
        return cbor2.CBORTag(tag, values.tobytes())

    mine = {0: 1, 1: data.device, 2: data.boot, 3: data.sequence, 4: data.oldest, 5: data.stretch}
    mine |= {6: data.model_version, 7: data.clipped}
    mine |= {8: typed(79, data.times_ns), 9: typed(70, data.scores_q12), 10: typed(69, data.tops)}
    mine |= {11: typed(78, data.counts)} if data.features is None else {12: typed(77, data.features)}
    values = (None if v is None else v.tobytes() for v in (data.counts, data.features))
    arrays = (v.tobytes() for v in (data.times_ns, data.scores_q12, data.tops))
    heads = (data.device, data.boot, data.sequence, data.oldest, data.stretch, data.model_version, data.clipped)
    assert compact.encode_data(*heads, *arrays, *values) == cbor2.dumps(mine, canonical=True)
    told = (state.device, state.boot, state.model_version, state.result, state.judged_version, state.reason)
    assert compact.encode_state(*told) == cbor2.dumps(dict(enumerate((1, *told))), canonical=True)


@given(major=st.integers(0, 7).filter(lambda major: major not in (6, 7)), value=st.integers(0, 2**64 - 1))
def test_heads_have_the_shortest_form(major, value):
    head = compact.encode_head(major, value)
    widths = [(24, 1), (1 << 8, 2), (1 << 16, 3), (1 << 32, 5), (1 << 64, 9)]
    assert len(head) == next(width for limit, width in widths if value < limit)
    assert head[0] >> 5 == major
    assert cbor2.loads(compact.encode_head(0, value)) == value


def taken(kind, payload):
    """Whether `payload` is taken; it may be refused by MessageError alone."""
    try:
        decode(kind, payload)
    except MessageError:
        return False
    return True


@kinds
@settings(max_examples=100, deadline=None)
@given(payload=st.binary(max_size=80))
def test_random_bytes_are_refused(kind, payload):
    assert not taken(kind, payload)


@kinds
def test_every_cut_and_every_tail_is_refused(kind):
    payload = encode(kind, example(kind))
    assert taken(kind, payload)
    for length in range(len(payload)):
        assert not taken(kind, payload[:length])
    for tail in (b"\x00", b"\xf6", payload):
        assert not taken(kind, payload + tail)


@kinds
@settings(max_examples=150, deadline=None)
@given(draw=st.data())
def test_changed_bytes_raise_nothing_else(kind, draw):
    payload = bytearray(encode(kind, example(kind)))
    for _ in range(draw.draw(st.integers(1, 3))):
        payload[draw.draw(st.integers(0, len(payload) - 1))] = draw.draw(st.integers(0, 255))
    taken(kind, bytes(payload))


HUGE = 1 << (8 * 2048)  # more digits than Python prints
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.just(1 << 4000),
    st.floats(),
    st.text(max_size=5),
    st.binary(max_size=9),
    st.builds(cbor2.CBORTag, st.sampled_from([64, 69, 70, 77, 78, 79, 86]), st.binary(max_size=20)),
)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.integers(), inner), max_leaves=6
)


@kinds
@settings(max_examples=150, deadline=None)
@given(draw=st.data())
def test_a_field_of_another_kind_raises_nothing_else(kind, draw):
    decoded = cbor2.loads(encode(kind, example(kind)))
    decoded[draw.draw(st.sampled_from(list(decoded)))] = draw.draw(values)
    taken(kind, cbor2.dumps(decoded))


@kinds
def test_a_missing_field_and_an_unknown_one_are_named(kind):
    decoded = cbor2.loads(encode(kind, example(kind)))
    optional = {11} if kind == "data" else set()
    for key in set(decoded) - optional - {0}:
        less = {k: v for k, v in decoded.items() if k != key}
        with pytest.raises(MessageError, match=f"^{kind} message: field {key} is missing"):
            decode(kind, cbor2.dumps(less))
    with pytest.raises(MessageError, match="unknown field 200"):
        decode(kind, cbor2.dumps(decoded | {200: 0}))
    for key in (1.5, True, "1", HUGE, -1, b"", None):
        assert not taken(kind, cbor2.dumps({**decoded, key: 0} if key is not True else {True: decoded[1], 0: 1}))


@kinds
def test_another_format_is_refused(kind):
    decoded = cbor2.loads(encode(kind, example(kind)))
    for version in (0, 2, HUGE, True, 1.0, "1", None, b"\x01"):
        with pytest.raises(MessageError, match="format 1"):
            decode(kind, cbor2.dumps(decoded | {0: version}))


#: Where each kind keeps what counts: boot or epoch, sequence, oldest, stretch, versions, counters.
COUNTING = {
    "birth": [2, 7],
    "data": [2, 3, 5, 6, 7],
    "stored": [2, 3],
    "state": [2, 3, 5],
    "upload": [2, 3],
    "rescore": [2, 3],
    "counters": [2, 3, 4, 5, 6, 7],
}


@pytest.mark.parametrize(("kind", "key"), [(kind, key) for kind, keys in COUNTING.items() for key in keys])
def test_counts_above_the_limit_are_refused(kind, key):
    decoded = cbor2.loads(encode(kind, example(kind)))
    assert taken(kind, cbor2.dumps(decoded | {key: LIMIT}))
    for value in (LIMIT + 1, 2**63, 2**64 - 1, 2**64, HUGE, -1, -HUGE):
        with pytest.raises(MessageError, match=f"field {key} must be an integer from 0 to {LIMIT}"):
            decode(kind, cbor2.dumps(decoded | {key: value}))


@pytest.mark.parametrize("kind", ["data", "upload"])
def test_the_oldest_does_not_exceed_the_sequence(kind):
    decoded = cbor2.loads(encode(kind, example(kind)))
    assert taken(kind, cbor2.dumps(decoded | {4: decoded[3]}))
    for oldest in (decoded[3] + 1, LIMIT, LIMIT + 1, HUGE):
        with pytest.raises(MessageError, match="field 4 must"):
            decode(kind, cbor2.dumps(decoded | {4: oldest}))


def typed(tag, length):
    return cbor2.CBORTag(tag, bytes(length))


#: kind, changed fields, what the refusal says; each breaks one rule.
BROKEN = {
    "device id": ("stored", {1: "Pump 1"}, "field 1 device id"),
    "text too long": ("state", {6: "x" * 4097}, "at most 4096"),
    "kind of device": ("birth", {4: "middling"}, "field 4 must be one of slow, fast"),
    "rate not a float": ("birth", {5: 1}, "finite float"),
    "rate not finite": ("birth", {5: float("inf")}, "finite float"),
    "rate zero": ("birth", {5: 0.0}, "positive rate"),
    "no channel": ("birth", {6: []}, "1 to 4096 channels"),
    "channel of three": ("birth", {6: [["a", "b", 0.0]]}, "per channel"),
    "channel step zero": ("birth", {6: [["a", "b", 0.0, 0.0]]}, "positive step"),
    "channel offset NaN": ("birth", {6: [["a", "b", float("nan"), 1.0]]}, "finite offset"),
    "names not text": ("birth", {8: [1]}, "names of the features"),
    "negative window": ("birth", {9: [-1, 1]}, "window and hop"),
    "result": ("state", {4: "done"}, "field 4 must be one of started"),
    "kind of upload": ("upload", {5: "gossip"}, "field 5 must be one of birth"),
    "body is text": ("upload", {6: "body"}, "byte string"),
    "no readings": ("data", {8: typed(79, 0), 9: typed(70, 0), 10: typed(69, 0)}, "1 to 4096 readings"),
    "too many readings": ("data", {8: typed(79, 8 * 4097)}, "1 to 4096 readings"),
    "half an element": ("data", {8: typed(79, 15)}, "whole elements of 8"),
    "another tag": ("data", {8: typed(71, 16)}, "typed array with tag 79"),
    "bare bytes": ("data", {8: bytes(16)}, "typed array with tag 79"),
    "scores too few": ("data", {9: typed(70, 4)}, "field 9 has 1 elements for 2"),
    "tops too many": ("data", {10: typed(69, 6)}, "field 10 has 3 elements for 2"),
    "counts not whole rows": ("data", {11: typed(78, 12)}, "field 11 has 3 elements for 2"),
    "counts empty": ("data", {11: typed(78, 0)}, "field 11 has 0 elements for 2"),
    "counts and features": ("data", {12: typed(77, 4)}, "not both"),
    "flags too few": ("judged", {4: typed(64, 1)}, "field 4 has 1 elements for 2"),
    "inner message": ("judged", {1: b"none"}, "data message: not a CBOR map"),
    "rescore lengths": ("rescore", {7: typed(69, 2)}, "field 7 has 1 elements for 2"),
    "end before begin": ("alarm", {5: 4}, "not before the begin"),
    "begin beyond 63 bits": ("alarm", {4: 2**63}, "field 4 must be an integer"),
    "peak NaN": ("alarm", {6: float("nan")}, "finite float"),
    "provisional a number": ("alarm", {7: 1}, "true or false"),
    "reasons a map": ("alarm", {8: {}}, "list the reasons"),
    "reason of three": ("alarm", {8: [["a", "b", 1.0]]}, "per reason"),
    "reason not finite": ("alarm", {8: [["a", "b", float("inf"), "c"]]}, "per reason"),
    "since a text": ("alarm", {9: "now"}, "field 9 must be an integer"),
    "detectors a text": ("alarm", {10: "sensor"}, "list texts"),
    "line of two": ("alarm", {11: [["BPFO", 107.0]]}, "per line"),
    "like without a begin": ("alarm", {12: ["a", None, 0.5]}, "likeness"),
}


@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_rule_is_named(rule):
    kind, changes, reason = BROKEN[rule]
    with pytest.raises(MessageError, match=re.escape(reason)) as refused:
        decode(kind, cbor2.dumps(cbor2.loads(encode(kind, example(kind))) | changes))
    assert "\n" not in str(refused.value)


def test_neither_counts_nor_features_is_refused():
    decoded = cbor2.loads(encode("data", example("data")))
    del decoded[11]
    with pytest.raises(MessageError, match="field 12 must be there"):
        decode("data", cbor2.dumps(decoded))


def test_a_message_beyond_the_limit_is_refused_unread():
    with pytest.raises(MessageError, match="the limit is"):
        decode("stored", bytes(codec.MESSAGE_LIMIT_BYTES + 1))


def test_scores_are_quarters_of_the_threshold():
    data = example("data")
    scores = codec.Data(
        data.device, 0, 0, 0, 0, 0, 0, np.arange(3), np.array([4096, 1024, compact.NO_SCORE], np.uint32),
        np.zeros(3, np.uint16), np.zeros((3, 1), np.int32), None,
    ).scores()  # fmt: skip
    assert scores[:2].tolist() == [1.0, 0.25]
    assert np.isnan(scores[2])


def defined():
    """What messages.cddl says: {message: {key: (optional, rest of the line)}}."""
    text = (Path(codec.__file__).parent / "messages.cddl").read_text(encoding="utf-8")
    found = {}
    for name, body in re.findall(r"^(\w+) = \{(.*?)^\}", text, re.MULTILINE | re.DOTALL):
        lines = re.findall(r"^  (\? )?(\d+): (.*?),(?:\s*;.*)?$", body, re.MULTILINE)
        found[name] = {int(key): (bool(optional), rest) for optional, key, rest in lines}
    return found


def fits(value, rule):
    """Whether a decoded value is what one line of the definition says; lists are only told from the rest."""
    if tag := re.fullmatch(r"#6\.(\d+)\(bstr\)", rule):
        return isinstance(value, cbor2.CBORTag) and value.tag == int(tag[1]) and isinstance(value.value, bytes)
    if rule.startswith("["):
        return isinstance(value, list)
    if rule.startswith('"'):
        return value in re.findall(r'"(\w+)"', rule)
    if rule == "int / null":
        return value is None or type(value) is int
    kinds = {"tstr": str, "bstr": bytes, "uint": int, "int": int, "float64": float, "bool": bool}
    return value == 1 if rule == "1" else type(value) is kinds[rule]


def test_the_definition_names_every_message():
    assert set(defined()) == set(EVERY)


@kinds
@settings(max_examples=20, deadline=None)
@given(draw=st.data())
def test_messages_agree_with_their_definition(kind, draw):
    rules = defined()[kind]
    decoded = cbor2.loads(encode(kind, draw.draw(EVERY[kind])))
    assert {key for key, (optional, _) in rules.items() if not optional} <= set(decoded) <= set(rules)
    for key, value in decoded.items():
        assert fits(value, rules[key][1]), (key, rules[key][1], value)
