import importlib.util
import json

import pytest
from layer_images import layered_image, with_drawn_blocks
from small_autoencoders import dense_autoencoder, window_autoencoder
from tflite_files import Part, Step, file_of, weights
from typer.testing import CliRunner

from firmware.board_build import FACTORY_FOLDER
from firmware.cli import app
from firmware.errors import FirmwareError
from firmware.importing.command import import_model
from firmware.importing.request import ImportRequest
from firmware.kernels.packing import pack_image
from shared import ed25519, model_image
from shared.errors import ImageError, TfliteError, UsageError
from shared.quantized.targets import TARGET_CORTEX_M0, TARGET_DSP, TARGET_MVE, target_name

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("tflite") is None, reason="tflite is not installed: pip install 'tocsin[dev]'"
)
FACTORY_IMAGE = FACTORY_FOLDER / "model.image"


def inspected(*arguments):
    """What the command prints; its error is raised."""
    result = CliRunner().invoke(app, ["inspect", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def facts_of(path, *arguments):
    return json.loads(inspected(path, "--json", *arguments))


@pytest.fixture
def imported(tmp_path):
    """An image with a convolution, a depthwise layer and two dense ones that reads windows of a signal."""
    (tmp_path / "drawn.tflite").write_bytes(window_autoencoder())
    out = tmp_path / "model.tcsn"
    import_model(ImportRequest(tmp_path / "drawn.tflite", out, threshold=1.0, sample_rate_hz=100.0), lambda _line: None)
    return out


def test_an_image_layer_by_layer(imported):
    facts = facts_of(imported)
    assert (facts["file"], facts["target"], facts["kind"], facts["input"]) == ("model image", "any", "fast", "samples")
    assert (facts["inputs"], facts["channels"], facts["features"], facts["bands"]) == (64, 2, 22, 8)
    assert [layer["kind"] for layer in facts["layers"]] == ["convolution", "depthwise", "dense", "dense"]
    first = facts["layers"][0]
    assert {name: first[name] for name in ("channels", "filters", "taps", "stride", "pad", "rounding", "padding")} == {
        "channels": 2,
        "filters": 3,
        "taps": 5,
        "stride": 2,
        "pad": 1,
        "rounding": "twice",
        "padding": -4,
    }
    assert facts["products"] == 16 * 3 * 10 + 14 * 6 * 3 + 84 * 5 + 5 * 64
    assert (facts["digest"], facts["golden"], facts["signature"]) == ("right", "right", "none")
    records = sum(layer["bytes"] for layer in facts["layers"])
    golden = 2 * 64 + 64
    sections = 96 + 12 * 2 + 2 * 10 + 12 * 22 + 2 * 64  # header, channels, edges padded, features, weights
    assert facts["bytes"] == sections + records + golden + 104
    told = inspected(imported)
    assert "convolution  32 x 2  16 x 3" in told
    assert "5 taps, stride 2, pad 1, rounded twice" in told
    assert "any processor" in told


@pytest.mark.parametrize("target", [TARGET_CORTEX_M0, TARGET_DSP, TARGET_MVE])
def test_a_packed_image(imported, target):
    """Its golden vector is tried after unpacking; a convolution that rounds twice stands as it was."""
    plain = facts_of(imported)
    content = pack_image(model_image.read(imported.read_bytes()), target)
    imported.write_bytes(model_image.seal(model_image.encode(content)))
    facts = facts_of(imported)
    assert (facts["target"], facts["golden"]) == (target_name(target), "right")
    assert facts["products"] == plain["products"]
    assert facts["plain_rows"][1] == 5 + 64
    assert ["shifts" in layer for layer in facts["layers"]] == [True, True, False, False]
    assert f"packed for {target_name(target)}" in inspected(imported)
    content.golden_score += 1
    imported.write_bytes(model_image.seal(model_image.encode(content)))
    assert facts_of(imported)["golden"] == "wrong"


@pytest.mark.parametrize("target", [TARGET_CORTEX_M0, TARGET_DSP, TARGET_MVE])
def test_packed_blocks_that_nobody_packed(tmp_path, target):
    path = tmp_path / "drawn"
    for seed in range(4):
        content = with_drawn_blocks(layered_image(seed, extreme=seed % 2 == 1), target, seed=seed)
        path.write_bytes(model_image.seal(model_image.encode(content)))
        assert facts_of(path)["golden"] == "wrong"


def test_an_image_of_features():
    facts = facts_of(FACTORY_IMAGE)
    assert (facts["kind"], facts["input"], facts["features_of_a_channel"]) == (
        "slow",
        "features",
        ["value", "mean", "deviation", "slope"],
    )
    assert facts["golden"] == "right"
    assert "8, of each channel value, mean, deviation, slope" in inspected(FACTORY_IMAGE)


def test_a_recipe_without_a_model(tmp_path):
    content = model_image.read(FACTORY_IMAGE.read_bytes())
    content.layers = []
    (tmp_path / "recipe").write_bytes(model_image.seal(model_image.encode(content)))
    assert facts_of(tmp_path / "recipe")["golden"] == "none"
    assert "none: a recipe without a model" in inspected(tmp_path / "recipe")


def test_a_golden_vector_that_fails(imported):
    content = model_image.read(imported.read_bytes())
    content.golden_output[0] ^= 1
    imported.write_bytes(model_image.seal(model_image.encode(content)))
    assert facts_of(imported)["golden"] == "wrong"


def test_signatures(imported):
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    public = private.public_key().public_bytes_raw()
    unsigned = model_image.encode(model_image.read(imported.read_bytes()))
    signature = private.sign(model_image.signed_message(model_image.seal(unsigned)))
    key_id = ed25519.key_id(public)
    imported.write_bytes(model_image.seal(unsigned, key_id, signature))
    assert facts_of(imported)["signature"] == f"by key {key_id.hex()}, not checked (give --key)"
    assert facts_of(imported, "--key", public.hex())["signature"] == f"by key {key_id.hex()}, right"
    assert facts_of(imported, "--key", bytes(32).hex())["signature"] == f"by key {key_id.hex()}, wrong"
    with pytest.raises(UsageError, match="64 hexadecimal digits"):
        inspected(imported, "--key", "xyz")
    with pytest.raises(UsageError, match="64 hexadecimal digits"):
        inspected(imported, "--key", "abcd")


def test_a_key_is_looked_at_where_nothing_is_signed(tmp_path):
    with pytest.raises(UsageError, match="--key 'zz' must be a public key, 64 hexadecimal digits"):
        inspected(FACTORY_IMAGE, "--key", "zz")
    path = tmp_path / "drawn.tflite"
    path.write_bytes(window_autoencoder())
    with pytest.raises(UsageError, match="nobody signs; leave out --key"):
        inspected(path, "--key", "00" * 32)


def test_a_tflite_file(tmp_path):
    path = tmp_path / "drawn.tflite"
    path.write_bytes(window_autoencoder())
    facts = facts_of(path)
    assert (facts["file"], facts["input_shape"], facts["inputs"], facts["outputs"]) == (".tflite", [32, 2], 64, 64)
    assert (facts["input_zero"], facts["output_zero"], facts["input_type"]) == (-4, 2, "int8")
    assert [layer["operator"] for layer in facts["layers"]][:2] == ["CONV_2D", "DEPTHWISE_CONV_2D"]
    assert facts["importable"] is True
    assert "possible: tocsin firmware import" in inspected(path)
    path.write_bytes(dense_autoencoder(hidden=6))
    assert "dense  4     6" in inspected(path)


def test_a_tflite_file_that_cannot_be_imported(tmp_path):
    path = tmp_path / "drawn.tflite"
    path.write_bytes(file_of([Part((1, 2)), weights(((1, 2),)), Part((1, 1))], [Step("FULLY_CONNECTED", (0, 1), (2,))]))
    assert facts_of(path)["importable"] is False
    assert "no autoencoder, it makes 1 values of 2" in inspected(path)
    path.write_bytes(file_of([Part((1, 2)), Part((1, 2))], [Step("SOFTMAX", (0,), (1,))]))
    with pytest.raises(TfliteError, match="SOFTMAX"):
        inspected(path)


def test_files_that_are_no_models(tmp_path, imported):
    with pytest.raises(UsageError, match="cannot be read"):
        inspected(tmp_path / "missing")
    (tmp_path / "text").write_text("a,b\n1,2\n")
    with pytest.raises(FirmwareError, match=r"text is no model: neither TCSN .* nor TFL3"):
        inspected(tmp_path / "text")
    imported.write_bytes(imported.read_bytes()[:200])
    with pytest.raises(ImageError, match=r"model\.tcsn: model image: 200 bytes, .* at offset 8; .* make it anew$"):
        inspected(imported)
