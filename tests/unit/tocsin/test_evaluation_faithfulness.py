"""The committed table of how faithful explanations are: recomputed in part, and what it claims."""

import json
from collections import defaultdict

import numpy as np
import pytest

from tocsin.evaluation.faithfulness import DETECTED, NAMED, PAGE, RESULT, encoded, summary, tables, with_tables
from tocsin.evaluation.faithfulness_faults import AMPLITUDES, FAULTS, amplitudes_of, with_fault
from tocsin.evaluation.faithfulness_grid import Injected
from tocsin.evaluation.faithfulness_plants import RECORDED, simulated


@pytest.fixture(scope="module")
def result():
    return json.loads(RESULT.read_text(encoding="utf-8"))


def test_a_part_of_the_table_is_computed_again_exactly(result):
    injected = Injected(simulated())
    assert injected.left_out == result["stretches_left_out"]["simulated"]
    for fault in ("offset", "loss", "frozen"):
        told = [row for row in result["rows"] if (row["plant"], row["fault"]) == ("simulated", fault)]
        assert [cell.row() for cell in injected.cells(fault, result["seed"])] == told


def test_the_grid_is_whole_and_its_summary_follows_from_it(result):
    cells = defaultdict(list)
    for row in result["rows"]:
        cells[row["plant"]].append((row["fault"], row["amplitude"]))
        assert row["named"] <= row["detected"] <= row["runs"] > 0
    whole = [(fault, amplitude) for fault in FAULTS for amplitude in amplitudes_of(fault)]
    assert dict(cells) == dict.fromkeys(["simulated", *RECORDED], whole)
    assert summary(result["rows"]) == result["summary"]


def test_the_right_channel_is_named_where_nearly_all_is_detected(result):
    found = result["summary"]
    assert found["cells"] > 50
    assert found["named"] >= NAMED * found["detected"]
    # a cell has about twenty runs: one wrong name is 5 % of it
    assert len(found["cells_below"]) <= found["cells"] // 20
    pooled = defaultdict(lambda: np.zeros(3, int))
    for row in result["rows"]:
        pooled[row["fault"], row["amplitude"]] += [row["runs"], row["detected"], row["named"]]
    clear = {cell: counts for cell, counts in pooled.items() if counts[1] >= DETECTED * counts[0]}
    assert clear
    assert all(named >= NAMED * detected for _, detected, named in clear.values())


def test_the_page_shows_the_committed_result(result):
    page = PAGE.read_text(encoding="utf-8")
    assert with_tables(page, result) == page
    assert tables(result) in page
    assert encoded(result) == RESULT.read_text(encoding="utf-8")


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_begins_with_its_first_row_and_grows_with_its_amplitude(fault):
    values = np.random.default_rng(1).normal(5.0, 2.0, 100)

    def size(amplitude):
        changed = with_fault(values, fault, amplitude, 5.0, 2.0, 6.0, np.random.default_rng(2))
        assert changed.shape == values.shape
        return float(np.abs(changed - values).mean()) if fault != "loss" else float(np.isnan(changed).mean())

    sizes = [size(amplitude) for amplitude in amplitudes_of(fault)]
    assert sizes[0] > 0
    assert len(sizes) in (1, len(AMPLITUDES))
    assert sizes == sorted(sizes)
