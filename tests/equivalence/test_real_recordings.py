"""Real recordings: every window of the twin, of NumPy and of the C program is the same, and a changed weight shows."""

import copy
from dataclasses import dataclass

import numpy as np
import pytest

from firmware.build import build_host, packaged_compiler
from shared import model_image
from shared.identity import FAST
from shared.quantized.scorer import Scorer
from shared.recordings.profile import profile_of
from shared.recordings.reader import read_recording
from shared.signal import definition


@dataclass(frozen=True)
class Case:
    """A recording, how it is read, and the windows that it is judged by."""

    path: str
    healthy_rows: int
    window: int
    hop: int = 1
    bands: int = 0
    rows: int = 1200
    gap_seconds: float = 60.0
    rate_hz: float | None = None
    labels: tuple[str, ...] = ()


CASES = {
    "skab": Case("skab/data/valve1/0.csv", 400, 32, labels=("anomaly", "changepoint")),
    "nab": Case(
        "nab/data/realKnownCause/ambient_temperature_system_failure.csv", 1000, 64, rows=3000, gap_seconds=7200.0
    ),
    "tep": Case("tep/d01_te.dat", 160, 16, rows=400, gap_seconds=3600.0),
    "cwru": Case("cwru48k/1797_IR_7_DE48.npz", 20_000, 1024, 700, 12, rows=60_000, rate_hz=48_000.0),
    "fan": Case("fan_esp32/fan_0_low_0_weight", 10_000, 64, 64, 8, rows=20_000, rate_hz=200.0),
}


@pytest.fixture(scope="module")
def recorded(bench, datasets):
    """Case name -> image fitted to its healthy part, times, counts, clip starts."""
    made = {}

    def one(name):
        if name not in made:
            case = CASES[name]
            recording = read_recording(
                datasets / case.path,
                healthy_rows=case.healthy_rows,
                sample_rate_hz=case.rate_hz,
                ignore=case.labels,
            )
            _, counts = profile_of(recording, case.healthy_rows, "press-7", "acme/north/hall/line-1/press-7")
            counts, times = counts[: case.rows], recording.times_ns[: case.rows]
            clips = np.zeros(len(counts), bool)
            clips[[row for row in recording.clip_starts if 0 < row < len(counts)]] = True
            fast = recording.kind == FAST
            image = bench.images.fitted(
                counts[: case.healthy_rows],
                times[: case.healthy_rows],
                kind=definition.KIND_FAST if fast else definition.KIND_SLOW,
                window=case.window,
                hop=case.hop,
                bands=case.bands,
                gap_ns=int(case.gap_seconds * 1e9),
                starts=clips[: case.healthy_rows],
            )
            made[name] = image, times, counts, clips
        return made[name]

    return one


def distinct(judged):
    """How many different scores there are, none apart."""
    return len(set(judged.scores[judged.scores != 0xFFFFFFFF].tolist()))


@pytest.mark.parametrize("name", CASES)
def test_every_window_is_the_same(bench, same, recorded, name):
    image, times, counts, clips = recorded(name)
    twin = bench.twin(image, times, counts, clips, runs=1024)
    c = bench.c(image, times, counts, clips)
    same(twin, c)
    assert twin.messages == c.messages
    same(bench.numpy(image, times, counts, clips), c)
    assert distinct(c) >= 50


@pytest.mark.parametrize("name", ["skab", "fan", "cwru"])
def test_one_changed_weight_changes_the_scores(bench, recorded, name):
    image, times, counts, clips = recorded(name)
    changed = copy.deepcopy(image)
    weights = bytearray(changed.layers[1].weights)
    weights[4] ^= 0x40
    changed.layers[1].weights = bytes(weights)
    scorer = Scorer(changed)
    changed.golden_score = scorer.score(changed.golden_features)[0]
    changed.golden_output = list(scorer.output)
    before, after = bench.c(image, times, counts, clips), bench.c(changed, times, counts, clips)
    np.testing.assert_array_equal(before.features, after.features)
    assert (before.scores != after.scores).any()
    assert (before.outputs != after.outputs).any()
    assert before.messages != after.messages


def test_the_compiler_from_the_package_index_gives_the_same_bytes(bench, same, recorded, build_folder):
    pytest.importorskip("ziglang", reason="ziglang is not installed: pip install 'tocsin[firmware]'")
    bench.programs["zig"] = build_host(build_folder, compiler=packaged_compiler())
    for name in ("skab", "cwru"):
        image, times, counts, clips = recorded(name)
        ours, packaged = (bench.c(image, times, counts, clips, program=program) for program in ("cc", "zig"))
        same(ours, packaged)
        assert ours.messages == packaged.messages


def test_a_signed_image_is_the_same_image(bench, recorded):
    image, *_ = recorded("skab")
    unsigned = model_image.encode(image)
    assert model_image.encode(model_image.read(model_image.seal(unsigned, b"k" * 8, b"s" * 64))) == unsigned
