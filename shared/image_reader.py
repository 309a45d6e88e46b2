"""Reads model images and trusts nothing in them. Runs in MicroPython too.

The layout, and what is refused in which order, is told in docs/model-image.md.
"""

import struct

from shared.image_content import (
    HEADER_BYTES,
    SCALE_MULTIPLIER_LIMIT,
    SCALE_SHIFT_MAX,
    TRAILER_BYTES,
    ImageContent,
    Scaling,
)
from shared.image_header import check_frame, read_header
from shared.image_layers import read_layer
from shared.image_sections import EDGES, LEFTOVER, SCALING, RefusedImageError, Sections, need


def _read_scalings(sections: Sections, count: int, what: str) -> "list[Scaling]":
    part = sections.take(12 * count, what + "s")
    scalings = []
    for i in range(count):
        place = 12 * i
        centre, multiplier, shift = struct.unpack("<iII", part[place : place + 12])
        if not 0 < multiplier < SCALE_MULTIPLIER_LIMIT:
            place += sections.begin + 4
            raise RefusedImageError(SCALING, place, what + " " + str(i) + " of an impossible multiplier")
        if not 1 <= shift <= SCALE_SHIFT_MAX:
            place += sections.begin + 8
            raise RefusedImageError(SCALING, place, what + " " + str(i) + " of an impossible shift")
        scalings.append(Scaling(centre, multiplier, shift))
    return scalings


def _read_edges(sections: Sections, bands: int, last: int, what: str) -> "list[int]":
    """Edges of `bands` bands, ascending, the last one at most `last`; none without bands."""
    if not bands:
        return []
    edges = sections.numbers("H", 2, bands + 1, what)
    for band in range(1, bands + 1):
        place = sections.begin + 2 * band
        if edges[band] <= edges[band - 1]:
            raise RefusedImageError(EDGES, place, what + " that do not ascend")
        if edges[band] > last:
            raise RefusedImageError(EDGES, place, what + " that pass the last bin")
    return edges


def read(image: bytes) -> ImageContent:
    """The content of an image, or `RefusedImageError`, an `ImageError`, with the offset and the reason.

    Checks everything but the signature and the golden vector: magic, format, lengths, every range, the digest.
    """
    check_frame(image)
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
    ) = read_header(image)
    samples = model_input == 1
    inputs = channel_count * window if samples else feature_count

    sections = Sections(image, HEADER_BYTES, total - TRAILER_BYTES)
    channels = _read_scalings(sections, channel_count, "channel")
    edges = _read_edges(sections, bands, window // 2 + 1, "band edges")
    envelope_edges = _read_edges(sections, envelope_bands, envelope_bins // 2 + 1, "envelope edges")
    features = _read_scalings(sections, feature_count, "feature")
    weights = sections.numbers("H", 2, inputs, "score weights")
    layers = []
    width = inputs
    for number in range(layer_count):
        layer = read_layer(sections, number, width, inputs if number + 1 == layer_count else 0, target)
        layers.append(layer)
        width = layer.outputs
    golden_inputs = sections.numbers("h", 2, inputs, "golden inputs")
    golden_output = sections.numbers("b", 1, inputs, "golden output")
    need(sections.position == sections.end, LEFTOVER, sections.position, "bytes that are left over")
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
