"""From stored healthy readings to a signed image on its way down, by the real training in its own process."""

import importlib.util
import stat
import sys
from pathlib import Path

import httpx
import numpy as np
import pytest
from waiting import until

from cloud.api.access import token_path
from cloud.registry.keys import ensure_signing_key
from shared import ed25519, model_image, topics
from shared.broker import Broker
from shared.identity import DeviceProfile
from shared.messages import codec
from shared.messages.codec import Data, Judged, State
from shared.ports import free_port

pytest.importorskip("tensorflow", reason="training needs TensorFlow: install the extra 'train'")
_specification = importlib.util.spec_from_file_location("uploader", Path(__file__).with_name("uploader.py"))
uploader = importlib.util.module_from_spec(_specification)
_specification.loader.exec_module(uploader)

pytestmark = [pytest.mark.services, pytest.mark.slow]
READINGS = 640


def healthy_uploads():
    """Two channels that move together, in messages of 16 readings."""
    generator = np.random.default_rng(4)
    base = np.cumsum(generator.normal(0, 0.2, READINGS)) * 0.2 + generator.normal(0, 1, READINGS)
    counts = np.stack([base, 0.5 * base + generator.normal(0, 0.5, READINGS)], axis=1) * 2000
    for begin in range(0, READINGS, 16):
        numbers = np.arange(begin, begin + 16, dtype=np.int64)
        none, tops = np.full(16, np.nan), np.full(16, 0xFFFF, np.uint16)
        data = Data(
            device="pump-1", boot=1, sequence=begin, oldest=0, stretch=0, model_version=1, clipped=0,
            times_ns=uploader.BEGIN_NS + numbers * uploader.SECOND_NS, scores_q12=np.full(16, 0xFFFFFFFF, np.uint32),
            tops=tops, counts=np.rint(counts[begin : begin + 16]).astype(np.int32), features=None,
        )  # fmt: skip
        judged = Judged(codec.encode_data(data), none, none, np.zeros(16, np.uint8), tops)
        yield "readings", codec.encode_judged(judged)


def test_a_training_ends_in_a_signed_release_and_shows_in_the_api(tmp_path):
    with Broker(tmp_path / "broker") as broker:
        cloud = uploader.CloudProcess(tmp_path / "cloud", broker.url, free_port())
        gateway = uploader.Uploader(broker.port)
        try:
            cloud.start()
            gateway.upload(uploader.birth("pump-1"), *healthy_uploads())
            headers = {"Authorization": f"Bearer {token_path(cloud.folder).read_text().strip()}"}
            path = f"{cloud.url}/api/devices/pump-1/train"
            job = httpx.post(path, headers=headers).json()
            assert httpx.post(path, headers=headers).status_code == 409
            stages = set()

            def ended():
                now = cloud.get(f"/api/jobs/{job['id']}")
                stages.add(now["stage"])
                return now if now["state"] in ("accepted", "refused", "failed") else None

            outcome = until(ended, "the end of the training", 180.0)
            assert outcome["state"] == "accepted", outcome
            assert len(stages) > 2  # its progress was to be seen
            until(lambda: gateway.releases, "the release")
            topic, image = gateway.releases[0]
            assert topic == topics.release("g", "pump-1")
            content = model_image.read(image)
            profile = DeviceProfile("pump-1", "acme/north/pump-1", "slow", 1.0, uploader.CHANNELS)
            assert content.version == outcome["version"]
            assert content.profile_digest == profile.digest()
            _, signature = model_image.signature_of(image)
            public_key = ensure_signing_key(cloud.folder)
            assert ed25519.verify(public_key, model_image.signed_message(image), signature)
            model = cloud.get("/api/models", device="pump-1")[0]
            assert (model["version"], model["state"]) == (content.version, "released")
            assert model["metrics"]
            gateway.upload(
                ("state", codec.encode_state(State("pump-1", 1, content.version, "accepted", content.version, "")))
            )
            model = cloud.get("/api/models", device="pump-1")[0]
            assert (model["version"], model["state"]) == (content.version, "running")
            assert stat.S_IMODE((cloud.folder / "signing-key.pem").stat().st_mode) == 0o600
            assert cloud.stop() == 0
        finally:
            gateway.close()
            cloud.end()


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc, which only Linux has")
def test_a_cloud_that_is_stopped_takes_its_training_along_and_says_so_afterwards(tmp_path):
    with Broker(tmp_path / "broker") as broker:
        cloud = uploader.CloudProcess(tmp_path / "cloud", broker.url, free_port())
        gateway = uploader.Uploader(broker.port)
        try:
            cloud.start()
            gateway.upload(uploader.birth("pump-1"), *healthy_uploads())
            headers = {"Authorization": f"Bearer {token_path(cloud.folder).read_text().strip()}"}
            job = httpx.post(f"{cloud.url}/api/devices/pump-1/train", headers=headers).json()
            child = until(lambda: trainings_below(cloud.pid), "the training process")[0]
            cloud.kill()
            until(lambda: not Path(f"/proc/{child}").exists() or zombie(child), "the end of the training process")
            cloud.start()
            left = cloud.get(f"/api/jobs/{job['id']}")
            assert left["state"] == "failed"
            assert "The cloud ended while it ran" in left["reason"]
            assert cloud.get("/api/models", device="pump-1")[0]["state"] == "refused"
        finally:
            gateway.close()
            cloud.end()


def trainings_below(pid):
    """Process ids of the trainings that `pid` started (Linux)."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                command = (entry / "cmdline").read_bytes()
            except (OSError, IndexError):
                continue
            if parent == pid and b"cloud.training.job" in command:
                found.append(int(entry.name))
    return found


def zombie(pid):
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True
