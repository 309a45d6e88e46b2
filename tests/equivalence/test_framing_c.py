"""The C core's serial parts against Python's: frames, buffer, birth, state, marks, count of boots; sanitized too."""

import random
import struct
import subprocess

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.build import PARTS_CHECK_PROGRAM, build_host
from firmware.codegen.board_device import birth_parts
from firmware.errors import CompilerError
from firmware.micropython.buffer import Buffer
from shared.errors import MessageError
from shared.identity import Channel, DeviceProfile
from shared.messages import codec, compact
from shared.serial import framing

DEVICE = "pump-7"
ENTRY_BYTES = 16
ALL = 0xFFFFFFFF


@pytest.fixture(scope="module", params=["plain", "sanitized"])
def parts(request, build_folder):
    """Runs one part over bytes: ``parts("read", 100, data=b"...") -> bytes``."""
    try:
        program = build_host(build_folder, sanitize=request.param == "sanitized").parent / PARTS_CHECK_PROGRAM
    except CompilerError as error:
        pytest.skip(f"this machine's compiler has no sanitizers: {error}")

    def run(*words, data=b""):
        command = [str(program), *map(str, words)]
        result = subprocess.run(command, input=data, capture_output=True, timeout=60, check=False)
        assert result.returncode == 0, result.stderr.decode()
        assert not result.stderr
        return result.stdout

    return run


def block(content):
    return struct.pack("<I", len(content)) + content


def bodies():
    """Bodies that hit what COBS turns on: zeros, and runs around 254."""
    rng = random.Random(5)
    yield b""
    for length in (1, 2, 252, 253, 254, 255, 507, 508, 509, 1016, 3000):
        yield bytes(rng.choices(range(1, 256), k=length))
        yield bytes(length)
        yield bytes(rng.choices((0, 0, 0, 7, 255), k=length))
        for place in (0, length // 2, length - 1):
            content = bytearray(rng.choices(range(1, 256), k=length))
            content[place] = 0
            yield bytes(content)


def test_frames_are_the_same_bytes(parts):
    frames = [(kind, body) for body in bodies() for kind in (framing.DATA, framing.LOG, 0, 255)]
    given_ = b"".join(bytes([kind]) + block(body) for kind, body in frames)
    assert parts("write", data=given_) == b"".join(framing.encode(kind, body) for kind, body in frames)


def test_a_block_that_is_full_at_the_end_of_the_frame(parts):
    """The CRC may end a run of exactly 254: the empty block behind it must be there."""
    found = 0
    rng = random.Random(2)
    while found < 3:
        body = bytes(rng.choices(range(1, 256), k=249))
        frame = framing.encode(framing.DATA, body)
        if frame[1] == 0xFF and frame[-2] == 1:
            found += 1
            assert parts("write", data=bytes([framing.DATA]) + block(body)) == frame
            assert parts("read", 400, data=frame)[:5] == bytes([framing.DATA]) + struct.pack("<I", 249)


def read_by_python(stream, limit):
    decoder = framing.Decoder(limit)
    found = decoder.push(stream)
    told = b"".join(bytes([kind]) + block(body) for kind, body in found)
    return told + struct.pack("<BII", 0xFF, decoder.frames, decoder.refused)


noise = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.binary(max_size=600).map(lambda body: framing.encode(framing.DATA, body)),
        st.sampled_from([b"\x00", b"\x01\x00", b"\x02\x00", b"\xff" * 30, b"\x05abcd", b"\x00\x00"]),
        st.tuples(st.binary(max_size=300), st.integers(0, 300), st.integers(1, 255)).map(
            lambda spoilt: bytes(
                byte ^ (spoilt[2] if place == spoilt[1] else 0)
                for place, byte in enumerate(framing.encode(framing.LOG, spoilt[0]))
            )
        ),
        st.binary(max_size=300).map(lambda body: framing.encode(framing.STATE, body)[:-3]),
    ),
    max_size=20,
).map(b"".join)


@settings(max_examples=40, deadline=None)
@given(streams=st.lists(noise, min_size=1, max_size=6), limit=st.sampled_from([5, 40, 300, 1024]))
def test_the_reader_gives_the_same_verdicts(parts, streams, limit):
    stream = b"".join(streams)
    assert parts("read", limit, data=stream) == read_by_python(stream, limit)


def test_every_frame_after_garbage_is_found(parts):
    rng = random.Random(11)
    wanted = [(framing.DATA, bytes(rng.choices(range(256), k=rng.randrange(400)))) for _ in range(50)]
    stream = b"".join(bytes(rng.choices(range(256), k=rng.randrange(60))) + framing.encode(*frame) for frame in wanted)
    told = parts("read", 2000, data=stream)
    assert told == read_by_python(stream, 2000)
    assert all(bytes([kind]) + block(body) in told for kind, body in wanted)


class BufferStates:
    """The commands of a run of the buffer, and what Python's buffer of the same room says to each."""

    def __init__(self, capacity):
        self.capacity = capacity
        self.python = Buffer(capacity)
        self.commands = []
        self.expected = []
        self.end = 0

    def add(self, readings, filling):
        head = compact.data_head(DEVICE, 3, self.end)
        tail = compact.data_tail(0, 0, 0, bytes(8 * readings), bytes(4 * readings), bytes(2 * readings), filling)
        if len(head) + len(tail) + ENTRY_BYTES > self.capacity:
            return
        encoded = head + compact.data_oldest(0) + tail
        self.commands.append(b"a" + struct.pack("<QQQ", self.end, readings, len(head)) + block(encoded))
        self.python.add(self.end, readings, head, tail + bytes(ENTRY_BYTES))
        self.end += readings
        self.tell(b"")

    def store(self, mark):
        self.commands.append(b"s" + struct.pack("<Q", mark))
        if mark > self.python.mark:
            self.python.stored(mark)
        self.tell(b"")

    def repeat(self):
        self.commands.append(b"r")
        self.python.repeat()
        self.tell(b"")

    def take(self):
        self.commands.append(b"t")
        message = self.python.take()
        self.tell(struct.pack("<I", ALL) if message is None else block(message[:-ENTRY_BYTES]))

    def tell(self, answer):
        python = self.python
        numbers = (python.oldest(), python.mark, python.end, python.lost, len(python.entries), python.in_flight())
        self.expected.append(answer + struct.pack("<QQQQII", *numbers))


steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 16), st.integers(0, 90)),
        st.tuples(st.just("store"), st.integers(-5, 40), st.just(0)),
        st.tuples(st.just("repeat"), st.just(0), st.just(0)),
        st.tuples(st.just("take"), st.just(0), st.just(0)),
    ),
    max_size=60,
)


@settings(max_examples=40, deadline=None)
@given(capacity=st.integers(200, 1500), chosen=steps)
def test_the_buffer_keeps_sends_and_loses_what_the_twins_does(parts, capacity, chosen):
    states = BufferStates(capacity)
    for step, number, filling in chosen:
        if step == "add":
            states.add(number, bytes(range(filling)))
        elif step == "store":
            states.store(max(states.python.mark + number, 0))
        elif step == "repeat":
            states.repeat()
        else:
            states.take()
    assert parts("buffer", capacity, data=b"".join(states.commands)) == b"".join(states.expected)


def test_a_message_larger_than_the_buffer_is_lost_with_all_before_it(parts):
    states = BufferStates(400)
    states.add(4, b"")
    states.add(4, b"")
    head = compact.data_head(DEVICE, 3, 8)
    tail = compact.data_tail(0, 0, 0, bytes(128), bytes(64), bytes(32), bytes(500))
    encoded = head + compact.data_oldest(0) + tail
    states.commands.append(b"a" + struct.pack("<QQQ", 8, 16, len(head)) + block(encoded))
    told = parts("buffer", 400, data=b"".join(states.commands))
    assert told[-40:] == struct.pack("<QQQQII", 24, 0, 24, 24, 0, 0)


def verdict(payload):
    """What the C reader must say at most: Python's reading, for the device that it is."""
    try:
        mark = codec.decode_stored(payload)
    except MessageError:
        return None
    return (mark.boot, mark.next_sequence) if mark.sender == DEVICE else None


def test_marks_are_read_and_nothing_else_is(parts):
    rng = random.Random(3)
    numbers = [0, 1, 23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**62]
    good = [
        codec.encode_stored(codec.Stored(DEVICE, boot, following))
        for boot in numbers
        for following in reversed(numbers)
    ]
    bad = [codec.encode_stored(codec.Stored(name, 1, 2)) for name in ("pump-8", "pump-77", "pump", "p")]
    bad += [codec.encode_state(codec.State(DEVICE, 1, 1, "started", 0, "")), b"", b"\xa4", good[5] + b"\x00"]
    spoilt = []
    for _ in range(4000):
        payload = bytearray(rng.choice(good))
        for _ in range(rng.choice((1, 1, 2))):
            payload[rng.randrange(len(payload))] = rng.randrange(256)
        spoilt.append(bytes(payload[: rng.choice((len(payload), len(payload), rng.randrange(len(payload) + 1)))]))
    marks = [*good, *bad, *spoilt]
    told = parts("stored", DEVICE, data=b"".join(b"\x01" + block(payload) for payload in marks))
    answers = list(struct.iter_unpack("<BQQ", told))
    assert [answer[1:] for answer in answers[: len(good)]] == [verdict(payload) for payload in good]
    assert not any(answer[0] for answer in answers[len(good) : len(good) + len(bad)])
    for payload, (is_mark, boot, following) in zip(marks, answers, strict=True):
        assert not is_mark or (boot, following) == verdict(payload), payload.hex()


@pytest.mark.parametrize(("boot", "version"), [(0, 0), (1, 23), (24, 255), (65536, 2**32 - 1), (2**32, 256)])
def test_birth_and_state_are_the_codecs(parts, boot, version):
    rng = np.random.default_rng(boot % 1000)
    channels = tuple(
        Channel(f"channel {number} µ", "°C", float(rng.normal()), float(rng.random() + 1e-9)) for number in range(30)
    )
    profile = DeviceProfile(DEVICE, "acme/north/ölwerk/line-1/pump-7", "slow", 0.1, channels)
    birth = codec.Birth(profile, boot, version, tuple(f"{channel.name} value" for channel in channels), 256, 1)
    reason = "the signature ✗ is wrong" + " and wrong" * 30
    told = parts(
        *("announce", DEVICE, boot, version, "refused", 2**31, reason),
        data=b"".join(block(part) for part in birth_parts(birth)),
    )
    state = codec.State(DEVICE, boot, version, "refused", 2**31, reason)
    assert told == framing.encode(framing.BIRTH, codec.encode_birth(birth)) + framing.encode(
        framing.STATE, codec.encode_state(state)
    )


@pytest.mark.parametrize("seed", range(6))
def test_a_boot_number_never_comes_twice_wherever_the_power_goes(parts, seed):
    rng = random.Random(seed)
    cuts = [rng.choice((ALL, ALL, *range(9))) for _ in range(600)]
    records = rng.choice((1, 2, 5, 16))
    told = parts("boots", records, 1, data=b"".join(struct.pack("<II", cut, rng.getrandbits(32)) for cut in cuts))
    answers = list(struct.iter_unpack("<IBB", told))
    used = [boot for boot, _, cut in answers if not cut]
    assert len(used) > 100
    assert all(kept for _, kept, cut in answers if not cut)
    assert used == sorted(set(used))
    assert sum(cut for _, _, cut in answers) > 10


def test_boots_count_by_one_from_the_first(parts):
    told = parts("boots", 4, 7, data=struct.pack("<II", ALL, 0) * 40)
    assert [boot for boot, _, _ in struct.iter_unpack("<IBB", told)] == list(range(7, 47))


def frames_of(stream):
    return framing.Decoder().push(stream)


def link_run(parts, *commands):
    birth = codec.Birth(DeviceProfile(DEVICE, "a", "slow", 1.0, (Channel("t", "", 0.0, 1.0),)), 3, 1, ("v",), 8, 1)
    data = b"".join(block(part) for part in birth_parts(birth)) + b"".join(commands)
    return frames_of(parts("link", DEVICE, 3, data=data))


def produce(now, sequence):
    head = compact.data_head(DEVICE, 3, sequence)
    encoded = head + compact.data_oldest(0) + compact.data_tail(0, 1, 0, bytes(64), bytes(32), bytes(16), bytes(32))
    return b"a" + struct.pack("<IQQQ", now, sequence, 8, len(head)) + block(encoded)


def poll(now):
    return b"p" + struct.pack("<I", now % 2**32)


def hear(now, kind, body):
    return b"f" + struct.pack("<IB", now % 2**32, kind) + block(body)


def stored(boot, following, device=DEVICE):
    return codec.encode_stored(codec.Stored(device, boot, following))


def kinds(frames):
    return [codec.decode_data(body).sequence if kind == framing.DATA else kind for kind, body in frames]


@pytest.mark.parametrize("start", [0, 2**32 - 1000])
def test_a_link_repeats_from_the_mark_after_two_seconds(parts, start):
    frames = link_run(
        parts,
        produce(0, 0),
        produce(0, 8),
        *(poll(start) for _ in range(3)),
        poll(start + 2000),
        *(poll(start + 2001) for _ in range(3)),
        hear(start + 2100, framing.STORED, stored(3, 8)),
        *(poll(start + 4101) for _ in range(3)),
        hear(start + 4102, framing.STORED, stored(3, 16)),
        poll(start + 9000),
    )
    assert kinds(frames) == [0, 8, framing.BIRTH, framing.STATE, 0, 8, framing.BIRTH, framing.STATE, 8]
    assert codec.decode_data(frames[-1][1]).oldest == 8


def test_marks_of_others_free_nothing(parts):
    others = [stored(3, 8, "pump-8"), stored(2, 8), stored(4, 8), stored(3, 9), b"", stored(3, 8) + b"\0"]
    frames = link_run(
        parts, produce(0, 0), poll(0), *(hear(1, framing.STORED, body) for body in others), poll(2001), poll(2001)
    )
    assert kinds(frames) == [0, framing.BIRTH, framing.STATE, 0]


def test_no_more_than_64_messages_are_under_way(parts):
    frames = link_run(
        parts,
        *(produce(0, 8 * number) for number in range(80)),
        *(poll(1) for _ in range(90)),
        hear(2, framing.STORED, stored(3, 24)),
        *(poll(3) for _ in range(90)),
    )
    assert kinds(frames) == [8 * number for number in range(67)]


def test_an_image_is_refused_with_a_state_at_its_first_part(parts):
    part = struct.pack("<II", 0, 1000) + bytes(512)
    later = struct.pack("<II", 512, 1000) + bytes(488)
    frames = link_run(
        parts,
        hear(0, framing.IMAGE_PART, part),
        hear(0, framing.IMAGE_PART, later),
        hear(0, framing.IMAGE_PART, b"\0\0"),
        hear(0, framing.TIME, bytes(8)),
        hear(0, framing.LOG, b"?"),
    )
    assert [kind for kind, _ in frames] == [framing.STATE]
    state = codec.decode_state(frames[0][1])
    assert (state.result, state.judged_version, state.model_version) == ("refused", 0, 1)
    assert "signature" in state.reason
