import importlib.util

import numpy as np
import pytest
from small_autoencoders import dense_autoencoder, window_autoencoder
from tflite_files import Part, Step, file_of, weights
from typer.testing import CliRunner

from firmware.cli import app
from firmware.errors import FirmwareError
from firmware.importing.command import import_model
from firmware.importing.device import write_device_folder
from firmware.importing.request import ImportRequest
from firmware.micropython.device import Device
from firmware.micropython.slots import Slots
from firmware.micropython.updates import accept
from shared import model_image
from shared.errors import TocsinError, UsageError
from shared.identity import Channel, DeviceProfile
from shared.messages import codec
from shared.quantized import arrays
from shared.quantized.scorer import Scorer
from shared.signal.definition import KIND_FAST, KIND_SLOW

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("tflite") is None, reason="tflite is not installed: pip install 'tocsin[dev]'"
)


@pytest.fixture
def models(tmp_path):
    """A folder with a dense autoencoder of four values and one of windows, 32 samples of two channels."""
    (tmp_path / "rows.tflite").write_bytes(dense_autoencoder())
    (tmp_path / "windows.tflite").write_bytes(window_autoencoder())
    (tmp_path / "out").mkdir()
    return tmp_path


def made(models, model="rows", **asked):
    """The image that an import gives, and what it said."""
    said = []
    request = ImportRequest(models / f"{model}.tflite", models / "out" / "model.tcsn", **asked)
    import_model(request, said.append)
    return model_image.read(request.out.read_bytes()), said


def refused(models, **asked):
    with pytest.raises(TocsinError) as caught:
        made(models, **asked)
    assert not (models / "out" / "model.tcsn").exists()
    return str(caught.value)


def test_rows_of_four_channels(models):
    content, said = made(models, threshold=0.5, version=7)
    assert (content.kind, content.samples, content.window, content.hop) == (KIND_SLOW, True, 1, 1)
    assert (len(content.channels), content.inputs, len(content.features), content.version) == (4, 4, 0, 7)
    assert (content.input_zero, content.output_zero, content.target) == (7, 4, 0)
    assert len(set(content.weights)) == 1
    assert not Scorer(content).golden_fails()
    assert len(set(content.golden_output)) > 2
    assert any("score   1 at a mean squared error of 0.5" in line for line in said)


def test_windows_of_a_signal(models):
    content, _ = made(models, "windows", threshold=0.5, sample_rate_hz=200.0, hop=16, gap_seconds=0.25)
    assert (content.kind, content.window, content.hop, content.bands) == (KIND_FAST, 32, 16, 8)
    assert (len(content.channels), content.inputs, len(content.features)) == (2, 64, 22)
    assert (content.gap_ns, content.sample_rate_millihertz) == (250_000_000, 200_000)
    assert [layer.kind for layer in content.layers] == [1, 2, 0, 0]
    assert [layer.rounding for layer in content.layers] == [1, 1, 0, 0]
    slow, _ = made(models, "windows", threshold=0.5, sample_rate_hz=2.0)
    assert (slow.kind, slow.window, len(slow.channels), len(slow.features)) == (KIND_SLOW, 32, 2, 0)
    once, _ = made(models, "windows", threshold=0.5, round_once=True)
    assert [layer.rounding for layer in once.layers] == [0, 0, 0, 0]


def test_a_window_may_be_said_where_the_model_does_not(models):
    content, _ = made(models, threshold=0.5, window=4)
    assert (content.window, len(content.channels)) == (4, 1)
    content, _ = made(models, threshold=0.5, window=2)
    assert (content.window, len(content.channels)) == (2, 2)


def test_the_score_is_the_mean_squared_error(models):
    """In units of the model's float input; the device's own score tells it to a few parts in a thousand."""
    content, _ = made(models, threshold=0.5)
    rng = np.random.default_rng(3)
    values = rng.normal(0, 1.5, (400, 4))
    channels = np.floor(values * 64 / np.float64(np.float32(0.05))).astype(np.int64)  # counts of the device made of it
    scores, _ = arrays.scores(content, channels)
    outputs = arrays.infer(content, channels)
    rebuilt = (outputs - content.output_zero) * np.float64(np.float32(0.06))
    error = ((values - rebuilt) ** 2).mean(axis=1)
    np.testing.assert_allclose((scores / 4096.0) ** 2, error / 0.5, rtol=0.01, atol=0.002)


def healthy_file(folder, rows=3000, seed=4):
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 1.0, (rows, 4))
    table = "\n".join(f"{row / 2:.1f};{';'.join(f'{v:.6f}' for v in each)}" for row, each in enumerate(values))
    path = folder / "healthy.csv"
    path.write_text("time;d [V];c;b;a\n" + table + "\n")
    return path


def test_a_healthy_recording_gives_threshold_channels_and_golden_vector(models):
    path = healthy_file(models)
    content, said = made(models, healthy=str(path), provision=models / "device")
    assert content.sample_rate_millihertz == 2000
    birth = codec.decode_birth((models / "device/profile.cbor").read_bytes())
    assert [channel.name for channel in birth.profile.channels] == ["d [V]", "c", "b", "a"]
    assert any("1 in 1,000 healthy windows passes, from 3000 of them" in line for line in said)
    few, said = made(
        models, healthy=str(path), healthy_rows=300, channels=("a", "b", "c", "d [V]"), provision=models / "2"
    )
    assert said[3].endswith("provisional")
    birth = codec.decode_birth((models / "2/profile.cbor").read_bytes())
    assert [channel.name for channel in birth.profile.channels] == ["a", "b", "c", "d [V]"]
    assert few.golden_features != content.golden_features


def test_a_new_device_runs_in_the_twin(models):
    content, _ = made(models, threshold=0.5, provision=models / "device", name="press-7")
    image, reverted = Slots(str(models / "device")).boot_image()
    assert not reverted
    birth = codec.decode_birth((models / "device/profile.cbor").read_bytes())
    assert birth.profile.device == "press-7"
    assert birth.profile.digest() == content.profile_digest
    messages = []
    device = Device("press-7", 1, model_image.read(image), lambda *parts: messages.append(parts))
    for second in range(20):
        device.push_row(second * 10**9, [100 * second, -7, 300, 5])
    assert device.scorer.output
    assert messages
    with pytest.raises(UsageError, match="holds a device already"):
        made(models, threshold=0.5, provision=models / "device")


def test_a_device_that_exists_gets_the_next_version(models):
    made(models, threshold=0.5, provision=models / "device", version=4, counts_per_unit=5000.0)
    content, said = made(models, threshold=0.5, device=models / "device")
    birth = codec.decode_birth((models / "device/profile.cbor").read_bytes())
    assert (content.version, content.profile_digest) == (5, birth.profile.digest())
    assert content.channels[0].centre == 2  # half a unit of the scaled samples, in counts
    assert any("image version 5" in line for line in said)
    with pytest.raises(UsageError, match="version 4 must be above the running 4"):
        made(models, threshold=0.5, device=models / "device", version=4)
    with pytest.raises(UsageError, match="is slow with 4 channels, and the model would make it slow with 2"):
        made(models, "windows", threshold=0.5, device=models / "device")
    with pytest.raises(UsageError, match="leave out --provision and --counts-per-unit"):
        made(models, threshold=0.5, device=models / "device", counts_per_unit=1.0)
    with pytest.raises(UsageError, match="not a provisioned device"):
        made(models, threshold=0.5, device=models / "nobody")


def test_a_signed_image_is_accepted_by_the_device(models):
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (models / "key.pem").write_bytes(pem)
    made(models, threshold=0.5, provision=models / "device")
    running = model_image.read(Slots(str(models / "device")).boot_image()[0])
    _, said = made(models, threshold=0.4, device=models / "device", key=models / "key.pem")
    public = private.public_key().public_bytes_raw()
    accepted = accept((models / "out/model.tcsn").read_bytes(), running, [public])
    assert accepted.version == 2
    assert any(line.endswith("version 2, signed") for line in said)


def test_channels_of_a_device_are_found_in_the_recording_by_name(models):
    path = healthy_file(models)
    profile = DeviceProfile(
        "press-7", "a/b/c/d/e", "slow", 2.0, tuple(Channel(name, "", 0.0, 1e-3) for name in ("a", "b", "c", "d [V]"))
    )
    content, _ = made(models, threshold=0.5)
    content.profile_digest = profile.digest()
    write_device_folder(models / "device", profile, model_image.seal(model_image.encode(content)))
    by_name, _ = made(models, healthy=str(path), device=models / "device")
    listed, _ = made(models, healthy=str(path), device=models / "device", channels=("a", "b", "c", "d [V]"))
    other, _ = made(models, healthy=str(path), device=models / "device", channels=("d [V]", "c", "b", "a"))
    assert by_name.golden_features == listed.golden_features != other.golden_features


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "either --threshold with a mean squared error, or --healthy"),
        ({"threshold": 1.0, "healthy": "x"}, "either --threshold"),
        ({"threshold": 1.0, "channels": ("a",)}, "--channels, --healthy-rows and --time-column say how --healthy"),
        ({"threshold": 1.0, "window": 3}, "must be a power of two from 1 to 256"),
        ({"threshold": 1.0, "window": 8}, "reads 4 values, which are no windows of 8 samples"),
        ({"threshold": 1.0, "sample_rate_hz": 1000.0}, "a window of 1 samples cannot be: at 1000 Hz"),
        ({"threshold": 1.0, "hop": 4}, "leave --hop and --bands out"),
        ({"threshold": 1.0, "sample_rate_hz": -1.0}, "--sample-rate must be above 0"),
        ({"threshold": 1.0, "gap_seconds": float("nan")}, "--gap must be above 0"),
        ({"threshold": 1.0, "gap_seconds": 1e11}, "a gap of 1e+11 s cannot be"),
        ({"threshold": 1.0, "version": 0}, "version 0 must be above the running 0"),
        ({"threshold": 1.0, "name": "No Name"}, "--name: device id 'No Name' must be"),
        ({"threshold": 1.0, "counts_per_unit": 1e-11}, "channel input-1"),
        ({"threshold": -1.0}, "--threshold must be a mean squared error above 0, not -1"),
        ({"threshold": float("nan")}, "--threshold must be a mean squared error above 0, not nan"),
        ({"model": "windows", "threshold": 1.0, "sample_rate_hz": 100.0, "bands": 9}, "--bands must be 1 to 8 here"),
        ({"model": "windows", "threshold": 1.0, "sample_rate_hz": 100.0, "hop": 0}, "--hop must be 1 to"),
        ({"model": "none", "threshold": 1.0}, "cannot be read"),
    ],
)
def test_what_cannot_be(models, asked, said):
    assert said in refused(models, **asked)


def test_an_image_is_written_where_there_is_a_place(models):
    """Folders are not made, as `pack` makes none, and the model is not lost."""
    for out, said in (
        (models / "new" / "model.tcsn", "new of .*model.tcsn does not exist; make it, or give another --out"),
        (models / "out", "out is a folder; give --out a file in it"),
        (models / "rows.tflite", "rows.tflite is the file that is read"),
    ):
        with pytest.raises(UsageError, match=said):
            import_model(ImportRequest(models / "rows.tflite", out, threshold=0.5), lambda _line: None)
    assert not (models / "new").exists()
    assert (models / "rows.tflite").read_bytes() == dense_autoencoder()


def test_healthy_recordings_that_do_not_fit(models):
    path = str(healthy_file(models, rows=20))
    assert "has 4 channels (d [V], c, b, a) and the model reads 2" in refused(
        models, model="windows", healthy=path, window=32
    )
    assert "has 3 channels" in refused(models, healthy=path, channels=("a", "b", "c"))
    (models / "two.csv").write_text("a,b\n" + "1,2\n" * 20)
    assert "20 rows and not one full window of 32 without a gap" in refused(
        models, model="windows", healthy=str(models / "two.csv")
    )


def test_a_model_that_is_no_autoencoder(models):
    (models / "other.tflite").write_bytes(
        file_of(
            [Part((1, 3)), weights(np.ones((2, 3))), Part((1, 2))],
            [Step("FULLY_CONNECTED", (0, 1), (2,))],
        )
    )
    with pytest.raises(FirmwareError, match="makes 2 values of 3: the score compares"):
        made(models, "other", threshold=1.0)


def test_the_command_line(models):
    runner = CliRunner()
    arguments = ["import", str(models / "windows.tflite"), "--threshold", "0.5", "--sample-rate", "100"]
    result = runner.invoke(app, [*arguments, "-o", str(models / "m.tcsn")])
    assert result.exit_code == 0, result.output
    assert "reads   32 samples of 2 channels at 100 Hz (fast)" in result.output
    result = runner.invoke(app, ["inspect", str(models / "m.tcsn")])
    assert "convolution  32 x 2  16 x 3" in result.output
    result = runner.invoke(app, ["import", str(models / "rows.tflite"), "-o", str(models / "m.tcsn")])
    assert isinstance(result.exception, UsageError)
