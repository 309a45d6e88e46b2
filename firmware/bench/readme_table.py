"""The short table of the README: what an inference costs, beside others, out of the committed result."""

from firmware.bench.models import ANOMALY_MODEL, SENSOR_MODEL
from firmware.bench.rows import MEASURED, QUOTED, Row
from firmware.kernels.cores import CORES

CORE_NAMES = {"m0": "M0+", "m3": "M3", "m4": "M4", "m7": "M7", "m33": "M33", "m55": "M55"}
_HEADERS = (
    *("model", "core", "Tocsin: instructions, mean", "for every input at most", "RAM of the inference, bytes"),
    *("TensorFlow Lite Micro with CMSIS-NN (quoted)", "its RAM", "emlearn, float32 (measured)", "its RAM"),
)


def short_table(rows: list[Row]) -> str:
    """A Markdown table: a line for each model and core of which there is a measurement of ours."""
    lines = ["| " + " | ".join(_HEADERS) + " |", "|" + "---|" * len(_HEADERS)]
    for model in (ANOMALY_MODEL, SENSOR_MODEL):
        for core in CORES.values():
            found = {
                row.variant: row for row in rows if (row.model, row.core, row.source) == (model, core.name, MEASURED)
            }
            if core.fast not in found:
                continue
            fast, steady = found[core.fast], found[core.steady]
            quoted = next(
                (row for row in rows if (row.model, row.core, row.source) == (model, core.name, QUOTED)), None
            )
            emlearn = next((row for row in found.values() if row.engine.startswith("emlearn")), None)
            cells = [
                *(_number(fast.instructions_mean), _number(steady.instructions_worst), _number(fast.ram_bytes)),
                *(cell for other in (quoted, emlearn) for cell in _instructions_and_ram(other)),
            ]
            lines.append(f"| {model} | {CORE_NAMES[core.name]} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _instructions_and_ram(row: Row | None) -> tuple[str, str]:
    return ("-", "-") if row is None else (_number(row.instructions_mean), _number(row.ram_bytes))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"
