"""The table of docs/training.md on what int8 costs, out of the committed result.

python tests/support/quantization_table.py --update                 write the table again
python tests/support/quantization_table.py --update --result FILE   take FILE as the committed result first
python tests/support/quantization_table.py                          say whether table and result agree
"""

import argparse
import sys
from collections import defaultdict
from pathlib import Path

from quantization_measure import Row, read_rows

_DOCS = Path(__file__).resolve().parents[2] / "docs"
RESULT = _DOCS / "quantization-benchmark.json"
PAGE = _DOCS / "training.md"
BEGIN = "<!-- begin: python tests/support/quantization_table.py --update -->\n"
END = "<!-- end -->\n"
#: Exams whose trials share a line: one model judges them all.
_TOGETHER = ("CWRU", "TEP")
_HEADERS = (
    "recording",
    "features",
    "AUC, float",
    "AUC, int8",
    "int8 by seed",
    "loss, mean",
    "loss, worst",
    "healthy flagged",
    "faulty flagged",
)


def table(rows: list[Row]) -> str:
    """A line per recording, means over seeds; a line per exam, which is the mean of its recordings."""
    exams: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        exams[row.exam][row.trial].append(row)
    lines = ["| " + " | ".join(_HEADERS) + " |", "|" + "---|" * len(_HEADERS)]
    for exam, trials in exams.items():
        every = [row for some in trials.values() for row in some]
        what = f"{exam}, {len(trials)} recordings"
        lines.append(_line(f"**{what}**", every))
        if exam not in _TOGETHER:
            lines += [_line(f"{exam} {trial}", some) for trial, some in trials.items()]
    worst = max(rows, key=lambda row: row.loss)
    seeds = sorted({row.seed for row in rows})
    lines.append("")
    lines.append(
        f"{len(rows)} rows, seeds {seeds[0]} to {seeds[-1]}. Largest loss of a single one: {worst.loss:.4f} "
        f"({worst.exam} {worst.trial}, seed {worst.seed}); largest gain: {-min(row.loss for row in rows):.4f}; "
        f"mean: {_mean([row.loss for row in rows]):.5f}."
    )
    return "\n".join(lines) + "\n"


def _line(name: str, rows: list[Row]) -> str:
    seeds = sorted({row.seed for row in rows})
    by_seed = [_mean([row.int8_auc for row in rows if row.seed == seed]) for seed in seeds]
    features = sorted({row.features for row in rows})
    cells = (
        name,
        " to ".join(str(count) for count in dict.fromkeys((features[0], features[-1]))),
        f"{_mean([row.float_auc for row in rows]):.4f}",
        f"{_mean([row.int8_auc for row in rows]):.4f}",
        ", ".join(f"{area:.3f}" for area in by_seed),
        f"{_mean([row.loss for row in rows]):.4f}".replace("-0.0000", "0.0000"),
        f"{max(row.loss for row in rows):.4f}".replace("-0.0000", "0.0000"),
        f"{_mean([row.healthy_flagged for row in rows]):.1%}",
        f"{_mean([row.faulty_flagged for row in rows]):.1%}",
    )
    return "| " + " | ".join(cells) + " |"


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def page_with(rows: list[Row], page: str) -> str:
    """The page with its table made anew; ValueError where the two marks are not in it."""
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(
            f"{PAGE.name} lacks the lines {BEGIN.strip()} and {END.strip()}: put them where the table goes"
        )
    return head + BEGIN + "\n" + table(rows) + "\n" + END + tail


def main(arguments: list[str]) -> int:
    """0 when the page shows the committed result, 1 when not."""
    parser = argparse.ArgumentParser(prog="python tests/support/quantization_table.py")
    parser.add_argument("--update", action="store_true", help="write the table into docs/training.md")
    parser.add_argument("--result", type=Path, help="with --update: this file becomes the committed result")
    options = parser.parse_args(arguments)
    if options.update and options.result is not None:
        read_rows(options.result)
        RESULT.write_text(options.result.read_text(encoding="utf-8"), encoding="utf-8")
    page = PAGE.read_text(encoding="utf-8")
    wanted = page_with(read_rows(RESULT), page)
    if options.update:
        PAGE.write_text(wanted, encoding="utf-8")
    elif page != wanted:
        sys.stderr.write(f"docs/training.md shows another result: run {parser.prog} --update\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(_DOCS.parent))
    raise SystemExit(main(sys.argv[1:]))
