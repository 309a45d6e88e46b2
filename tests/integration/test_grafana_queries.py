"""Every query of the built dashboards, against a real InfluxDB that the product's own store has filled."""

import itertools
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from grafana_engine import Asked, Chosen, Frame, frames, put_in, queries_of
from grafana_plant import (
    ALARM_AT,
    FAN,
    FAN_READINGS,
    NEW_MODEL,
    OLD,
    PEAK,
    PUMP,
    READINGS,
    REASON,
    START,
    STOP,
    moment,
    write_plant,
)
from grafana_shape import check_shape
from influxdb_servers import Bucket, fresh_bucket

from cloud.grafana.dashboards import dashboards
from cloud.grafana.queries import QUERIES

pytestmark = pytest.mark.services

DASHBOARDS = dashboards()
ASKED = [(board, asked) for board, dashboard in DASHBOARDS.items() for asked in queries_of(dashboard)]
KNOWN = {query().flux: query() for query in QUERIES.values()}
#: The grid of a point's time: up to so much it may differ from the reading's.
GRID = timedelta(milliseconds=1.1)
CHOICES: dict[str, dict[str, Chosen]] = {
    "all": {"asset": ".*", "device": ".*"},
    "one": {"asset": PUMP, "device": "feed-process"},
    "several": {"asset": [PUMP, FAN], "device": ["feed-process", "feed-vibration", "fan-process"]},
    "none": {"asset": "nowhere", "device": "nothing"},
}


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Bucket:
    bucket = fresh_bucket()
    write_plant(bucket, tmp_path_factory.mktemp("ledger"))
    return bucket


Ask = Callable[..., list[Frame]]


@pytest.fixture
def ask(plant: Bucket) -> Ask:
    def _ask(
        title: str,
        *,
        board: str = "plant",
        start: datetime = START,
        stop: datetime = STOP,
        silent_after: str = "5m",
        **chosen: Chosen,
    ) -> list[Frame]:
        (asked,) = (asked for name, asked in ASKED if name == board and asked.where == title)
        variables: dict[str, Chosen] = {"asset": ".*", "device": ".*", "silent_after": silent_after, **chosen}
        return frames(plant, put_in(asked, variables, start, stop, plant.bucket))

    return _ask


@pytest.mark.parametrize("chosen", CHOICES)
@pytest.mark.parametrize(("board", "asked"), ASKED, ids=[f"{board}: {asked.where}" for board, asked in ASKED])
def test_returns_what_stands_beside_it(plant: Bucket, board: str, asked: Asked, chosen: str) -> None:
    variables = {**CHOICES[chosen], "silent_after": "5m"}
    known = {variable["name"] for variable in DASHBOARDS[board]["templating"]["list"]}
    used = {name: value for name, value in variables.items() if name in known}
    found = frames(plant, put_in(asked, used, START, STOP, plant.bucket))
    check_shape(found, KNOWN[asked.flux], asked.where)
    if "asset" in asked.flux.partition("schema")[0] or asked.panel:
        assert bool(found) == (chosen != "none"), asked.where


def test_every_query_is_used_and_every_used_one_is_known() -> None:
    assert {asked.flux for _, asked in ASKED} == set(KNOWN)


def test_a_day_and_a_month_are_as_good_as_an_hour(ask: Ask) -> None:
    for days, (board, asked) in itertools.product((1, 31), ASKED):
        if asked.panel:
            found = ask(asked.where, board=board, start=STOP - timedelta(days=days))
            check_shape(found, KNOWN[asked.flux], asked.where)
            assert all(len(frame.points) <= 10 * asked.points for frame in found if frame.labels is not None)


def by_label(found: list[Frame], label: str) -> dict[str, Frame]:
    return {(frame.labels or {})[label]: frame for frame in found}


def test_assets_now(ask: Ask) -> None:
    found = by_label(ask("Assets now"), "asset")
    assert {asset: [value for _, value in frame.points] for asset, frame in found.items()} == {PUMP: [0.5], FAN: [-1.0]}
    assert {(frame.labels or {})["name"] for frame in found.values()} == {PUMP.split("/", 2)[2], "line-2/fan"}


def test_an_asset_is_silent_after_the_chosen_time(ask: Ask) -> None:
    assert by_label(ask("Assets now", silent_after="1h"), "asset")[FAN].points[0][1] == 0.75
    assert by_label(ask("Assets now", stop=moment(FAN_READINGS + 20)), "asset")[FAN].points[0][1] == 0.75
    assert by_label(ask("Assets now", stop=moment(FAN_READINGS + 40)), "asset")[FAN].points[0][1] == -1.0


def test_active_alarms(ask: Ask) -> None:
    assert [frame.rows for frame in ask("Active alarms")] == [[{"active": 1}]]
    assert [frame.rows for frame in ask("Active alarms", asset=FAN)] == [[{"active": 0}]]
    assert ask("Active alarms", asset=OLD) == []


def test_alarms_newest_first_with_their_reasons(ask: Ask) -> None:
    (frame,) = ask("Alarms")
    common = {"reason": REASON}
    assert frame.rows == [
        common
        | {"began": moment(ALARM_AT), "state": "active", "lasted": 1597.0, "asset": PUMP, "device": "feed-process"}
        | {"name": PUMP.split("/", 2)[2], "score": 3.5, "provisional": "provisional"},
        common
        | {"began": START - timedelta(seconds=600), "state": "ended", "lasted": 903.0, "asset": FAN}
        | {"device": "fan-process", "name": "line-2/fan", "score": 1.5, "provisional": ""},
    ]
    (longer,) = ask("Alarms", start=START - timedelta(hours=2))
    assert [row["score"] for row in longer.rows] == [3.5, 1.5, 2.5]


def test_alarm_bands_reach_to_the_alarm_s_end(ask: Ask) -> None:
    (frame,) = ask("annotation Alarms", board="asset")
    assert [(row["time"], row["timeEnd"], row["text"], row["tags"]) for row in frame.rows] == [
        (moment(ALARM_AT), STOP, REASON, "feed-process"),
        (START - timedelta(seconds=600), moment(30), REASON, "fan-process"),
    ]
    assert frame.rows[0]["title"].startswith("Active alarm")


@pytest.mark.parametrize("hours", [1, 24, 24 * 30])
def test_no_peak_is_averaged_away(ask: Ask, hours: int) -> None:
    begin = STOP - timedelta(hours=hours)
    series = by_label(ask("Score of each asset", start=begin), "asset")
    time, value = max(series[PUMP].points, key=lambda point: point[1])
    assert value == 3.0
    assert timedelta(0) <= moment(PEAK) + GRID - time <= timedelta(hours=hours) / 300
    assert max(value for _, value in series[FAN].points) == 0.75
    fused = {frame.name: frame for frame in ask("Fused score of each device", board="asset", start=begin, asset=PUMP)}
    assert set(fused) == {"feed-process"}
    assert max(value for _, value in fused["feed-process"].points) == 3.0


def test_scores_of_a_device_apart(ask: Ask) -> None:
    found = ask("Scores of ${device}", board="asset", asset=PUMP, device="feed-process")
    assert {frame.name: max(value for _, value in frame.points) for frame in found} == {
        "fused": 3.0, "gateway": 3.0, "sensor": 2.0,
    }  # fmt: skip
    assert {frame.name: min(value for _, value in frame.points) for frame in found} == {
        "fused": 0.5, "gateway": 0.5, "sensor": 0.25,
    }  # fmt: skip


def test_readings_per_minute_fall_to_nothing(ask: Ask) -> None:
    found = by_label(ask("Readings per minute"), "asset")
    assert {value for _, value in found[PUMP].points} == {12.0}
    fan = found[FAN].points
    assert {value for time, value in fan if time < START + timedelta(minutes=30)} == {6.0}
    assert {value for time, value in fan if time >= START + timedelta(minutes=30)} == {0.0}
    assert len(found[PUMP].points) == 59  # whole minutes only; the first may be cut


def test_windows_that_are_cut_do_not_look_like_silence(ask: Ask) -> None:
    cut = timedelta(seconds=25)
    found = by_label(ask("Readings per minute", start=START + cut, stop=STOP - cut), "asset")
    assert {value for _, value in found[PUMP].points} == {12.0}


def test_devices_with_their_last_reading(ask: Ask) -> None:
    (frame,) = ask("Devices")
    rows = {row["device"]: row for row in frame.rows}
    assert frame.columns["device"][0] == "fan-process"
    assert rows.keys() == {"feed-process", "feed-vibration", "fan-process"}
    assert {device: row["state"] for device, row in rows.items()} == {
        "feed-process": "normal", "feed-vibration": "not judged", "fan-process": "silent",
    }  # fmt: skip
    fan = rows["fan-process"]
    assert fan["last_reading"] == moment(FAN_READINGS - 1)
    assert fan["silent"] == pytest.approx(1807.0, abs=1e-3)
    assert (fan["score"], fan["model_version"], fan["asset"]) == (0.75, 2, FAN)
    assert rows["feed-vibration"]["score"] is None


def test_states_of_devices_in_the_table(ask: Ask) -> None:
    at_peak = {row["device"]: row["state"] for row in ask("Devices", stop=moment(PEAK) + GRID)[0].rows}
    in_alarm = {row["device"]: row["state"] for row in ask("Devices", stop=moment(ALARM_AT) + GRID)[0].rows}
    assert (at_peak["feed-process"], at_peak["fan-process"]) == ("flagged", "normal")
    assert (in_alarm["feed-process"], in_alarm["fan-process"]) == ("alarm", "normal")
    assert ask("Devices", asset=PUMP, silent_after="1m", stop=STOP + timedelta(days=29))[0].rows[0]["state"] == "silent"


def test_devices_without_any_score(ask: Ask) -> None:
    (frame,) = ask("Devices", board="asset", asset=PUMP, stop=moment(1))
    assert "feed-vibration" in frame.columns["device"]


def test_model_versions(ask: Ask) -> None:
    found = {frame.name: frame for frame in ask("Model version of each device")}
    fan = found["fan-process"].points
    assert {value for time, value in fan if time < moment(NEW_MODEL) - timedelta(minutes=1)} == {1}
    assert {value for time, value in fan if time > moment(NEW_MODEL)} == {2}


def test_states_of_devices_over_time(ask: Ask) -> None:
    found = {frame.name: [value for _, value in frame.points] for frame in ask("State of each device", board="asset")}
    feed, fan = found["feed-process"], found["fan-process"]
    assert len(feed) == READINGS  # a window holds one reading here
    assert [number for number, state in enumerate(feed) if state == 2] == [PEAK]
    assert [number for number, state in enumerate(feed) if state == 3] == [*range(ALARM_AT, ALARM_AT + 10)]
    assert set(fan[:FAN_READINGS]) == {1}
    assert set(fan[FAN_READINGS:]) == {-1}
    assert set(found["feed-vibration"]) == {0}


def test_channels_keep_peaks_and_troughs_and_carry_their_unit(ask: Ask) -> None:
    for hours in (1, 24):
        begin = STOP - timedelta(hours=hours)
        title = "Channels of ${device}"
        found = ask(title, board="asset", start=begin, asset=PUMP, device="feed-process")
        series = {frame.name: [value for _, value in frame.points] for frame in found}
        assert set(series) == {"temperature [degC]", "level"}
        assert (min(series["temperature [degC]"]), max(series["temperature [degC]"])) == (10.0, 30.0)
        assert (series["level"][0], series["level"][-1]) == (0.0, READINGS - 1)
    features = ask("Channels of ${device}", board="asset", asset=PUMP, device="feed-vibration")
    assert {frame.name for frame in features} == {"x level [healthy deviations]", "x crest [healthy deviations]"}
    assert {value for frame in features for _, value in frame.points} == {1.0}


def test_the_highest_score_and_its_channel(ask: Ask) -> None:
    (frame,) = ask("Highest score of ${device}", board="asset", asset=PUMP, device="feed-process")
    assert frame.rows == [
        {"at": moment(PEAK), "score": 3.0, "gateway_score": 3.0, "sensor_score": 2.0, "top_channel": 2}
        | {"model_version": 1}
    ]
    assert ask("Highest score of ${device}", board="asset", asset=PUMP, device="feed-vibration") == []


def test_choices_of_the_variables(ask: Ask) -> None:
    (assets,) = ask("variable asset")
    assert set(assets.columns["_value"]) == {PUMP, FAN}
    (devices,) = ask("variable device", board="asset", asset=PUMP)
    assert set(devices.columns["_value"]) == {"feed-process", "feed-vibration"}
    (later,) = ask("variable asset", stop=START - timedelta(days=20))
    assert later.columns["_value"] == [OLD]


@pytest.mark.parametrize(
    ("flux", "complaint"),
    [
        ("${machine:regex}", "no variable"),
        ("v.timeRange", "no macro"),
        ("r.bucket", "something else"),
        ("${asset}", "several values"),
    ],
)
def test_the_engine_refuses_what_grafana_would_spoil(flux: str, complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        put_in(Asked("here", flux), {"asset": [PUMP, FAN]}, START, STOP, "b")
