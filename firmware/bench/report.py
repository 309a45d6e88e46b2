"""``python -m firmware.bench.report``: the tables of docs/kernels.md and README.md out of the committed result.

python -m firmware.bench.report --update                  write the tables again
python -m firmware.bench.report --update --result FILE    take FILE as the committed result first
python -m firmware.bench.report                           say whether tables and result agree
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from firmware.bench.readme_table import CORE_NAMES, short_table
from firmware.bench.rows import MEASURED, OWN, QUOTED, ResultError, Row, read_rows, write_rows
from firmware.kernels.cores import KERNELS
from shared.errors import TocsinError

_ROOT = Path(__file__).resolve().parents[2]
RESULT = _ROOT / "docs" / "firmware-benchmark.json"
PAGE = _ROOT / "docs" / "kernels.md"
README = _ROOT / "README.md"
BEGIN = "<!-- begin: python -m firmware.bench.report --update -->\n"
END = "<!-- end -->\n"
_PLAIN = "plain"
_HEADERS = (
    *("model", "core", "engine", "instructions, mean", "largest", "per MAC", "energy, µJ"),
    *("code", "tables", "RAM", "stack"),
)


def table(rows: list[Row]) -> str:
    """Two Markdown tables, instructions and compared bytes, and the inputs; rows of the same figures share a line."""
    counted = [row for row in rows if row.instructions_mean is not None]
    lines = ["| " + " | ".join(_HEADERS) + " |", "|" + "---|" * len(_HEADERS)]
    merged: dict[tuple[str, ...], list[str]] = {}
    for row in counted:
        merged.setdefault((row.model, *_cells(row)), []).append(CORE_NAMES.get(row.core, row.core))
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
    name = f"{row.engine}, {row.variant}"
    if row.engine.startswith(OWN):
        name = f"**{row.variant}**" if row.variant in KERNELS else row.variant
    if row.variant == _PLAIN:
        name = "plain C, -O2"
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
            whose = "" if row.engine.startswith(OWN) else f", {row.engine}"
            fewer = row.inputs.startswith("the first")
            if not whose or fewer:
                cores = ", cores without floating point" if fewer else ""
                sentences[f"Inputs of {row.model}{whose}{cores}: {row.inputs}."] = None
    return list(sentences)


def page_with(rows: list[Row], page: str, make: Callable[[list[Row]], str] = table, name: str = PAGE.name) -> str:
    """The page with its table made anew; ResultError where the two marks are not in it."""
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ResultError(f"{name} lacks the lines {BEGIN.strip()} and {END.strip()}: put them where the table goes")
    return head + BEGIN + "\n" + make(rows) + "\n" + END + tail


def main(arguments: list[str]) -> int:
    """0 when the page shows the committed result, 1 with one sentence when not."""
    parser = argparse.ArgumentParser(prog="python -m firmware.bench.report")
    parser.add_argument("--update", action="store_true", help="write the tables into docs/kernels.md and README.md")
    parser.add_argument("--result", type=Path, help="with --update: this file becomes the committed result")
    options = parser.parse_args(arguments)
    try:
        if options.update and options.result is not None:
            write_rows(read_rows(options.result), RESULT)
        rows = read_rows(RESULT)
        pages = [
            (path, path.read_text(encoding="utf-8"), make) for path, make in ((PAGE, table), (README, short_table))
        ]
        wanted = [page_with(rows, page, make, path.name) for path, page, make in pages]
    except TocsinError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_status
    others = [(path, after) for (path, before, _), after in zip(pages, wanted, strict=True) if before != after]
    if options.update:
        for path, after in others:
            path.write_text(after, encoding="utf-8")
        return 0
    for path, _ in others:
        sys.stderr.write(f"{path.name} shows another result: run python -m firmware.bench.report --update\n")
    return 1 if others else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
