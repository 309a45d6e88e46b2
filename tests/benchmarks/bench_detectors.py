"""What a reading costs the gateway, beside river's half-space trees one by one in the same run; sizes; a year rescored.

``make bench-detectors`` prints the table and writes build/benchmarks/detectors.json; ``python
tests/support/detectors_table.py --update --result FILE`` puts it into docs/detection.md. ``TOCSIN_BENCH_DAYS`` (1) is
how many days of one asset are rescored: a year would be 365.
"""

import os
from pathlib import Path

import pytest
from detectors_measure import FLEET, RIVER, measured, write_result
from detectors_table import table

RESULTS = Path("build/benchmarks/detectors.json")
#: Goals: of one core, for a reading of 8 channels; of a stored state; of a year of one asset.
MICROSECONDS_MAX, STATE_BYTES_MAX, YEAR_MINUTES_MAX = 15.0, 20_000, 30.0


def test_cost_of_a_reading(capsys: pytest.CaptureFixture[str]) -> None:
    result = measured(float(os.environ.get("TOCSIN_BENCH_DAYS", "1")))
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    write_result(result, RESULTS)
    with capsys.disabled():
        print("\n" + table(result))
    fleet, river = result.cost(FLEET), result.cost(RIVER)
    assert fleet.microseconds_per_reading <= MICROSECONDS_MAX
    assert fleet.microseconds_per_reading < river.microseconds_per_reading
    assert fleet.state_bytes is not None
    assert fleet.state_bytes <= STATE_BYTES_MAX
    assert result.rescoring.checkpoint_bytes <= STATE_BYTES_MAX
    assert result.rescoring.year_minutes <= YEAR_MINUTES_MAX
