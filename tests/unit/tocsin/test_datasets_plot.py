"""Pictures of recordings: true to values and labels, and in need of nothing from elsewhere."""

import os
import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from typer.testing import CliRunner

from shared.errors import UsageError
from tocsin.datasets.chart import HEIGHT, TRUTH, WIDTH, channel
from tocsin.datasets.cli import app

RECORDINGS = os.environ.get("TOCSIN_DATASETS")
here = pytest.mark.skipif(not RECORDINGS, reason="TOCSIN_DATASETS is not set: name the folder of public recordings")
SPACE = {"svg": "http://www.w3.org/2000/svg"}


def drawn(values, healthy_rows=0, labels=None):
    return ET.fromstring(f"<svg>{channel(np.asarray(values, float), healthy_rows, labels)}</svg>")


def points_of(line):
    return [tuple(map(float, point.split(","))) for point in line.get("points").split()]


def test_a_single_extreme_row_of_very_many_is_drawn():
    values = np.zeros(300_000)
    values[123_456] = 7.0
    (line,) = drawn(values).findall("polyline")
    points = points_of(line)
    highest = min(points, key=lambda point: point[1])
    assert highest[0] == pytest.approx(WIDTH * 123_456 / 300_000, abs=0.1)
    assert len(points) < 3 * WIDTH
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in points)


def test_a_gap_in_the_values_is_a_gap_in_the_line():
    lines = drawn([1, 2, np.nan, np.nan, 3, np.nan, 2, 1]).findall("polyline")
    assert [len(points_of(line)) for line in lines] == [2, 2, 2]
    assert not drawn([np.nan, np.nan]).findall("polyline")


def test_anomalous_rows_lie_under_a_band():
    bands = [
        (float(band.get("x")), float(band.get("width")))
        for band in drawn(np.arange(10), 3, np.arange(10) >= 5).findall("rect")
        if band.get("fill") == TRUTH
    ]
    assert bands == [(WIDTH / 2, WIDTH / 2)]


def test_a_recording_of_ones_own_is_drawn_with_its_labels(tmp_path):
    rows = "".join(f"{value},{int(value > 6)}\n" for value in range(10))
    (tmp_path / "pump.csv").write_text("pressure <bar>,anomaly\n" + rows)
    answer = CliRunner().invoke(
        app, ["plot", "FOLDER", str(tmp_path / "pump.csv"), "-o", str(tmp_path / "pump.html")], catch_exceptions=False
    )
    assert answer.exit_code == 0
    page = (tmp_path / "pump.html").read_text()
    assert "anomalous: 3 rows" in page
    assert "pressure &lt;bar&gt;" in page
    assert not re.search(r"<script|<img|src=|url\(|@import|<link(?! rel=\"icon\" href=\"data:,\")", page)


@here
def test_a_public_recording_is_drawn_as_one_svg(tmp_path):
    out = tmp_path / "skab.svg"
    CliRunner().invoke(app, ["plot", "SKAB", "valve1/0", "-o", str(out), "--to", RECORDINGS], catch_exceptions=False)
    picture = ET.fromstring(out.read_text())
    assert len(picture.findall(".//svg:polyline", SPACE)) == 8
    assert "grey: the 400 rows that are declared healthy; yellow: the 401 anomalous rows" in out.read_text()


@here
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["SKAB", "valve9/0", "-o", "x.svg"], "SKAB has no recording 'valve9/0' here; it has other/1, other/2"),
        (["MLPERF", "clip", "-o", "x.svg"], "MLPERF holds no recording to plot"),
        (["SKAB", "valve1/0", "-o", "x.png"], r"x\.png ends neither in \.html nor in \.svg"),
        (["CMAPSS", "engine 0", "-o", "x.svg"], "CMAPSS has no recording 'engine 0' here; it has engine 1, engine 2"),
        (["SKAB", "valve1/0", "-o", "x.svg", "--to", "nowhere"], "nowhere/skab holds nothing of SKAB"),
    ],
)
def test_what_cannot_be_drawn_is_told(monkeypatch, tmp_path, words, said):
    monkeypatch.chdir(tmp_path)
    answer = CliRunner().invoke(app, ["plot", *words])
    assert isinstance(answer.exception, UsageError)
    assert re.search(said, str(answer.exception))
    assert not list(tmp_path.iterdir())
