"""An operator's word in the cloud: asked with the token, sent until answered, told as it stands."""

import pytest
from starlette.testclient import TestClient

from cloud.api.access import ensure_token
from cloud.api.application import create_application
from cloud.console.normality import gather_changes
from cloud.errors import NotFound
from cloud.normal_command import sentence_of, time_ns_of
from cloud.registry.keys import signing_key_path
from cloud.storage.facts import Fact, Source
from shared import ed25519, topics
from shared.errors import UsageError
from shared.identity import Channel, DeviceProfile
from shared.messages.codec import Alarm, Birth
from shared.messages.normality import Answer, Drift, Moved, decode_normal, signed_part

ASSET = "acme/north/pump-1"
CHANGED = Drift(
    "pump-1", ASSET, "sudden", "operating point", 10, 20, (Moved("flow", 4.5, 1.25, "l/s"),),
    "not seen while healthy", "pump-1 has changed at once.",
)  # fmt: skip


def apply(tier, *whats, gateway="g", upload=0):
    facts = [Fact(Source(gateway, 1, upload + number), what, 50 + number) for number, what in enumerate(whats)]
    tier.facts.apply(facts)
    tier.words.observe(facts)


@pytest.fixture
def known(tier):
    profile = DeviceProfile("pump-1", ASSET, "slow", 1.0, (Channel("flow", "l/s", 0.0, 1.0),))
    apply(tier, Birth(profile, 0, 1, (), 8, 1), Alarm("a-1", ASSET, "pump-1", 5, None, 2.0, True, ()), CHANGED)
    return tier


@pytest.fixture
def client(known):
    with TestClient(create_application(known)) as opened:
        opened.headers["Authorization"] = f"Bearer {ensure_token(known.settings.data_folder)}"
        yield opened


def test_a_word_needs_the_token_a_known_asset_and_a_name(client):
    question = {"asset": ASSET, "by": "M. Kühn"}
    assert client.post("/api/normal", json=question, headers={"Authorization": "Bearer wrong"}).status_code == 401
    unknown = client.post("/api/normal", json=question | {"asset": "acme/none"})
    assert (unknown.status_code, unknown.json()["error"]) == (
        404,
        "No asset acme/none is known here: see /api/assets for those that are.",
    )
    nobody = client.post("/api/normal", json=question | {"by": "  "})
    assert (nobody.status_code, nobody.json()["error"]) == (
        422,
        "Say who calls it normal: a name of 1 to 80 characters.",
    )
    assert client.post("/api/normal", json=question | {"by": "x" * 81}).status_code == 422
    assert client.get("/api/normal").json() == []


def test_a_word_is_signed_sent_once_per_connection_and_again_until_it_is_answered(client, known):
    [word] = client.post("/api/normal", json={"asset": ASSET, "by": "K", "since_ns": 7}).json()
    assert (word["state"], word["alarm"], word["gateway"], word["since_ns"]) == ("asked", "a-1", "g", 7)
    [again] = client.post("/api/normal", json={"asset": ASSET, "by": "another"}).json()
    assert again == word  # one at a time
    [(topic, payload)] = known.words.due()
    assert topic == topics.normal("g", ASSET)
    command, key_id, signature = decode_normal(payload)
    assert (command.identifier, command.alarm, command.since_ns, command.by) == (word["id"], "a-1", 7, "K")
    public = ed25519_public(known)
    assert key_id == ed25519.key_id(public)
    assert ed25519.verify(public, signed_part(command), signature)
    assert list(known.words.due()) == []
    known.words.forget()
    assert list(known.words.due()) == [(topic, payload)]
    apply(known, Answer(word["id"], ASSET, "waiting", "pump-1 waits.", None))
    known.words.forget()
    assert list(known.words.due()) == [(topic, payload)]
    apply(known, Answer(word["id"], ASSET, "applied", "pump-1 learned 64 readings.", 99))
    assert list(known.words.due()) == [(topic, b"")]
    apply(known, Answer(word["id"], ASSET, "waiting", "pump-1 waits.", None))  # an upload that came twice
    [told] = client.get("/api/normal", params={"asset": ASSET}).json()
    assert (told["state"], told["sentence"], told["time_ns"]) == ("applied", "pump-1 learned 64 readings.", 99)
    [new] = client.post("/api/normal", json={"asset": ASSET, "by": "K"}).json()
    assert new["id"] != word["id"]


def ed25519_public(tier):
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    pem = signing_key_path(tier.settings.data_folder).read_bytes()
    return load_pem_private_key(pem, None).public_key().public_bytes_raw()


def test_an_asset_of_two_gateways_gets_a_word_for_each(known):
    profile = DeviceProfile("pump-1-fast", ASSET, "slow", 1.0, (Channel("x", "", 0.0, 1.0),))
    apply(known, Birth(profile, 0, 1, (), 8, 1), gateway="h")
    rows = known.words.ask(ASSET, "K")
    assert [(row.gateway, row.alarm) for row in rows] == [("g", "a-1"), ("h", "")]
    assert len({row.identifier for row in rows}) == 1
    apply(known, Answer(rows[0].identifier, ASSET, "applied", "done.", 1), gateway="h", upload=9)
    assert {row.gateway: row.state for row in known.words.words()} == {"g": "asked", "h": "applied"}


def test_what_changed_is_told_beside_the_alarm(client, known):
    [drift] = client.get("/api/drifts", params={"asset": ASSET}).json()
    assert drift["channels"] == [{"channel": "flow", "deviations": 4.5, "change": 1.25, "unit": "l/s"}]
    assert (drift["kind"], drift["pattern"], drift["since_ns"], drift["received_ns"]) == (
        "sudden", "operating point", 10, 52,
    )  # fmt: skip
    from cloud.api.alarms import alarm_of

    [change] = gather_changes(known, [alarm_of(row) for row in known.facts.alarms()])
    assert (change.asset, change.alarm, change.provisional, change.open) == (ASSET, "a-1", True, True)
    known.words.ask(ASSET, "K", "a-1")
    [change] = gather_changes(known, [alarm_of(row) for row in known.facts.alarms()])
    assert not change.open


def test_a_word_that_waits_for_a_silent_device_gives_way_to_a_newer_one(known):
    [first] = known.words.ask(ASSET, "K")
    apply(known, Answer(first.identifier, ASSET, "waiting", "pump-1 waits for 9 more readings.", None))
    [second] = known.words.ask(ASSET, "K")
    assert second.identifier != first.identifier
    assert [(row.state, row.sentence) for row in known.words.words()] == [
        ("asked", ""),
        ("refused", "Given up for a newer word. pump-1 waits for 9 more readings."),
    ]


def test_words_outlive_the_cloud(known):
    known.words.ask(ASSET, "K")
    assert [row.state for row in type(known.words)(known.relations, known.facts, known.words._signing_key).words()] == [
        "asked"
    ]
    with pytest.raises(NotFound):
        known.words.ask("acme/other", "K")


def test_the_command_reads_times_and_tells_answers():
    assert time_ns_of("2023-11-14T23:13:20+01:00") == 1_700_000_000 * 10**9
    with pytest.raises(UsageError, match="is none: write it as"):
        time_ns_of("yesterday")
    word = {"gateway": "g", "state": "applied", "sentence": "pump-1 learned 64 readings as normal."}
    assert sentence_of(word) == "g: applied. pump-1 learned 64 readings as normal."
    assert "no answer yet" in sentence_of(word | {"state": "asked"})
