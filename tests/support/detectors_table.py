"""The table of docs/detection.md on speed and size, out of the committed result.

python tests/support/detectors_table.py --update                 write the table again
python tests/support/detectors_table.py --update --result FILE   take FILE as the committed result first
python tests/support/detectors_table.py                          say whether table and result agree
"""

import argparse
import sys
from pathlib import Path

from detectors_measure import HEIGHT, RIVER, TREES, Cost, Result, read_result

_DOCS = Path(__file__).resolve().parents[2] / "docs"
RESULT = _DOCS / "detectors-benchmark.json"
PAGE = _DOCS / "detection.md"
BEGIN = "<!-- begin: python tests/support/detectors_table.py --update -->\n"
END = "<!-- end: speed and size -->\n"
_HEADERS = (
    "one reading of a slow device",
    "us of one core: quickest round",
    "middle",
    "to river's",
    "devices x channels",
    "readings a message",
    "memory a device",
    "stored",
)


def table(result: Result) -> str:
    """A line per form of a detector, then the rescored stretch."""
    river = result.cost(RIVER)
    lines = [
        "| " + " | ".join(_HEADERS) + " |",
        "|" + "---|" * len(_HEADERS),
        *(_line(cost, river) for cost in result.costs),
        "",
        _rescoring(result),
    ]
    return "\n".join(lines) + "\n"


def _line(cost: Cost, river: Cost) -> str:
    share = cost.microseconds_per_reading / river.microseconds_per_reading
    what = f"{cost.what} ({TREES} trees of height {HEIGHT})" if cost is river else cost.what
    cells = (
        what,
        f"{cost.microseconds_per_reading:.1f}",
        f"{cost.middle_microseconds:.1f}",
        f"{share:.2f}",
        f"{cost.devices} x {cost.channels}",
        str(cost.readings_per_message),
        _kilobytes(cost.memory_bytes),
        _kilobytes(cost.state_bytes),
    )
    return "| " + " | ".join(cells) + " |"


def _kilobytes(size: int | None) -> str:
    return "-" if size is None else f"{size / 1000:,.1f} kB"


def _rescoring(result: Result) -> str:
    found = result.rescoring
    return (
        f"One asset with a device of 8 channels, {found.days:g} days at one reading a second ({found.readings:,} "
        f"readings) rescored in {found.seconds:,.0f} s of one core, memory grown by "
        f"{found.resident_megabytes_grown:.1f} MB meanwhile: extrapolated, {found.year_minutes:.0f} minutes a year. "
        f"What the gateway stores of it then, drift watch included: {_kilobytes(found.checkpoint_bytes)}."
    )


def page_with(result: Result, page: str) -> str:
    """The page with its table made anew; ValueError where the two marks are not in it."""
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(
            f"{PAGE.name} lacks the lines {BEGIN.strip()} and {END.strip()}: put them where the table goes"
        )
    return head + BEGIN + "\n" + table(result) + "\n" + END + tail


def main(arguments: list[str]) -> int:
    """0 when the page shows the committed result, 1 when not."""
    parser = argparse.ArgumentParser(prog="python tests/support/detectors_table.py")
    parser.add_argument("--update", action="store_true", help="write the table into docs/detection.md")
    parser.add_argument("--result", type=Path, help="with --update: this file becomes the committed result")
    options = parser.parse_args(arguments)
    if options.update and options.result is not None:
        read_result(options.result)
        RESULT.write_text(options.result.read_text(encoding="utf-8"), encoding="utf-8")
    page = PAGE.read_text(encoding="utf-8")
    wanted = page_with(read_result(RESULT), page)
    if options.update:
        PAGE.write_text(wanted, encoding="utf-8")
    elif page != wanted:
        sys.stderr.write(f"docs/detection.md shows another result: run {parser.prog} --update\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
