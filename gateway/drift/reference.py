"""What a device was while it was healthy: its operating points, how far means of it wander, what moves together.

Operating points are found by themselves: the healthy rows are split in two, along the axis of their largest variance,
as long as the halves lie apart from each other by far more than they are wide (a bell or an even spread never does).
"""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gateway.detectors.detector import healthy_limits

Floats = NDArray[np.float64]

#: Readings of a block: drift is looked for in their means.
BLOCK_READINGS = 16
#: Values further than this from the healthy mean (healthy deviations) count as this far.
VALUE_LIMIT = 30.0
#: Rows that operating points are sought in are means of so many readings.
_SMOOTHED = 4
_POINTS_MAX = 6
#: Halves are two operating points if their middles are this many of their deviations apart: the halves of an even
#: spread are 3.5 apart, those of a bell 2.7.
_APART = 5.0
#: A half counts as at least this wide, in healthy deviations of a channel.
_LEAST_WIDTH = 0.3
_LEAST_SHARE, _LEAST_ROWS = 0.04, 8
_ITERATIONS = 20
#: A mean of a block wanders by at least this much, in deviations about its operating point.
_LEAST_WANDER = 0.2
#: With fewer healthy readings than this the wander of means is known badly, and counts as larger.
_ASSURED_READINGS = 640
_DIRECTIONS_MAX = 6
_LEAST_REST = 0.05


class Reference:
    """Healthy rows of k columns, summed up. Rows are told in deviations about the nearest operating point.

    Attributes
    ----------
    points
        Operating points, physical, float64 (p, k).
    unit
        Deviation about the operating points, physical, float64 (k,).
    wander
        How far means of `BLOCK_READINGS` readings stray from their operating point, in units, float64 (k,).
    """

    def __init__(self, points: Floats, unit: Floats, wander: Floats, directions: Floats, variances: Floats) -> None:
        self.points, self.unit, self.wander = points, unit, wander
        self._directions, self._variances = directions, variances

    @classmethod
    def fit(cls, values: Floats) -> Self:
        """The reference of healthy values (n, k), physical, NaN where missing."""
        mean, scale = healthy_limits(values)
        rows = np.clip((values - mean) / scale, -VALUE_LIMIT, VALUE_LIMIT)
        rows = np.where(np.isfinite(rows), rows, 0.0)
        smooth = rows[: len(rows) // _SMOOTHED * _SMOOTHED].reshape(-1, _SMOOTHED, rows.shape[1]).mean(axis=1)
        points = np.array([smooth[part].mean(axis=0) for part in _parts(smooth)])
        about = rows - points[_nearest(rows, points)]
        # Readings on their way from one point to another belong to none.
        spread = np.maximum(np.median(np.abs(about), axis=0) * 1.4826, 0.5 * about.std(axis=0))
        unit = np.where(spread > 0.02, spread, np.maximum(about.std(axis=0), 0.02))
        steady = np.clip(about / unit, -4.0, 4.0)
        variances, directions = np.linalg.eigh(
            np.cov(rows.T / np.maximum(rows.std(axis=0), 0.02)[:, None]).reshape(rows.shape[1], rows.shape[1])
        )
        most = np.argsort(-variances)[:_DIRECTIONS_MAX]
        most = most[variances[most] > 1.5]
        return cls(mean + scale * points, scale * unit, _wander(steady), directions[:, most], variances[most])

    def about(self, blocks: Floats) -> tuple[Floats, NDArray[np.int64]]:
        """Means of blocks (m, k) in units about their nearest operating points, and the numbers (m,) of these."""
        scaled = blocks / self.unit
        points = self.points / self.unit
        if len(points) == 1:
            return np.clip(scaled - points, -VALUE_LIMIT, VALUE_LIMIT), np.zeros(len(blocks), np.int64)
        nearest = _nearest(np.where(np.isnan(scaled), points[0], scaled), points)
        return np.clip(scaled - points[nearest], -VALUE_LIMIT, VALUE_LIMIT), nearest

    def unexpected(self, moved: Floats) -> Floats:
        """What of a change (k,), in units, the other columns do not let expect by what moves together while healthy."""
        kept = len(self._variances)
        rest = max((len(moved) - float(self._variances.sum())) / max(len(moved) - kept, 1), _LEAST_REST)
        shares = 1.0 - rest / np.maximum(self._variances, rest)
        precise = moved - self._directions @ (shares * (self._directions.T @ moved))
        diagonal = 1.0 - (self._directions * self._directions) @ shares
        return np.asarray(precise / np.maximum(diagonal, 1e-9))

    def fields(self) -> dict[str, Any]:
        """Everything that later answers depend on."""
        return {
            "points": self.points,
            "unit": self.unit,
            "wander": self.wander,
            "directions": self._directions,
            "variances": self._variances,
        }

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> Self:
        """The reference whose `fields` these are; KeyError or ValueError when they do not fit together."""
        names = ("points", "unit", "wander", "directions", "variances")
        points, unit, wander, directions, variances = (fields[name] for name in names)
        columns = len(unit)
        if (
            points.shape[1:] != (columns,)
            or wander.shape != (columns,)
            or directions.shape != (columns, len(variances))
        ):
            raise ValueError("points, unit and directions differ in size")
        return cls(points, unit, wander, directions, variances)


def _wander(steady: Floats) -> Floats:
    """How far means of a block stray, from healthy rows (n, k) about their points: at its scale and longer ones."""
    found = np.full(steady.shape[1], _LEAST_WANDER)
    for blocks in (1, 4, 16):
        width = BLOCK_READINGS * blocks
        if len(steady) < 5 * width:
            break
        sums = np.concatenate((np.zeros((1, steady.shape[1])), np.cumsum(steady, axis=0)))
        means = (sums[width:] - sums[:-width]) / width
        found = np.maximum(found, np.sqrt((means * means).mean(axis=0)) * np.sqrt(min(blocks, 4)))
    return np.asarray(found * max(1.0, (_ASSURED_READINGS / len(steady)) ** 0.25))


def _nearest(rows: Floats, points: Floats) -> NDArray[np.int64]:
    if len(points) == 1:
        return np.zeros(len(rows), np.int64)
    squares = np.stack([((rows - point) ** 2).sum(axis=1) for point in points])
    return np.asarray(squares.argmin(axis=0))


def _parts(rows: Floats) -> list[NDArray[np.int64]]:
    """Numbers of the rows (n, k) of each operating point."""
    parts: list[NDArray[np.int64]] = []
    open_parts = [np.arange(len(rows))]
    while open_parts:
        part = open_parts.pop(0)
        halves = _halves(rows[part], len(rows)) if len(parts) + len(open_parts) + 2 <= _POINTS_MAX else None
        if halves is None:
            parts.append(part)
        else:
            open_parts += [part[halves], part[~halves]]
    return parts


def _halves(rows: Floats, total: int) -> NDArray[np.bool_] | None:
    """Which rows belong to the first of two groups that lie apart; None if they do not."""
    least = max(_LEAST_ROWS, int(_LEAST_SHARE * total))
    if len(rows) < 2 * least:
        return None
    about = rows - rows.mean(axis=0)
    axis = np.linalg.eigh(about.T @ about)[1][:, -1]
    place = about @ axis
    limit = 0.5 * (place.min() + place.max())
    for _ in range(_ITERATIONS):
        first = place <= limit
        if first.all() or not first.any():
            return None
        moved = 0.5 * float(place[first].mean() + place[~first].mean())
        if moved == limit:
            break
        limit = moved
    first = place <= limit
    if min(first.sum(), (~first).sum()) < least:
        return None
    middles = [float(np.median(place[chosen])) for chosen in (first, ~first)]
    wide = [
        1.4826 * float(np.median(np.abs(place[chosen] - middle)))
        for chosen, middle in zip((first, ~first), middles, strict=True)
    ]
    apart = abs(middles[1] - middles[0])
    return first if apart > _APART * max(*wide, _LEAST_WIDTH) else None
