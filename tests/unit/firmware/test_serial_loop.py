"""The twin's main loop on a line that the test holds: the rules of a sensor on MQTT, told in frames."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_devices import PUBLIC_KEY, provision_small, signed, small_image, small_profile, small_rows

from firmware.host.sensor import birth_of
from firmware.micropython import serial_loop
from firmware.micropython.birth import BirthTemplate, nearest_product
from firmware.micropython.lines import UartLine
from firmware.micropython.serial_loop import SerialLoop
from firmware.micropython.slots import Slots
from shared.errors import ImageError, MessageError
from shared.identity import Channel, DeviceProfile
from shared.messages import codec, compact
from shared.serial import framing


class Bench:
    """A device of `folder`; `now` is its clock in milliseconds."""

    def __init__(self, folder, samples=None, buffer_bytes=serial_loop.BUFFER_BYTES):
        self.now = 1_000_000
        self.arrived = b""
        self.sent = b""
        self.decoder = framing.Decoder()
        birth = (folder / "profile.cbor").read_bytes()
        ticks = lambda: self.now  # noqa: E731
        self.loop = SerialLoop(self, Slots(str(folder)), birth, [PUBLIC_KEY], ticks, samples, buffer_bytes)
        self.device = self.loop.birth.device

    def read(self):
        arrived, self.arrived = self.arrived, b""
        return arrived

    def write(self, content):
        self.sent += content

    def frames(self, *kinds):
        sent, self.sent = self.sent, b""
        return [(kind, body) for kind, body in self.decoder.push(sent) if not kinds or kind in kinds]

    def push(self, content, *kinds):
        """The frames that answer `content`."""
        self.arrived += content
        while self.loop.poll():
            pass
        return self.frames(*kinds)

    def rows(self, rows, flags=0):
        answers = []
        for first in range(0, len(rows), 50):
            packed = b"".join(
                struct.pack(f"<q{len(counts)}i", time_ns, *counts) for time_ns, counts in rows[first : first + 50]
            )
            answers += self.push(framing.encode(framing.SAMPLES, bytes((0 if first else flags,)) + packed))
        return answers

    def mark(self, next_sequence, device=None, boot=None):
        stored = codec.Stored(device or self.device, boot or self.loop.boot, next_sequence)
        return self.push(framing.encode(framing.STORED, codec.encode_stored(stored)))

    def part(self, image, offset, size=framing.IMAGE_PART_BYTES, length=None):
        head = struct.pack("<II", offset, len(image) if length is None else length)
        return self.push(framing.encode(framing.IMAGE_PART, head + image[offset : offset + size]))

    def image(self, image):
        """Hand over an image as a gateway does; the states that came."""
        offset, states = 0, []
        while offset is not None:
            answers = self.part(image, offset)
            states += [codec.decode_state(body) for kind, body in answers if kind == framing.STATE]
            asked = [int.from_bytes(body, "little") for kind, body in answers if kind == framing.IMAGE_PROGRESS]
            offset = asked[0] if asked and asked[0] < len(image) else None
        return states


@pytest.fixture
def folder(tmp_path):
    provision_small(tmp_path, small_profile())
    return tmp_path


def sequences(frames):
    found = [codec.decode_data(body) for kind, body in frames if kind == framing.DATA]
    return [(data.oldest, data.sequence, len(data)) for data in found]


def test_it_begins_with_a_zero_byte_its_self_test_birth_and_state(folder):
    bench = Bench(folder)
    bench.loop.begin(bench.loop.self_test())
    assert bench.sent[:1] == b"\x00"
    frames = bench.frames()
    assert [kind for kind, _ in frames] == [framing.LOG, framing.LOG, framing.BIRTH, framing.STATE]
    assert frames[1][1] == b"image version 1, golden vector right"
    assert frames[2][1] == codec.encode_birth(birth_of(small_profile(), 1, bench.loop.image))
    assert codec.decode_state(frames[3][1]) == codec.State("press-7", 1, 1, "started", 0, "")
    assert Bench(folder).loop.boot == 2


def test_what_is_not_stored_for_two_seconds_is_sent_again_after_who_this_is(folder):
    bench = Bench(folder)
    sent = sequences(bench.rows(small_rows(small_profile(), 50)))
    assert sent == [(0, 0, 11), (0, 11, 11), (0, 22, 11), (0, 33, 11)]
    assert bench.mark(22) == []
    bench.now += serial_loop.REPEAT_MS
    assert bench.push(b"") == []
    bench.now += 1
    again = bench.push(b"")
    assert [kind for kind, _ in again[:2]] == [framing.BIRTH, framing.STATE]
    assert sequences(again) == [(22, 22, 11), (22, 33, 11)]
    bench.mark(44)
    bench.now += 10 * serial_loop.REPEAT_MS
    assert bench.push(b"") == []


def test_only_marks_of_this_device_and_boot_within_what_was_made_count(folder):
    bench = Bench(folder)
    bench.rows(small_rows(small_profile(), 23))
    for next_sequence, device, boot in ((11, "press-8", 1), (11, None, 2), (23, None, None), (1 << 62, None, None)):
        bench.mark(next_sequence, device, boot)
        assert bench.loop.buffer.mark == 0
    bench.mark(22)
    bench.mark(11)
    assert bench.loop.buffer.mark == 22


def test_few_messages_are_on_their_way_at_once(folder):
    bench = Bench(folder)
    sent = sequences(bench.rows(small_rows(small_profile(), 11 * 20 + 1)))
    assert len(sent) == serial_loop.IN_FLIGHT_MAX
    assert sequences(bench.mark(33)) == [(33, 88, 11), (33, 99, 11), (33, 110, 11)]


def test_what_there_is_no_room_for_is_counted(folder):
    bench = Bench(folder, buffer_bytes=1000)
    bench.rows(small_rows(small_profile(), 100))
    assert bench.loop.buffer.lost > 0
    bench.now += serial_loop.REPEAT_MS + 1
    assert sequences(bench.push(b""))[0][0] == bench.loop.buffer.lost


@pytest.mark.parametrize("fast", [False, True])
def test_samples_in_frames_are_samples_of_the_sensor(tmp_path, fast):
    rows = small_rows(small_profile(fast=fast), 300)
    rows = rows[:100] + [(time_ns + 10**11, counts) for time_ns, counts in rows[100:]]
    parts = [rows[first : first + 40] for first in range(0, 300, 40)]
    waiting = list(parts)
    provision_small(tmp_path / "line", small_profile(fast=fast))
    provision_small(tmp_path / "sensor", small_profile(fast=fast))
    by_line = Bench(tmp_path / "line")
    by_sensor = Bench(tmp_path / "sensor", lambda: waiting.pop(0) if waiting else None)
    taken = [by_line.rows(part) for part in parts]
    assert taken[-1][-1 if fast else 0] == (framing.TAKEN, struct.pack("<I", 300))
    by_sensor.push(b"")
    assert not waiting
    for bench in (by_line, by_sensor):
        bench.loop.device.close_message()
    assert by_line.loop.buffer.entries == by_sensor.loop.buffer.entries
    assert by_line.loop.device.stretch == 1
    assert by_line.loop.device.sequence == (9 if fast else 300)


def test_a_frame_that_begins_a_clip_ends_the_stretch(folder):
    bench = Bench(folder)
    rows = small_rows(small_profile(), 10)
    bench.rows(rows[:5])
    data = [codec.decode_data(body) for kind, body in bench.rows(rows[5:], 1) if kind == framing.DATA]
    assert [(len(message), message.stretch) for message in data] == [(5, 0)]


def test_half_a_row_is_taken_as_none_and_said(folder):
    bench = Bench(folder)
    answers = bench.push(framing.encode(framing.SAMPLES, bytes(20)))
    assert [kind for kind, _ in answers] == [framing.LOG, framing.TAKEN]
    assert answers[1][1] == bytes(4)
    assert bench.loop.device.sequence == 0


def test_noise_costs_no_frame_but_the_one_that_it_hits(folder):
    bench = Bench(folder)
    good = framing.encode(framing.SAMPLES, b"\x00" + struct.pack("<q2i", 1, 2, 3))
    bench.push(b"noise \xff" + good + b"noise" + good[:-4] + good + good[:9] + b"\x07" + good[10:] + good)
    assert (bench.loop.rows, bench.loop._decoder.refused) == (3, 4)


def test_an_image_is_accepted_run_reported_and_proved_by_the_gateways_next_word(folder):
    bench = Bench(folder)
    image = signed(small_image(small_profile(), 2, hidden=9))
    bench.rows(small_rows(small_profile(), 5))
    (state,) = bench.image(image)
    assert state == codec.State("press-7", 1, 2, "accepted", 2, "")
    assert bench.loop.slots.on_trial
    bench.mark(9, device="another")  # spoken to another device, but this line's gateway heard the report
    assert not bench.loop.slots.on_trial
    assert Bench(folder).loop.image.version == 2


def test_an_image_that_was_never_answered_is_given_up_at_the_next_start(folder):
    bench = Bench(folder)
    bench.image(signed(small_image(small_profile(), 2)))
    again = Bench(folder)
    again.loop.begin([])
    (state,) = [codec.decode_state(body) for kind, body in again.frames() if kind == framing.STATE]
    assert (again.loop.image.version, state.reason) == (
        1,
        "the image on trial was given up: the device had not reported with it",
    )


def test_a_bad_image_is_refused_with_its_version_and_reason(folder):
    bench = Bench(folder)
    altered = bytearray(signed(small_image(small_profile(), 5)))
    altered[-1] ^= 1
    (state,) = bench.image(bytes(altered))
    assert state == codec.State(
        "press-7", 1, 1, "refused", 5, "model image: not signed with a key that this device knows"
    )
    assert bench.loop.image.version == 1


def test_an_image_that_cannot_be_stored_is_refused(folder, monkeypatch):
    bench = Bench(folder)

    def full(_image):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bench.loop.slots, "store", full)
    (state,) = bench.image(signed(small_image(small_profile(), 2)))
    assert state.reason == f"model image: version 2 cannot be stored in {folder} (error 28)"
    assert bench.loop.image.version == 1


def test_an_image_without_room_in_memory_is_refused(folder, monkeypatch):
    bench = Bench(folder)

    def no_room(_offset, _length, _part):
        raise MemoryError

    monkeypatch.setattr(bench.loop._transfer, "take", no_room)
    (answer,) = bench.part(bytes(600), 0)
    assert codec.decode_state(answer[1]).reason == "model image: 600 bytes do not fit this board's memory"


def test_the_image_that_runs_is_answered_at_once_with_who_this_is(folder):
    bench = Bench(folder)
    answers = bench.part(signed(small_image(small_profile(), 1)), 0)
    assert [kind for kind, _ in answers] == [framing.BIRTH, framing.STATE]


def test_parts_that_are_lost_doubled_or_out_of_order_are_asked_for_again(folder):
    bench = Bench(folder)
    image = signed(small_image(small_profile(), 2, hidden=40))
    assert len(image) > 1300
    answers = [bench.part(image, offset) for offset in (0, 512, 512, 1200, 0)]
    asked = [int.from_bytes(body, "little") for ((_, body),) in answers]
    assert asked == [512, 1024, 1024, 1024, 512]
    assert [state.result for state in bench.image(image)] == ["accepted"]


@pytest.mark.parametrize(("offset", "length"), [(0, 0), (0, 2**32 - 1), (0, 100)])
def test_a_part_of_an_impossible_image_is_refused(folder, offset, length):
    (answer,) = Bench(folder).part(bytes(600), offset, length=length)
    assert codec.decode_state(answer[1]).result == "refused"


def test_data_wait_while_a_part_is_on_its_way(folder):
    bench = Bench(folder)
    bench.part(signed(small_image(small_profile(), 2, hidden=9)), 0)
    assert sequences(bench.rows(small_rows(small_profile(), 12))) == []
    bench.now += serial_loop.PART_MS
    assert sequences(bench.push(b"")) == [(0, 0, 11)]


def test_the_time_is_set_by_the_gateway_and_never_stepped_back(folder):
    bench = Bench(folder)
    for time_ns, known in ((5_000_000_000, 5_000_000_000), (4_000_000_000, 5_000_000_000), (6_000_000_000,) * 2):
        bench.push(framing.encode(framing.TIME, struct.pack("<q", time_ns)))
        assert bench.loop.clock.now_ns() == known


def test_frames_that_are_not_for_a_device_change_nothing(folder):
    bench = Bench(folder)
    kinds = (framing.STORED, framing.TIME, framing.IMAGE_PART, framing.DATA, 99)
    for kind, body in zip(kinds, (b"\xa4", b"1234", b"1234", b"", b"x"), strict=True):
        assert bench.push(framing.encode(kind, body)) == []


rates = st.floats(0.001, 1e6, allow_nan=False)


@given(rates, st.integers(0, 2049), st.integers(5, 12))
def test_frequencies_are_rounded_as_floats_round_them(rate, edge, log2_window):
    (bits,) = struct.unpack("<Q", struct.pack("<d", rate))
    assert nearest_product(bits, edge, 1 << log2_window) == round(edge * (rate / (1 << log2_window)))


@given(
    fast=st.booleans(),
    boot=st.integers(0, 2**40),
    version=st.integers(1, 2**32 - 1),
    rate=rates,
    bands=st.integers(1, 8),
    envelope=st.integers(0, 8),
    unit=st.text(max_size=40),
)
def test_a_board_encodes_the_birth_that_the_codec_does(fast, boot, version, rate, bands, envelope, unit):
    profile = small_profile(fast=fast)
    channels = (*profile.channels, Channel("Größe", unit, -1e-300, 5e-324))
    profile = DeviceProfile(profile.device, profile.asset, profile.kind, rate, channels)
    provisioned = codec.encode_birth(birth_of(profile, 0, small_image(profile, 1, bands=3)))
    image = small_image(profile, 7, bands=bands)
    image.version = version
    if fast and envelope:
        image.envelope_edges = list(range(envelope + 1))
    image.samples = envelope > 4
    template = BirthTemplate(provisioned)
    assert template.encode(boot, image) == codec.encode_birth(birth_of(profile, boot, image))
    assert template.resolutions == [(channel.offset, channel.step) for channel in channels]


def test_a_birth_names_envelope_bands_by_their_frequencies():
    profile = small_profile(fast=True)
    image = small_image(profile, bands=2)
    image.envelope_edges = [0, 4, 9]
    names = birth_of(profile, 0, image).feature_names[:7]
    assert names[3:5] == ("temperature band 25-200 Hz", "temperature band 200-425 Hz")
    assert names[5:] == ("temperature envelope 0-100 Hz", "temperature envelope 100-225 Hz")


def test_a_birth_that_is_damaged_is_refused():
    good = codec.encode_birth(birth_of(small_profile(), 0, small_image(small_profile())))
    for cut in range(100):
        with pytest.raises(MessageError):
            BirthTemplate(good[:cut])


@given(
    st.text(alphabet="abc-1", min_size=1, max_size=48).filter(lambda name: name.strip("-") == name),
    st.integers(0, 2**62),
    st.integers(0, 2**62),
)
def test_a_mark_is_read_as_the_codec_writes_it(device, boot, next_sequence):
    encoded = codec.encode_stored(codec.Stored(device, boot, next_sequence))
    assert compact.decode_stored(encoded) == (device, boot, next_sequence)


@given(st.binary(max_size=60))
def test_a_mark_is_refused_by_the_device_where_the_codec_refuses_it(content):
    for candidate in (content, b"\xa4\x00\x01\x01" + content, b"\xa4\x00\x01\x01\x61a\x02" + content):
        try:
            found = compact.decode_stored(candidate)
        except MessageError:
            continue
        assert codec.encode_stored(codec.Stored(*found)) == candidate


def test_a_uart_takes_what_it_can_and_the_rest_later():
    class Uart:
        sent = b""

        def write(self, content):
            self.sent += bytes(content[:3])
            return min(3, len(content))

        def any(self):
            return 5

        def read(self, count):
            return b"12345"[:count]

    uart = Uart()
    line = UartLine(uart)
    line.write(b"eleven byte")
    assert (uart.sent, line.read()) == (b"eleven byte", b"12345")


def test_there_is_no_image_in_an_empty_folder(tmp_path):
    content = small_image(small_profile())
    (tmp_path / "profile.cbor").write_bytes(codec.encode_birth(birth_of(small_profile(), 0, content)))
    with pytest.raises(ImageError, match="provision the device first"):
        Bench(tmp_path)
