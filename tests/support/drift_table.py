"""How drift is told apart on plants that change in known ways: the table in docs/drift.md.

``python tests/support/drift_table.py`` prints it, ``--update`` writes it between its marks.
"""

import sys
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[2]))

from drifting_plants import CHANGE_AT, HEALTHY, KINDS, SECOND_NS, TIMES, birth, plant
from river.drift import ADWIN, PageHinkley

from gateway.drift.reference import BLOCK_READINGS
from gateway.drift.watch import DriftWatch

PAGE = Path(__file__).parents[2] / "docs" / "drift.md"
BEGIN, END = "<!-- begin: python tests/support/drift_table.py --update -->", "<!-- end: drift table -->"
SEEDS, SIZES = range(20), (2.0, 4.0)
CHANGE_NS = (HEALTHY + CHANGE_AT) * SECOND_NS
HEADING = (
    "| change | size | found | sudden, gradual, recurring | operating point, against the others, unclear | begin, s off"
    " | ADWIN | Page-Hinkley |"
)


def cell(kind, size):
    """A row of the table: what was told last of each of the plants."""
    kinds, patterns, off, others = Counter(), Counter(), [], Counter()
    for seed in SEEDS:
        values = plant(kind, size, seed)
        watch = DriftWatch.fit(TIMES[:HEALTHY], values[:HEALTHY])
        drifts = [d for d in watch.take(birth(), TIMES[HEALTHY:], values[HEALTHY:]) if d.kind != "none"]
        if drifts:
            kinds[drifts[-1].kind] += 1
            patterns[drifts[-1].pattern] += 1
            off.append(abs(min((d.since_ns - CHANGE_NS for d in drifts), key=abs)) / SECOND_NS)
        others.update(name for name, made in (("adwin", ADWIN), ("page", PageHinkley)) if _river(made, values))
    told = ", ".join(str(kinds[name]) for name in ("sudden", "gradual", "recurring"))
    seen = ", ".join(str(patterns[name]) for name in ("operating point", "against the others", "unclear"))
    begin = f"{np.median(off):.0f}" if off and "night" not in kind else "-"
    shown = "-" if kind == "none" else f"{size:.0f}"
    columns = (kind, shown, sum(kinds.values()), told, seen, begin, others["adwin"], others["page"])
    return "| " + " | ".join(map(str, columns)) + " |"


def _river(made, values):
    """Whether river's detector of any channel says drift after the healthy part, on the same means of 16 readings."""
    whole = len(values) // BLOCK_READINGS * BLOCK_READINGS
    means = values[:whole].reshape(-1, BLOCK_READINGS, values.shape[1]).mean(axis=1)
    means = (means - means[: HEALTHY // BLOCK_READINGS].mean(axis=0)) / means[: HEALTHY // BLOCK_READINGS].std(axis=0)
    for column in means.T:
        detector = made()
        for number, mean in enumerate(column.tolist()):
            detector.update(mean)
            if detector.drift_detected and number * BLOCK_READINGS >= HEALTHY:
                return True
    return False


def table():
    """The whole table."""
    lines = [HEADING, "|---|---|---|---|---|---|---|---|"]
    lines += [cell(kind, size) for kind in KINDS for size in (SIZES if kind != "none" else SIZES[:1])]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    made = table()
    sys.stdout.write(made)
    if "--update" in sys.argv:
        text = PAGE.read_text(encoding="utf-8")
        head, rest = text.split(BEGIN)
        PAGE.write_text(f"{head}{BEGIN}\n{made}{END}{rest.split(END)[1]}", encoding="utf-8")
