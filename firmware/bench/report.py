"""``python -m firmware.bench.report``: the table of docs/kernels.md out of the committed result.

python -m firmware.bench.report --update                  write the table again
python -m firmware.bench.report --update --result FILE    take FILE as the committed result first
python -m firmware.bench.report                           say whether table and result agree
"""

import argparse
import sys
from pathlib import Path

from firmware.bench.rows import MEASURED, QUOTED, ResultError, Row, read_rows, write_rows
from shared.errors import TocsinError

_DOCS = Path(__file__).resolve().parents[2] / "docs"
RESULT = _DOCS / "firmware-benchmark.json"
PAGE = _DOCS / "kernels.md"
BEGIN = "<!-- begin: python -m firmware.bench.report --update -->\n"
END = "<!-- end -->\n"
_CORES = {"m0": "M0+", "m3": "M3", "m4": "M4", "m7": "M7", "m33": "M33", "m55": "M55"}
_HEADERS = (
    *("model", "core", "engine", "instructions, mean", "largest", "per MAC", "energy, µJ"),
    *("code", "tables", "RAM", "stack"),
)


def table(rows: list[Row], *, every: bool = False) -> str:
    """Two Markdown tables, instructions and compared bytes, and the inputs.

    Rows that differ in their core alone share a line. `portable` is left out unless `every`: the plain C beside it is
    the same source, compiled for speed.
    """
    counted = [row for row in rows if row.instructions_mean is not None and (every or row.variant != "portable")]
    lines = ["| " + " | ".join(_HEADERS) + " |", "|" + "---|" * len(_HEADERS)]
    merged: dict[tuple[str, ...], list[str]] = {}
    for row in counted:
        merged.setdefault((row.model, *_cells(row)), []).append(_CORES.get(row.core, row.core))
    lines += [f"| {key[0]} | {', '.join(cores)} | {' | '.join(key[1:])} |" for key, cores in merged.items()]
    compared = [row for row in rows if row.compared_bytes is not None]
    if compared:
        lines += ["", "| model | outputs of | other bytes than LiteRT |", "|---|---|---|"]
        lines += [
            f"| {row.model} | {row.engine} | {row.differing_bytes:,} of {row.compared_bytes:,} |" for row in compared
        ]
    lines += ["", *_inputs(rows)]
    lines += [f"{row.engine}, {row.model}: {row.note}." for row in rows if row.source not in (MEASURED, QUOTED)]
    return "\n".join(lines) + "\n"


def _cells(row: Row) -> tuple[str, ...]:
    name = f"**{row.variant}**" if row.engine.startswith("tocsin") else f"{row.engine}, {row.variant}"
    if row.variant.startswith("plain C"):
        name = row.variant
    if row.source == QUOTED:
        name = f"{row.engine} (quoted)"
    numbers = (row.instructions_mean, row.instructions_worst)
    sizes = (row.code_bytes, row.table_bytes, row.ram_bytes, row.stack_bytes)
    return (
        name,
        *("-" if value is None else f"{value:,.0f}" for value in numbers),
        "-" if row.instructions_per_mac is None else f"{row.instructions_per_mac:.2f}",
        "-" if row.energy_microjoules is None else f"{row.energy_microjoules:,.1f}",
        *("-" if value is None else f"{value:,}" for value in sizes),
    )


def _inputs(rows: list[Row]) -> list[str]:
    """One sentence for each model's inputs; engines that took fewer of them are named."""
    sentences: dict[str, None] = {}
    for row in rows:
        if row.inputs is not None and row.instructions_mean is not None:
            whose = "" if row.engine.startswith("tocsin") else f", {row.engine}"
            fewer = row.inputs.startswith("the first")
            if not whose or fewer:
                cores = ", cores without floating point" if fewer else ""
                sentences[f"Inputs of {row.model}{whose}{cores}: {row.inputs}."] = None
    return list(sentences)


def page_with(rows: list[Row], page: str) -> str:
    """The page with its table made anew; ResultError where the two marks are not in it."""
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ResultError(
            f"{PAGE.name} lacks the lines {BEGIN.strip()} and {END.strip()}: put them where the table goes"
        )
    return head + BEGIN + "\n" + table(rows) + "\n" + END + tail


def main(arguments: list[str]) -> int:
    """0 when the page shows the committed result, 1 with one sentence when not."""
    parser = argparse.ArgumentParser(prog="python -m firmware.bench.report")
    parser.add_argument("--update", action="store_true", help="write the table into docs/kernels.md")
    parser.add_argument("--result", type=Path, help="with --update: this file becomes the committed result")
    options = parser.parse_args(arguments)
    try:
        if options.update and options.result is not None:
            write_rows(read_rows(options.result), RESULT)
        page = PAGE.read_text(encoding="utf-8")
        wanted = page_with(read_rows(RESULT), page)
    except TocsinError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_status
    if options.update:
        PAGE.write_text(wanted, encoding="utf-8")
    elif page != wanted:
        sys.stderr.write("docs/kernels.md shows another result: run python -m firmware.bench.report --update\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
