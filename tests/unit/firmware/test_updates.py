"""Which images a device accepts: really signed ones, each breaking one rule and no other."""

import copy
import functools
import hashlib
import struct

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_images import with_drawn_blocks

from cloud.registry.signing import sign_image
from firmware.micropython.updates import accept
from shared import model_image
from shared.errors import ImageError
from shared.model_image import IMAGE_LIMIT_BYTES, TRAILER_BYTES, ImageContent, Layer, Scaling
from shared.quantized.scorer import Scorer

KEY, OTHER_KEY = (Ed25519PrivateKey.from_private_bytes(letter * 32) for letter in (b"a", b"b"))
KNOWN = [key.public_key().public_bytes_raw() for key in (Ed25519PrivateKey.from_private_bytes(b"c" * 32), KEY)]
ONE = Scaling(0, 1 << 14, 14)


def content_of(version=8, **changes):
    """A slow device of one channel with a layer 4-4 and its true golden vector."""
    layer = Layer(4, 4, bytes(range(16)), [100] * 4, [1 << 30] * 4, [36] * 4, 0, -128)
    fields = {
        "version": version, "kind": 0, "bands": 0, "window": 8, "hop": 1, "gap_ns": 10**9,
        "profile_digest": b"profile.", "sample_rate_millihertz": 1000, "channels": [ONE], "edges": [],
        "features": [ONE] * 4, "weights": [64] * 4, "layers": [layer], "input_multiplier": 1 << 30,
        "input_shift": 31, "output_multiplier": 1 << 30, "output_shift": 29, "threshold": 1000,
        "golden_features": [50, -20, 30, 7],
    }  # fmt: skip
    content = ImageContent(**fields | changes)
    if content.layers:
        scorer = Scorer(content)
        content.golden_score, _ = scorer.score(content.golden_features)
        content.golden_output = scorer.output
    return content


@functools.cache
def signed(version=8):
    return sign_image(model_image.encode(content_of(version)), KEY)


def with_golden(name, value):
    content = content_of()
    assert content.golden_score > 0
    assert len(set(content.golden_output)) > 1
    setattr(content, name, value(getattr(content, name)))
    return sign_image(model_image.encode(content), KEY)


def rewritten(place, code, value):
    """The good image with one header field changed, its digest and signature made again."""
    body = bytearray(signed()[:-TRAILER_BYTES])
    struct.pack_into(code, body, place, value)
    return sign_image(bytes(body) + hashlib.sha256(body).digest(), KEY)


def flipped(place):
    image = bytearray(signed())
    image[place] ^= 1
    return bytes(image)


def of_two_channels():
    content = content_of(channels=[ONE] * 2, features=[ONE] * 8, weights=[64] * 8, layers=[], golden_features=[0] * 8)
    return sign_image(model_image.encode(content), KEY)


def of_fast_kind():
    content = content_of(
        kind=1, bands=1, window=32, hop=32, edges=[1, 9], features=[ONE] * 4, layers=[], golden_features=[0] * 4
    )
    return sign_image(model_image.encode(content), KEY)


def for_a_processor():
    return sign_image(model_image.encode(with_drawn_blocks(content_of(), 2)), KEY)


#: Rule: (an image that breaks it alone, what the refusal says).
BROKEN = {
    "nothing": (lambda: b"", "too few"),
    "too short": (lambda: signed()[:150], "too few"),
    "cut": (lambda: signed()[:-1], "written at offset 8"),
    "longer than said": (lambda: signed() + bytes(1), "written at offset 8"),
    "too long": (lambda: signed() + bytes(IMAGE_LIMIT_BYTES), "than the longest image has"),
    "magic": (lambda: rewritten(0, "<I", 1), "no magic"),
    "format": (lambda: rewritten(4, "<H", 1), "format 1"),
    "range": (lambda: rewritten(24, "<I", 12), "window"),
    "digest": (lambda: flipped(len(signed()) - TRAILER_BYTES), "digest"),
    "content": (lambda: flipped(120), "digest"),
    "unsigned": (lambda: model_image.seal(model_image.encode(content_of())), "not signed with a key"),
    "unknown key": (lambda: sign_image(model_image.encode(content_of()), OTHER_KEY), "not signed with a key"),
    "id of the key": (lambda: flipped(len(signed()) - 72), "not signed with a key"),
    "signature, first half": (lambda: flipped(len(signed()) - 64), "not signed with a key"),
    "signature, second half": (lambda: flipped(len(signed()) - 32), "not signed with a key"),
    "signature of another image": (lambda: signed()[:-72] + signed(9)[-72:], "not signed with a key"),
    "same version": (lambda: signed(7), "version 7 is not above the running 7"),
    "older version": (lambda: signed(6), "version 6 is not above the running 7"),
    "other channels": (
        lambda: sign_image(model_image.encode(content_of(profile_digest=b"another.")), KEY),
        "version 8 was made for other channels",
    ),
    "more channels": (of_two_channels, "other channels"),
    "other kind": (of_fast_kind, "other channels"),
    "another processor": (for_a_processor, "version 8 is packed for another processor, dsp"),
    "golden score": (lambda: with_golden("golden_score", lambda score: score + 1), "golden vector"),
    "golden output": (lambda: with_golden("golden_output", lambda output: output[::-1]), "golden vector"),
}


def plain(value):
    if isinstance(value, list):
        return [plain(each) for each in value]
    return {name: plain(each) for name, each in vars(value).items()} if hasattr(value, "__dict__") else value


@pytest.fixture(scope="module")
def running():
    return model_image.read(signed(7))


@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_rule_is_named_and_changes_nothing(running, rule):
    make, reason = BROKEN[rule]
    before, keys = copy.deepcopy(plain(running)), list(KNOWN)
    with pytest.raises(ImageError, match=reason) as refused:
        accept(make(), running, KNOWN)
    assert "\n" not in str(refused.value)
    assert plain(running) == before
    assert keys == KNOWN


def test_a_good_image_is_accepted(running):
    before = copy.deepcopy(plain(running))
    assert plain(accept(signed(), running, KNOWN)) == plain(content_of())
    assert plain(running) == before
    assert accept(signed(), running, KNOWN[::-1]).version == 8
    assert accept(signed(2**32 - 1), running, KNOWN).version == 2**32 - 1


@pytest.mark.parametrize("keys", [[], KNOWN[:1]])
def test_without_its_key_no_image_is_accepted(running, keys):
    with pytest.raises(ImageError, match="not signed with a key that this device knows"):
        accept(signed(), running, keys)


def test_a_recipe_without_a_model_needs_no_golden_vector(running):
    recipe = content_of(layers=[])
    recipe.golden_score = 5
    assert accept(sign_image(model_image.encode(recipe), KEY), running, KNOWN).layers == []


def test_another_window_is_no_other_device(running):
    assert accept(sign_image(model_image.encode(content_of(window=16)), KEY), running, KNOWN).window == 16


def test_the_signature_is_looked_at_before_the_version(running):
    with pytest.raises(ImageError, match="not signed"):
        accept(sign_image(model_image.encode(content_of(6)), OTHER_KEY), running, KNOWN)


@settings(max_examples=60, deadline=None)
@given(draw=st.data())
def test_no_changed_byte_is_accepted_and_nothing_else_is_raised(running, draw):
    image = bytearray(signed())
    place = draw.draw(st.integers(0, len(image) - 1))
    image[place] = draw.draw(st.integers(0, 255).filter(lambda value: value != image[place]))
    with pytest.raises(ImageError):
        accept(bytes(image), running, KNOWN)
