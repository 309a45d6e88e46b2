import pytest

from cloud.errors import CloudError, Conflict
from cloud.registry.models import ModelRegistry
from cloud.storage.facts import Fact, FactStore, Source
from cloud.updates.releases import ReleasePublisher
from shared import topics
from shared.messages.codec import State


def report(model_version, result="started", judged=0, reason=""):
    return Fact(Source("g", 1, 0), State("pump-1", 1, model_version, result, judged, reason), 1)


@pytest.fixture
def registry(relations, tmp_path):
    return ModelRegistry(relations, tmp_path / "models")


def states(registry):
    return {row.version: row.state for row in registry.versions("pump-1")}


def test_a_version_goes_from_candidate_to_running_and_is_replaced(registry):
    registry.observe([report(1)])
    assert registry.begin("pump-1") == 2
    assert states(registry) == {1: "running", 2: "candidate"}
    registry.release("pump-1", 2, b"image two", {"auc": 0.9})
    assert registry.waiting() == [("pump-1", 2)]
    assert registry.image("pump-1", 2) == b"image two"
    registry.observe([report(2, "accepted", 2)])
    assert states(registry) == {1: "replaced", 2: "running"}
    assert registry.waiting() == []
    assert registry.current_image("pump-1") == b"image two"


def test_versions_grow_past_what_the_device_has_judged(registry, relations):
    FactStore(relations).apply([report(4, "refused", 9, "too old")])
    assert registry.begin("pump-1") == 10
    assert registry.begin("pump-1") == 11


def test_the_gate_and_the_device_refuse_with_their_reasons(registry):
    registry.refuse("pump-1", registry.begin("pump-1"), "worse on held-back data", {"auc": 0.5})
    version = registry.begin("pump-1")
    registry.release("pump-1", version, b"image", {})
    registry.observe([report(0, "refused", version, "the signature is wrong")])
    reasons = {row.version: (row.state, row.reason) for row in registry.versions("pump-1")}
    assert reasons == {
        1: ("refused", "worse on held-back data"),
        2: ("refused", "refused by the device: the signature is wrong"),
    }


def test_a_running_version_is_not_unmade_by_judging_it_again(registry):
    version = registry.begin("pump-1")
    registry.release("pump-1", version, b"image", {})
    registry.observe([report(version, "accepted", version)])
    registry.observe([report(version, "refused", version, "version 1 is not above 1")])
    assert states(registry) == {1: "running"}


def test_an_image_that_was_changed_on_disk_is_not_sent(registry, relations, tmp_path, caplog):
    facts = FactStore(relations)
    facts.apply([report(0)])
    registry.release("pump-1", registry.begin("pump-1"), b"image", {})
    (tmp_path / "models" / "pump-1" / "000001.image").write_bytes(b"other")
    with pytest.raises(CloudError, match="is not the one that was registered"):
        registry.image("pump-1", 1)
    assert list(ReleasePublisher(registry, facts).due()) == []


def test_a_release_is_due_once_per_connection_until_the_device_reports_it(registry, relations, block):
    facts = FactStore(relations)
    facts.apply([Fact(Source("g", 1, 0), block("pump-1").data, 1)])
    publisher = ReleasePublisher(registry, facts)
    assert list(publisher.due()) == []
    registry.release("pump-1", registry.begin("pump-1"), b"one", {})
    publisher.wake()
    assert list(publisher.due()) == [(topics.release("g", "pump-1"), b"one")]
    publisher.wake()
    assert list(publisher.due()) == []
    publisher.forget()
    assert list(publisher.due()) == [(topics.release("g", "pump-1"), b"one")]
    registry.release("pump-1", registry.begin("pump-1"), b"two", {})
    publisher.wake()
    assert list(publisher.due()) == [(topics.release("g", "pump-1"), b"two")]
    registry.observe([report(2)])
    publisher.forget()
    assert list(publisher.due()) == []
    assert states(registry) == {1: "replaced", 2: "running"}


def test_an_image_given_by_other_means_can_be_registered_twice_before_or_after_it_runs(registry):
    registry.install("pump-1", 5, b"first image")
    assert states(registry) == {5: "installed"}
    assert registry.begin("pump-1") == 6
    registry.observe([report(5)])
    registry.install("pump-1", 5, b"first image")
    assert states(registry) == {5: "running", 6: "candidate"}
    assert registry.current_image("pump-1") == b"first image"
    with pytest.raises(Conflict, match="Another image of device pump-1 has version 5"):
        registry.install("pump-1", 5, b"other image")
    assert registry.current_image("pump-1") == b"first image"
    with pytest.raises(CloudError, match="no model version 7"):
        registry.image("pump-1", 7)


def test_a_running_image_that_was_never_registered_is_not_known(registry):
    registry.observe([report(5)])
    assert registry.current_image("pump-1") is None
