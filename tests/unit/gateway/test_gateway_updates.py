"""Which images are passed on: each rule broken alone."""

import functools

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from gateway_partners import PROFILE, image_for

from gateway import updates
from gateway.changes import Changes, Release
from gateway.store import Store
from shared.identity import Channel, DeviceProfile
from shared.messages.codec import Birth, State

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
PUBLIC = KEY.public_key().public_bytes_raw()
OTHER = DeviceProfile("pump-1", "a", "slow", 1.0, (Channel("flow", "", 0.0, 1.0), Channel("heat", "", 0.0, 1.0)))
BIRTH = Birth(PROFILE, 1, 2, (), 16, 1)


@functools.cache
def good(version=5):
    return image_for(version, KEY)


def changed(offset):
    return good()[:offset] + bytes([good()[offset] ^ 1]) + good()[offset + 1 :]


def bad():
    """The image of version 5 with a wrong signature."""
    return changed(len(good()) - 20)


def test_a_good_image_is_accepted():
    decision = updates.judge(good(), PUBLIC, PROFILE, 4)
    assert (decision.accepted, decision.version, decision.reason) == (True, 5, "")


@pytest.mark.parametrize(
    ("image", "key", "floor", "words"),
    [
        (b"", PUBLIC, 0, "too few"),
        (good()[:-1], PUBLIC, 0, "written at offset 8"),
        (good() + b"\0", PUBLIC, 0, "written at offset 8"),
        (changed(120), PUBLIC, 0, "digest"),
        (image_for(5, None), PUBLIC, 0, "unknown key"),
        (image_for(5, Ed25519PrivateKey.from_private_bytes(b"x" * 32)), PUBLIC, 0, "unknown key"),
        (bad(), PUBLIC, 0, "signature is wrong"),
        (good(), b"", 0, "no public key"),
        (image_for(5, KEY, OTHER), PUBLIC, 0, "other channels"),
        (good(), PUBLIC, 5, "version 5 is not above 5"),
    ],
)
def test_one_broken_rule_is_the_reason(image, key, floor, words):
    decision = updates.judge(image, key, PROFILE, floor)
    assert not decision.accepted
    assert words in decision.reason


def test_every_bit_of_an_image_matters():
    for offset in range(0, len(good()), 7):
        assert not updates.judge(changed(offset), PUBLIC, PROFILE, 0).accepted, offset


def test_what_was_passed_on_is_the_floor_of_the_next_and_a_copy_is_no_news():
    releases, changes = updates.Releases(PUBLIC, {}), Changes()
    assert releases.take(good(), BIRTH, None, changes) is None
    [waiting] = releases.unpublished()
    assert (waiting.version, waiting.image) == (5, good())
    again = Changes()
    assert releases.take(good(), BIRTH, None, again) is None
    assert not again
    older = releases.take(good(4), BIRTH, None, again)
    assert (older.result, older.judged_version, older.model_version) == ("refused", 4, 2)
    assert older.reason == "gateway: version 4 is not above 5"
    assert releases.unpublished()[0].image == good()  # a refusal does not take back what is on its way
    releases.published(waiting)
    assert not releases.unpublished()


def test_a_refusal_is_reported_once_and_judged_again_when_the_key_is_known():
    without, changes = updates.Releases(b"", {}), Changes()
    assert "no public key" in without.take(good(), BIRTH, None, changes).reason
    assert without.take(good(), BIRTH, None, Changes()) is None
    stored: dict[str, Release] = dict(changes.releases)
    restarted = updates.Releases(PUBLIC, stored)
    assert restarted.take(good(), BIRTH, None, Changes()) is None
    assert restarted.unpublished()[0].version == 5


def test_what_was_passed_on_is_never_refused_for_coming_again_after_a_bad_image(tmp_path):
    store = Store(tmp_path)
    for image, reported in ((good(), None), (bad(), 0), (good(), None), (bad(), None), (good(), None)):
        releases, changes = updates.Releases(PUBLIC, store.releases()), Changes()  # also over a restart each time
        report = releases.take(image, BIRTH, None, changes)
        assert (report and report.judged_version) == reported  # 0: version 5 itself is on its way
        store.commit(changes)
        assert [(r.version, r.image) for r in releases.unpublished()] == [(5, good())]
    assert releases.take(good(6), BIRTH, None, Changes()) is None
    assert releases.take(bad(), BIRTH, None, Changes()) is None  # still the one that was reported
    assert releases.unpublished()[0].version == 6
    store.close()


def test_the_floor_is_what_the_device_runs_by_its_latest_word():
    state = State("pump-1", 1, 9, "accepted", 9, "")
    assert "not above 9" in updates.Releases(PUBLIC, {}).take(good(), BIRTH, state, Changes()).reason
    fallen_back = Birth(PROFILE, 2, 3, (), 16, 1)
    assert updates.Releases(PUBLIC, {}).take(good(), fallen_back, state, Changes()) is None
