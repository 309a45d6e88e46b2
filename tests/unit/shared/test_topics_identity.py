"""Ids, topics and the digest of a profile: what may stand in a topic, and what makes two devices alike."""

import inspect
import re
import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import topics
from shared.identity import Channel, DeviceProfile, check_id

ids = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?", fullmatch=True)
floats = st.floats(allow_nan=False, allow_infinity=False)
steps = st.floats(5e-324, 1e308)
channel_lists = st.lists(st.builds(Channel, st.text(), st.text(), floats, steps), min_size=1, max_size=4).map(tuple)
profiles = st.builds(
    DeviceProfile, ids, st.text(), st.sampled_from(["slow", "fast"]), st.floats(1.0, 1e5), channel_lists
)


@given(identifier=ids)
def test_an_id_is_returned_as_it_is(identifier):
    assert check_id(identifier) == identifier
    assert re.fullmatch(r"[^\s/+#$]{1,48}", identifier)


@pytest.mark.parametrize(
    "identifier",
    ["", "-a", "a-", "-", "A", "a b", "a/b", "a+", "#", "$sys", "a_b", "ä", "a\n", "\na", "a\0", "\u0661", "a" * 49],
)
def test_what_is_no_id_is_refused_by_its_name(identifier):
    with pytest.raises(ValueError, match=r"^gateway id .* must be 1 to 48 characters"):
        check_id(identifier, "gateway id")


@given(text=st.text(max_size=60))
def test_an_id_never_changes_the_levels_of_a_topic(text):
    try:
        topic = topics.data(check_id(text))
    except ValueError:
        return
    assert topic.count("/") == 4
    assert topics.device_of(topic) == text


DEVICE_TOPICS = [topics.birth, topics.data, topics.state, topics.device_stored, topics.image]
GATEWAY_TOPICS = [topics.upload, topics.gateway_stored]


@given(device=ids, gateway=ids)
def test_a_topic_gives_back_its_ids(device, gateway):
    for make in DEVICE_TOPICS:
        assert topics.device_of(make(device)) == device
    for make in GATEWAY_TOPICS:
        assert topics.gateway_of(make(gateway)) == gateway
    assert topics.device_of(topics.release(gateway, device)) == device
    assert topics.gateway_of(topics.release(gateway, device)) == gateway


def matches(subscription, topic):
    """MQTT's rule for `+`."""
    return re.fullmatch(subscription.replace("+", "[^/]+"), topic) is not None


@given(device=ids, gateway=ids)
def test_each_subscription_gets_its_own_topics_alone(device, gateway):
    every = [make(device) for make in DEVICE_TOPICS] + [make(gateway) for make in GATEWAY_TOPICS]
    every.append(topics.release(gateway, device))
    assert len(set(every)) == len(every)
    wanted = {
        topics.ALL_BIRTHS: topics.birth(device),
        topics.ALL_DATA: topics.data(device),
        topics.ALL_STATES: topics.state(device),
        topics.ALL_UPLOADS: topics.upload(gateway),
        topics.all_releases(gateway): topics.release(gateway, device),
    }
    for subscription, topic in wanted.items():
        assert [each for each in every if matches(subscription, each)] == [topic]
    if gateway != "other":
        assert not matches(topics.all_releases("other"), topics.release(gateway, device))


def test_every_topic_begins_with_the_version():
    made = {name: f for name, f in inspect.getmembers(topics, inspect.isfunction) if not name.endswith("_of")}
    assert {
        f.__name__
        for f in (
            *DEVICE_TOPICS,
            *GATEWAY_TOPICS,
            topics.release,
            topics.all_releases,
            topics.normal,
            topics.all_normals,
        )
    } == set(made)
    for make in made.values():
        topic = make(*["x1"] * len(inspect.signature(make).parameters))
        assert topic.startswith("tocsin/v1/")
        assert " " not in topic


@given(profile=profiles, device=ids, text=st.text())
def test_names_do_not_count_in_the_digest(profile, device, text):
    renamed = tuple(replace(channel, name=text, unit=text) for channel in profile.channels)
    other = replace(profile, device=device, asset=text, channels=renamed, sample_rate_hz=7.0)
    assert other.digest() == profile.digest()
    assert len(profile.digest()) == 8


@given(profile=profiles, place=st.integers(0, 3), value=floats, step=steps)
def test_kind_offsets_steps_and_their_order_count_in_the_digest(profile, place, value, step):
    def with_channels(channels):
        return replace(profile, channels=tuple(channels)).digest()

    assert replace(profile, kind="fast" if profile.kind == "slow" else "slow").digest() != profile.digest()
    place %= len(profile.channels)
    for changed in (replace(profile.channels[place], offset=value), replace(profile.channels[place], step=step)):
        same = struct.pack("<dd", changed.offset, changed.step) == struct.pack(
            "<dd", profile.channels[place].offset, profile.channels[place].step
        )
        channels = (*profile.channels[:place], changed, *profile.channels[place + 1 :])
        assert (with_channels(channels) == profile.digest()) == same
    assert with_channels((*profile.channels, Channel("", "", value, step))) != profile.digest()
    turned = profile.channels[::-1]
    scales = [(struct.pack("<dd", channel.offset, channel.step)) for channel in profile.channels]
    assert (with_channels(turned) == profile.digest()) == (scales == scales[::-1])


def test_the_digest_stays_what_images_in_the_field_carry():
    # SHA-256 of "slow" and the little-endian pairs (0.5, 0.25), (-1.0, 2**-16), by an independent tool
    profile = DeviceProfile("a", "", "slow", 1.0, (Channel("x", "", 0.5, 0.25), Channel("y", "", -1.0, 2.0**-16)))
    assert profile.digest().hex() == "bf7b4f06d4fb1cf6"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"device": "Pump 1"}, "device id 'Pump 1'"),
        ({"kind": "middling"}, "kind of device pump-1 must be 'slow' or 'fast'"),
        ({"channels": ()}, "device pump-1 has no channel"),
    ],
)
def test_an_impossible_profile_is_refused(changes, reason):
    good = {"device": "pump-1", "asset": "a/b", "kind": "slow", "sample_rate_hz": 1.0}
    good["channels"] = (Channel("x", "", 0.0, 1.0),)
    DeviceProfile(**good)
    with pytest.raises(ValueError, match=re.escape(reason)):
        DeviceProfile(**good | changes)


@pytest.mark.parametrize(("asset", "name"), [("a/b/pump-1", "pump-1"), ("pump-1", "pump-1"), ("a/", ""), ("", "")])
def test_the_name_of_an_asset_is_the_end_of_its_path(asset, name):
    assert DeviceProfile("a", asset, "slow", 1.0, (Channel("x", "", 0.0, 1.0),)).asset_name() == name
