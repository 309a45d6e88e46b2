"""Figures of others that no package index lets this machine measure: quoted, with where they come from."""

from firmware.bench.models import ANOMALY_MODEL, SENSOR_MODEL, BenchModel
from firmware.bench.rows import QUOTED, Row, with_rates

_ENGINE = "TensorFlow Lite Micro, CMSIS-NN"
_NOTE = "quoted: counted with QEMU apart from this run; rounds twice, so its bytes are others"
#: Model, core, instructions, bytes of code and its tables, bytes of static RAM.
_QUOTED = (
    (ANOMALY_MODEL, "m0", 1_763_500, 34_852, 2_864),
    (ANOMALY_MODEL, "m4", 583_378, 31_496, 2_864),
    (ANOMALY_MODEL, "m33", 583_851, None, None),
    (ANOMALY_MODEL, "m55", 286_044, 24_040, 5_172),
    (SENSOR_MODEL, "m4", 18_387, 42_668, 2_352),
)


def quoted_rows(model: BenchModel) -> list[Row]:
    """The quoted rows of a model."""
    rows = [
        Row(
            name,
            core,
            "int8",
            _ENGINE,
            QUOTED,
            instructions_mean=float(instructions),
            code_bytes=flash,
            ram_bytes=ram,
            note=_NOTE if name == ANOMALY_MODEL else f"{_NOTE}; code with tables",
        )
        for name, core, instructions, flash, ram in _QUOTED
        if name == model.name
    ]
    return [with_rates(row, model.products) for row in rows]
