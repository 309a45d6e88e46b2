"""A simulated pump judged by the deployed code under recorded time, fast enough for many seeds.

The vibration device's features come from the NumPy telling (`shared.signal.arrays`, equal to the twin in every byte,
see
`tests/equivalence`), from windows that equal what the full recording holds; scores from the int8 model and the
gateway's
own judge. The image is trained on the seed's own healthy part, which is the same whatever the fault.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cloud.training.features import scaled_counts, scaled_features
from cloud.training.recipe import recipe_for
from cloud.training.train import recipe_image, train_image
from firmware.host.replay import Source
from firmware.host.sensor import birth_of
from gateway.judgement import DeviceJudge
from shared import model_image
from shared.identity import Channel, DeviceProfile
from shared.messages.codec import ALARM, Data
from shared.model_image import ImageContent
from shared.quantized import arrays as quantized
from shared.recordings import profile_of, simulator
from shared.recordings.simulator.machine import AXES, SAMPLE_RATE_HZ, SCALE_G
from shared.signal import arrays as signal
from tocsin.provisioning import Provisioned
from tocsin.score import judge

WINDOW, HOP = 1024, 6400
HEALTHY_S, ONSET_S = 600.0, 900.0
HEALTHY_WINDOWS = int(HEALTHY_S * SAMPLE_RATE_HZ / HOP)
BUDGET_PER_DAY = 1.0 / 7.0


@dataclass(frozen=True)
class Outcome:
    """Seconds of recorded time at which the first alarm and the plain RMS alarm came; None for never."""

    seed: int
    fault: str
    alarm_s: float | None
    rms_s: float | None


def _profile(seed: int) -> DeviceProfile:
    channels = tuple(Channel(name, "g", 0.0, SCALE_G) for name in AXES)
    return DeviceProfile(f"pump-{seed}-vibration", f"site/pump-{seed}", "fast", float(SAMPLE_RATE_HZ), channels)


def train_vibration(seed: int) -> ImageContent:
    """The image that the healthy part of a seed gives; its windows stand side by side in the training's stream."""
    profile = _profile(seed)
    recipe = recipe_for(profile, HEALTHY_WINDOWS * WINDOW, hop=WINDOW)
    counts = simulator.simulate_windows(seed, simulator.HEALTHY, window=WINDOW, hop=HOP).counts[:HEALTHY_WINDOWS]
    stream = counts.reshape(-1, len(AXES)).astype(np.int32)
    times = np.arange(len(stream), dtype=np.int64) * (1_000_000_000 // SAMPLE_RATE_HZ)
    starts = np.zeros(len(stream), bool)
    starts[0] = True
    return train_image(profile, recipe, times, starts, stream, seed=0, version=1).content


def features_of(content: ImageContent, counts: NDArray[np.int16]) -> NDArray[np.int64]:
    """Scaled features of windows (n, samples, axes)."""
    stream = counts.reshape(-1, len(AXES)).astype(np.int32)
    scaled = scaled_counts(stream, content.channels, np.zeros(len(stream), bool)).reshape(counts.shape)
    raw = [signal.fast_features(scaled[:, :, axis], tuple(content.edges)) for axis in range(len(AXES))]
    return scaled_features(np.concatenate(raw, axis=1), content.features)


def judge_vibration(content: ImageContent, seed: int, fault: str, healthy: NDArray[np.int16]) -> Outcome:
    """One run of 1800 s; `healthy` holds the windows before the onset, which are the same whatever the fault."""
    onset = len(healthy)
    windows = simulator.simulate_windows(seed, fault, window=WINDOW, hop=HOP, first=onset * HOP, onset_s=ONSET_S)
    counts = np.concatenate([healthy, windows.counts])
    features = features_of(content, counts)
    scores, tops = quantized.scores(content, features)
    judge_of_device = DeviceJudge(
        birth_of(_profile(seed), 1, content), HEALTHY_WINDOWS, false_alarms_per_day=BUDGET_PER_DAY
    )
    last_sample_ns = round((WINDOW - 1) * 1e9 / SAMPLE_RATE_HZ)
    times = simulator.simulation.START_NS + last_sample_ns + np.arange(len(counts)) * (HOP * 10**9 // SAMPLE_RATE_HZ)
    assert times[onset:].tolist() == windows.times_ns.tolist()
    verdict = judge_of_device.take(
        Data(_profile(seed).device, 1, 0, 0, 0, 1, 0, times, scores, tops, None, features.astype(np.int16))
    )
    in_alarm = np.flatnonzero(verdict.flags & ALARM)
    rms = simulator.rms_alarm(counts, HEALTHY_WINDOWS).first_window
    second = (times - simulator.simulation.START_NS) / 1e9
    return Outcome(
        seed,
        fault,
        float(second[in_alarm[0]]) if len(in_alarm) else None,
        None if rms is None else float(second[rms]),
    )


def healthy_process_alarms(seed: int) -> int:
    """Readings in alarm of the process device (temperature, current) of a pump that is healthy throughout.

    The device has its recipe and no model yet, so the gateway judges alone: that spares twenty trainings.
    """
    process = simulator.simulate(seed, simulator.HEALTHY).process
    healthy = int(HEALTHY_S)
    profile, counts = profile_of(process, healthy, f"pump-{seed}-process", f"site/pump-{seed}")
    image = model_image.seal(recipe_image(profile, recipe_for(profile, healthy), counts[:healthy]))
    provisioned = Provisioned(profile, Source(process.times_ns, counts), image, healthy, provisional=True)
    return int(judge(provisioned, false_alarms_per_day=BUDGET_PER_DAY).alarm.sum())


def run_seed(seed: int) -> tuple[list[Outcome], int]:
    """Every fault and the healthy run of one seed, and the alarms of its healthy process device."""
    content = train_vibration(seed)
    assert model_image.read(model_image.seal(model_image.encode(content))).version == 1
    faults = (simulator.HEALTHY, *simulator.FAULTS)
    before = simulator.simulate_windows(seed, simulator.HEALTHY, window=WINDOW, hop=HOP, duration_s=ONSET_S).counts
    return [judge_vibration(content, seed, fault, before) for fault in faults], healthy_process_alarms(seed)
