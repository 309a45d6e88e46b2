"""Length, magic, format, digest and header of a model image, checked in the order of docs/model-image.md.

Runs in MicroPython too.
"""

import hashlib
import struct

from shared.image_content import (
    EXPECTED_LIMIT,
    FORMAT,
    HEADER_BYTES,
    IMAGE_LIMIT_BYTES,
    LAYER_SHIFT_MAX,
    LAYERS_MAX,
    MAGIC,
    MULTIPLIER_LIMIT,
    SAMPLES_WINDOW_MIN,
    SUM_LIMIT,
    TRAILER_BYTES,
    WIDTH_MAX,
)
from shared.image_sections import DIGEST, HEADER, LENGTH, PADDING, need
from shared.image_sections import FORMAT as UNKNOWN_FORMAT
from shared.image_sections import MAGIC as NO_MAGIC
from shared.quantized.targets import TARGET_LAST
from shared.signal import definition

HEADER_LAYOUT = "<4sHHIIBBHHHIIQ8sIBbbBIIQIBBHHH"


def check_frame(image: bytes) -> None:
    """Whether these are the bytes of an image at all; RefusedImageError names the place and the reason."""
    size = len(image)
    need(
        size >= HEADER_BYTES + TRAILER_BYTES,
        LENGTH,
        size,
        str(size) + " bytes, too few for a header and a trailer: cut off",
    )
    need(size <= IMAGE_LIMIT_BYTES, LENGTH, IMAGE_LIMIT_BYTES, "more bytes than the longest image has")
    magic, form, header_bytes, total = struct.unpack("<4sHHI", image[:12])
    need(magic == MAGIC, NO_MAGIC, 0, "no magic")
    need(form == FORMAT, UNKNOWN_FORMAT, 4, "unknown format " + str(form))
    need(header_bytes == HEADER_BYTES, UNKNOWN_FORMAT, 6, "unknown format, a header of " + str(header_bytes) + " bytes")
    need(total == size, LENGTH, 8, str(size) + " bytes, not the " + str(total) + " written")
    trailer = size - TRAILER_BYTES
    digest = hashlib.sha256(image[:trailer]).digest()
    need(digest == image[trailer : trailer + 32], DIGEST, trailer, "another digest than these bytes have")


def _is_power(value: int, least: int, most: int) -> bool:
    return least <= value <= most and value & (value - 1) == 0


def _field(holds: bool, offset: int, name: str, value: int) -> None:
    need(holds, HEADER, offset, "impossible " + name + " " + str(value))


def read_header(image: bytes) -> tuple:  # type: ignore[type-arg] # 28 fields of `HEADER_LAYOUT`
    """The fields of the header, each in its range; RefusedImageError names the first one that is not."""
    fields = struct.unpack(HEADER_LAYOUT, image[: struct.calcsize(HEADER_LAYOUT)])
    _, _, _, _, version, kind, layers, bands, channels, features, window, hop, gap_ns = fields[:13]
    _, input_multiplier, input_shift, _, zero, shift, multiplier, _, threshold, rate = fields[13:23]
    target, model_input, envelope_bands, first, bins = fields[23:]
    slow = kind == definition.KIND_SLOW
    samples = model_input == 1
    _field(version >= 1, 12, "version", version)
    _field(kind <= 1, 16, "kind", kind)
    _field(layers <= LAYERS_MAX, 17, "number of layers", layers)
    _field(not bands if slow else 1 <= bands <= definition.BANDS_MAX, 18, "number of bands", bands)
    _field(1 <= channels <= definition.CHANNELS_MAX, 20, "number of channels", channels)
    per_channel = 3 + bands + envelope_bands if kind else 0 if samples else 4
    fits = features == channels * per_channel and features <= definition.FEATURES_MAX
    _field(fits, 22, "number of features", features)
    least, most = definition.FAST_WINDOW_MIN, definition.FAST_WINDOW_MAX
    if slow:
        least = SAMPLES_WINDOW_MIN if samples else definition.SLOW_WINDOW_MIN
        most = definition.SLOW_WINDOW_MAX
    _field(_is_power(window, least, most), 24, "window", window)
    inputs = channels * window if samples else 0
    need(inputs <= WIDTH_MAX, HEADER, 24, str(inputs) + " inputs of the model, too many, by the window")
    _field(1 <= hop <= (1 if slow else definition.HOP_MAX), 28, "hop", hop)
    _field(1 <= gap_ns < 1 << 63, 32, "gap", gap_ns)
    _field(0 < input_multiplier < MULTIPLIER_LIMIT, 48, "input multiplier", input_multiplier)
    _field(1 <= input_shift <= LAYER_SHIFT_MAX, 52, "input shift", input_shift)
    _field(1 <= shift <= LAYER_SHIFT_MAX, 55, "output shift", shift)
    _field(0 < multiplier < MULTIPLIER_LIMIT, 56, "output multiplier", multiplier)
    for value in (-128, 127):
        expected = ((value - zero) * multiplier + (1 << (shift - 1))) >> shift
        fits = -EXPECTED_LIMIT <= expected <= EXPECTED_LIMIT
        need(fits, HEADER, 56, "outputs beyond the range of the inputs, by the multiplier " + str(multiplier))
    _field(1 <= threshold < SUM_LIMIT, 64, "threshold", threshold)
    _field(rate >= 1, 72, "sample rate", rate)
    _field(target <= TARGET_LAST, 76, "target", target)
    _field(model_input <= 1 and (layers > 0 or not samples), 77, "input of the model", model_input)
    if envelope_bands:
        fits = not slow and envelope_bands <= definition.ENVELOPE_BANDS_MAX
        _field(fits, 78, "number of envelope bands", envelope_bands)
        _field(first >= 1, 80, "first bin of the envelope", first)
        fits = _is_power(bins, definition.ENVELOPE_BINS_MIN, definition.ENVELOPE_BINS_MAX)
        _field(fits and first + bins <= window // 2, 82, "number of bins of the envelope", bins)
    else:
        _field(first == 0, 80, "first bin of an envelope without bands", first)
        _field(bins == 0, 82, "number of bins of an envelope without bands", bins)
    for place in range(struct.calcsize(HEADER_LAYOUT), HEADER_BYTES):
        need(not image[place], PADDING, place, "a reserved byte that is not zero")
    return fields
