"""The built dashboards: what Grafana's own model says of them, and what a person needs of every panel."""

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.cog.runtime import register_dataquery_variant
from grafana_foundation_sdk.models.dashboard import Dashboard

from cloud.grafana.dashboards import dashboard_text, dashboards
from cloud.grafana.queries import QUERIES
from cloud.grafana.query import variant_config
from cloud.grafana.units import unit_patterns

DASHBOARDS = dashboards()
BY_FLUX = {query().flux: query() for query in QUERIES.values()}
PANELS = [(name, panel) for name, board in DASHBOARDS.items() for panel in board["panels"] if panel["type"] != "row"]
each_panel = pytest.mark.parametrize(
    ("board", "panel"), PANELS, ids=[f"{name}: {panel['title']}" for name, panel in PANELS]
)
each_dashboard = pytest.mark.parametrize("board", DASHBOARDS.values(), ids=DASHBOARDS)


@each_dashboard
def test_reads_back_as_it_was_written(board: dict[str, Any]) -> None:
    register_default_plugins()
    register_dataquery_variant(variant_config())
    again = json.loads(json.dumps(Dashboard.from_json(board), cls=JSONEncoder))
    # The kit knows annotations of Grafana's built-in source alone and reads the target as one of those.
    again["annotations"] = board["annotations"]
    for panel, written in zip(again["panels"], board["panels"], strict=True):
        if panel["type"] == "table" and "custom" not in written["fieldConfig"]["defaults"]:
            # Read back, a table says how its cells are aligned and inspected when nobody says so.
            assert panel["fieldConfig"]["defaults"].pop("custom") == {"align": "auto", "inspect": False}
    assert again == board


def test_is_the_same_each_time() -> None:
    for name, board in dashboards().items():
        assert dashboard_text(board) == dashboard_text(DASHBOARDS[name])


def test_names_are_fixed() -> None:
    assert {name: board["uid"] for name, board in DASHBOARDS.items()} == {
        "plant": "tocsin-plant", "asset": "tocsin-asset",
    }  # fmt: skip
    sources = set(re.findall(r'"uid": "([^"]*)"', "".join(map(dashboard_text, DASHBOARDS.values()))))
    assert sources == {"tocsin-plant", "tocsin-asset", "tocsin-influxdb"}


@each_dashboard
def test_panels_lie_on_the_grid_beside_each_other(board: dict[str, Any]) -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] >= 0
        assert place["x"] + place["w"] <= 24
        for cell in itertools.product(
            range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        ):
            assert taken.setdefault(cell, panel["title"]) == panel["title"]
    rows = {y for _, y in taken}
    assert rows == set(range(max(rows) + 1)), "a gap"
    numbers = [panel["id"] for panel in board["panels"]]
    assert len(set(numbers)) == len(numbers)


@each_panel
def test_a_panel_says_what_it_shows(board: str, panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert len(panel["description"]) > 30
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["unit"]
    assert defaults["noValue"]
    assert panel["options"]
    assert panel["maxDataPoints"] >= 100
    assert panel["datasource"] == {"type": "influxdb", "uid": "tocsin-influxdb"}
    assert [target["refId"] for target in panel["targets"]] == ["A"]


@each_panel
def test_a_panel_is_fit_for_the_shape_of_its_query(board: str, panel: dict[str, Any]) -> None:
    query = BY_FLUX[panel["targets"][0]["query"]]
    of_tables = panel["type"] == "table" or panel["title"] == "Active alarms"
    assert query.shape == ("table" if of_tables else "series")


@each_panel
def test_a_panel_names_only_columns_that_come(board: str, panel: dict[str, Any]) -> None:
    query = BY_FLUX[panel["targets"][0]["query"]]
    text = json.dumps(panel)
    assert set(re.findall(r"__data\.fields\.(\w+)", text)) <= set(query.columns)
    assert set(re.findall(r"__field\.labels\.(\w+)", text)) <= set(query.columns)
    named = {rule["matcher"]["options"] for rule in overrides(panel) if rule["matcher"]["id"] == "byName"}
    if panel["type"] == "table":
        assert named == set(query.columns), "a column without a title"
        (ordered,) = panel["transformations"]
        assert set(ordered["options"]["indexByName"]) == set(query.columns)
    else:
        assert named <= {"fused", "gateway", "sensor"}


def overrides(panel: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from panel["fieldConfig"]["overrides"]


@each_dashboard
def test_variables_are_those_that_queries_use(board: dict[str, Any]) -> None:
    known = {variable["name"] for variable in board["templating"]["list"]}
    used = set(re.findall(r"\$\{(?!__)(\w+)", json.dumps(board)))
    assert used == known


@each_dashboard
def test_a_query_puts_variables_into_patterns_only(board: dict[str, Any]) -> None:
    for query in BY_FLUX:
        for before, name, form in re.findall(r"(.{0,2})\$\{(\w+)(:\w+)?\}", query):
            assert (before, form) == ("/^", ":regex") if name != "silent_after" else form == ""


def test_the_dashboards_lead_to_each_other() -> None:
    links = {name: [link["url"] for link in board["links"]] for name, board in DASHBOARDS.items()}
    assert links == {"plant": ["/d/tocsin-asset"], "asset": ["/d/tocsin-plant"]}
    data_links = set(re.findall(r'"(/d/tocsin-asset\?[^"]*)"', dashboard_text(DASHBOARDS["plant"])))
    assert data_links == {
        "/d/tocsin-asset?${__url_time_range}&var-asset=${__field.labels.asset:percentencode}",
        "/d/tocsin-asset?${__url_time_range}&var-asset=${__data.fields.asset:percentencode}",
    }


def test_every_score_shows_the_threshold() -> None:
    for _, panel in PANELS:
        if panel["type"] == "timeseries" and "core" in panel["title"]:
            defaults = panel["fieldConfig"]["defaults"]
            assert [step["value"] for step in defaults["thresholds"]["steps"]] == [None, 1.0]
            assert defaults["custom"]["thresholdsStyle"] == {"mode": "dashed+area"}


def luminance(colour: str) -> float:
    red, green, blue = (int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5))
    return 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2


def test_normal_and_alarm_differ_for_every_eye() -> None:
    (tiles,) = (panel for name, panel in PANELS if panel["title"] == "Assets now")
    quiet, normal, alarm = (step["color"] for step in tiles["fieldConfig"]["defaults"]["thresholds"]["steps"])
    pairs = itertools.combinations((quiet, normal, alarm), 2)
    assert all(abs(luminance(first) - luminance(second)) > 0.05 for first, second in pairs)


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("temperature [degC]", "celsius"),
        ("motor current [A]", "amp"),
        ("x [m/s^2]", "accMS2"),
        ("x rms [mm/s]", "suffix: mm/s"),
        ("speed [1/min]", "rotrpm"),
        ("x level [healthy deviations]", "suffix: \u03c3"),
        ("level", None),
        ("valve [%]", "percent"),
        ("A [parts]", None),
        ("x [ms]", "ms"),
    ],
)
def test_units_by_the_names_of_series(name: str, unit: str | None) -> None:
    found = [grafana for pattern, grafana in unit_patterns() if re.search(pattern[1:-1], name)]
    assert found == ([] if unit is None else [unit])
