"""One sensor told three times, by the twin, NumPy and the C program: the same samples must give the same bytes."""

import itertools
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from firmware.build import build_host
from firmware.c_program import run_device, sample_stream
from firmware.micropython.device import Device
from shared import model_image
from shared.messages import compact
from shared.model_image import ImageContent, Layer, Scaling
from shared.quantized import arrays as quantized
from shared.quantized.scorer import Scorer
from shared.signal import arrays, definition

NO_SCORE = compact.NO_SCORE
NO_FEATURE = compact.NO_FEATURE


@dataclass
class Judged:
    """Per reading: features int16, outputs int8 (zeros where there are none), scores uint32, tops uint16; messages."""

    features: np.ndarray
    outputs: np.ndarray
    scores: np.ndarray
    tops: np.ndarray
    messages: list[bytes]


class TracedDevice(Device):
    """The twin, keeping what it computed for each reading."""

    def __init__(self, device: str, boot: int, image: ImageContent, messages: list[bytes]) -> None:
        self.rows: list[tuple[list[int], list[int], int, int]] = []
        super().__init__(
            device,
            boot,
            image,
            lambda _sequence, _readings, head, tail: messages.append(head + compact.data_oldest(0) + tail),
        )

    def _add_reading(self, time_ns: int, score: int, top: int, payload: bytes) -> None:
        judged = score != NO_SCORE
        zeros = [0] * len(self.image.features)
        has_features = judged or self.image.kind == definition.KIND_FAST
        self.rows.append(
            (list(self.features) if has_features else zeros, list(self.scorer.output) if judged else zeros, score, top)
        )
        super()._add_reading(time_ns, score, top, payload)


def scaling_for(centre: float, deviation: float, units: int) -> Scaling:
    """`units` per deviation, within what an image may say."""
    factor = units / max(deviation, 1e-6)
    shift = 30
    while factor * 2.0**shift >= 2**30 and shift > 1:
        shift -= 1
    while factor * 2.0**shift < 2**15 and shift < model_image.SCALE_SHIFT_MAX:
        shift += 1
    multiplier = min(max(round(factor * 2.0**shift), 1), 2**30 - 1)
    return Scaling(int(np.clip(round(centre), -(2**31), 2**31 - 1)), multiplier, shift)


class Images:
    """Makes images: wholly random ones, and ones whose scalings fit given healthy samples."""

    def layers(self, rng: np.random.Generator, widths: list[int], extreme: bool = False) -> list[Layer]:
        made = []
        for inputs, outputs in itertools.pairwise(widths):
            weights = (
                rng.choice([-128, 127], (outputs, inputs)) if extreme else rng.integers(-128, 128, (outputs, inputs))
            )
            # so that outputs spread over int8 for inputs of about 40
            gain = 40.0 / (74.0 * 40.0 * np.sqrt(inputs))
            shifts = [int(shift) for shift in rng.integers(33, 44, outputs)]
            made.append(
                Layer(
                    inputs,
                    outputs,
                    weights.astype(np.int8).tobytes(),
                    [int(bias) for bias in rng.integers(-4000, 4000, outputs)],
                    [min(max(int(gain * rng.uniform(0.5, 2.0) * 2.0**shift), 1), 2**31 - 1) for shift in shifts],
                    shifts,
                    int(rng.integers(-128, 128)) if extreme else int(rng.integers(-10, 11)),
                    int(rng.choice([-128, 0])),
                )
            )
        return made

    def finished(self, content: ImageContent, rng: np.random.Generator) -> ImageContent:
        """With a golden vector, if it has layers."""
        if content.layers:
            content.golden_features = [int(value) for value in rng.integers(-300, 300, len(content.features))]
            scorer = Scorer(content)
            content.golden_score = scorer.score(content.golden_features)[0]
            content.golden_output = list(scorer.output)
        return content

    def random(
        self,
        seed: int,
        *,
        kind: int = definition.KIND_SLOW,
        channels: int = 3,
        window: int = 32,
        hop: int = 1,
        bands: int = 0,
        hidden: tuple[int, ...] = (7, 3, 7),
        layers: bool = True,
        gap_ns: int = 5_000_000_000,
        version: int = 1,
        extreme: bool = False,
        plain: bool = False,
    ) -> ImageContent:
        """Any image that the reader accepts.

        `extreme` draws multipliers, shifts and zeros from their whole ranges; `plain` makes every scaling 1.
        """
        rng = np.random.default_rng(seed)
        features = channels * (4 if kind == definition.KIND_SLOW else 3 + bands)
        edges = sorted(int(edge) for edge in rng.choice(window // 2 + 2, bands + 1, replace=False)) if bands else []

        def scalings(count: int, spread: int) -> list[Scaling]:
            if plain:
                return [Scaling(0, 1 << 14, 14) for _ in range(count)]
            if extreme:
                return [
                    Scaling(int(rng.integers(-(2**31), 2**31)), int(rng.integers(1, 2**30)), int(rng.integers(1, 47)))
                    for _ in range(count)
                ]
            return [
                scaling_for(rng.integers(-spread, spread), rng.uniform(0.1, 1.0) * spread, 64) for _ in range(count)
            ]

        return self.finished(
            ImageContent(
                version=version,
                kind=kind,
                bands=bands,
                window=window,
                hop=hop,
                gap_ns=gap_ns,
                profile_digest=bytes(range(8)),
                sample_rate_millihertz=1000,
                channels=scalings(channels, 1 << 16),
                edges=edges,
                features=scalings(features, 1 << 10),
                weights=[int(weight) for weight in rng.integers(0, 65536 if extreme else 200, features)],
                layers=self.layers(rng, [features, *hidden, features], extreme) if layers else [],
                input_multiplier=int(rng.integers(1, 2**31)) if extreme else 1 << 30,
                input_shift=int(rng.integers(1, 63)) if extreme else 32,
                input_zero=int(rng.integers(-128, 128)) if extreme else int(rng.integers(-5, 6)),
                output_multiplier=1 << 30,
                output_shift=28,
                output_zero=int(rng.integers(-128, 128)) if extreme else int(rng.integers(-5, 6)),
                threshold=int(rng.integers(1, 1 << 39)) if extreme else int(rng.integers(1, 1 << 22)),
            ),
            rng,
        )

    def fitted(
        self,
        counts: np.ndarray,
        times_ns: np.ndarray,
        *,
        kind: int,
        window: int,
        hop: int,
        bands: int,
        gap_ns: int,
        starts: np.ndarray,
    ) -> ImageContent:
        """Scalings from healthy counts, pseudo-random weights: every stage works within its range on real samples."""
        rng = np.random.default_rng(3)
        units = definition.UNITS_PER_DEVIATION if kind == definition.KIND_SLOW else definition.FAST_UNITS_PER_DEVIATION
        held = np.where(counts == definition.MISSING, 0, counts).astype(np.float64)
        content = self.random(
            3, kind=kind, channels=counts.shape[1], window=window, hop=hop, bands=bands, gap_ns=gap_ns
        )
        if bands:
            content.edges = definition.band_edges(window, bands)
        content.channels = [scaling_for(c, d, units) for c, d in zip(held.mean(0), held.std(0), strict=True)]
        content.features = [Scaling(0, 1, 1) for _ in content.features]
        raw, full, _ = raw_features(content, times_ns, counts, starts)
        raw = raw[full]
        content.features = [
            scaling_for(c, d, 64) for c, d in zip(raw.mean(0), np.maximum(raw.std(0), 1.0), strict=True)
        ]
        content.threshold = 1 << 16
        return self.finished(content, rng)


def raw_features(
    image: ImageContent, times_ns: np.ndarray, counts: np.ndarray, clips: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features before scaling by NumPy, whether each reading has them, and the row of each reading."""
    rows = len(counts)
    steps = np.diff(times_ns)
    starts = clips.copy()
    starts[1:] |= (steps < 0) | (steps > image.gap_ns)
    starts[0] = True
    order = np.arange(rows)
    within = order - np.maximum.accumulate(np.where(starts, order, 0))
    looked_at = np.ones(rows, bool)
    if image.kind == definition.KIND_FAST and image.hop > image.window:
        looked_at = within % image.hop < image.window
    centre, multiplier, shift = (
        np.array([getattr(scaling, name) for scaling in image.channels], np.int64)
        for name in ("centre", "multiplier", "shift")
    )
    chosen = counts[looked_at]
    scaled = arrays.clamp16(arrays.scale(chosen, centre, multiplier, shift))
    scaled = arrays.hold_missing(chosen, scaled, starts[looked_at])
    if image.kind == definition.KIND_SLOW:
        raw, full = arrays.slow_features(scaled, starts, image.window)
        return raw, full & bool(image.layers), order
    place = np.cumsum(looked_at) - 1
    lasts = order[(within >= image.window - 1) & ((within - image.window + 1) % image.hop == 0)]
    windows = scaled[place[lasts][:, None] + np.arange(1 - image.window, 1)]
    if not len(lasts):
        return np.zeros((0, len(image.features)), np.int64), np.zeros(0, bool), lasts
    envelope = None
    if image.envelope_edges:
        envelope = (image.envelope_first, image.envelope_bins, tuple(image.envelope_edges))
    raw = np.concatenate(
        [
            arrays.fast_features(windows[:, :, channel], tuple(image.edges), envelope)
            for channel in range(counts.shape[1])
        ],
        axis=1,
    )
    return raw, np.ones(len(lasts), bool), lasts


@dataclass
class Bench:
    """The three implementations, each with the same signature."""

    programs: dict[str, Path]
    images: Images

    def twin(
        self, image: ImageContent, times_ns, counts, clips, *, runs: int = 1, boot=3, next_image=None, next_at=None
    ) -> Judged:
        messages: list[bytes] = []
        device = TracedDevice("press-7", boot, image, messages)
        position = 0
        steps = np.diff(times_ns)
        while position < len(counts):
            if next_image is not None and position == next_at:
                device.install(next_image)
            if clips[position]:
                device.end_stretch()
            end = position + 1
            if image.kind == definition.KIND_SLOW:
                device.push_row(int(times_ns[position]), counts[position].tolist())
            else:
                while (
                    end < len(counts)
                    and end - position < runs
                    and not clips[end]
                    and end != next_at
                    and 0 <= steps[end - 1] <= device.image.gap_ns
                ):
                    end += 1
                device.push_run(times_ns[position:end].tolist(), counts[position:end].T.tolist())
            position = end
        device.close_message()
        rows = device.rows
        width = len(image.features)
        return Judged(
            np.array([row[0] for row in rows], np.int16).reshape(len(rows), width),
            np.array([row[1] for row in rows], np.int8).reshape(len(rows), width),
            np.array([row[2] for row in rows], np.uint32),
            np.array([row[3] for row in rows], np.uint16),
            messages,
        )

    def numpy(self, image: ImageContent, times_ns, counts, clips) -> Judged:
        raw, full, _ = raw_features(image, times_ns, counts, clips)
        centre, multiplier, shift = (
            np.array([getattr(scaling, name) for scaling in image.features], np.int64)
            for name in ("centre", "multiplier", "shift")
        )
        features = arrays.clamp16(arrays.scale(raw, centre, multiplier, shift))
        features[~full] = 0
        outputs = np.zeros_like(features)
        scores = np.full(len(features), NO_SCORE, np.uint32)
        tops = np.full(len(features), NO_FEATURE, np.uint16)
        if image.layers and full.any():
            outputs[full] = quantized.infer(image, features[full])
            scores[full], tops[full] = quantized.scores(image, features[full])
        return Judged(features.astype(np.int16), outputs.astype(np.int8), scores, tops, [])

    def c(
        self, image: ImageContent, times_ns, counts, clips, *, program="cc", boot=3, next_image=None, next_at=None
    ) -> Judged:
        messages, trace = run_device(
            self.programs[program],
            model_image.seal(model_image.encode(image)),
            "press-7",
            boot,
            sample_stream(image.kind, times_ns, counts, np.flatnonzero(clips), next_at),
            features=len(image.features),
            next_image=None if next_image is None else model_image.seal(model_image.encode(next_image)),
        )
        return Judged(trace.features, trace.outputs, trace.scores, trace.tops, messages)


def assert_same(one: Judged, other: Judged) -> None:
    """Every byte of every reading."""
    np.testing.assert_array_equal(one.features, other.features)
    np.testing.assert_array_equal(one.outputs, other.outputs)
    np.testing.assert_array_equal(one.scores, other.scores)
    np.testing.assert_array_equal(one.tops, other.tops)


@pytest.fixture(scope="session")
def build_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the C programs of this test run are built."""
    return tmp_path_factory.mktemp("firmware")


@pytest.fixture(scope="session")
def bench(build_folder: Path) -> Bench:
    """The twin, NumPy and the C program built by this machine's compiler."""
    return Bench({"cc": build_host(build_folder)}, Images())


@pytest.fixture(scope="session")
def same():
    """Asserts that two implementations gave the same bytes."""
    return assert_same


@pytest.fixture(scope="session")
def datasets() -> Path:
    """The folder of real recordings."""
    folder = os.environ.get("TOCSIN_DATASETS")
    if not folder:
        pytest.skip("TOCSIN_DATASETS is not set: point it to the folder of the real recordings")
    return Path(folder)
