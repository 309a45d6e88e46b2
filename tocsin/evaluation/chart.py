"""One trial as a drawing: score and alarms over the recording, beside the truth that no candidate saw."""

import html
import math

import numpy as np
from numpy.typing import NDArray

from tocsin.evaluation.figures import Outline
from tocsin.evaluation.metrics.vus import ranges

_WIDTH, _HEIGHT = 640, 170
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 10, 8, 16
_LOWEST, _LEAST_HIGH, _HIGHEST = 0.1, 3.0, 1000.0
#: What the colours mean, for the page.
KEY = (
    "Blue: highest score of each moment (logarithmic). Dashed: the threshold, 1. Red bar: in alarm. Grey line: how far "
    "the channels are from their healthy mean (own scale). Yellow: anomalous (the truth, which nobody saw). Grey "
    "field: rows that do not count, the healthy part above all."
)


def chart(outline: Outline, title: str) -> str:
    """SVG of a trial; a sentence where there is no score."""
    known = outline.scores[np.isfinite(outline.scores)]
    if not len(known):
        return "<p>No score.</p>"
    high = min(max(_LEAST_HIGH, float(known.max())), _HIGHEST)
    parts = [_field(span, len(outline.scores), "#eef1f5") for span in ranges(~outline.counted)]
    parts += [_field(span, len(outline.scores), "#fff1c9") for span in ranges(outline.labels)]
    parts += [_field(span, len(outline.scores), "#d64541", 8) for span in ranges(outline.alarm)]
    for tick in (0.1, 1.0, 10.0, 100.0, 1000.0):
        if tick <= high:
            y = _down(tick, high)
            dash = ' stroke="#5b6b7c" stroke-dasharray="5 4"' if tick == 1.0 else ' stroke="#e3e8ee"'
            parts.append(f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"{dash}/>')
            parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    parts.append(_line(_shares(outline.level), "#aab4c0"))
    scores = np.clip(outline.scores, _LOWEST, high)
    parts.append(_line((np.log(scores) - math.log(_LOWEST)) / (math.log(high) - math.log(_LOWEST)), "#1f6feb"))
    label = html.escape(f"Score over the recording {title}", quote=True)
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">{"".join(parts)}</svg>'


def _shares(level: NDArray[np.float64]) -> NDArray[np.float64]:
    """The grey line between 0 and 1: logarithmic, since faults are far away."""
    logs = np.log1p(np.maximum(level, 0.0))
    return np.asarray(logs / max(float(logs.max()), 1e-9))


def _down(score: float, high: float) -> float:
    share = (math.log(score) - math.log(_LOWEST)) / (math.log(high) - math.log(_LOWEST))
    return _HEIGHT - _BOTTOM - (_HEIGHT - _BOTTOM - _TOP) * share


def _across(point: int, points: int) -> float:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * point / max(points, 1)


def _field(span: tuple[int, int], points: int, colour: str, height: int = _HEIGHT - _TOP - _BOTTOM) -> str:
    left, right = _across(span[0], points), _across(span[1], points)
    return (
        f'<rect x="{left:.1f}" y="{_HEIGHT - _BOTTOM - height}" width="{max(right - left, 1.0):.1f}" '
        f'height="{height}" fill="{colour}"/>'
    )


def _line(shares: NDArray[np.float64], colour: str) -> str:
    """A line of values between 0 and 1; NaN leaves its point out."""
    points = " ".join(
        f"{_across(index, len(shares)):.1f},{_HEIGHT - _BOTTOM - (_HEIGHT - _BOTTOM - _TOP) * share:.1f}"
        for index, share in enumerate(shares.tolist())
        if share == share
    )
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.3"/>'
