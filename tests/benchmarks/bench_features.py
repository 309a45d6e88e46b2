"""Instructions of the features of 3 axes x 1024 samples, 16 bands and 8 of an envelope, on emulated Cortex-M cores.

`make bench` prints the table and writes it to build/benchmarks/features.json. Emulation counts every instruction
exactly; instructions are not cycles.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from feature_windows import strained_windows

from firmware.bench.features import EmulatedFeatures
from firmware.kernels.cores import core_named
from shared.signal.definition import band_edges

SEED = 20260101
#: 8 bands of the envelope of 256 bins.
ENVELOPE = (128, 256, tuple(band_edges(256, 8)))
RESULTS = Path("build/benchmarks/features.json")
CORES = [("m4", False), ("m7", False), ("m4", True), ("m33", True), ("m3", False), ("m0", False)]


def test_instructions_of_features(capsys: pytest.CaptureFixture[str]) -> None:
    windows = np.random.default_rng(SEED).normal(0, 1024, (3, 1024)).round().astype(np.int64)
    strained = strained_windows(1024)
    edges = band_edges(1024, 16)
    table = []
    for name, portable in CORES:
        core = EmulatedFeatures(core_named(name), portable=portable, count=True)
        typical = core.features(windows, edges)
        places = [core.features(windows, edges, oldest).instructions for oldest in range(0, 1024, 31)]
        worst = [core.features(strained[[row] * 3], edges, 511).instructions for row in range(len(strained))]
        enveloped = [
            core.features(some, edges, 511, envelope=ENVELOPE)
            for some in (windows, *(strained[[row] * 3] for row in range(0, len(strained), 4)))
        ]
        row = {
            "core": name,
            "source": "dsp" if core.program.constant_bytes > 10_000 else "portable",
            "all": typical.instructions,
            "worst": max(*places, *worst),
            **{part: 3 * count for part, count in core.parts(windows[:1], edges, ENVELOPE).items()},
            "all+env": enveloped[0].instructions,
            "worst+env": max(counted.instructions for counted in enveloped),
            "code_bytes": core.program.code_bytes,
            "table_bytes": core.program.constant_bytes,
            "stack_bytes": typical.stack_bytes,
            "stack+env": max(counted.stack_bytes for counted in enveloped),
        }
        table.append(row)
    result = {"seed": SEED, "axes": 3, "samples": 1024, "bands": 16, "envelope": ENVELOPE, "cores": table}
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    with capsys.disabled():
        print("\n" + "".join(f"{name:>12}" for name in table[0]))
        for row in table:
            print("".join(f"{value:>12}" for value in row.values()))
    assert table[0]["worst"] <= 140_000
    assert table[0]["worst+env"] <= 260_000
