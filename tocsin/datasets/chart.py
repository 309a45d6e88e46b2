"""A channel as SVG: the range of its values in each column of the picture, over healthy and anomalous rows.

There is no text in it, so that it can be stretched to any width; its range and its rows are told beside it.
"""

import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 560, 90
_TOP, _BOTTOM = 6, 4
#: Columns of the picture: a point of the line is the lowest or highest value of the rows in one.
COLUMNS = 560
#: Bands that are drawn at most; closer ones are joined, so that a picture stays small.
_BANDS = 200
HEALTHY, TRUTH, TRUTH_EDGE, LINE = "#e6eaf0", "#fff1c9", "#b45309", "#1f6feb"


def channel(values: NDArray[np.float64], healthy_rows: int, labels: NDArray[np.bool_] | None) -> str:
    """The inside of an SVG of `WIDTH` by `HEIGHT` for one channel, float64 (rows,); NaN is a gap in the line."""
    rows = len(values)
    parts = [f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>']
    if healthy_rows:
        parts.append(_band(0, healthy_rows, rows, HEALTHY))
    for begin, end in _spans(labels) if labels is not None else ():
        parts.append(_band(begin, end, rows, TRUTH))
        parts.append(_band(begin, end, rows, TRUTH_EDGE, 4))
    finite = values[np.isfinite(values)]
    if len(finite):
        low, high = float(finite.min()), float(finite.max())
        shares = (values - low) / (high - low) if high > low else np.where(np.isfinite(values), 0.5, np.nan)
        parts += [
            f'<polyline points="{points}" fill="none" stroke="{LINE}" stroke-width="1.3" stroke-linejoin="round" '
            'vector-effect="non-scaling-stroke"/>'
            for points in _lines(shares)
        ]
    return "".join(parts)


def range_of(values: NDArray[np.float64]) -> str:
    """Lowest and highest value, for people.

    >>> range_of(np.array([0.5, np.nan, 12.25])), range_of(np.array([3.0, 3.0])), range_of(np.array([np.nan]))
    ('0.5 to 12.25', 'always 3', 'no value')
    """
    finite = values[np.isfinite(values)]
    if not len(finite):
        return "no value"
    low, high = float(finite.min()), float(finite.max())
    return f"{low:.4g} to {high:.4g}" if high > low else f"always {low:.4g}"


def _down(share: float) -> float:
    return HEIGHT - _BOTTOM - (HEIGHT - _BOTTOM - _TOP) * share


def _across(row: float, rows: int) -> float:
    return WIDTH * row / max(rows, 1)


def _band(begin: int, end: int, rows: int, colour: str, height: int = HEIGHT) -> str:
    left, right = _across(begin, rows), _across(end, rows)
    return f'<rect x="{left:.1f}" y="0" width="{max(right - left, 1.0):.1f}" height="{height}" fill="{colour}"/>'


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
