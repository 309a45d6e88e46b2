"""Images with layers of every kind, packed or not, models of samples, envelopes: written, read, each rule broken."""

import hashlib
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_images import convolution, dense, layered_image, with_drawn_blocks

from shared import model_image
from shared.errors import ImageError
from shared.image_content import LAYER_CONVOLUTION
from shared.model_image import RefusedImageError, Scaling
from shared.quantized.targets import TARGET_LAST, packed
from shared.signal.definition import KIND_FAST, KIND_SLOW


def plain(value):
    if isinstance(value, list):
        return [plain(each) for each in value]
    return {name: plain(each) for name, each in vars(value).items()} if hasattr(value, "__dict__") else value


def sealed(content):
    return model_image.seal(model_image.encode(content))


def with_digest(image):
    body = bytes(image[: -model_image.TRAILER_BYTES])
    return body + hashlib.sha256(body).digest() + bytes(image[-72:])


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    fast=st.booleans(),
    samples=st.booleans(),
    channels=st.integers(1, 3),
    rounding=st.integers(0, 1),
    target=st.integers(0, TARGET_LAST),
    envelope=st.sampled_from([None, (1, 16, [0, 9]), (47, 16, [0, 1, 2, 3]), (8, 32, [3, 17])]),
)
def test_images_of_every_form_are_read_as_written(seed, fast, samples, channels, rounding, target, envelope):
    content = layered_image(
        seed,
        kind=KIND_FAST if fast else KIND_SLOW,
        channels=channels,
        window=128 if fast else 8,
        hop=5 if fast else 1,
        bands=2 if fast else 0,
        samples=samples,
        envelope=envelope if fast else None,
        rounding=rounding,
    )
    if target:
        content = with_drawn_blocks(content, target)
    image = sealed(content)
    assert len(image) % 4 == 0
    assert plain(model_image.read(image)) == plain(content)


def sample_image(**fields):
    """A slow device of one channel and window 4: a convolution 4-8 (positions 4, filters 2), a dense layer 8-4."""
    rng = np.random.default_rng(0)
    layers = [convolution(rng, 4, 1, filters=2, taps=3, pad=1), dense(rng, 8, 4)]
    layers[0].padding, layers[0].outputs = -3, 8
    content = layered_image(0, channels=1, window=4, layers=layers)
    for name, value in fields.items():
        setattr(content, name, value)
    return content


#: Offset of layer 0 in `sample_image`: behind one channel and four score weights; the header of its kind is at 124.
LAYER = 96 + 12 + 8
BROKEN = {
    "a kind that is none": (LAYER + 6, "<B", 3, "impossible kind 3"),
    "inputs of another model": (LAYER, "<H", 8, "8 inputs behind 4 values"),
    "no channels": (LAYER + 8, "<H", 0, "no whole positions"),
    "channels that do not divide the inputs": (LAYER + 8, "<H", 3, "no whole positions"),
    "more channels than inputs": (LAYER + 8, "<H", 8, "no whole positions"),
    "no filters": (LAYER + 10, "<H", 0, "no whole places"),
    "filters that do not divide the outputs": (LAYER + 10, "<H", 3, "no whole places"),
    "no taps": (LAYER + 12, "<B", 0, "rows of 0 weights"),
    "no stride": (LAYER + 13, "<B", 0, "stride"),
    "a stride that passes the inputs": (LAYER + 13, "<B", 2, "behind its inputs"),
    "a pad as long as the taps": (LAYER + 14, "<B", 3, "pad"),
    "a rounding that is none": (LAYER + 15, "<B", 2, "rounding"),
    "a dense layer with a padding value": (LAYER + 6, "<B", 0, "padding value", LAYER + 7),
    "a target without packed layers": (76, "<B", 1, "another length", LAYER + 20),
    "samples as features": (77, "<B", 0, "number of features 0", 22),
    "a layer's bias": (LAYER + 16, "<i", 2**31 - 16384 * 3, "overflow"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_rule_of_a_convolution_is_named(name):
    place, code, value, sentence, *elsewhere = BROKEN[name]
    offset = elsewhere[0] if elsewhere else place
    image = bytearray(sealed(sample_image()))
    assert model_image.read(bytes(image)).layers[0].padding == -3
    struct.pack_into(code, image, place, value)
    with pytest.raises(RefusedImageError, match=f"^[^\n]*{sentence}[^\n]* at offset {offset}$") as refused:
        model_image.read(with_digest(image))
    assert refused.value.offset == offset


def test_the_last_place_may_begin_on_the_last_position():
    rng = np.random.default_rng(1)
    for places, accepted in ((4, True), (5, False)):
        layer = convolution(rng, 4, 1, filters=1, taps=1)
        layer.outputs = places
        content = sample_image(layers=[layer, dense(rng, places, 4)])
        if accepted:
            assert model_image.read(sealed(content)).layers[0].outputs == places
        else:
            with pytest.raises(ImageError, match="behind its inputs at offset 129"):
                model_image.read(sealed(content))


def test_rows_of_a_convolution_are_as_short_as_those_of_a_dense_layer():
    rng = np.random.default_rng(2)
    for taps, accepted in ((64, True), (65, False)):
        layer = convolution(rng, 64, 64, filters=1, taps=taps)
        content = layered_image(1, channels=64, window=1, layers=[layer, dense(rng, 1, 64)])
        assert layer.kind == LAYER_CONVOLUTION
        if accepted:
            assert model_image.read(sealed(content)).layers[0].columns == 4096
        else:
            with pytest.raises(ImageError, match="layer 0 with rows of 4160 weights at offset 1004"):
                model_image.read(sealed(content))


def test_filters_of_a_depthwise_layer_are_a_multiple_of_its_channels():
    rng = np.random.default_rng(3)
    layer = convolution(rng, 8, 2, filters=2, taps=1, depthwise=True)
    content = layered_image(1, channels=2, window=4, layers=[layer, dense(rng, 16, 8)])
    assert model_image.read(sealed(content)).layers[0].filters == 4
    layer.channels, layer.filters = 8, 4
    layer.outputs = 4
    content.layers[1] = dense(rng, 4, 8)
    with pytest.raises(ImageError, match="multiple"):
        model_image.read(sealed(content))


@pytest.mark.parametrize("target", range(1, TARGET_LAST + 1))
def test_a_broken_rule_of_packed_layers_is_named(target):
    """Layer 1 of `sample_image` in blocks, the first one plain."""
    layout = packed(target)
    content = with_drawn_blocks(sample_image(), target, plain_part=0.0)
    content.layers[1] = dense(np.random.default_rng(4), 8, 4)
    whole = with_drawn_blocks(content, target, plain_part=1.0, seed=5)
    assert whole.layers[1].plain == 1
    good = sealed(whole)
    model_image.read(good)
    place = good.index(whole.layers[1].packed)
    columns = layout.columns_of(8)
    scales = place + 4 + 4 * layout.block_rows + layout.block_rows * columns
    shifts = scales + 4 * layout.block_rows
    room = 2**31 - 1 - (columns << 15)
    for offset, code, value, reason in (
        (place - 8, "<H", 2, "bitmap"),
        (place - 8, "<H", 0, "another length"),
        (place - 6, "<H", 1, "reserved"),
        (place - 4, "<I", len(whole.layers[1].packed) - 4, "another length"),
        (place - 4, "<I", 2**32 - 1, "another length"),
        (place, "<I", 0, "bitmap"),
        (place, "<I", 2, "bitmap"),
        (place, "<I", 3, "bitmap"),
        (place + 4, "<i", room + 1, "overflow its accumulator in block 0"),
        (place + 4, "<i", -room - 1, "overflow its accumulator in block 0"),
        (scales, "<I", 0, "in block 0"),
        (shifts - 4, "<I", 2**31, "in block 0"),
        (shifts, "<B", 0, "in block 0"),
        (shifts + layout.block_rows - 1, "<B", 63, "in block 0"),
    ):
        image = bytearray(good)
        struct.pack_into(code, image, offset, value)
        at = place if "bitmap" in reason else place - 4 if "another" in reason else offset
        with pytest.raises(RefusedImageError, match=f"{reason}.* at offset {at}$") as refused:
            model_image.read(with_digest(image))
        assert refused.value.offset == at
    for value in (room, -room):
        image = bytearray(good)
        struct.pack_into("<i", image, place + 4, value)
        model_image.read(with_digest(image))


@pytest.mark.parametrize(("target", "least", "most"), [(1, 0, 37), (2, 0, 37), (3, -30, -1)])
def test_shifts_of_packed_blocks_have_their_range(target, least, most):
    whole = with_drawn_blocks(sample_image(), target, plain_part=0.0)
    good = sealed(whole)
    place = good.index(whole.layers[0].packed) + len(whole.layers[0].packed) - 1
    for value, accepted in ((least - 1, False), (least, True), (most, True), (most + 1, False)):
        image = bytearray(good)
        struct.pack_into("<b", image, place, value)
        if accepted:
            model_image.read(with_digest(image))
        else:
            with pytest.raises(ImageError, match="in block"):
                model_image.read(with_digest(image))


def envelope_image(first, bins, edges):
    return layered_image(
        1, kind=KIND_FAST, channels=1, window=128, hop=128, bands=1, samples=False, envelope=(first, bins, edges)
    )


@pytest.mark.parametrize(
    ("envelope", "reason"),
    [
        ((0, 16, [0, 9]), "envelope"),
        ((1, 8, [0, 5]), "envelope"),
        ((1, 24, [0, 5]), "envelope"),
        ((49, 16, [0, 5]), "envelope"),
        ((1, 64, [0, 5]), "envelope"),
        ((1, 16, [0, 10]), "last bin"),
        ((1, 16, [3, 3, 5]), "ascend"),
        ((1, 16, list(range(66))), "envelope"),
    ],
)
def test_an_envelope_out_of_its_range_is_refused(envelope, reason):
    good = envelope_image(48, 16, [0, 9])
    assert model_image.read(sealed(good)).envelope_edges == [0, 9]
    assert good.inputs == 5
    with pytest.raises(ImageError, match=reason):
        model_image.read(sealed(envelope_image(*envelope)))


def test_a_model_of_samples_needs_layers_and_a_size_that_fits():
    content = layered_image(1, channels=1, window=1)
    assert model_image.read(sealed(content)).inputs == 1
    content.layers = []
    with pytest.raises(ImageError, match="input of the model 1 at offset 77"):
        model_image.read(sealed(content))
    rng = np.random.default_rng(1)
    for channels, accepted in ((16, True), (17, False)):
        width = channels * 256
        content = layered_image(1, channels=channels, window=256, layers=[dense(rng, width, 1), dense(rng, 1, width)])
        if accepted:
            assert model_image.read(sealed(content)).inputs == 4096
        else:
            with pytest.raises(ImageError, match="4352 inputs of the model, too many, by the window at offset 24"):
                model_image.read(sealed(content))


def test_features_of_a_slow_model_of_samples_are_refused():
    content = layered_image(1, channels=1, window=4)
    content.features = [Scaling(0, 1, 1)] * 4
    with pytest.raises(ImageError, match="number of features"):
        model_image.read(sealed(content))
    assert model_image.feature_names(content) == ["value", "mean", "deviation", "slope"]
