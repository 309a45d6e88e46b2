"""The rows of the benchmark's result, measured here or quoted."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware.bench.measure import Measurement
from firmware.errors import FirmwareError

MEASURED = "measured"
QUOTED = "quoted"
MISSING = "missing"
#: What the names of our own engines begin with.
OWN = "tocsin"
#: Nothing was measured on silicon: one assumption for all cores, so that energies compare as instructions do.
CYCLES_PER_INSTRUCTION = 1.5
MICROAMPERES_PER_MEGAHERTZ = 100.0
VOLTS = 3.0
#: Its instructions take two beats or four: the assumption would not hold.
VECTOR_CORE = "m55"
ENERGY_ASSUMPTIONS = (
    f"assumed, not measured: {CYCLES_PER_INSTRUCTION} cycles per instruction, "
    f"{MICROAMPERES_PER_MEGAHERTZ:.0f} microamperes per megahertz at {VOLTS:.0f} V"
)


class ResultError(FirmwareError):
    """A file that is no result of the benchmark."""


@dataclass(frozen=True)
class Row:
    """One engine on one core. None: does not apply, or was not measured.

    `instructions_first` are those of the first of `inputs`, so that a count can be repeated to the instruction without
    the others. `instructions_worst` holds for every input with Tocsin's own kernels but `plain`, else it is the largest
    seen.
    `differing_bytes` of `compared_bytes` outputs are not those of LiteRT's reference kernels.
    """

    model: str
    core: str
    variant: str
    engine: str
    source: str
    inputs: str | None = None
    instructions_first: int | None = None
    instructions_mean: float | None = None
    instructions_worst: int | None = None
    instructions_per_mac: float | None = None
    code_bytes: int | None = None
    table_bytes: int | None = None
    ram_bytes: int | None = None
    stack_bytes: int | None = None
    energy_microjoules: float | None = None
    energy_assumptions: str | None = None
    differing_bytes: int | None = None
    compared_bytes: int | None = None
    note: str | None = None


def energy_microjoules(instructions: float) -> float:
    """The estimate of `ENERGY_ASSUMPTIONS`.

    >>> energy_microjoules(1_000_000)
    450.0
    """
    # a microampere per megahertz is a picocoulomb per cycle
    return round(instructions * CYCLES_PER_INSTRUCTION * MICROAMPERES_PER_MEGAHERTZ * VOLTS / 1e6, 3)


def with_rates(row: Row, products: int | None) -> Row:
    """The row with what follows from its mean; the core with vector instructions is given no energy.

    `products` is None for what is no inference.
    """
    if row.instructions_mean is None:
        return row
    per_mac = None if products is None else round(row.instructions_mean / products, 4)
    if row.core == VECTOR_CORE:
        return dataclasses.replace(row, instructions_per_mac=per_mac)
    return dataclasses.replace(
        row,
        instructions_per_mac=per_mac,
        energy_microjoules=energy_microjoules(row.instructions_mean),
        energy_assumptions=ENERGY_ASSUMPTIONS,
    )


def row_of(measured: Measurement, engine: str, inputs: str, products: int) -> Row:
    """A measurement of ours as a row."""
    row = Row(
        model=measured.model,
        core=measured.core,
        variant=measured.variant,
        engine=engine,
        source=MEASURED,
        inputs=inputs,
        instructions_first=measured.instructions_first,
        instructions_mean=round(measured.instructions_mean, 2),
        instructions_worst=measured.instructions_worst,
        code_bytes=measured.code_bytes,
        table_bytes=measured.table_bytes,
        ram_bytes=measured.ram_bytes,
        stack_bytes=measured.stack_bytes,
    )
    return with_rates(row, products)


def write_rows(rows: list[Row], path: Path) -> None:
    """The rows as a JSON list; the same rows give the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([dataclasses.asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")


def read_rows(path: Path) -> list[Row]:
    """ResultError where the file is missing or is not what `write_rows` writes."""
    try:
        content: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
        return [Row(**entry) for entry in content]
    except OSError as error:
        raise ResultError(f"{path} cannot be read: {error.strerror}; run make bench-firmware") from error
    except (ValueError, TypeError) as error:
        raise ResultError(f"{path} is no result of the benchmark: {error}; run make bench-firmware") from error
