"""A channel as SVG: the range of its values in each column of the picture, over healthy and anomalous rows."""

import html

import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 640, 110
LEFT, RIGHT, TOP, BOTTOM = 64, 8, 8, 22
#: Columns of the picture: a point of the line is the lowest or highest value of the rows in one.
COLUMNS = 560
#: Bands that are drawn at most; closer ones are joined, so that a picture stays small.
_BANDS = 200
HEALTHY, TRUTH, TRUTH_EDGE, LINE = "#e6eaf0", "#fff1c9", "#b45309", "#1f6feb"
_DIGITS = 4


def channel(values: NDArray[np.float64], healthy_rows: int, labels: NDArray[np.bool_] | None, about: str) -> str:
    """The inside of an SVG of `WIDTH` by `HEIGHT` for one channel, float64 (rows,); NaN is a gap in the line."""
    rows = len(values)
    parts = [f"<title>{html.escape(about)}</title>"]
    if healthy_rows:
        parts.append(_band(0, healthy_rows, rows, HEALTHY))
    for begin, end in _spans(labels) if labels is not None else ():
        parts.append(_band(begin, end, rows, TRUTH))
        parts.append(_band(begin, end, rows, TRUTH_EDGE, 4))
    finite = values[np.isfinite(values)]
    if not len(finite):
        return "".join([*parts, f'<text x="{LEFT + 6}" y="{HEIGHT / 2}">no value</text>'])
    low, high = float(finite.min()), float(finite.max())
    for share, value in ((0.0, low), (1.0, high)) if high > low else ((0.5, low),):
        y = _down(share)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#d8dee6"/>')
        parts.append(f'<text x="{LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{value:.{_DIGITS}g}</text>')
    spread = high - low if high > low else 1.0
    shares = (values - low) / spread if high > low else np.where(np.isfinite(values), 0.5, np.nan)
    parts += [
        f'<polyline points="{points}" fill="none" stroke="{LINE}" stroke-width="1.2" stroke-linejoin="round"/>'
        for points in _lines(shares)
    ]
    for share, row, anchor in ((0.0, 0, "start"), (0.5, rows // 2, "middle"), (1.0, rows, "end")):
        x = LEFT + (WIDTH - LEFT - RIGHT) * share
        parts.append(f'<text class="{anchor}" x="{x:.1f}" y="{HEIGHT - 6}" text-anchor="{anchor}">{row:,}</text>')
    return "".join(parts)


def _down(share: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * share


def _across(row: float, rows: int) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * row / max(rows, 1)


def _band(begin: int, end: int, rows: int, colour: str, height: int = HEIGHT - TOP - BOTTOM) -> str:
    left, right = _across(begin, rows), _across(end, rows)
    return f'<rect x="{left:.1f}" y="{TOP}" width="{max(right - left, 1.0):.1f}" height="{height}" fill="{colour}"/>'


def _spans(labels: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First row, and row after the last, of each run of True; runs closer than a `_BANDS`-th of all rows are one.

    >>> _spans(np.array([False, True, True, False, True]))
    [(1, 3), (4, 5)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate(([False], labels, [False])).astype(np.int8)))
    joined: list[tuple[int, int]] = []
    for begin, end in edges.reshape(-1, 2).tolist():
        if joined and begin - joined[-1][1] < len(labels) / _BANDS - 1:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((begin, end))
    return joined


def _lines(shares: NDArray[np.float64]) -> list[str]:
    """Points of the line, broken where a column of the picture has no value: of each column first the value that
    came first, lowest or highest."""
    rows = len(shares)
    columns = min(rows, COLUMNS)
    bounds = np.linspace(0, rows, columns + 1).astype(int)
    lines: list[list[str]] = [[]]
    for begin, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        part = shares[begin:end]
        known = np.flatnonzero(np.isfinite(part))
        if not len(known):
            if lines[-1]:
                lines.append([])
            continue
        extremes = sorted({int(known[part[known].argmin()]), int(known[part[known].argmax()])})
        lines[-1] += [f"{_across(begin + row + 0.5, rows):.1f},{_down(float(part[row])):.1f}" for row in extremes]
    # A single point would not be seen, so it becomes a short dash.
    return [" ".join(points if len(points) > 1 else _dash(points[0])) for points in lines if points]


def _dash(point: str) -> list[str]:
    x, y = point.split(",")
    return [point, f"{float(x) + 1.5:.1f},{y}"]
