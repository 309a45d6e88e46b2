"""From the bytes of a line to messages: whatever garbage stands around and inside frames, and who speaks."""

from gateway_partners import PROFILE, data_message
from hypothesis import given
from hypothesis import strategies as st

from gateway.inputs.serial_messages import EARLY_MESSAGES, SerialMessages
from shared import topics
from shared.identity import DeviceProfile
from shared.messages import codec
from shared.serial import framing

KINDS = st.sampled_from([framing.BIRTH, framing.DATA, framing.STATE, framing.LOG])
frames = st.lists(st.tuples(KINDS, st.binary(max_size=600)), min_size=1, max_size=8)


def birth(device="pump-1", boot=1):
    profile = DeviceProfile(device, PROFILE.asset, "slow", 1.0, PROFILE.channels)
    return codec.encode_birth(codec.Birth(profile, boot, 0, (), 16, 1))


def in_pieces(stream, sizes):
    """The stream in reads of these sizes, over and over."""
    position = turn = 0
    while position < len(stream):
        size = sizes[turn % len(sizes)]
        yield stream[position : position + size]
        position, turn = position + size, turn + 1


def received(stream, sizes=(4096,)):
    decoder = framing.Decoder()
    return [frame for piece in in_pieces(stream, sizes) for frame in decoder.push(piece)], decoder


@given(
    sent=frames, garbage=st.lists(st.binary(max_size=80), min_size=9, max_size=9), sizes=st.lists(st.integers(1, 70))
)
def test_garbage_before_and_between_frames_costs_no_frame(sent, garbage, sizes):
    stream = b"".join(noise + framing.encode(*frame) for noise, frame in zip(garbage, sent, strict=False))
    found, decoder = received(stream + garbage[-1], sizes or [64])
    assert found == sent
    assert decoder.frames == len(sent)


@given(
    sent=frames,
    where=st.tuples(st.integers(0, 7), st.integers(0, 10_000), st.integers(0, 30)),
    damage=st.binary(max_size=30),
    sizes=st.lists(st.integers(1, 70)),
)
def test_garbage_inside_a_frame_costs_that_frame_at_most(sent, where, damage, sizes):
    spoiled, position, length = where
    spoiled %= len(sent)
    encoded = [framing.encode(*frame) for frame in sent]
    position %= len(encoded[spoiled])
    whole = encoded[spoiled]
    encoded[spoiled] = whole[:position] + damage + whole[position + length :]
    found, _ = received(b"".join(encoded), sizes or [64])
    assert found in (sent, sent[:spoiled] + sent[spoiled + 1 :])


@given(sent=frames, cut=st.integers(0, 5000))
def test_a_stream_that_begins_anywhere_gives_every_frame_that_is_whole(sent, cut):
    encoded = [framing.encode(*frame) for frame in sent]
    stream = b"".join(encoded)
    cut %= len(stream)
    begins = [sum(map(len, encoded[:index])) for index in range(len(encoded))]
    # The zero byte in front may be missing: nothing stands before it.
    whole = [frame for frame, begin in zip(sent, begins, strict=True) if begin + 1 >= cut]
    assert received(stream[cut:])[0] == whole


def test_the_last_birth_names_the_device_of_what_follows():
    messages = SerialMessages()
    assert messages.take(framing.BIRTH, birth()) == [(topics.birth("pump-1"), birth())]
    assert messages.take(framing.DATA, b"whatever") == [(topics.data("pump-1"), b"whatever")]
    messages.take(framing.BIRTH, birth("fan-7"))
    assert messages.take(framing.STATE, b"whatever") == [(topics.state("fan-7"), b"whatever")]
    assert messages.device == "fan-7"


def test_before_a_birth_a_message_names_its_device_itself():
    messages = SerialMessages()
    data = data_message(0, device="fan-7")
    assert messages.take(framing.DATA, data) == [(topics.data("fan-7"), data)]
    assert messages.device == "fan-7"
    assert messages.take(framing.DATA, b"unreadable") == [(topics.data("fan-7"), b"unreadable")]


def test_what_cannot_be_read_waits_for_the_birth_within_limits():
    messages = SerialMessages()
    bodies = [bytes([number]) for number in range(EARLY_MESSAGES + 3)]
    assert [messages.take(framing.DATA, body) for body in bodies] == [[]] * len(bodies)
    assert messages.refused == 3
    taken = messages.take(framing.BIRTH, birth())
    assert taken == [(topics.birth("pump-1"), birth())] + [(topics.data("pump-1"), body) for body in bodies[3:]]
    assert messages.take(framing.BIRTH, birth()) == [(topics.birth("pump-1"), birth())]


def test_frames_that_are_no_message_and_births_of_nobody_are_counted():
    messages = SerialMessages()
    assert messages.take(framing.STORED, b"an echo") == []
    assert messages.take(0x7F, b"a newer device") == []
    assert messages.take(framing.BIRTH, b"unreadable") == []
    assert messages.refused == 3
    messages.take(framing.BIRTH, birth())
    assert messages.take(framing.BIRTH, b"unreadable") == [(topics.birth("pump-1"), b"unreadable")]
    assert messages.refused == 3
