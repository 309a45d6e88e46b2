"""Reads model images and trusts nothing in them. Runs in MicroPython too.

The layout is told in `shared.model_image`. Every check names the offset at which it failed.
"""

import hashlib
import struct

from shared.errors import ImageError
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
    SCALE_MULTIPLIER_LIMIT,
    SCALE_SHIFT_MAX,
    SUM_LIMIT,
    TRAILER_BYTES,
    WIDTH_MAX,
    ImageContent,
    Scaling,
)
from shared.image_layers import read_layer
from shared.image_sections import Sections
from shared.quantized.targets import TARGET_LAST
from shared.signal import definition

HEADER_LAYOUT = "<4sHHIIBBHHHIIQ8sIBbbBIIQIBBHHH"


def _is_power(value: int, least: int, most: int) -> bool:
    return least <= value <= most and value & (value - 1) == 0


def _is_quantization(multiplier: int, shift: int) -> bool:
    return 0 < multiplier < MULTIPLIER_LIMIT and 1 <= shift <= LAYER_SHIFT_MAX


def _read_scaling(sections: Sections, what: str) -> Scaling:
    centre, multiplier, shift = struct.unpack("<iII", sections.take(12, what))
    if not 0 < multiplier < SCALE_MULTIPLIER_LIMIT or not 1 <= shift <= SCALE_SHIFT_MAX:
        raise sections.error(what + " has an impossible multiplier or shift")
    return Scaling(centre, multiplier, shift)


def _read_edges(sections: Sections, bands: int, last: int, what: str) -> "list[int]":
    """Edges of `bands` bands, ascending, the last one at most `last`."""
    edges = sections.numbers("H", 2, bands + 1, what)
    for band in range(bands):
        if edges[band + 1] <= edges[band]:
            raise sections.error(what + " do not ascend")
    if edges[bands] > last:
        raise sections.error(what + " pass the last bin")
    return edges


def _check_frame(image: bytes) -> None:
    """Length, magic, format and digest."""
    if len(image) < HEADER_BYTES + TRAILER_BYTES:
        raise ImageError(
            "model image: "
            + str(len(image))
            + " bytes before offset "
            + str(len(image))
            + " are too few for a header and a trailer"
        )
    if len(image) > IMAGE_LIMIT_BYTES:
        raise ImageError("model image: it goes on at offset " + str(IMAGE_LIMIT_BYTES) + ", where the longest one ends")
    magic, form, header_bytes, total = struct.unpack("<4sHHI", image[:12])
    if magic != MAGIC:
        raise ImageError("model image: no magic at offset 0")
    if form != FORMAT or header_bytes != HEADER_BYTES:
        raise ImageError("model image: format " + str(form) + " at offset 4 is not known here")
    if total != len(image):
        raise ImageError("model image: " + str(len(image)) + " bytes, offset 8 says " + str(total))
    if hashlib.sha256(image[: total - TRAILER_BYTES]).digest() != image[total - TRAILER_BYTES : total - 72]:
        raise ImageError("model image: the digest at offset " + str(total - TRAILER_BYTES) + " does not match")


def _check_window(kind: int, samples: bool, window: int, hop: int, bands: int) -> None:
    if kind == definition.KIND_SLOW:
        least = SAMPLES_WINDOW_MIN if samples else definition.SLOW_WINDOW_MIN
        fits = _is_power(window, least, definition.SLOW_WINDOW_MAX) and hop == 1 and bands == 0
    else:
        fits = _is_power(window, definition.FAST_WINDOW_MIN, definition.FAST_WINDOW_MAX)
        fits = fits and 1 <= hop <= definition.HOP_MAX and 1 <= bands <= definition.BANDS_MAX
    if not fits:
        raise ImageError("model image: impossible window, hop or bands at offset 18")


def _check_envelope(kind: int, window: int, bands: int, first: int, bins: int) -> None:
    if not bands and not first and not bins:
        return
    fits = kind == definition.KIND_FAST and 1 <= bands <= definition.ENVELOPE_BANDS_MAX
    fits = fits and _is_power(bins, definition.ENVELOPE_BINS_MIN, definition.ENVELOPE_BINS_MAX)
    if not fits or first < 1 or first + bins > window // 2:
        raise ImageError("model image: impossible envelope bands, first bin or bins at offset 78")


def _check_quantization(
    input_scale: "tuple[int, int]", output_scale: "tuple[int, int]", output_zero: int, threshold: int
) -> None:
    if not _is_quantization(*input_scale):
        raise ImageError("model image: impossible input quantization at offset 48")
    if not _is_quantization(*output_scale):
        raise ImageError("model image: impossible output quantization at offset 54")
    multiplier, shift = output_scale
    for value in (-128, 127):
        expected = ((value - output_zero) * multiplier + (1 << (shift - 1))) >> shift
        if not -EXPECTED_LIMIT <= expected <= EXPECTED_LIMIT:
            raise ImageError("model image: output quantization at offset 54 leaves the range of the inputs")
    if not 1 <= threshold < SUM_LIMIT:
        raise ImageError("model image: impossible threshold at offset 64")


def read(image: bytes) -> ImageContent:
    """The content of an image, or `ImageError` with the place and the reason.

    Checks everything but the signature and the golden vector: magic, format, lengths, every range, the digest.
    """
    _check_frame(image)
    (
        _,
        _,
        _,
        total,
        version,
        kind,
        layer_count,
        bands,
        channel_count,
        feature_count,
        window,
        hop,
        gap_ns,
        profile_digest,
        input_multiplier,
        input_shift,
        input_zero,
        output_zero,
        output_shift,
        output_multiplier,
        golden_score,
        threshold,
        rate,
        target,
        model_input,
        envelope_bands,
        envelope_first,
        envelope_bins,
    ) = struct.unpack(HEADER_LAYOUT, image[: struct.calcsize(HEADER_LAYOUT)])
    if version < 1 or kind > 1 or layer_count > LAYERS_MAX:
        raise ImageError("model image: impossible version, kind or number of layers at offset 12")
    if target > TARGET_LAST or model_input > 1 or (model_input and not layer_count):
        raise ImageError("model image: impossible target or input of the model at offset 76")
    samples = model_input == 1
    _check_window(kind, samples, window, hop, bands)
    _check_envelope(kind, window, envelope_bands, envelope_first, envelope_bins)
    if not 1 <= channel_count <= definition.CHANNELS_MAX or feature_count > definition.FEATURES_MAX:
        raise ImageError("model image: too many channels or features at offset 20")
    per_channel = 3 + bands + envelope_bands if kind else 0 if samples else 4
    if feature_count != channel_count * per_channel:
        raise ImageError("model image: the number of features at offset 22 does not fit the channels")
    inputs = channel_count * window if samples else feature_count
    if inputs > WIDTH_MAX:
        raise ImageError("model image: " + str(inputs) + " inputs of the model by offset 24 are too many")
    if not 1 <= gap_ns < 1 << 63:
        raise ImageError("model image: impossible gap at offset 32")
    if rate < 1:
        raise ImageError("model image: impossible sample rate at offset 72")
    _check_quantization((input_multiplier, input_shift), (output_multiplier, output_shift), output_zero, threshold)
    used = struct.calcsize(HEADER_LAYOUT)
    if image[used:HEADER_BYTES] != bytes(HEADER_BYTES - used):
        raise ImageError("model image: reserved header bytes at offset " + str(used) + " are not zero")

    sections = Sections(image, HEADER_BYTES, total - TRAILER_BYTES)
    channels = [_read_scaling(sections, "channel " + str(i)) for i in range(channel_count)]
    edges = _read_edges(sections, bands, window // 2 + 1, "band edges") if bands else []
    envelope_edges: list[int] = []
    if envelope_bands:
        envelope_edges = _read_edges(sections, envelope_bands, envelope_bins // 2 + 1, "envelope edges")
    features = [_read_scaling(sections, "feature " + str(i)) for i in range(feature_count)]
    weights = sections.numbers("H", 2, inputs, "score weights")
    layers = []
    width = inputs
    for number in range(layer_count):
        layer = read_layer(sections, number, width, target)
        layers.append(layer)
        width = layer.outputs
    if width != inputs:
        raise sections.error("the last layer's outputs are not the inputs of the model")
    golden_inputs = sections.numbers("h", 2, inputs, "golden inputs")
    golden_output = sections.numbers("b", 1, inputs, "golden output")
    if sections.position != sections.end:
        raise sections.error("bytes are left over")
    return ImageContent(
        version,
        kind,
        bands,
        window,
        hop,
        gap_ns,
        profile_digest,
        rate,
        channels,
        edges,
        features,
        weights,
        layers,
        input_multiplier,
        input_shift,
        input_zero,
        output_multiplier,
        output_shift,
        output_zero,
        threshold,
        golden_inputs,
        golden_output,
        golden_score,
        target,
        samples,
        envelope_first,
        envelope_bins,
        envelope_edges,
    )
