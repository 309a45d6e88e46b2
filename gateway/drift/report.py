"""A change in words that an operator can check: which channels moved, by how much, and what that looks like.

What moves as it moved together while healthy looks like a new operating point; one channel that moves against the
others, or alone, does not. Data alone cannot tell a fault that loads the whole machine from a new load, so the operator
is asked either way.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.drift.reference import Reference
from shared.identity import SLOW
from shared.messages.codec import Birth
from shared.messages.normality import Drift, Moved

Floats = NDArray[np.float64]

#: A column has moved if it did by this share of the one that moved most, and by this much in deviations.
MOVED_SHARE, MOVED_LEAST = 0.3, 0.5
#: An operating point: no column is off what the others let expect by more than this share of the largest change, and so
#: many of the columns moved.
EXPECTED, MANY = 0.4, 0.5
#: A column that is off by this share moved against the others.
AGAINST = 0.6
CHANNELS_MAX = 4
_CAME = {"sudden": "at once", "gradual": "bit by bit", "recurring": "again"}
_ASK = {
    "operating point": "as the channels moved together while healthy: it looks like a new operating point, confirm it "
    "as normal or inspect",
    "against the others": "against what the other channels let expect: inspect, this is rather a fault than a new "
    "operating point",
    "unclear": "in a way that the healthy readings do not explain: inspect, or confirm it as normal",
}


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """A change as it was found: `moved` (k,) in healthy deviations from the operating point number `point`.

    `known`: the last mean lies as near to that point as healthy ones do.
    """

    kind: str
    since_ns: int
    time_ns: int
    moved: Floats
    point: int
    known: bool


def pattern_of(reference: Reference, moved: Floats) -> str:
    """What a change (k,) looks like by its columns: see `shared.messages.normality.DRIFT_PATTERNS`."""
    most = float(np.abs(moved).max())
    movers = np.abs(moved) >= max(MOVED_SHARE * most, MOVED_LEAST)
    if len(moved) == 1:
        return "unclear"
    off = np.abs(reference.unexpected(moved)) / most
    if off.max() <= EXPECTED and movers.mean() >= MANY:
        return "operating point"
    if off.max() >= AGAINST and (movers.mean() < MANY or (off >= AGAINST).sum() == 1):
        return "against the others"
    return "unclear"


def report(birth: Birth, reference: Reference, change: Change) -> Drift:
    """The message about a change, or that there is none."""
    profile, moved = birth.profile, change.moved
    name = _point(birth, reference, change.point)
    unseen = "not seen while healthy" if len(reference.points) == 1 else f"not seen while healthy, nearest to {name}"
    if change.kind == "none":
        point = name if change.known else unseen
        sentence = f"{profile.device} shows no lasting change; operating point: {point}."
        return Drift(profile.device, profile.asset, "none", "", change.since_ns, change.time_ns, (), point, sentence)
    most = float(np.abs(moved).max())
    order = [
        column
        for column in np.argsort(-np.abs(moved), kind="stable")[:CHANNELS_MAX].tolist()
        if abs(moved[column]) >= max(MOVED_SHARE * most, MOVED_LEAST) or abs(moved[column]) == most
    ]
    channels = tuple(_moved(birth, reference, column, float(moved[column])) for column in order)
    pattern = pattern_of(reference, moved)
    said = ", ".join(_said(channel) for channel in channels)
    sentence = f"{profile.device} has changed {_CAME[change.kind]}, {said}, {_ASK[pattern]}."
    return Drift(
        profile.device,
        profile.asset,
        change.kind,
        pattern,
        change.since_ns,
        change.time_ns,
        channels,
        unseen,
        sentence,
    )


def _moved(birth: Birth, reference: Reference, column: int, deviations: float) -> Moved:
    deviations = round(deviations, 2)
    if birth.profile.kind != SLOW:
        return Moved(birth.feature_names[column], deviations, deviations, "healthy deviations")
    channel = birth.profile.channels[column]
    return Moved(channel.name, deviations, float(f"{deviations * reference.unit[column]:.4g}"), channel.unit)


def _said(moved: Moved) -> str:
    unit = f" {moved.unit}" if moved.unit and moved.unit != "healthy deviations" else ""
    change = f"{moved.change:+.4g}{unit}, " if moved.unit != "healthy deviations" else ""
    return f"{moved.channel} by {change}{abs(moved.deviations):.1f} healthy deviations"


def _point(birth: Birth, reference: Reference, number: int) -> str:
    """An operating point in words: its number, and what it is told by best."""
    points = reference.points
    if len(points) == 1:
        return "the only one seen while healthy"
    apart = np.ptp(points, axis=0) / reference.unit
    column = int(apart.argmax())
    if birth.profile.kind != SLOW:
        deviations = (points[number, column] - points[:, column].mean()) / reference.unit[column]
        where = f"{birth.feature_names[column]} {deviations:+.1f} healthy deviations from their middle"
    else:
        channel = birth.profile.channels[column]
        where = f"{channel.name} about {points[number, column]:.4g}{' ' if channel.unit else ''}{channel.unit}"
    return f"number {number + 1} of {len(points)} ({where})"
