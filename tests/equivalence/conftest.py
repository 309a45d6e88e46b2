"""One sensor told three times, by the twin, NumPy and the C program: the same samples must give the same bytes."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from drawn_images import Images
from numpy_device import judged_by_numpy

from firmware.build import build_host
from firmware.c_program import run_device, sample_stream
from firmware.micropython.device import Device
from shared import model_image
from shared.messages import compact
from shared.model_image import ImageContent
from shared.signal import definition

NO_SCORE = compact.NO_SCORE


@dataclass
class Judged:
    """Per reading: features int16, outputs int8 of the model (zeros where there are none), scores uint32, tops uint16.

    And the messages.
    """

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
        has_features = judged or self.image.kind == definition.KIND_FAST
        features = list(self.features) if has_features else [0] * len(self.image.features)
        output = list(self.scorer.output) if judged else [0] * self.image.inputs
        self.rows.append((features, output, score, top))
        super()._add_reading(time_ns, score, top, payload)


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
        return Judged(
            np.array([row[0] for row in rows], np.int16).reshape(len(rows), len(image.features)),
            np.array([row[1] for row in rows], np.int8).reshape(len(rows), image.inputs),
            np.array([row[2] for row in rows], np.uint32),
            np.array([row[3] for row in rows], np.uint16),
            messages,
        )

    def numpy(self, image: ImageContent, times_ns, counts, clips) -> Judged:
        return Judged(*judged_by_numpy(image, times_ns, counts, clips), [])

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
            inputs=image.inputs,
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
    """Where the C programs of this run are built: one folder for all workers, builds are named by their digests."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    folder = folder / "firmware"
    folder.mkdir(exist_ok=True)
    return folder


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
