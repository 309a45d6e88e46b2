import json

import numpy as np
import pytest

from cloud.errors import CloudError
from cloud.jobs.process import TrainingProcess
from cloud.jobs.request import LOG, profile_of, read_outcome, runs, write_request
from cloud.storage.facts import Fact, FactStore, Source
from cloud.storage.port import Batch
from shared.identity import Channel, DeviceProfile
from shared.messages.codec import Birth

CHANNELS = tuple(Channel(name, "", 1.0, 0.5) for name in ("a", "b", "c"))


@pytest.fixture
def row(relations):
    facts = FactStore(relations)
    birth = Birth(DeviceProfile("pump-1", "acme/pump-1", "slow", 1.0, CHANNELS), 1, 2, ("f",), 8, 1)
    facts.apply([Fact(Source("g", 1, 0), birth, 1)])
    return facts.device("pump-1")


def test_runs_end_at_boots_stretches_losses_and_what_was_left_out(store, block):
    scores = np.full(16, 0.5)
    scores[5] = 2.5  # in alarm: left out
    blocks = (
        block(sequence=0, scores=scores),
        block(sequence=16),
        block(sequence=32, stretch=1),
        block(sequence=60, stretch=1),
        block(sequence=0, boot=2, stretch=1),
    )
    store.append(Batch(blocks, (), (), 1))
    readings = store.readings("pump-1", healthy=True)
    numbers, lengths = np.unique(runs(readings), return_counts=True)
    assert numbers.tolist() == [0, 1, 2, 3, 4]
    assert lengths.tolist() == [5, 26, 16, 16, 16]
    assert runs(store.readings("nobody")).tolist() == []


def test_a_request_holds_exact_readings_and_everything_a_training_needs(tmp_path, store, block, row):
    store.append(Batch((block(count=40),), (), (), 1))
    readings = store.readings("pump-1")
    folder = tmp_path / "jobs" / "one"
    write_request(folder, row, readings, version=3, seed=5, signing_key=tmp_path / "key.pem", current_image=b"now")
    request = json.loads((folder / "request.json").read_text())
    assert (request["version"], request["seed"], request["kind"]) == (3, 5, "slow")
    assert request["channels"] == [["a", "", 1.0, 0.5], ["b", "", 1.0, 0.5], ["c", "", 1.0, 0.5]]
    assert (folder / "current.image").read_bytes() == b"now"
    with np.load(folder / "readings.npz", allow_pickle=False) as arrays:
        assert np.array_equal(arrays["counts"], readings.counts)
        assert arrays["counts"].dtype == np.int32
        assert arrays["times_ns"].dtype == arrays["stretches"].dtype == np.int64
        assert arrays["flagged"].dtype == arrays["alarm"].dtype == np.bool_
        assert "features" not in arrays


def test_a_result_is_believed_only_if_it_is_whole_and_meant(tmp_path, row):
    with pytest.raises(CloudError, match="no readable result"):
        read_outcome(tmp_path, row, 3)
    (tmp_path / "result.json").write_text('{"accepted": true, "reason": "", "metrics": {}}')
    with pytest.raises(CloudError, match="no readable result"):
        read_outcome(tmp_path, row, 3)
    (tmp_path / "model.image").write_bytes(b"TCSN nonsense")
    with pytest.raises(CloudError, match="an image that is none"):
        read_outcome(tmp_path, row, 3)
    (tmp_path / "result.json").write_text('{"accepted": false, "reason": "worse", "metrics": {"auc": 0.4}}')
    outcome = read_outcome(tmp_path, row, 3)
    assert (outcome.accepted, outcome.reason, outcome.metrics, outcome.image) == (False, "worse", {"auc": 0.4}, None)


def test_a_device_without_a_birth_cannot_be_trained(relations, block):
    facts = FactStore(relations)
    facts.apply([Fact(Source("g", 1, 0), block("fan-7").data, 1)])
    with pytest.raises(CloudError, match="The birth of device fan-7 has not arrived yet"):
        profile_of(facts.device("fan-7"))


def test_a_training_that_fails_says_where_to_look(tmp_path):
    process = TrainingProcess(tmp_path, lambda stage, done, total: None)  # a folder without a request
    with pytest.raises(CloudError, match=f"The training failed with status .*{LOG}"):
        process.wait(60.0)


def test_a_training_that_takes_too_long_is_ended(tmp_path):
    process = TrainingProcess(tmp_path, lambda stage, done, total: None)
    with pytest.raises(CloudError, match=r"it took longer than 0\.001 s"):
        process.wait(0.001)
