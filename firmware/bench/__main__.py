"""``python -m firmware.bench [FOLDER]``: the table of docs/kernels.md; FOLDER holds the MLPerf Tiny anomaly model."""

import sys
from pathlib import Path

import numpy as np

from firmware.bench.cores import CORES
from firmware.bench.measure import Measurement, measure
from firmware.bench.reference import SENSOR_WIDTHS, anomaly_model, random_layers
from shared.errors import TocsinError


def table(folder: Path | None) -> list[Measurement]:
    """Every kernel on every core, for the sensor's model and, given its folder, for the anomaly model."""
    rng = np.random.default_rng(1)
    layers = random_layers(rng, SENSOR_WIDTHS)
    models = [("-".join(map(str, SENSOR_WIDTHS)), layers, rng.integers(-128, 128, (20, SENSOR_WIDTHS[0]), np.int8))]
    if folder is not None:
        anomaly, windows = anomaly_model(folder)
        models.append(("AD", anomaly.layers, windows[::10]))
    return [
        measure(name, layers, inputs, core.name, kernel)
        for name, layers, inputs in models
        for core in CORES.values()
        for kernel in core.kernels
    ]


def main(arguments: list[str]) -> int:
    """Print the table; 1 with one sentence when it cannot be measured."""
    try:
        rows = table(Path(arguments[0]) if arguments else None)
    except TocsinError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_status
    sys.stdout.write("| model | core | kernel | instructions, mean | worst | code | tables | RAM | stack |\n")
    sys.stdout.write("|---|---|---|---|---|---|---|---|---|\n")
    for row in rows:
        stack = "-" if row.stack_bytes is None else str(row.stack_bytes)
        sys.stdout.write(
            f"| {row.model} | {row.core} | {row.variant} | {row.instructions_mean:,.0f} | {row.instructions_worst:,} "
            f"| {row.code_bytes:,} | {row.table_bytes:,} | {row.ram_bytes:,} | {stack} |\n"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
