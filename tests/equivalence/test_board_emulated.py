"""The STM32F405 firmware in QEMU against the twin: the messages that it sends for a recording are the twin's bytes.

The board runs its model packed for its core, the twin the same model as it was trained.
"""

import functools

import numpy as np
import pytest
from emulated_boards import Bench, device_of, require_emulator
from layer_images import layered_image

from firmware.board_build import FACTORY_FOLDER, BoardDevice, build_board, read_board_device
from firmware.boards.registry import board_named
from firmware.codegen.board_device import BoardOptions
from firmware.host.replay import Source, push_all
from firmware.micropython.device import Device
from shared.messages import codec, compact
from shared.model_image import read
from shared.quantized.targets import TARGET_ANY, TARGET_DSP
from shared.recordings.profile import profile_of
from shared.recordings.reader import read_recording
from shared.recordings.simulator import simulate, simulate_windows
from shared.serial import framing
from shared.signal import definition

BOARD = board_named("stm32f405")
#: What the board sends before it wants a mark.
UNMARKED_MAX = 64


@pytest.fixture(scope="module")
def firmware_folder(tmp_path_factory):
    require_emulator()
    return tmp_path_factory.mktemp("boards")


def twin_messages(device: BoardDevice, boot, times_ns, counts, clips) -> list[tuple[int, int, bytes, bytes]]:
    """(sequence, readings, head, tail) of every message."""
    messages: list[tuple[int, int, bytes, bytes]] = []
    twin = Device(device.birth.profile.device, boot, read(device.image), lambda *message: messages.append(message))
    push_all(twin, Source(times_ns, counts, np.flatnonzero(clips)))
    return messages


def assert_same_messages(
    firmware_folder, device: BoardDevice, times_ns, counts, clips=None, boot=5, options: BoardOptions | None = None
) -> int:
    """Play a recording to a board; compare birth, state and all its messages with the twin's; how many there were."""
    clips = np.zeros(len(times_ns), bool) if clips is None else clips
    firmware = build_board(BOARD, firmware_folder, device=device, options=options)
    assert firmware.model.content.target == (TARGET_DSP if device.content.layers else TARGET_ANY)
    expected = twin_messages(device, boot, times_ns, counts, clips)
    with Bench(firmware, boot) as bench:
        assert bench.of(framing.BIRTH) == [codec.encode_birth(with_boot(device, boot))]
        version = device.content.version if device.content.layers else 0
        state = codec.State(device.birth.profile.device, boot, version, "started", 0, "")
        assert bench.of(framing.STATE) == [codec.encode_state(state)]
        bench.push(times_ns, counts, clips)
        sent: list[bytes] = []
        while len(sent) < len(expected):
            missing = min(len(expected) - len(sent), UNMARKED_MAX)
            fresh = bench.wait(functools.partial(new_messages, bench, len(sent), missing))
            sent += fresh
            sequence, readings, _, _ = expected[len(sent) - 1]
            bench.store(sequence + readings)
        bench.wait(lambda: bench.line.idle)
        assert not [text for text in bench.texts() if "samples" in text]
        marks = [0, *(codec.decode_data(body).sequence + len(codec.decode_data(body)) for body in sent)]
    for number, (body, (_, _, head, tail)) in enumerate(zip(sent, expected, strict=True)):
        oldest = marks[number // UNMARKED_MAX * UNMARKED_MAX]
        assert body == head + compact.data_oldest(oldest) + tail, f"message {number} differs"
    return len(sent)


def new_messages(bench: Bench, known: int, wanted: int) -> list[bytes]:
    """The next `wanted` messages after `known` ones, in order, without repetitions; nothing before all are there."""
    bodies: dict[int, bytes] = {}
    for body in bench.of(framing.DATA):
        bodies.setdefault(codec.decode_data(body).sequence, body)
    found = [bodies[sequence] for sequence in sorted(bodies)][known : known + wanted]
    return found if len(found) == wanted else []


def with_boot(device: BoardDevice, boot: int) -> codec.Birth:
    birth = device.birth
    version = device.content.version if device.content.layers else 0
    return codec.Birth(birth.profile, boot, version, birth.feature_names, birth.window, birth.hop)


def scores_of(device: BoardDevice, times_ns, counts, clips=None) -> int:
    """How many different scores the twin gives, none apart: what a comparison is worth."""
    clips = np.zeros(len(times_ns), bool) if clips is None else clips
    found = set()
    for _, _, head, tail in twin_messages(device, 1, times_ns, counts, clips):
        found |= set(codec.decode_data(head + compact.data_oldest(0) + tail).scores_q12.tolist())
    return len(found - {compact.NO_SCORE})


def test_the_pumps_process_device(firmware_folder):
    device = read_board_device(FACTORY_FOLDER)
    recording = simulate(1, "outer_race", duration_s=960.0, onset_s=850.0).process
    profile, counts = profile_of(recording, 600, "factory-process", "a")
    assert profile.digest() == device.birth.profile.digest()
    counts = counts.copy()
    counts[700:705, 1] = definition.MISSING
    counts[800, 0] = 2**31 - 1
    times = recording.times_ns.copy()
    times[900:] += 10**13  # a gap
    assert scores_of(device, times, counts) > 500
    assert assert_same_messages(firmware_folder, device, times, counts) > 80


def test_the_pumps_vibration(bench, firmware_folder):
    windows = simulate_windows(3, "inner_race", window=256, hop=256, duration_s=2.0, onset_s=1.0).counts
    counts = windows.reshape(-1, 3).astype(np.int32)[:5000]
    times = np.arange(len(counts), dtype=np.int64) * 312_500
    starts = np.zeros(len(counts), bool)
    image = bench.images.fitted(
        counts[:3000],
        times[:3000],
        kind=definition.KIND_FAST,
        window=256,
        hop=160,
        bands=8,
        gap_ns=10**9,
        starts=starts[:3000],
    )
    clips = starts.copy()
    clips[4000] = True
    device = device_of(image)
    assert scores_of(device, times, counts, clips) > 15
    assert assert_same_messages(firmware_folder, device, times, counts, clips) >= 2


@pytest.mark.parametrize("seed", range(2))
def test_extreme_images_and_samples(bench, firmware_folder, seed):
    rng = np.random.default_rng(seed)
    image = bench.images.random(seed, channels=5, window=8, extreme=True, layers=seed == 0, hidden=(40, 9))
    rails = np.array([-(2**31), -(2**31) + 1, -32769, -1, 0, 32767, 2**31 - 1])
    counts = rng.choice(rails, (400, 5)).astype(np.int32)
    times = rng.choice([-(2**63), 2**63 - 1, 0, 1], 400).astype(np.int64) if seed else np.arange(400) * 10**9
    clips = rng.random(400) < 0.02
    clips[0] = False
    assert_same_messages(firmware_folder, device_of(image), times, counts, clips, boot=2**31 - 1)


def test_a_real_recording(bench, datasets, firmware_folder):
    recording = read_recording(datasets / "skab/data/valve1/0.csv", healthy_rows=400, ignore=("anomaly", "changepoint"))
    _, counts = profile_of(recording, 400, "press-7", "acme/press-7")
    counts, times = counts[:1000], recording.times_ns[:1000]
    image = bench.images.fitted(
        counts[:400],
        times[:400],
        kind=definition.KIND_SLOW,
        window=32,
        hop=1,
        bands=0,
        gap_ns=60 * 10**9,
        starts=np.zeros(400, bool),
    )
    device = device_of(image)
    assert scores_of(device, times, counts) > 400
    assert assert_same_messages(firmware_folder, device, times, counts) > 60


SLOW_SAMPLES = {"kind": definition.KIND_SLOW, "window": 32, "channels": 3}
FAST_ENVELOPE = {
    "kind": definition.KIND_FAST,
    "window": 64,
    "hop": 48,
    "bands": 3,
    "samples": False,
    "envelope": (4, 16, [1, 3, 9]),
}


@pytest.mark.parametrize(
    ("recipe", "options", "scores"),
    [
        (SLOW_SAMPLES, BoardOptions(), 10),
        (SLOW_SAMPLES, BoardOptions(small=True), 10),
        ({**SLOW_SAMPLES, "extreme": True}, BoardOptions(worst_case=True), 1),
        ({**SLOW_SAMPLES, "rounding": 1}, BoardOptions(), 10),
        (FAST_ENVELOPE, BoardOptions(), 10),
        (FAST_ENVELOPE, BoardOptions(small=True), 10),
    ],
    ids=["samples", "small", "extreme", "rounded twice", "envelope", "small envelope"],
)
def test_convolutions_and_models_of_samples(firmware_folder, recipe, options, scores):
    rng = np.random.default_rng(7)
    device = device_of(layered_image(3, **recipe))
    channels = len(device.content.channels)
    counts = rng.normal(0, 9000, (900, channels)).astype(np.int32)
    counts[400] = definition.MISSING
    times = np.arange(900, dtype=np.int64) * 10**8
    clips = np.zeros(900, bool)
    clips[500] = True
    assert scores_of(device, times, counts, clips) >= scores
    assert assert_same_messages(firmware_folder, device, times, counts, clips, options=options) >= 2
