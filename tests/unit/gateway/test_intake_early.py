"""States and releases of devices that are not known yet, and states that come late."""

import functools

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from gateway_partners import PROFILE, image_for

from gateway.early import EARLY_MESSAGES, Early
from gateway.intake import Intake
from gateway.settings import GatewaySettings
from shared import topics
from shared.messages import codec
from shared.messages.codec import Birth, State

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
NAME = PROFILE.device
BIRTH = topics.birth(NAME), codec.encode_birth(Birth(PROFILE, 3, 1, (), 16, 1))


@functools.cache
def image():
    return image_for(5, KEY)


def intake():
    return Intake(GatewaySettings(release_public_key=KEY.public_key().public_bytes_raw().hex()))


def state(boot, version, device=NAME):
    return topics.state(device), codec.encode_state(State(device, boot, version, "started", 0, ""))


def test_what_came_before_the_birth_counts_with_it():
    taking = intake()
    early = taking.take([state(3, 2), (topics.release("g", NAME), image())])
    assert not early.changes  # a device that was never born leaves nothing in the store
    changes = taking.take([BIRTH]).changes
    assert [upload.kind for upload in changes.uploads] == ["birth", "state"]
    assert changes.states == {NAME: state(3, 2)[1]}
    assert changes.releases[NAME].image == image()


def test_states_and_releases_of_invented_devices_fill_neither_memory_nor_store():
    taking = intake()
    for number in range(EARLY_MESSAGES + 10):
        name = f"invented-{number}"
        assert not taking.take([state(1, 1, name), (topics.release("g", name), b"x")]).changes
    assert len(taking._early_states) == len(taking._early_releases) == EARLY_MESSAGES
    assert not taking._devices


def test_the_oldest_early_messages_go_by_their_bytes_too():
    early = Early(size_bytes=10)
    for device, payload in (("a", b"1234"), ("b", b"12345"), ("a", b"12"), ("c", b"1234"), ("d", b"1" * 11)):
        early.put(device, payload)
        assert early._bytes == sum(map(len, early._kept.values())) <= 10
    assert len(early) == 0  # what is longer than everything together is not kept
    early.put("e", b"1")
    assert early.take("e") == b"1"


def test_a_state_of_an_older_boot_never_overwrites_a_newer_one():
    taking = intake()
    taking.take([BIRTH, state(3, 4)])
    assert not taking.take([state(2, 9)]).changes
    assert taking._devices[NAME].state.model_version == 4
    assert taking.take([state(3, 5)]).changes.states == {NAME: state(3, 5)[1]}
    assert taking.take([state(4, 5)]).changes.states == {NAME: state(4, 5)[1]}
