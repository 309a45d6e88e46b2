"""What an imported model reads: how many samples of how many channels, row by row or as windows of a signal."""

import math
from dataclasses import dataclass

from firmware.errors import FirmwareError
from firmware.importing.request import ImportRequest
from shared.errors import UsageError
from shared.identity import FAST, FAST_FROM_HZ, SLOW
from shared.model_image import SAMPLES_WINDOW_MIN
from shared.signal import definition
from shared.tflite.reader import TfliteModel

#: A longer step in time ends a stretch, in sample periods.
GAP_PERIODS = 10
BANDS = 16


@dataclass(frozen=True, slots=True)
class Shape:
    """The recipe of an imported image, as the fields of `shared.model_image.ImageContent`, and its rate."""

    kind: str
    window: int
    channels: int
    hop: int
    bands: int
    gap_ns: int
    sample_rate_hz: float

    def edges(self) -> list[int]:
        """Band edges in bins; empty for a slow device."""
        return definition.band_edges(self.window, self.bands) if self.bands else []

    def features_per_channel(self) -> int:
        """Features that go up beside the score: none of a slow device, which sends its rows."""
        return 0 if self.kind == SLOW else len(definition.FAST_FEATURES) + self.bands


def shape_of(model: TfliteModel, request: ImportRequest, sample_rate_hz: float) -> Shape:
    """The shape that a model and a request make together, at the rate of the device.

    The window is what is asked for, else what the shape of the model's input says, else one row.

    Raises
    ------
    FirmwareError
        The model is no autoencoder.
    UsageError
        Window, hop or bands cannot be.
    """
    inputs, outputs = model.layers[0].inputs, model.layers[-1].outputs
    if inputs != outputs:
        raise FirmwareError(
            f"{request.model} makes {outputs} values of {inputs}: the score compares each input with its output, "
            "so the model must be an autoencoder"
        )
    window = request.window if request.window is not None else _window_of(model)
    kind = FAST if sample_rate_hz >= FAST_FROM_HZ else SLOW
    least, most = (
        (SAMPLES_WINDOW_MIN, definition.SLOW_WINDOW_MAX)
        if kind == SLOW
        else (definition.FAST_WINDOW_MIN, definition.FAST_WINDOW_MAX)
    )
    if not least <= window <= most or window & (window - 1):
        raise UsageError(
            f"a window of {window} samples cannot be: at {sample_rate_hz:g} Hz it must be a power of two from {least} "
            f"to {most}; give another --window or --sample-rate"
        )
    if inputs % window or inputs // window > definition.CHANNELS_MAX:
        raise UsageError(
            f"{request.model} reads {inputs} values, which are no windows of {window} samples of at most "
            f"{definition.CHANNELS_MAX} channels; give another --window"
        )
    channels = inputs // window
    gap_ns = round(1e9 * (request.gap_seconds or GAP_PERIODS / sample_rate_hz))
    if not 1 <= gap_ns < 1 << 63:
        raise UsageError(f"a gap of {gap_ns / 1e9:g} s cannot be; give another --gap")
    if kind == SLOW:
        if request.hop not in (None, 1) or request.bands is not None:
            raise UsageError(
                f"at {sample_rate_hz:g} Hz every row is a reading; leave --hop and --bands out, or give a "
                f"--sample-rate of at least {FAST_FROM_HZ:g} Hz"
            )
        return Shape(kind, window, channels, 1, 0, gap_ns, sample_rate_hz)
    room = definition.FEATURES_MAX // channels - len(definition.FAST_FEATURES)
    bands = min(BANDS, window // 4, room) if request.bands is None else request.bands
    hop = window if request.hop is None else request.hop
    if not 1 <= bands <= min(definition.BANDS_MAX, window // 4, room):
        raise UsageError(
            f"{bands} bands cannot be; --bands must be 1 to {min(definition.BANDS_MAX, window // 4, room)} here"
        )
    if not 1 <= hop <= definition.HOP_MAX:
        raise UsageError(f"a hop of {hop} samples cannot be; --hop must be 1 to {definition.HOP_MAX}")
    return Shape(kind, window, channels, hop, bands, gap_ns, sample_rate_hz)


def _window_of(model: TfliteModel) -> int:
    """What the shape of the model's input says: positions before channels are a window, a plain list is one row."""
    return math.prod(model.input_shape[:-1])
