"""The model image: the bytes that a device accepts, byte by byte, and their writer; `shared.image_reader` reads them.

Little endian throughout; every pad byte is zero; sections follow each other without gaps, each padded to 4 bytes.

    offset  size  header, 96 bytes
    0       4     magic "TCSN"
    4       2     format, 2
    6       2     header length, 96
    8       4     length of the whole image
    12      4     model version: only grows (a security counter)
    16      1     kind: 0 slow, 1 fast
    17      1     layers, 0 to 12; 0 = no model yet: the recipe alone
    18      2     bands per channel (fast), 0 for slow
    20      2     channels
    22      2     features: 4 per channel (slow; none if the model reads samples) or 3 + bands + envelope bands (fast)
    24      4     window: rows or samples, a power of two
    28      4     hop: samples from one window's start to the next (slow: 1)
    32      8     gap_ns: a longer step in time ends a stretch
    40      8     digest of the device profile it was made for
    48      4     input multiplier     52  1  input shift      53  1  input zero (int8)
    54      1     output zero (int8)   55  1  output shift     56  4  output multiplier
    60      4     score that the golden inputs give
    64      8     threshold of the score sum
    72      4     sample rate, millihertz
    76      1     target: how layers are laid out; 0 any, 1 cortex-m0, 2 dsp, 3 mve (`shared.quantized.targets`)
    77      1     input of the model: 0 features, 1 samples of the window
    78      2     envelope bands per channel (fast only), 0 = none
    80      2     first bin of the envelope's band
    82      2     bins of the envelope's band
    84      12    zero

    then    channels x (centre int32, multiplier uint32, shift uint32)
            (bands + 1) x uint16: band edges in bins (fast only)
            (envelope bands + 1) x uint16: edges in bins of the envelope's spectrum (only with envelope bands)
            features x (centre int32, multiplier uint32, shift uint32)
            inputs x uint16: weights of the score; inputs = features, or channels * window where the model reads samples
            layers
            inputs x int16: golden inputs; inputs x int8: golden output
            32 bytes SHA-256 of everything before
            8 bytes key id, 64 bytes Ed25519 signature of ``SIGNED_PREFIX + SHA-256``; all zero when unsigned

    layer   inputs uint16, outputs uint16, zero int8, low int8, kind uint8 (0 dense, 1 convolution, 2 depthwise),
            padding value int8 (dense: 0)
            kinds 1 and 2: channels uint16, filters uint16, taps uint8, stride uint8, pad uint8,
            rounding uint8 (0 once, 1 twice)
            then, with rows = outputs (dense) or filters, and columns = inputs (dense), taps * channels (convolution),
            taps (depthwise):
            rows x int32 bias, rows x uint32 multiplier, rows x uint8 shift, rows x columns int8 weights
            or, where the image has a target and the layer is dense or a convolution that rounds once:
            plain blocks uint16, 2 zero bytes, bytes that follow uint32; those bytes, a bitmap of the plain blocks
            (lowest bit first, in words of 32 bits; none without plain blocks) and the blocks of that target

The signature stands outside the digest, so that an image can be signed where the key is.
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
from shared.image_reader import HEADER_LAYOUT, read

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
