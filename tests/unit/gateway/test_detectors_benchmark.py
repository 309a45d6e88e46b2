"""The committed result of `make bench-detectors` is what the page shows, and meets its goals."""

from dataclasses import replace

import detectors_table
import pytest
from detectors_measure import ALONE, FLEET, RIVER, YEAR_ROWS, read_result, write_result

RESULT = read_result(detectors_table.RESULT)


def test_the_page_shows_the_committed_result(tmp_path):
    page = detectors_table.PAGE.read_text(encoding="utf-8")
    assert detectors_table.page_with(RESULT, page) == page
    slower = replace(RESULT, rescoring=replace(RESULT.rescoring, seconds=2.0 * RESULT.rescoring.seconds))
    assert detectors_table.page_with(slower, page) != page
    with pytest.raises(ValueError, match=r"detection\.md lacks the lines"):
        detectors_table.page_with(RESULT, page.replace(detectors_table.END, ""))
    write_result(RESULT, tmp_path / "result.json")
    assert read_result(tmp_path / "result.json") == RESULT


def test_the_committed_result_meets_its_goals():
    fleet, river = RESULT.cost(FLEET), RESULT.cost(RIVER)
    assert (fleet.channels, river.channels) == (8, 8)
    assert fleet.microseconds_per_reading <= 15.0
    assert fleet.microseconds_per_reading < RESULT.cost(ALONE).microseconds_per_reading
    assert fleet.microseconds_per_reading < river.microseconds_per_reading
    assert fleet.state_bytes is not None
    assert fleet.state_bytes <= 20_000
    assert RESULT.rescoring.checkpoint_bytes <= 20_000
    assert RESULT.rescoring.days >= 30.0
    assert RESULT.rescoring.seconds * YEAR_ROWS / RESULT.rescoring.readings <= 30.0 * 60.0
