"""``python -m firmware.bench``: measures kernels and peers, prints the table and writes the rows as JSON."""

import argparse
import importlib.metadata
import os
import sys
from pathlib import Path

from firmware.bench.emlearn_peer import emlearn_rows
from firmware.bench.feature_rows import feature_rows
from firmware.bench.measure import measure_kernel
from firmware.bench.models import BEARING_FILE, BenchModel, bench_models
from firmware.bench.qemu_machine import find_qemu
from firmware.bench.quoted import quoted_rows
from firmware.bench.report import table
from firmware.bench.rows import OWN, Row, row_of, write_rows
from firmware.bench.sample_rows import sample_rows
from firmware.bench.tflite_peers import tflite_rows
from firmware.kernels.cores import CORES, kernel_named
from shared.errors import TocsinError, UsageError

OUTPUT = Path("build/bench/firmware.json")


def measured_rows(model: BenchModel, core_names: list[str]) -> list[Row]:
    """Every kernel of the cores, the plain loops among them."""
    engine = f"{OWN}, {compiler()}"
    cores = [CORES[name] for name in core_names]
    return [
        row_of(
            measure_kernel(model.name, model.layers, model.inputs, core, kernel),
            engine,
            model.inputs_name,
            model.products,
        )
        for core in cores
        for kernel in map(kernel_named, core.kernels)
    ]


def compiler() -> str:
    """What the kernels are built with."""
    return f"ziglang {importlib.metadata.version('ziglang')}"


def available_cores() -> tuple[list[str], list[str]]:
    """Names of the cores that this machine can emulate, and one sentence for those it cannot."""
    try:
        find_qemu()
    except UsageError as error:
        left = [core.name for core in CORES.values() if core.unicorn_name is None]
        return [name for name in CORES if name not in left], [f"{', '.join(left)} is left out: {error}"]
    return list(CORES), []


def all_rows(datasets: Path | None) -> tuple[list[Row], list[str]]:
    """All rows, and one sentence for each thing that was left out."""
    models, notes = bench_models(datasets)
    names, core_notes = available_cores()
    rows: list[Row] = []
    for model in models:
        rows += measured_rows(model, names)
        rows += emlearn_rows(model, [CORES[name] for name in names])
        rows += tflite_rows(model)
        rows += quoted_rows(model)
    bearing = None if datasets is None else datasets / BEARING_FILE
    recorded = bearing if bearing is not None and bearing.is_file() else None
    rows += feature_rows(recorded, [CORES[name] for name in names], compiler())
    rows += sample_rows(recorded, [CORES[name] for name in names], compiler())
    return rows, notes + core_notes


def main(arguments: list[str]) -> int:
    """0 when everything that this machine can measure was measured; else one sentence on standard error."""
    parser = argparse.ArgumentParser(prog="python -m firmware.bench", description=__doc__)
    parser.add_argument("--datasets", type=Path, help="folder with mlperf_tiny_ad and cwru48k; default TOCSIN_DATASETS")
    parser.add_argument("--output", type=Path, default=OUTPUT, help=f"the rows as JSON; default {OUTPUT}")
    options = parser.parse_args(arguments)
    folder = os.environ.get("TOCSIN_DATASETS")
    datasets = options.datasets or (Path(folder) if folder else None)
    try:
        rows, notes = all_rows(datasets)
        write_rows(rows, options.output)
    except TocsinError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_status
    sys.stdout.write(table(rows))
    for note in notes:
        sys.stdout.write(f"{note}\n")
    sys.stdout.write(f"{len(rows)} rows in {options.output}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
