"""How fast features are made: the integer reference (what the twin runs) beside its NumPy telling (what training runs).

`make bench` prints the rates and writes them, with seed, versions and machine, to build/benchmarks/signal.json.
"""

import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from shared.signal import arrays, integer
from shared.signal.definition import band_edges
from shared.signal.fast import fast_features
from shared.signal.spectrum import SpectrumPlan

SEED = 20260101
MEASURED_SECONDS = 1.0
RESULTS = Path("build/benchmarks/signal.json")


def rate(work: Callable[[], object], items: int) -> float:
    """Items per second of one core, over at least `MEASURED_SECONDS`; the first, cold, run is not counted."""
    work()
    begun = time.perf_counter()
    runs = 0
    while (spent := time.perf_counter() - begun) < MEASURED_SECONDS:
        work()
        runs += 1
    return runs * items / spent


def slow_rates() -> tuple[float, float]:
    """Rows per second of 8 channels with a window of 32, reference and NumPy, after checking that both agree."""
    rows, channels, window = 4096, 8, 32
    scaled = np.random.default_rng(SEED).integers(-1000, 1000, (rows, channels))
    starts = np.arange(rows) == 0

    def reference() -> list[list[int]]:
        windows = [integer.SlowWindow(window) for _ in range(channels)]
        found = []
        for row in scaled.tolist():
            for one, value in zip(windows, row, strict=True):
                one.push(value)
            found.append([feature for one in windows for feature in one.features()])
        return found

    made, full = arrays.slow_features(scaled, starts, window)
    assert np.array_equal(np.array(reference())[full], made[full])
    return rate(reference, rows), rate(lambda: arrays.slow_features(scaled, starts, window), rows)


def fast_rates(samples: int) -> tuple[float, float]:
    """Windows of one axis per second, reference and NumPy, after checking that both agree."""
    count, edges = 64, band_edges(samples, 16)
    windows = np.random.default_rng(SEED).integers(-8000, 8000, (count, samples))
    plan, listed = SpectrumPlan(samples), windows.tolist()

    def reference() -> list[list[int]]:
        return [fast_features(plan, values, edges) for values in listed]

    assert np.array_equal(np.array(reference()), arrays.fast_features(windows, tuple(edges)))
    return rate(reference, count), rate(lambda: arrays.fast_features(windows, tuple(edges)), count)


def test_features_per_second(capsys: pytest.CaptureFixture[str]) -> None:
    measured = {"slow rows, 8 channels": slow_rates()}
    measured |= {f"fast windows, {samples} samples": fast_rates(samples) for samples in (256, 1024)}
    result = {
        "seed": SEED,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "per_second": {name: {"reference": round(a), "numpy": round(b)} for name, (a, b) in measured.items()},
    }
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    with capsys.disabled():
        print(f"\n{'per second':<28}{'reference':>12}{'numpy':>12}")
        for name, (reference, vectorized) in measured.items():
            print(f"{name:<28}{reference:>12,.0f}{vectorized:>12,.0f}")
    for reference, vectorized in measured.values():
        assert vectorized > reference
