"""The committed result of `make bench-firmware` is what the docs show."""

import dataclasses
import importlib.util
import json

import numpy as np
import pytest

from firmware.bench import report
from firmware.bench.emlearn_peer import emlearn_rows, float_layers
from firmware.bench.feature_rows import FEATURES
from firmware.bench.measure import expected
from firmware.bench.models import CONVOLUTIONAL_MODEL, SENSOR_MODEL, bench_models, sensor_model
from firmware.bench.quoted import quoted_rows
from firmware.bench.readme_table import short_table
from firmware.bench.rows import ENERGY_ASSUMPTIONS, MEASURED, ResultError, read_rows, write_rows
from firmware.bench.sample_rows import WINDOWS
from firmware.bench.tflite_peers import tflite_rows
from firmware.kernels.cores import CORES, core_named

NAMED = ("model", "core", "variant", "instructions_mean", "instructions_worst")
SIZES = ("code_bytes", "table_bytes", "ram_bytes", "stack_bytes")


@pytest.fixture(scope="module")
def rows():
    return read_rows(report.RESULT)


def test_the_page_shows_the_committed_result(rows):
    page = report.PAGE.read_text(encoding="utf-8")
    assert report.page_with(rows, page) == page
    first = next(number for number, row in enumerate(rows) if row.variant == "dsp")
    changed = [*rows]
    changed[first] = dataclasses.replace(rows[first], code_bytes=rows[first].code_bytes + 1)
    assert report.page_with(changed, page) != page
    with pytest.raises(ResultError, match=r"kernels\.md lacks the lines"):
        report.page_with(rows, page.replace(report.END, ""))


def test_the_readme_shows_the_committed_result(rows):
    page = report.README.read_text(encoding="utf-8")
    assert report.page_with(rows, page, short_table) == page
    fast = next(row for row in rows if (row.model, row.core, row.variant) == ("AD", "m0", CORES["m0"].fast))
    steady = next(row for row in rows if (row.model, row.core, row.variant) == ("AD", "m0", CORES["m0"].steady))
    line = next(line for line in page.splitlines() if line.startswith("| AD | M0+ |"))
    cells = [cell.strip() for cell in line.split("|")]
    assert cells[3:6] == [f"{fast.instructions_mean:,.0f}", f"{steady.instructions_worst:,}", f"{fast.ram_bytes:,}"]
    assert cells[6:8] == ["1,763,500", "2,864"]


def test_every_core_and_all_models_are_in_it(rows):
    assert set(json.loads(report.RESULT.read_text(encoding="utf-8"))[0]) >= {*NAMED, *SIZES}
    ours = {(row.model, row.core) for row in rows if row.engine.startswith("tocsin") and row.instructions_mean}
    cores = ("m0", "m3", "m4", "m7", "m33", "m55")
    models = ("AD", SENSOR_MODEL, CONVOLUTIONAL_MODEL)
    assert ours == {(model, core) for model in models for core in cores} | {
        (name, core) for name in (*FEATURES, *WINDOWS) for core in cores if core != "m55"
    }
    for row in rows:
        if row.source == MEASURED and row.instructions_mean:
            assert max(row.instructions_mean, row.instructions_first) <= row.instructions_worst
            assert row.inputs
            assert (row.energy_microjoules is None) == (row.core == "m55")
            assert row.energy_assumptions in (None, ENERGY_ASSUMPTIONS)


def test_three_axes_of_1024_samples_cost_less_than_400_000_instructions_in_all_on_an_m4(rows):
    """From raw counts to scaled features; a window of nothing but clipped samples is the largest."""
    costs = {row.model: row for row in rows if (row.core, row.variant) == ("m4", "DSP source, -O2")}
    plain, _ = WINDOWS
    assert costs[plain].instructions_worst < 400_000
    for window, features in WINDOWS.items():
        assert costs[window].instructions_mean - costs[features].instructions_mean < 180_000


def test_rows_are_read_as_they_were_written(rows, tmp_path):
    path = tmp_path / "deep" / "rows.json"
    write_rows(rows, path)
    assert read_rows(path) == rows
    assert path.read_bytes() == report.RESULT.read_bytes()
    path.write_text('[{"model": "AD"}]')
    with pytest.raises(ResultError, match="is no result of the benchmark"):
        read_rows(path)
    with pytest.raises(ResultError, match="run make bench-firmware"):
        read_rows(tmp_path / "absent.json")


def test_without_datasets_a_sentence_each_and_drawn_inputs(tmp_path):
    for folder in (None, tmp_path):
        models, notes = bench_models(folder)
        assert [model.name for model in models] == [SENSOR_MODEL, CONVOLUTIONAL_MODEL]
        assert all("drawn inputs" in model.inputs_name for model in models)
        assert len(notes) == 2
        assert all("set TOCSIN_DATASETS" in note for note in notes)
        assert all(row.source == "quoted" for row in quoted_rows(models[0]))


def test_a_peer_that_is_not_installed_is_a_row_with_the_remedy(monkeypatch, tmp_path):
    model = dataclasses.replace(sensor_model(None), file=tmp_path / "any.tflite")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    rows = emlearn_rows(model, [core_named("m4")]) + tflite_rows(model)
    assert {row.engine for row in rows} == {"emlearn", "tflite-micro", "tocsin"}
    for row in rows:
        assert (row.source, row.instructions_mean, row.compared_bytes) == ("missing", None, None)
        assert "pip install" in row.note
        assert row.note in report.table(rows)


def test_a_peer_gets_the_same_layers():
    model = sensor_model(None)
    activations, weights, biases = float_layers(model.layers)
    values = model.inputs.astype(np.float64)
    for activation, weight, bias in zip(activations, weights, biases, strict=True):
        values = values @ weight + bias
        values = np.maximum(values, 0) if activation == "relu" else values
    last = model.layers[-1]
    found = np.clip(np.rint(values) + last.zero, -128, 127)
    difference = np.abs(found - expected(model.layers, model.inputs))
    assert difference.max() <= 2
    assert (difference > 0).mean() < 0.25
