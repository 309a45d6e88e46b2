"""Instructions of all features of a window of 3 axes x 1024 samples, 16 bands, on emulated Cortex-M cores, by part.

`make bench` prints the table and writes it to build/benchmarks/features.json. Emulation counts every instruction
exactly; instructions are not cycles.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from emulated_features import EmulatedFeatures
from feature_windows import strained_windows

from shared.signal.definition import band_edges

SEED = 20260101
RESULTS = Path("build/benchmarks/features.json")
CORES = [("m4", False), ("m7", False), ("m4", True), ("m33", True), ("m3", False), ("m0", False)]


def test_instructions_of_features(capsys: pytest.CaptureFixture[str]) -> None:
    windows = np.random.default_rng(SEED).normal(0, 1024, (3, 1024)).round().astype(np.int64)
    strained = strained_windows(1024)
    edges = band_edges(1024, 16)
    table = []
    for name, portable in CORES:
        core = EmulatedFeatures(name, portable=portable, count=True)
        typical = core.features(windows, edges)
        places = [core.features(windows, edges, oldest).instructions for oldest in range(0, 1024, 31)]
        worst = [core.features(strained[[row] * 3], edges, 511).instructions for row in range(len(strained))]
        row = {
            "core": name,
            "source": "dsp" if core.program.constant_bytes > 10_000 else "portable",
            "all": typical.instructions,
            "worst": max(*places, *worst),
            **{part: 3 * count for part, count in core.parts(windows[:1], edges).items()},
            "code_bytes": core.program.code_bytes,
            "table_bytes": core.program.constant_bytes,
            "stack_bytes": typical.stack_bytes,
        }
        table.append(row)
    result = {"seed": SEED, "axes": 3, "samples": 1024, "bands": 16, "cores": table}
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    with capsys.disabled():
        print("\n" + "".join(f"{name:>12}" for name in table[0]))
        for row in table:
            print("".join(f"{value:>12}" for value in row.values()))
    assert table[0]["worst"] <= 140_000
