"""What int8 costs the sensor's score on every recording with labels, three seeds each.

``make bench ARGS="-k quantization"`` with ``TOCSIN_DATASETS`` naming the folder of recordings prints the table and
writes build/benchmarks/quantization.json; ``python tests/support/quantization_table.py --update --result FILE`` puts it
into docs/training.md. ``TOCSIN_BENCH_EXAMS`` (SKAB,FAN,CWRU,TEP,SMD) and ``TOCSIN_BENCH_SEEDS`` (0,1,2) take a part of
it.
"""

import os
from pathlib import Path

import pytest
from quantization_measure import EXAMS, measured, write_rows
from quantization_table import table

RESULTS = Path("build/benchmarks/quantization.json")
#: Area under the curve that int8 may cost.
LOSS_MAX = 0.005


def test_loss_of_quantization(capsys: pytest.CaptureFixture[str]) -> None:
    folder = os.environ.get("TOCSIN_DATASETS")
    if not folder:
        pytest.skip("set TOCSIN_DATASETS to a folder with the public recordings")
    names = os.environ.get("TOCSIN_BENCH_EXAMS", ",".join(exam.name for exam in EXAMS)).split(",")
    seeds = tuple(int(seed) for seed in os.environ.get("TOCSIN_BENCH_SEEDS", "0,1,2").split(","))
    rows = []
    for row in measured(Path(folder), tuple(exam for exam in EXAMS if exam.name in names), seeds):
        rows.append(row)
        with capsys.disabled():
            print(f"{row.exam:>5} {row.trial:<12} seed {row.seed}: float {row.float_auc:.4f} int8 {row.int8_auc:.4f}")
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    write_rows(rows, RESULTS)
    with capsys.disabled():
        print("\n" + table(rows))
    assert max(row.loss for row in rows) <= LOSS_MAX
