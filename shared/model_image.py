"""The model image: the bytes that a device accepts, byte by byte, with a reader that trusts nothing and a writer.

Little endian throughout; every pad byte is zero; sections follow each other without gaps, each padded to 4 bytes.

    offset  size  header, 96 bytes
    0       4     magic "TCSN"
    4       2     format, 1
    6       2     header length, 96
    8       4     length of the whole image
    12      4     model version: only grows (a security counter)
    16      1     kind: 0 slow, 1 fast
    17      1     layers, 0 to 12; 0 = no model yet: the recipe alone
    18      2     bands per channel (fast), 0 for slow
    20      2     channels
    22      2     features: 4 per channel (slow) or 3 + bands per channel (fast)
    24      4     window: rows or samples, a power of two
    28      4     hop: samples from one window's start to the next (slow: 1)
    32      8     gap_ns: a longer step in time ends a stretch
    40      8     digest of the device profile it was made for
    48      4     input multiplier     52  1  input shift      53  1  input zero (int8)
    54      1     output zero (int8)   55  1  output shift     56  4  output multiplier
    60      4     score that the golden features give
    64      8     threshold of the score sum
    72      4     sample rate, millihertz
    76      20    zero

    then    channels x (centre int32, multiplier uint32, shift uint32)
            (bands + 1) x uint16: band edges in bins (fast only)
            features x (centre int32, multiplier uint32, shift uint32)
            features x uint16: weights of the score
            per layer: inputs uint16, outputs uint16, zero int8, low int8, 2 zero bytes,
                       outputs x int32 bias, outputs x uint32 multiplier, outputs x uint8 shift, outputs x inputs int8
                       weights
            features x int16: golden features; features x int8: golden output
            32 bytes SHA-256 of everything before
            8 bytes key id, 64 bytes Ed25519 signature of ``SIGNED_PREFIX + SHA-256``; all zero when unsigned

The signature stands outside the digest, so that an image can be signed where the key is.
"""

import hashlib
import struct

from shared.errors import ImageError
from shared.signal import definition

MAGIC = b"TCSN"
FORMAT = 1
HEADER_BYTES = 96
TRAILER_BYTES = 104
IMAGE_LIMIT_BYTES = 1 << 20
LAYERS_MAX = 12
WIDTH_MAX = 4096
MULTIPLIER_LIMIT = 1 << 31
SCALE_MULTIPLIER_LIMIT = 1 << 30
SCALE_SHIFT_MAX = 46
LAYER_SHIFT_MAX = 62
SUM_LIMIT = 1 << 39
#: Outputs in the units of the features stay within this, so that the score's sum fits 63 bits.
EXPECTED_LIMIT = 1 << 16
SIGNED_PREFIX = b"tocsin model image 1\n"

_HEADER = "<4sHHIIBBHHHIIQ8sIBbbBIIQI"


class Scaling:
    """``(value - centre) * multiplier / 2**shift``: one channel or one feature."""

    def __init__(self, centre: int, multiplier: int, shift: int) -> None:
        self.centre = centre
        self.multiplier = multiplier
        self.shift = shift


class Layer:
    """One dense int8 layer as it stands in an image (see `shared.quantized.integer.Dense`)."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        weights: bytes,
        bias: "list[int]",
        multipliers: "list[int]",
        shifts: "list[int]",
        zero: int,
        low: int,
    ) -> None:
        self.inputs = inputs
        self.outputs = outputs
        self.weights = weights
        self.bias = bias
        self.multipliers = multipliers
        self.shifts = shifts
        self.zero = zero
        self.low = low


class ImageContent:
    """What an image says, field by field (names and units as in the module's table)."""

    def __init__(
        self,
        version: int,
        kind: int,
        bands: int,
        window: int,
        hop: int,
        gap_ns: int,
        profile_digest: bytes,
        sample_rate_millihertz: int,
        channels: "list[Scaling]",
        edges: "list[int]",
        features: "list[Scaling]",
        weights: "list[int]",
        layers: "list[Layer]",
        input_multiplier: int = 1,
        input_shift: int = 1,
        input_zero: int = 0,
        output_multiplier: int = 1,
        output_shift: int = 1,
        output_zero: int = 0,
        threshold: int = 1,
        golden_features: "list[int] | None" = None,
        golden_output: "list[int] | None" = None,
        golden_score: int = 0,
    ) -> None:
        self.version = version
        self.kind = kind
        self.bands = bands
        self.window = window
        self.hop = hop
        self.gap_ns = gap_ns
        self.profile_digest = profile_digest
        self.sample_rate_millihertz = sample_rate_millihertz
        self.channels = channels
        self.edges = edges
        self.features = features
        self.weights = weights
        self.layers = layers
        self.input_multiplier = input_multiplier
        self.input_shift = input_shift
        self.input_zero = input_zero
        self.output_multiplier = output_multiplier
        self.output_shift = output_shift
        self.output_zero = output_zero
        self.threshold = threshold
        self.golden_features = [0] * len(features) if golden_features is None else golden_features
        self.golden_output = [0] * len(features) if golden_output is None else golden_output
        self.golden_score = golden_score


def _padding(length: int) -> int:
    return -length & 3


def _padded(content: bytes) -> bytes:
    return content + bytes(_padding(len(content)))


def _pack_all(code: str, values: "list[int]") -> bytes:
    return struct.pack("<" + str(len(values)) + code, *values)


def encode(content: ImageContent) -> bytes:
    """The bytes of an image up to and including its SHA-256; `seal` adds the signature."""
    body = []
    for scaling in content.channels:
        body.append(struct.pack("<iII", scaling.centre, scaling.multiplier, scaling.shift))
    if content.bands:
        body.append(_padded(_pack_all("H", content.edges)))
    for scaling in content.features:
        body.append(struct.pack("<iII", scaling.centre, scaling.multiplier, scaling.shift))
    body.append(_padded(_pack_all("H", content.weights)))
    for layer in content.layers:
        body.append(struct.pack("<HHbbH", layer.inputs, layer.outputs, layer.zero, layer.low, 0))
        body.append(_pack_all("i", layer.bias))
        body.append(_pack_all("I", layer.multipliers))
        body.append(_padded(bytes(layer.shifts)))
        body.append(_padded(layer.weights))
    body.append(_padded(_pack_all("h", content.golden_features)))
    body.append(_padded(_pack_all("b", content.golden_output)))
    joined = b"".join(body)
    header = struct.pack(
        _HEADER,
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


class _Reader:
    """Takes bytes in order; says where it stood when something is wrong."""

    def __init__(self, image: bytes, end: int) -> None:
        self.image = image
        self.end = end
        self.position = 0

    def take(self, length: int, what: str) -> bytes:
        if length > self.end - self.position:
            raise ImageError("model image: " + what + " at offset " + str(self.position) + " does not fit")
        part = self.image[self.position : self.position + length]
        self.position += length
        return part

    def pad(self, length: int, what: str) -> None:
        padding = self.take(_padding(length), what)
        if padding != bytes(len(padding)):
            raise self.error(what + " is not padded with zeros")

    def numbers(self, code: str, size: int, count: int, what: str) -> "list[int]":
        part = self.take(size * count, what)
        values = list(struct.unpack("<" + str(count) + code, part))
        self.pad(size * count, what)
        return values

    def error(self, reason: str) -> ImageError:
        return ImageError("model image: " + reason + " before offset " + str(self.position))


def _check_power(value: int, low: int, high: int) -> bool:
    return low <= value <= high and value & (value - 1) == 0


def _read_scaling(reader: _Reader, what: str) -> Scaling:
    centre, multiplier, shift = struct.unpack("<iII", reader.take(12, what))
    if not 0 < multiplier < SCALE_MULTIPLIER_LIMIT or not 1 <= shift <= SCALE_SHIFT_MAX:
        raise reader.error(what + " has an impossible multiplier or shift")
    return Scaling(centre, multiplier, shift)


def _read_layer(reader: _Reader, number: int, inputs_expected: int) -> Layer:
    what = "layer " + str(number)
    inputs, outputs, zero, low, rest = struct.unpack("<HHbbH", reader.take(8, what))
    if rest:
        raise reader.error(what + " has reserved bytes that are not zero")
    if inputs != inputs_expected or not 1 <= outputs <= WIDTH_MAX:
        raise reader.error(what + " has impossible sizes " + str(inputs) + " to " + str(outputs))
    bias = reader.numbers("i", 4, outputs, what)
    multipliers = reader.numbers("I", 4, outputs, what)
    shifts = reader.numbers("B", 1, outputs, what)
    weights = reader.take(inputs * outputs, what)
    reader.pad(inputs * outputs, what)
    bound = 128 * 128 * inputs
    for j in range(outputs):
        if not 0 < multipliers[j] < MULTIPLIER_LIMIT or not 1 <= shifts[j] <= LAYER_SHIFT_MAX:
            raise reader.error(what + " has an impossible multiplier or shift in row " + str(j))
        if not -(1 << 31) + bound <= bias[j] < (1 << 31) - bound:
            raise reader.error(what + " could overflow its accumulator in row " + str(j))
    return Layer(inputs, outputs, weights, bias, multipliers, shifts, zero, low)


def read(image: bytes) -> ImageContent:
    """The content of an image, or `ImageError` with the place and the reason.

    Checks everything but the signature and the golden vector: magic, format, lengths, every range, the digest.
    """
    if len(image) < HEADER_BYTES + TRAILER_BYTES:
        raise ImageError("model image: " + str(len(image)) + " bytes are too few for a header and a trailer")
    if len(image) > IMAGE_LIMIT_BYTES:
        raise ImageError("model image: longer than " + str(IMAGE_LIMIT_BYTES) + " bytes")
    (
        magic,
        form,
        header_bytes,
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
    ) = struct.unpack(_HEADER, image[: struct.calcsize(_HEADER)])
    if magic != MAGIC:
        raise ImageError("model image: no magic at offset 0")
    if form != FORMAT or header_bytes != HEADER_BYTES:
        raise ImageError("model image: format " + str(form) + " at offset 4 is not known here")
    if total != len(image):
        raise ImageError("model image: " + str(len(image)) + " bytes, offset 8 says " + str(total))
    if hashlib.sha256(image[: total - TRAILER_BYTES]).digest() != image[total - TRAILER_BYTES : total - 72]:
        raise ImageError("model image: the digest at offset " + str(total - TRAILER_BYTES) + " does not match")
    if version < 1 or kind > 1 or layer_count > LAYERS_MAX:
        raise ImageError("model image: impossible version, kind or number of layers at offset 12")
    if kind == definition.KIND_SLOW:
        sizes_fit = _check_power(window, definition.SLOW_WINDOW_MIN, definition.SLOW_WINDOW_MAX) and hop == 1
        per_channel = 4
        sizes_fit = sizes_fit and bands == 0
    else:
        sizes_fit = _check_power(window, definition.FAST_WINDOW_MIN, definition.FAST_WINDOW_MAX)
        sizes_fit = sizes_fit and 1 <= hop <= definition.HOP_MAX and 1 <= bands <= definition.BANDS_MAX
        per_channel = 3 + bands
    if not sizes_fit:
        raise ImageError("model image: impossible window, hop or bands at offset 18")
    if not 1 <= channel_count <= definition.CHANNELS_MAX or feature_count > definition.FEATURES_MAX:
        raise ImageError("model image: too many channels or features at offset 20")
    if feature_count != channel_count * per_channel:
        raise ImageError("model image: the number of features at offset 22 does not fit the channels")
    if not 1 <= gap_ns < 1 << 63 or not 1 <= threshold < SUM_LIMIT or rate < 1:
        raise ImageError("model image: impossible gap, threshold or sample rate in the header")
    if not 0 < input_multiplier < MULTIPLIER_LIMIT or not 1 <= input_shift <= LAYER_SHIFT_MAX:
        raise ImageError("model image: impossible input quantization at offset 48")
    if not 0 < output_multiplier < MULTIPLIER_LIMIT or not 1 <= output_shift <= LAYER_SHIFT_MAX:
        raise ImageError("model image: impossible output quantization at offset 54")
    for value in (-128, 127):
        expected = ((value - output_zero) * output_multiplier + (1 << (output_shift - 1))) >> output_shift
        if not -EXPECTED_LIMIT <= expected <= EXPECTED_LIMIT:
            raise ImageError("model image: output quantization at offset 54 leaves the range of the features")
    if image[struct.calcsize(_HEADER) : HEADER_BYTES] != bytes(HEADER_BYTES - struct.calcsize(_HEADER)):
        raise ImageError("model image: reserved header bytes at offset 76 are not zero")
    reader = _Reader(image, total - TRAILER_BYTES)
    reader.position = HEADER_BYTES
    channels = [_read_scaling(reader, "channel " + str(i)) for i in range(channel_count)]
    edges: "list[int]" = []
    if bands:
        edges = reader.numbers("H", 2, bands + 1, "band edges")
        for band in range(bands):
            if edges[band + 1] <= edges[band]:
                raise reader.error("band edges do not ascend")
        if edges[bands] > window // 2 + 1:
            raise reader.error("band edges pass the last bin")
    features = [_read_scaling(reader, "feature " + str(i)) for i in range(feature_count)]
    weights = reader.numbers("H", 2, feature_count, "score weights")
    layers = []
    width = feature_count
    for number in range(layer_count):
        layer = _read_layer(reader, number, width)
        layers.append(layer)
        width = layer.outputs
    if width != feature_count:
        raise reader.error("the last layer's outputs are not the features")
    golden_features = reader.numbers("h", 2, feature_count, "golden features")
    golden_output = reader.numbers("b", 1, feature_count, "golden output")
    if reader.position != reader.end:
        raise reader.error("bytes are left over")
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
        golden_features,
        golden_output,
        golden_score,
    )


def feature_names(content: ImageContent) -> "list[str]":
    """Names of the features of one channel, in order."""
    if content.kind == definition.KIND_SLOW:
        return list(definition.SLOW_FEATURES)
    return list(definition.FAST_FEATURES) + ["band-" + str(band) for band in range(content.bands)]
