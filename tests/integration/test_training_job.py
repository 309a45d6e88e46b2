"""``python -m cloud.training.job``: a process, its files, its words."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="install the extra 'train' to test training", exc_type=ImportError)

from cloud.registry.keys import ensure_signing_key, signing_key_path
from cloud.training.recipe import recipe_for
from cloud.training.train import recipe_image
from shared import ed25519, model_image
from shared.identity import Channel, DeviceProfile
from shared.quantized.scorer import Scorer

ROOT = Path(__file__).parents[2]
SLOW = DeviceProfile("pump-1", "plant/pump-1", "slow", 1.0, (Channel("a", "A", 0.0, 0.1), Channel("b", "", 1.0, 1.0)))
FAST = DeviceProfile("pump-2", "plant/pump-2", "fast", 3200.0, (Channel("x", "g", 0.0, 0.001),))


def run(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cloud.training.job", str(folder)],
        capture_output=True, text=True, check=False, cwd=ROOT, timeout=240,
    )  # fmt: skip


def write(folder: Path, profile: DeviceProfile, version: int = 5, **arrays: np.ndarray) -> None:
    """A request; the key lies beside the folder."""
    folder.mkdir()
    ensure_signing_key(folder.parent)
    request = {
        "device": profile.device,
        "asset": profile.asset,
        "kind": profile.kind,
        "sample_rate_hz": profile.sample_rate_hz,
        "channels": [[c.name, c.unit, c.offset, c.step] for c in profile.channels],
        "version": version,
        "seed": 7,
        "signing_key": str(signing_key_path(folder.parent)),
    }
    (folder / "request.json").write_text(json.dumps(request))
    np.savez(folder / "readings.npz", **arrays)


def slow_readings(rows: int = 600) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(1)
    load = draw.normal(0, 400, rows)
    counts = np.stack([load, load / 2 + draw.normal(0, 100, rows)], axis=1)
    return {
        "times_ns": np.arange(rows, dtype=np.int64) * 10**9,
        "stretches": np.arange(rows, dtype=np.int64) // 300,
        "counts": np.rint(counts).astype(np.int32),
    }


def test_a_slow_device_gets_a_signed_image_twice_the_same(tmp_path):
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        write(folder, SLOW, **slow_readings())
        done = run(folder)
        assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    progress = [json.loads(line) for line in done.stdout.splitlines()]
    assert [step["stage"] for step in progress if step["done"] == step["total"]] == [
        "features",
        "training",
        "calibration",
        "gate",
    ]
    result = json.loads((folders[0] / "result.json").read_text())
    assert result["accepted"] is True
    assert result["metrics"]["gate"]["candidate"]["healthy_flagged"] <= 0.02
    image = (folders[0] / "model.image").read_bytes()
    assert image == (folders[1] / "model.image").read_bytes()
    content = model_image.read(image)
    assert (content.version, content.profile_digest) == (5, SLOW.digest())
    assert not Scorer(content).golden_fails()
    public = ensure_signing_key(tmp_path)
    key_id, signature = model_image.signature_of(image)
    assert key_id == ed25519.key_id(public)
    assert ed25519.verify(public, model_image.signed_message(image), signature)


def test_the_gate_refuses_and_the_job_still_ends_well(tmp_path):
    readings = slow_readings()
    readings["counts"][450:] += 40_000  # the machine of the held-back readings is another one
    write(tmp_path / "job", SLOW, **readings)
    done = run(tmp_path / "job")
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "job" / "result.json").read_text())
    assert result["accepted"] is False
    assert "100.0 % of the held-back healthy readings" in result["reason"]
    assert not (tmp_path / "job" / "model.image").exists()


def test_a_fast_device_is_trained_on_the_features_of_its_image(tmp_path):
    draw = np.random.default_rng(2)
    recipe = recipe_for(FAST, 3200 * 60)
    current = recipe_image(FAST, recipe, np.rint(draw.normal(0, 800, (3200 * 20, 1))).astype(np.int32))
    features = np.rint(draw.normal(0, 64, (400, recipe.features_per_channel()))).astype(np.int16)
    times = np.arange(400, dtype=np.int64) * 2 * 10**9
    write(tmp_path / "job", FAST, times_ns=times, stretches=np.zeros(400, np.int64), features=features)
    (tmp_path / "job" / "current.image").write_bytes(model_image.seal(current))
    done = run(tmp_path / "job")
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "job" / "result.json").read_text())
    assert result["accepted"] is True, result
    content = model_image.read((tmp_path / "job" / "model.image").read_bytes())
    before = model_image.read(model_image.seal(current))
    assert content.layers
    assert [vars(one) for one in content.features] == [vars(one) for one in before.features]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda folder: (folder / "readings.npz").write_bytes(b"PK nothing"), "cannot be read"),
        (lambda folder: (folder / "request.json").write_text("{}"), "lacks device, asset"),
        (lambda folder: (folder / "current.image").write_bytes(b"TCSN"), "too few"),
        (lambda folder: signing_key_path(folder.parent).write_text("no key"), "no key in PEM form"),
        (lambda folder: np.savez(folder / "readings.npz", **slow_readings(20)), "needs 32"),
    ],
)
def test_what_cannot_be_trained_is_told_in_one_sentence(tmp_path, spoil, words):
    folder = tmp_path / "job"
    write(folder, SLOW, **slow_readings())
    spoil(folder)
    done = run(folder)
    assert done.returncode == 1
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (folder / "result.json").exists()
