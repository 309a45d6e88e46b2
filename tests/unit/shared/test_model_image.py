"""Images: what is written is read, and each rule of the reader is broken by a change that breaks only that rule."""

import hashlib
import itertools
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import ed25519, model_image
from shared.errors import ImageError
from shared.image_sections import REASONS
from shared.model_image import ImageContent, Layer, RefusedImageError, Scaling

int8s = st.integers(-128, 127)
scalings = st.builds(Scaling, st.integers(-(2**31), 2**31 - 1), st.integers(1, 2**30 - 1), st.integers(1, 46))


@st.composite
def layers(draw, inputs, outputs):
    bound = 128 * 128 * inputs
    bias = st.integers(-(2**31) + bound, 2**31 - 1 - bound)

    def each(values):
        return draw(st.lists(values, min_size=outputs, max_size=outputs))

    return Layer(
        inputs,
        outputs,
        draw(st.binary(min_size=inputs * outputs, max_size=inputs * outputs)),
        each(bias),
        each(st.integers(1, 2**31 - 1)),
        each(st.integers(1, 62)),
        draw(int8s),
        draw(int8s),
    )


@st.composite
def contents(draw, kind=None, hidden=None):
    kind = draw(st.integers(0, 1)) if kind is None else kind
    channels = draw(st.integers(1, 3))
    bands = draw(st.integers(1, 5)) if kind else 0
    window = 1 << draw(st.integers(5, 12) if kind else st.integers(2, 8))
    features = channels * (3 + bands if kind else 4)
    widths = draw(st.lists(st.integers(1, 5), max_size=3)) if hidden is None else hidden
    chain = [features, *widths, features] if widths else [features]

    def each(values, count=features):
        return draw(st.lists(values, min_size=count, max_size=count))

    edges = st.lists(st.integers(0, window // 2 + 1), min_size=bands + 1, max_size=bands + 1, unique=True)
    return ImageContent(
        version=draw(st.integers(1, 2**32 - 1)),
        kind=kind,
        bands=bands,
        window=window,
        hop=draw(st.integers(1, 1 << 24)) if kind else 1,
        gap_ns=draw(st.integers(1, 2**63 - 1)),
        profile_digest=draw(st.binary(min_size=8, max_size=8)),
        sample_rate_millihertz=draw(st.integers(1, 2**32 - 1)),
        channels=each(scalings, channels),
        edges=sorted(draw(edges)) if bands else [],
        features=each(scalings),
        weights=each(st.integers(0, 65535)),
        layers=[draw(layers(a, b)) for a, b in itertools.pairwise(chain)],
        input_multiplier=draw(st.integers(1, 2**31 - 1)),
        input_shift=draw(st.integers(1, 62)),
        input_zero=draw(int8s),
        output_multiplier=draw(st.integers(1, 2**31 - 1)),
        output_shift=draw(st.integers(23, 62)),
        output_zero=draw(int8s),
        threshold=draw(st.integers(1, (1 << 39) - 1)),
        golden_features=each(st.integers(-32768, 32767)),
        golden_output=each(int8s),
        golden_score=draw(st.integers(0, 2**32 - 1)),
    )


def plain(value):
    """Nested plain values, to compare."""
    if isinstance(value, list):
        return [plain(each) for each in value]
    return {name: plain(each) for name, each in vars(value).items()} if hasattr(value, "__dict__") else value


def sealed(content):
    return model_image.seal(model_image.encode(content))


def with_digest(image):
    body = bytes(image[: -model_image.TRAILER_BYTES])
    return body + hashlib.sha256(body).digest() + bytes(image[-72:])


@settings(max_examples=80, deadline=None)
@given(content=contents(), signature=st.binary(min_size=64, max_size=64))
def test_what_is_written_is_read(content, signature):
    image = model_image.seal(model_image.encode(content), b"the key.", signature)
    assert len(image) % 4 == 0
    assert plain(model_image.read(image)) == plain(content)
    assert model_image.signature_of(image) == (b"the key.", signature)


def test_what_is_signed_is_the_digest_with_or_without_the_trailer(example):
    unsigned = model_image.encode(example)
    digest = hashlib.sha256(unsigned[:-32]).digest()
    assert model_image.signed_message(unsigned) == model_image.signed_message(model_image.seal(unsigned))
    assert model_image.signed_message(unsigned) == b"tocsin model image 2\n" + digest
    assert not ed25519.verify(bytes(32), model_image.signed_message(unsigned), bytes(64))


@pytest.fixture
def example():
    """A slow device of one channel, window 8, layers 4-2-4."""
    layer = Layer(4, 2, bytes(8), [0, 0], [1, 1], [1, 1], 0, -128)
    last = Layer(2, 4, bytes(8), [0] * 4, [1] * 4, [1] * 4, 0, -128)
    one = Scaling(0, 1 << 14, 14)
    return ImageContent(
        version=7,
        kind=0,
        bands=0,
        window=8,
        hop=1,
        gap_ns=10**9,
        profile_digest=b"profile.",
        sample_rate_millihertz=1000,
        channels=[one],
        edges=[],
        features=[one] * 4,
        weights=[1] * 4,
        layers=[layer, last],
        output_multiplier=1 << 30,
        output_shift=30,
    )


#: Body of `example`: channel 96, features 108, weights 156, layer 0 at 164 (bias 172, multipliers 180, shifts 188,
#: weights 192), layer 1 at 200.
#: What is broken: where a number is put, how, which; the sentence, and the offset that it names if that is another one.
BROKEN = {
    "magic": (0, "<I", 0, "no magic"),
    "format": (4, "<H", 1, "format 1"),
    "header length": (6, "<H", 95, "header of 95 bytes"),
    "version 0": (12, "<I", 0, "impossible version 0"),
    "kind 2": (16, "<B", 2, "impossible kind 2"),
    "thirteen layers": (17, "<B", 13, "number of layers 13"),
    "a layer too few": (17, "<B", 1, "layer 0, the last one, of 2 outputs", 166),
    "a layer too many": (17, "<B", 3, "layer 2 of 0 inputs behind 4 values", 252),
    "bands of a slow device": (18, "<H", 1, "number of bands 1"),
    "no channel": (20, "<H", 0, "number of channels 0"),
    "too many channels": (20, "<H", 1025, "number of channels 1025"),
    "features that do not fit": (22, "<H", 5, "number of features 5"),
    "window 2": (24, "<I", 2, "window 2"),
    "window 12": (24, "<I", 12, "window 12"),
    "window 512": (24, "<I", 512, "window 512"),
    "hop 2 of a slow device": (28, "<I", 2, "hop 2"),
    "gap 0": (32, "<Q", 0, "gap 0"),
    "gap 2**63": (32, "<Q", 1 << 63, "gap 9223372036854775808"),
    "input multiplier 0": (48, "<I", 0, "input multiplier 0"),
    "input multiplier 2**31": (48, "<I", 1 << 31, "input multiplier 2147483648"),
    "input shift 0": (52, "<B", 0, "input shift 0"),
    "input shift 63": (52, "<B", 63, "input shift 63"),
    "output shift 0": (55, "<B", 0, "output shift 0"),
    "output shift 63": (55, "<B", 63, "output shift 63"),
    "output multiplier 0": (56, "<I", 0, "output multiplier 0"),
    "output far beyond the features": (55, "<B", 1, "outputs beyond the range", 56),
    "threshold 0": (64, "<Q", 0, "threshold 0"),
    "threshold 2**39": (64, "<Q", 1 << 39, "threshold 549755813888"),
    "sample rate 0": (72, "<I", 0, "sample rate 0"),
    "target 4": (76, "<B", 4, "target 4"),
    "input 2": (77, "<B", 2, "input of the model 2"),
    "envelope bands of a slow device": (78, "<H", 1, "number of envelope bands 1"),
    "first bin without envelope bands": (80, "<H", 1, "first bin of an envelope without bands"),
    "bins without envelope bands": (82, "<H", 16, "bins of an envelope without bands"),
    "reserved bytes": (95, "<B", 1, "reserved byte"),
    "channel multiplier 0": (100, "<I", 0, "channel 0 of an impossible multiplier"),
    "channel multiplier 2**30": (100, "<I", 1 << 30, "channel 0 of an impossible multiplier"),
    "channel shift 0": (104, "<I", 0, "channel 0 of an impossible shift"),
    "channel shift 47": (104, "<I", 47, "channel 0 of an impossible shift"),
    "feature shift 47": (116, "<I", 47, "feature 0"),
    "other inputs": (164, "<H", 5, "layer 0 of 5 inputs behind 4 values"),
    "no outputs": (166, "<H", 0, "layer 0 of 0 outputs"),
    "too many outputs": (166, "<H", 4097, "layer 0 of 4097 outputs"),
    "outputs that do not fit": (166, "<H", 4096, "layer 0 that does not fit", 172),
    "layer kind 3": (170, "<B", 3, "layer 0 of an impossible kind 3"),
    "padding value of a dense layer": (171, "<b", -1, "layer 0, dense, with a padding value"),
    "bias at the upper end": (172, "<i", 2**31 - 128 * 128 * 4, "overflow its accumulator in row 0"),
    "bias at the lower end": (176, "<i", -(2**31) + 128 * 128 * 4 - 1, "overflow its accumulator in row 1"),
    "layer multiplier 0": (180, "<I", 0, "multiplier in row 0"),
    "layer shift 63": (189, "<B", 63, "shift in row 1"),
    "padding": (190, "<B", 1, "padded"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_rule_is_named(example, name):
    place, code, value, sentence, *elsewhere = BROKEN[name]
    offset = elsewhere[0] if elsewhere else place
    image = bytearray(sealed(example))
    model_image.read(bytes(image))
    struct.pack_into(code, image, place, value)
    with pytest.raises(RefusedImageError, match=f"^model image: [^\n]*{sentence}[^\n]* at offset {offset}$") as refused:
        model_image.read(with_digest(image))
    assert refused.value.offset == offset
    assert refused.value.reason in REASONS


@pytest.mark.parametrize("bias", [2**31 - 128 * 128 * 4 - 1, -(2**31) + 128 * 128 * 4])
def test_the_largest_bias_that_cannot_overflow_is_accepted(example, bias):
    example.layers[0].bias[0] = bias
    assert model_image.read(sealed(example)).layers[0].bias[0] == bias


@pytest.mark.parametrize(("edges", "reason"), [([1, 1, 9], "ascend"), ([3, 2, 9], "ascend"), ([1, 9, 18], "last bin")])
def test_band_edges_ascend_within_the_spectrum(example, edges, reason):
    fast = model_image.read(sealed(example))
    fast.kind, fast.bands, fast.window, fast.hop, fast.edges, fast.layers = 1, 2, 32, 5, [0, 9, 17], []
    fast.features, fast.weights = [Scaling(0, 1, 1)] * 5, [1] * 5
    fast.golden_features, fast.golden_output = [0] * 5, [0] * 5
    assert model_image.read(sealed(fast)).edges == [0, 9, 17]
    fast.edges = edges
    with pytest.raises(ImageError, match=reason):
        model_image.read(sealed(fast))


def test_every_cut_and_every_flipped_bit_is_refused(example):
    image = sealed(example)
    for length in range(len(image)):
        with pytest.raises(ImageError):
            model_image.read(image[:length])
    for place in range(len(image) - 72):
        changed = bytearray(image)
        changed[place] ^= 1 << place % 8
        with pytest.raises(ImageError):
            model_image.read(bytes(changed))


def test_more_bytes_than_said_are_refused(example):
    image = sealed(example)
    with pytest.raises(ImageError, match=f"{len(image) + 4} bytes, not the {len(image)} written at offset 8"):
        model_image.read(image + bytes(4))
    with pytest.raises(ImageError, match="more bytes than the longest image has at offset 1048576"):
        model_image.read(bytes(model_image.IMAGE_LIMIT_BYTES + 1))
    longer = bytearray(image[: -model_image.TRAILER_BYTES] + bytes(4) + image[-model_image.TRAILER_BYTES :])
    struct.pack_into("<I", longer, 8, len(longer))
    with pytest.raises(ImageError, match=f"left over at offset {len(image) - model_image.TRAILER_BYTES}"):
        model_image.read(with_digest(longer))


def test_names_of_features(example):
    assert model_image.feature_names(example) == ["value", "mean", "deviation", "slope"]
    example.kind, example.bands = 1, 2
    assert model_image.feature_names(example) == ["level", "crest", "kurtosis", "band-0", "band-1"]
