import json
import time

import numpy as np
import pytest
from starlette.testclient import TestClient

from cloud.api.access import ensure_token
from cloud.api.application import create_application
from cloud.storage.facts import Fact, Source
from cloud.storage.port import Batch, Mark
from shared import model_image
from shared.identity import Channel, DeviceProfile
from shared.messages.codec import Alarm, Birth, Counters, Reason, Resemblance, State

CHANNELS = (
    Channel("temperature", "°C", 20.0, 0.01),
    Channel("current", "A", 5.0, 0.001),
    Channel("flow", "", 0.0, 2.0),
)
REASON = Reason("current", "mean", 6.0, "The mean of current is 6.0 healthy deviations above normal.")


def profile(device, asset, kind="slow"):
    return DeviceProfile(device, asset, kind, 1.0, CHANNELS)


@pytest.fixture
def client(tier, block):
    now = time.time_ns()
    source = Source("g", 1, 0)
    features = ("x.level", "x.crest", "x.kurtosis")
    whats = [
        Birth(profile("pump-1", "acme/pump-1"), 1, 2, ("a",), 8, 1),
        Birth(profile("pump-1-fast", "acme/pump-1", "fast"), 1, 0, features, 256, 256),
        Birth(profile("fan-7", "acme/fan-7"), 1, 0, (), 8, 1),
        Birth(profile("mill-2", "acme/mill-2"), 1, 0, (), 8, 1),
        Alarm(
            "a-1",
            "acme/pump-1",
            "pump-1",
            3_600_000_000_050,
            None,
            2.5,
            True,
            (REASON,),
            3_600_000_000_040,
            ("whitened distance",),
            (),
            Resemblance("a-0", 3_600_000_000_010, 0.9),
        ),
        Alarm("a-0", "acme/pump-1", "pump-1", 3_600_000_000_010, 3_600_000_000_020, 1.5, False, ()),
        State("pump-1", 1, 2, "started", 0, ""),
        Counters("pump-1", 1, 70, 66, 4, 2, 1),
    ]
    facts = [Fact(source, what, now) for what in whats]
    tier.facts.apply(facts)
    tier.registry.observe(facts)
    scores = np.linspace(0.0, 2.5, 64)
    tier.store.append(Batch((block("fan-7"),), (), (), now - 10**12))
    blocks = (block("pump-1", count=64, scores=scores), block("pump-1-fast", kind="fast", scored=False))
    tier.store.append(Batch(blocks, (), (Mark("g", 1, 9, 8, 2, 1, 3, 1, 4096),), now))
    with TestClient(create_application(tier)) as opened:
        yield opened


def test_assets_have_their_devices_and_states(client):
    answer = client.get("/api/assets").json()
    assert {asset["asset"]: asset["state"] for asset in answer} == {
        "acme/fan-7": "silent",
        "acme/mill-2": "commissioning",
        "acme/pump-1": "alarm",
    }
    pump = next(asset for asset in answer if asset["asset"] == "acme/pump-1")
    assert [(device["device"], device["state"]) for device in pump["devices"]] == [
        ("pump-1", "alarm"),
        ("pump-1-fast", "commissioning"),
    ]
    assert pump["score"] == 2.5
    assert pump["devices"][0]["model_version"] == 2
    assert pump["devices"][0]["stored"] == 64
    assert pump["devices"][0]["top_channel"] == "temperature"


def test_a_device_tells_its_channels_and_an_unknown_one_is_named(client):
    answer = client.get("/api/devices/pump-1").json()
    assert answer["channels"][1] == {"name": "current", "unit": "A", "offset": 5.0, "step": 0.001}
    assert answer["last_ns"] - answer["first_ns"] == 63 * 10**9
    for path in ("/api/devices/nope", "/api/devices/nope/history", "/api/models?device=nope"):
        refused = client.get(path)
        assert refused.status_code == 404
        assert refused.json() == {"error": "No device nope is known here: see /api/assets for those that are."}


def test_history_has_scores_and_physical_values(client):
    answer = client.get("/api/devices/pump-1/history", params={"channel": "current", "points": 4}).json()
    assert len(answer["points"]) == 4
    assert answer["unit"] == "A"
    assert answer["threshold"] == 1.0
    assert max(point["score_max"] for point in answer["points"]) == 2.5
    assert answer["points"][0]["value_min"] == pytest.approx(5.0 + 0.001 * 1)
    assert answer["points"][-1]["value_max"] == pytest.approx(5.0 + 0.001 * 63_001)
    fast = client.get("/api/devices/pump-1-fast/history", params={"channel": "x.crest"}).json()
    assert fast["points"][0]["score_max"] is None
    assert fast["points"][1]["value_mean"] == pytest.approx(1001 / 64)
    begin = answer["from_ns"]
    some = client.get("/api/devices/pump-1/history", params={"from_ns": begin + 10**9, "to_ns": begin + 3 * 10**9})
    assert [point["time_ns"] - begin for point in some.json()["points"]] == [10**9, 2 * 10**9, 3 * 10**9]


def test_wrong_questions_get_one_sentence(client):
    unknown = client.get("/api/devices/pump-1/history?channel=pressure")
    assert unknown.status_code == 404
    assert unknown.json()["error"] == "Device pump-1 has no channel pressure: it has temperature, current, flow."
    wrong = client.get("/api/devices/pump-1/history?points=none")
    assert wrong.status_code == 422
    assert wrong.json()["error"].startswith("points: input should be a valid integer")
    for query in ("points=0", "points=99999999", "from_ns=99999999999999999999999", "to_ns=-99999999999999999999999"):
        assert client.get(f"/api/devices/pump-1/history?{query}").status_code == 422, query
    assert "nothing at /api/other" in client.get("/api/other").json()["error"]
    assert client.get("/api/jobs/none").status_code == 404
    assert client.delete("/api/assets").status_code == 405
    assert set(client.delete("/api/assets").json()) == {"error"}


def test_alarms_are_found_by_state_and_asset(client):
    assert [alarm["id"] for alarm in client.get("/api/alarms").json()] == ["a-1", "a-0"]
    (active,) = client.get("/api/alarms?active=true&asset=acme/pump-1").json()
    assert active["reasons"][0]["sentence"] == REASON.sentence
    assert active["provisional"] is True
    assert (active["since_ns"], active["detectors"], active["lines"]) == (3_600_000_000_040, ["whitened distance"], [])
    assert active["like"] == {"id": "a-0", "begin_ns": 3_600_000_000_010, "likeness": 0.9}
    assert client.get("/api/alarms?active=false").json()[0]["like"] is None
    assert client.get("/api/alarms?active=false").json()[0]["end_ns"] == 3_600_000_000_020
    assert client.get("/api/alarms?asset=acme/fan-7").json() == []


def test_models_and_loss_add_up(client):
    (model,) = client.get("/api/models?device=pump-1").json()
    assert (model["version"], model["state"], model["digest"]) == (2, "running", None)
    loss = client.get("/api/loss").json()
    pump = next(entry for entry in loss["devices"] if entry["device"] == "pump-1")
    assert pump["produced"] == pump["gateway_stored"] + pump["gateway_lost"] == 70
    assert (pump["stored"], pump["waiting"]) == (64, 2)
    assert loss["stored"] == 64 + 16 + 16
    (gateway,) = loss["gateways"]
    assert gateway == {
        "gateway": "g", "uploads": 8, "duplicates": 2, "lost": 1, "early": 3, "undecodable": 1, "received_bytes": 4096,
    }  # fmt: skip


def test_a_changing_call_needs_the_token(client, tier):
    path = "/api/devices/pump-1/train"
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic eDp5"}):
        refused = client.post(path, headers=headers)
        assert refused.status_code == 401
        assert "api-token" in refused.json()["error"]
    headers = {"Authorization": f"Bearer {ensure_token(tier.settings.data_folder)}"}
    assert client.post("/api/devices/nope/train", headers=headers).status_code == 404
    asked = client.post(path, headers=headers)
    assert asked.status_code == 202
    assert (asked.json()["version"], asked.json()["state"]) == (3, "waiting")
    again = client.post(path, headers=headers)
    assert again.status_code == 409
    assert client.get(f"/api/jobs/{asked.json()['id']}").json()["device"] == "pump-1"
    assert client.get("/api/models?device=pump-1").json()[0]["state"] == "candidate"


def test_the_image_of_a_device_can_be_registered_before_it_reports(client, tier):
    headers = {"Authorization": f"Bearer {ensure_token(tier.settings.data_folder)}"}
    scalings = [model_image.Scaling(0, 1, 1)]
    content = model_image.ImageContent(
        4, 0, 0, 8, 1, 10**10, bytes(8), 1000, scalings, [], scalings * 4, [1] * 4, [],
    )  # fmt: skip
    image = model_image.seal(model_image.encode(content))
    assert client.put("/api/models/new-1", content=image).status_code == 401
    for _ in range(2):
        (version,) = client.put("/api/models/new-1", content=image, headers=headers).json()
        assert (version["version"], version["state"]) == (4, "installed")
    assert tier.registry.image("new-1", 4) == image
    other = model_image.seal(model_image.encode(content), bytes(8), b"s" * 64)
    assert client.put("/api/models/new-1", content=other, headers=headers).status_code == 409
    refused = client.put("/api/models/new-1", content=image[:-1], headers=headers)
    assert refused.status_code == 422
    assert set(refused.json()) == {"error"}
    assert client.put("/api/models/New%201", content=image, headers=headers).status_code == 422


def test_a_body_is_read_after_the_token_and_no_further_than_an_image_may_be_long(client, tier):
    part, parts = bytes(64 * 1024), 64
    asked = []

    async def request(headers):
        """The application's answer to a body of which each part is counted as it is asked for."""
        asked.clear()
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "PUT", "scheme": "http",
            "path": "/api/models/new-1", "raw_path": b"/api/models/new-1", "query_string": b"", "root_path": "",
            "headers": headers, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "state": {},
        }  # fmt: skip
        sent = []

        async def receive():
            asked.append(len(part))
            return {"type": "http.request", "body": part, "more_body": len(asked) < parts}

        async def send(message):
            sent.append(message)

        await client.app(scope, receive, send)
        return sent[0]["status"], json.loads(sent[1]["body"])

    status, answer = client.portal.call(request, [])
    assert (status, asked) == (401, [])
    assert "api-token" in answer["error"]
    token = f"Bearer {ensure_token(tier.settings.data_folder)}".encode()
    status, answer = client.portal.call(request, [(b"authorization", token)])
    assert (status, answer) == (413, {"error": "The body is longer than the 1048576 bytes of a model image."})
    assert sum(asked) == model_image.IMAGE_LIMIT_BYTES + len(part) < parts * len(part)


def test_health_says_what_is_missing_and_the_description_is_whole(client):
    health = client.get("/api/health").json()
    assert health["status"] == "degraded"
    assert "broker" in health["trouble"]
    paths = client.get("/openapi.json").json()["paths"]
    assert {"/api/assets", "/api/devices/{device}/history", "/api/loss", "/api/jobs/{job}"} <= set(paths)
