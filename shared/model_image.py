"""The model image: what it says (`ImageContent`) and the writer of its bytes; `shared.image_reader` reads them.

docs/model-image.md has the layout, byte by byte, and what a reader refuses. Runs in MicroPython too.
"""

import hashlib
import struct

from shared.image_content import (
    EXPECTED_LIMIT,
    FORMAT,
    HEADER_BYTES,
    IMAGE_LIMIT_BYTES,
    INPUT_FEATURES,
    INPUT_SAMPLES,
    LAYER_CONVOLUTION,
    LAYER_DENSE,
    LAYER_DEPTHWISE,
    LAYER_SHIFT_MAX,
    LAYERS_MAX,
    MAGIC,
    MULTIPLIER_LIMIT,
    ROUNDING_ONCE,
    ROUNDING_TWICE,
    SAMPLES_WINDOW_MIN,
    SCALE_MULTIPLIER_LIMIT,
    SCALE_SHIFT_MAX,
    SIGNED_PREFIX,
    SUM_LIMIT,
    TRAILER_BYTES,
    WIDTH_MAX,
    ImageContent,
    Layer,
    Scaling,
    feature_names,
)
from shared.image_header import HEADER_LAYOUT
from shared.image_reader import read
from shared.image_sections import RefusedImageError

__all__ = [
    "EXPECTED_LIMIT",
    "FORMAT",
    "HEADER_BYTES",
    "HEADER_LAYOUT",
    "IMAGE_LIMIT_BYTES",
    "INPUT_FEATURES",
    "INPUT_SAMPLES",
    "LAYERS_MAX",
    "LAYER_CONVOLUTION",
    "LAYER_DENSE",
    "LAYER_DEPTHWISE",
    "LAYER_SHIFT_MAX",
    "MAGIC",
    "MULTIPLIER_LIMIT",
    "ROUNDING_ONCE",
    "ROUNDING_TWICE",
    "SAMPLES_WINDOW_MIN",
    "SCALE_MULTIPLIER_LIMIT",
    "SCALE_SHIFT_MAX",
    "SIGNED_PREFIX",
    "SUM_LIMIT",
    "TRAILER_BYTES",
    "WIDTH_MAX",
    "ImageContent",
    "Layer",
    "RefusedImageError",
    "Scaling",
    "encode",
    "feature_names",
    "read",
    "seal",
    "signature_of",
    "signed_message",
]


def _padded(content: bytes) -> bytes:
    return content + bytes(-len(content) & 3)


def _pack_all(code: str, values: "list[int]") -> bytes:
    return struct.pack("<" + str(len(values)) + code, *values)


def _layer_parts(layer: Layer, target: int) -> "list[bytes]":
    parts = [
        struct.pack("<HHbbBb", layer.inputs, layer.outputs, layer.zero, layer.low, layer.kind, layer.padding),
    ]
    if layer.kind:
        parts.append(
            struct.pack("<HHBBBB", layer.channels, layer.filters, layer.taps, layer.stride, layer.pad, layer.rounding)
        )
    if target and layer.may_be_packed:
        parts.append(struct.pack("<HHI", layer.plain, 0, len(layer.packed)))
        parts.append(layer.packed)
    else:
        parts.append(_pack_all("i", layer.bias))
        parts.append(_pack_all("I", layer.multipliers))
        parts.append(_padded(bytes(layer.shifts)))
        parts.append(_padded(layer.weights))
    return parts


def encode(content: ImageContent) -> bytes:
    """The bytes of an image up to and including its SHA-256; `seal` adds the signature."""
    body = []
    for scaling in content.channels:
        body.append(struct.pack("<iII", scaling.centre, scaling.multiplier, scaling.shift))
    if content.bands:
        body.append(_padded(_pack_all("H", content.edges)))
    if content.envelope_edges:
        body.append(_padded(_pack_all("H", content.envelope_edges)))
    for scaling in content.features:
        body.append(struct.pack("<iII", scaling.centre, scaling.multiplier, scaling.shift))
    body.append(_padded(_pack_all("H", content.weights)))
    for layer in content.layers:
        body.extend(_layer_parts(layer, content.target))
    body.append(_padded(_pack_all("h", content.golden_features)))
    body.append(_padded(_pack_all("b", content.golden_output)))
    joined = b"".join(body)
    header = struct.pack(
        HEADER_LAYOUT,
        MAGIC,
        FORMAT,
        HEADER_BYTES,
        HEADER_BYTES + len(joined) + TRAILER_BYTES,
        content.version,
        content.kind,
        len(content.layers),
        content.bands,
        len(content.channels),
        len(content.features),
        content.window,
        content.hop,
        content.gap_ns,
        content.profile_digest,
        content.input_multiplier,
        content.input_shift,
        content.input_zero,
        content.output_zero,
        content.output_shift,
        content.output_multiplier,
        content.golden_score,
        content.threshold,
        content.sample_rate_millihertz,
        content.target,
        INPUT_SAMPLES if content.samples else INPUT_FEATURES,
        content.envelope_bands,
        content.envelope_first,
        content.envelope_bins,
    )
    unsigned = header + bytes(HEADER_BYTES - len(header)) + joined
    return unsigned + hashlib.sha256(unsigned).digest()


def seal(unsigned: bytes, key_id: bytes = bytes(8), signature: bytes = bytes(64)) -> bytes:
    """The whole image: what `encode` gave, the key's id and the signature (zeros: not signed)."""
    return unsigned + key_id + signature


def signed_message(image: bytes) -> bytes:
    """What the signature of an image (with or without its last 72 bytes) is made over."""
    length = struct.unpack("<I", image[8:12])[0] - 72
    return SIGNED_PREFIX + image[length - 32 : length]


def signature_of(image: bytes) -> "tuple[bytes, bytes]":
    """Key id and signature of a whole image."""
    return image[-72:-64], image[-64:]
