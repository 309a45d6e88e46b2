"""Whether explanations name the right channel: ``python -m tocsin.evaluation.faithfulness``.

Writes docs/faithfulness.json and puts its tables into docs/explanation.md. Without the folder of recordings
(TOCSIN_DATASETS) only the simulated plant is judged, and nothing is written.
"""

import json
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from tocsin.datasets.folder import recordings_folder
from tocsin.evaluation.faithfulness_faults import AMPLITUDES, FAULTS
from tocsin.evaluation.faithfulness_grid import CHANNELS, DURATION_ROWS, FLAGGED_SHARE, STRETCHES, Injected
from tocsin.evaluation.faithfulness_plants import RECORDED, plant_named, present

ROOT = Path(__file__).resolve().parents[2]
RESULT = ROOT / "docs" / "faithfulness.json"
PAGE = ROOT / "docs" / "explanation.md"
SEED = 0
#: What is asked for: of the cells in which at least the first share is detected, the second is to be named rightly.
DETECTED, NAMED = 0.90, 0.95
_BEGIN, _END = "<!-- begin: python -m tocsin.evaluation.faithfulness -->", "<!-- end -->"
Row = dict[str, Any]


def rows_of(plant: str, folder: Path) -> tuple[int, list[Row]]:
    """Stretches left out, and the rows of every fault in one plant."""
    injected = Injected(plant_named(plant, folder))
    return injected.left_out, [cell.row() for fault in FAULTS for cell in injected.cells(fault, SEED)]


def measured(plants: list[str], folder: Path, workers: int) -> Row:
    """The result for these plants."""
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_quiet) as pool:
        found = dict(zip(plants, pool.map(rows_of, plants, [folder] * len(plants)), strict=True))
    rows = [row for _, rows in found.values() for row in rows]
    return {
        "seed": SEED,
        "duration_rows": DURATION_ROWS,
        "stretches": STRETCHES,
        "channels": CHANNELS,
        "flagged_share": FLAGGED_SHARE,
        "stretches_left_out": {plant: left_out for plant, (left_out, _) in found.items()},
        "summary": summary(rows),
        "rows": rows,
    }


def summary(rows: list[Row]) -> Row:
    """Cells in which nearly all is detected: how many there are, and how often the right channel is named there."""
    clear = [row for row in rows if row["runs"] and row["detected"] >= DETECTED * row["runs"]]
    detected = sum(row["detected"] for row in clear)
    return {
        "cells": len(clear),
        "detected": detected,
        "named": sum(row["named"] for row in clear),
        "named_at_begin": sum(row["named_at_begin"] for row in clear),
        "rows": sum(row["rows"] for row in clear),
        "top_rows": sum(row["top_rows"] for row in clear),
        "cells_below": sorted(
            f"{row['plant']}: {row['fault']} {row['amplitude']}"
            for row in clear
            if row["named"] < NAMED * row["detected"]
        ),
    }


def encoded(result: Row) -> str:
    """The JSON of a result, a row to a line."""
    head = json.dumps({name: value for name, value in result.items() if name != "rows"}, indent=1)
    rows = ",\n  ".join(json.dumps(row) for row in result["rows"])
    return f'{head[:-2]},\n "rows": [\n  {rows}\n ]\n}}\n'


def tables(result: Row) -> str:
    """The Markdown of a result."""
    rows = result["rows"]
    plants = list(result["stretches_left_out"])
    runs, found = sum(row["runs"] for row in rows), result["summary"]
    what = (
        f"{runs} runs. Each cell: share detected / of these, share that names the injected channel first (%); bold "
        f"where at least {DETECTED:.0%} are detected. All plants together:"
    )
    conclusion = (
        f"Cells of single plants in which at least {DETECTED:.0%} are detected: {found['cells']}, with "
        f"{found['detected']} detected runs. The injected channel is named first in "
        f"{_share(found['named'], found['detected'])} % of them, and as the alarm begins in "
        f"{_share(found['named_at_begin'], found['detected'])} %. "
        f"It is the stored top channel of {_share(found['top_rows'], found['rows'])} % of their rows that are flagged "
        f"or in alarm. Cells below {NAMED:.0%}: {', '.join(found['cells_below']) or 'none'}."
    )
    lines = [what, "", _header()]
    lines += [_line(fault, [row for row in rows if row["fault"] == fault]) for fault in FAULTS]
    lines += ["", conclusion]
    for plant in plants:
        own = [row for row in rows if row["plant"] == plant]
        left_out = result["stretches_left_out"][plant]
        remark = (
            f" ({left_out} of {result['stretches']} stretches left out: in alarm without a fault)" if left_out else ""
        )
        lines += ["", f"**{plant}**{remark}", "", _header()]
        lines += [_line(fault, [row for row in own if row["fault"] == fault]) for fault in FAULTS]
    lines += ["", "Rows from the injection to the moment that the alarm tells as its begin (negative: too early):", ""]
    lines += ["| fault | alarms | 10 % | median | 90 % |", "|---|---|---|---|---|"]
    for fault in FAULTS:
        since = [rows_late for row in rows if row["fault"] == fault for rows_late in row["since_rows"]]
        low, middle, high = np.quantile(since, [0.1, 0.5, 0.9]) if since else (np.nan,) * 3
        lines.append(f"| {fault} | {len(since)} | {low:.0f} | {middle:.0f} | {high:.0f} |")
    return "\n".join(lines)


def with_tables(page: str, result: Row) -> str:
    """A page with the tables between its markers."""
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n\n{tables(result)}\n\n{_END}{after}"


def _header() -> str:
    titles = ["fault", "no amplitude", *map(str, AMPLITUDES)]
    return f"| {' | '.join(titles)} |\n|{'---|' * len(titles)}"


def _line(fault: str, rows: list[Row]) -> str:
    texts = []
    for amplitude in (0, *AMPLITUDES):
        own = [row for row in rows if row["amplitude"] == amplitude]
        runs, detected, named = (sum(row[name] for row in own) for name in ("runs", "detected", "named"))
        if not runs:
            texts.append("")
            continue
        text = f"{_share(detected, runs)} / {_share(named, detected)}"
        texts.append(f"**{text}**" if detected >= DETECTED * runs else text)
    return f"| {fault} | {' | '.join(texts)} |"


def _share(part: int, whole: int) -> str:
    return f"{100.0 * part / whole:.3g}" if whole else "-"


def _quiet() -> None:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"


def main() -> None:
    """Measure, print the tables and write both files if every recording is there."""
    folder = recordings_folder()
    plants = present(folder)
    result = measured(plants, folder, os.cpu_count() or 1)
    if len(plants) == 1 + len(RECORDED):
        RESULT.write_text(encoded(result), encoding="utf-8")
        if PAGE.exists():
            PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8"), result), encoding="utf-8")
    print(tables(result))


if __name__ == "__main__":
    main()
