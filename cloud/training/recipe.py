"""How a device's readings become features: window, hop, bands and the gap that ends a stretch."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.identity import SLOW, DeviceProfile
from shared.image_content import WIDTH_MAX
from shared.signal import definition

#: Rows of a slow device's rolling window: at 1 Hz long enough for a steady mean, short enough for a quick answer.
SLOW_WINDOW_ROWS = 16
#: A fast window spans about ten turns of a machine at 1,800 rpm.
FAST_WINDOW_SECONDS = 0.32
#: Shorter ones no longer hold a whole turn of a slow machine; taken only when there are few healthy samples.
FAST_WINDOW_SECONDS_MIN = 0.04
#: A streaming device computes one window in this time, so that features cost at most 1/200 of the raw bytes.
STREAMING_HOP_SECONDS = 2.0
#: So many healthy windows are wanted; with fewer, windows follow each other closely and become shorter.
HEALTHY_WINDOWS_WANTED = 240
BANDS = 16
#: A model that reads samples gets a shorter window of a fast device, and at most so many inputs.
SAMPLES_WINDOW = 256
SAMPLES_INPUTS_MAX = 1024
#: A step in time of more than so many sample periods is a gap.
GAP_PERIODS = 10
#: And it is more than so many times the step that 99 of 100 healthy ones do not pass (uneven time stamps).
GAP_STEPS = 3


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything of a model image that is chosen, not learned.

    `window` and `hop` count rows (samples of a fast device); `bands` is 0 for a slow device; `gap_ns` nanoseconds.
    `samples`: the model reads the samples of the window instead of the features. Fast devices have `envelope_bands` of
    the squared envelope of the band of `envelope_bins` bins from bin `envelope_first` on; 0 of them is the default, for
    on recordings that the choice was made without they did not help (docs/training.md).
    """

    kind: str
    window: int
    hop: int
    bands: int
    gap_ns: int
    sample_rate_millihertz: int
    samples: bool = False
    envelope_bands: int = 0
    envelope_first: int = 0
    envelope_bins: int = 0

    def features_per_channel(self) -> int:
        """Features of one channel; none where a slow device's model reads samples.

        >>> Recipe("slow", 16, 1, 0, 10**10, 1000).features_per_channel()
        4
        """
        if self.kind == SLOW:
            return 0 if self.samples else 4
        return 3 + self.bands + self.envelope_bands

    @property
    def units(self) -> int:
        """Units of the model's inputs that are one healthy deviation."""
        return (
            definition.FAST_UNITS_PER_DEVIATION
            if self.samples and self.kind != SLOW
            else definition.UNITS_PER_DEVIATION
        )

    def edges(self) -> list[int]:
        """Band edges in bins of the FFT; empty for a slow device."""
        return definition.band_edges(self.window, self.bands) if self.bands else []

    def envelope_edges(self) -> list[int]:
        """Edges of the envelope's bands in bins of its spectrum; empty where there are none."""
        return definition.band_edges(self.envelope_bins, self.envelope_bands) if self.envelope_bands else []


def recipe_for(
    profile: DeviceProfile,
    healthy_rows: int,
    *,
    shortest_stretch: int | None = None,
    steps_ns: NDArray[np.int64] | None = None,
    window: int | None = None,
    hop: int | None = None,
    bands: int = BANDS,
    samples: bool = False,
) -> Recipe:
    """The recipe for a device, from what is known of its healthy part alone.

    Parameters
    ----------
    profile
        Kind, rate and number of channels decide.
    healthy_rows
        Rows (samples) of the healthy part.
    shortest_stretch
        Rows of its shortest clip: a fast window is not longer. None when it is one stretch.
    steps_ns
        Steps in time between neighbouring healthy rows of one clip, nanoseconds: uneven ones widen the gap.
    window, hop, bands
        What the caller wants instead (powers of two and limits as in `shared.signal.definition`); bands is what a fast
        device gets at most.
    samples
        The model is to read the samples of the window, not its features.

    >>> from shared.identity import Channel
    >>> channels = (Channel("x", "g", 0.0, 0.001),)
    >>> slow = recipe_for(DeviceProfile("a", "p/a", "slow", 1.0, channels), 400)
    >>> slow.window, slow.hop, slow.bands, slow.gap_ns, slow.sample_rate_millihertz
    (16, 1, 0, 10000000000, 1000)
    >>> fast = recipe_for(DeviceProfile("a", "p/a", "fast", 3200.0, channels), 3200 * 600)
    >>> fast.window, fast.hop, fast.bands, fast.gap_ns, fast.sample_rate_millihertz
    (1024, 6400, 16, 3125000, 3200000)
    >>> fan = recipe_for(DeviceProfile("a", "p/a", "fast", 200.0, channels), 200 * 300, shortest_stretch=200)
    >>> fan.window, fan.hop
    (64, 64)
    """
    period_ns = 1e9 / profile.sample_rate_hz
    gap = GAP_PERIODS * period_ns
    if steps_ns is not None:
        growing = steps_ns[steps_ns > 0]
        if len(growing):
            gap = max(gap, GAP_STEPS * float(np.quantile(growing, 0.99, method="higher")))
    gap_ns = max(1, round(gap))
    rate = max(1, min(round(profile.sample_rate_hz * 1000), 2**32 - 1))
    if profile.kind == SLOW:
        rows = window if window is not None else SLOW_WINDOW_ROWS
        _check_window(rows, definition.SLOW_WINDOW_MIN, definition.SLOW_WINDOW_MAX)
        return _checked_inputs(Recipe(profile.kind, rows, 1, 0, gap_ns, rate, samples), len(profile.channels))
    length = window if window is not None else _fast_window(profile.sample_rate_hz, healthy_rows, shortest_stretch)
    if samples and window is None:
        length = min(length, SAMPLES_WINDOW, _power_within(SAMPLES_INPUTS_MAX / len(profile.channels)))
        length = max(length, definition.FAST_WINDOW_MIN)
    _check_window(length, definition.FAST_WINDOW_MIN, definition.FAST_WINDOW_MAX)
    if hop is None:
        hop = max(length, round(STREAMING_HOP_SECONDS * profile.sample_rate_hz))
        if healthy_rows // hop < HEALTHY_WINDOWS_WANTED or (shortest_stretch is not None and shortest_stretch < hop):
            hop = length
    if not 1 <= hop <= definition.HOP_MAX:
        raise ValueError(f"hop must be 1 to {definition.HOP_MAX} samples, not {hop}")
    fit = min(bands, length // 4, definition.BANDS_MAX, definition.FEATURES_MAX // len(profile.channels) - 3)
    found = Recipe(profile.kind, length, hop, max(1, fit), gap_ns, rate, samples)
    return _checked_inputs(found, len(profile.channels))


def _checked_inputs(recipe: Recipe, channels: int) -> Recipe:
    """The recipe, if a model that reads samples may have so many inputs."""
    if recipe.samples and recipe.window * channels > WIDTH_MAX:
        raise ValueError(
            f"a model reads at most {WIDTH_MAX} samples, not {recipe.window} of {channels} channels: take fewer"
        )
    return recipe


def _fast_window(rate_hz: float, healthy_rows: int, shortest_stretch: int | None) -> int:
    """The power of two nearest to the wanted span that clips allow; shorter when that makes the windows too few."""
    wanted = 1 << max(0, round(math.log2(FAST_WINDOW_SECONDS * rate_hz)))
    least = 1 << max(0, math.ceil(math.log2(FAST_WINDOW_SECONDS_MIN * rate_hz)))
    window = min(wanted, definition.FAST_WINDOW_MAX)
    if shortest_stretch is not None:
        window = min(window, _power_within(shortest_stretch))
    while window > least and healthy_rows // window < HEALTHY_WINDOWS_WANTED:
        window //= 2
    return max(definition.FAST_WINDOW_MIN, window)


def _power_within(limit: float) -> int:
    """The largest power of two up to `limit`, at least 1."""
    return 1 << max(0, int(limit).bit_length() - 1)


def _check_window(window: int, low: int, high: int) -> None:
    if not low <= window <= high or window & (window - 1):
        raise ValueError(f"window must be a power of two from {low} to {high}, not {window}")
