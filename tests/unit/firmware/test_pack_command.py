"""``tocsin firmware pack``: what it writes, what it signs, what it refuses."""

import pytest
from layer_images import layered_image
from typer.testing import CliRunner

from firmware.cli import app
from firmware.kernels.packing import unpacked
from shared import ed25519, model_image
from shared.errors import TocsinError, UsageError
from shared.quantized.scorer import Scorer
from shared.quantized.targets import TARGET_CORTEX_M0, TARGET_DSP, TARGET_MVE


def golden(content):
    """The image with what its layers give for its golden features."""
    scorer = Scorer(content)
    content.golden_score, _ = scorer.score(content.golden_features)
    content.golden_output = scorer.output
    return content


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "model.tcsn"
    path.write_bytes(model_image.seal(model_image.encode(golden(layered_image(2))), b"k" * 8, b"s" * 64))
    return path


def packed_by(image, *words):
    out = image.with_name("packed.tcsn")
    result = CliRunner().invoke(app, ["pack", str(image), "-o", str(out), *words])
    if result.exception:
        raise result.exception
    return out.read_bytes(), result.output


@pytest.mark.parametrize(
    ("core", "target"), [("cortex-m0plus", TARGET_CORTEX_M0), ("cortex-m4", TARGET_DSP), ("m55", TARGET_MVE)]
)
def test_the_same_model_for_one_processor(image, core, target):
    sealed, said = packed_by(image, "--core", core)
    content = model_image.read(sealed)
    assert content.target == target
    assert model_image.encode(unpacked(content)) == image.read_bytes()[:-72]
    assert model_image.signature_of(sealed) == (bytes(8), bytes(64))
    assert "not signed" in said
    assert f"{len(sealed)} bytes" in said


def test_a_packed_image_is_packed_again_for_another_processor(image):
    first, _ = packed_by(image, "--core", "cortex-m4")
    image.write_bytes(first)
    second, said = packed_by(image, "--core", "cortex-m0")
    assert model_image.read(second).target == TARGET_CORTEX_M0
    assert "for cortex-m0 instead of dsp" in said


def test_rows_that_the_plain_loop_computes_are_told(image):
    content = layered_image(2)
    content.layers[4].shifts[0] = 20
    image.write_bytes(model_image.seal(model_image.encode(golden(content))))
    assert "4 rows of 47 are computed by the plain loop" in packed_by(image, "--core", "cortex-m4")[1]


def test_it_signs_with_a_release_key(image):
    serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    keys = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
    key = keys.Ed25519PrivateKey.generate()
    path = image.with_name("key.pem")
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    sealed, said = packed_by(image, "--core", "cortex-m4", "--key", str(path))
    public = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    named, signature = model_image.signature_of(sealed)
    assert named == ed25519.key_id(public)
    assert ed25519.verify(public, model_image.signed_message(sealed), signature)
    assert said.endswith("signed\n")
    path.write_text("no key")
    with pytest.raises(UsageError, match="no private key without a password"):
        packed_by(image, "--core", "cortex-m4", "--key", str(path))


def test_what_it_refuses(image):
    with pytest.raises(UsageError, match="there is no core z80; choose one of cortex-m0"):
        packed_by(image, "--core", "z80")
    with pytest.raises(UsageError, match="cannot be read"):
        packed_by(image.with_name("absent"), "--core", "cortex-m4")
    whole = image.read_bytes()
    image.write_bytes(whole[:-1])
    with pytest.raises(TocsinError, match=r"model\.tcsn: model image: .* at offset 8; .* copy or make it anew$"):
        packed_by(image, "--core", "cortex-m4")
    image.write_bytes(b"\x1c\0\0\0TFL3")
    with pytest.raises(UsageError, match=r"model\.tcsn is a \.tflite file; .* tocsin firmware import"):
        packed_by(image, "--core", "cortex-m4")
    image.write_bytes(whole)
    for out, sentence in (
        ("new/packed", r"the folder .*new of .*packed does not exist; make it"),
        ("", "is a folder; give --out a file in it"),
        ("model.tcsn", "is the file that is read"),
    ):
        with pytest.raises(UsageError, match=sentence):
            packed_by(image, "--core", "cortex-m4", "--out", str(image.parent / out))
    assert image.read_bytes() == whole
    wrong = golden(layered_image(2))
    wrong.golden_score ^= 1
    image.write_bytes(model_image.seal(model_image.encode(wrong)))
    with pytest.raises(TocsinError, match="does not give its own golden output"):
        packed_by(image, "--core", "cortex-m4")
    recipe = layered_image(2, samples=False)
    recipe.layers, recipe.golden_features, recipe.golden_output = [], [0] * recipe.inputs, [0] * recipe.inputs
    image.write_bytes(model_image.seal(model_image.encode(recipe)))
    with pytest.raises(TocsinError, match="a recipe without a model"):
        packed_by(image, "--core", "cortex-m4")
