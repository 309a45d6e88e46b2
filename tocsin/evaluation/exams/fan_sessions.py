"""The ceiling fan in another session: moved to another place, or running at another speed than it was learned at.

Thirty clips of the session are told to be normal, without labels, as an operator would tell them. Nobody put the weight
on the fan after it was moved, so that its fault is judged twice: before the move, by the calibration that stood then,
and behind the move by the new one, where another place and a fault are mixed.
"""

from collections.abc import Iterator
from pathlib import Path

from tocsin.evaluation.exams.fan import SOURCE, clips_of, trial_of
from tocsin.evaluation.trial import Exam, Published, Trial

SPEEDS = ("low", "med", "high")


def trials(folder: Path) -> Iterator[Trial]:
    """The move, its fault before it and behind it; and each speed as a new session of each other."""
    healthy = {speed: clips_of(folder, f"{speed}_0_weight") for speed in SPEEDS}
    weighted = {speed: clips_of(folder, f"{speed}_1_weight") for speed in ("low", "med")}
    moved = clips_of(folder, "low_0_weight-moving")
    yield trial_of("moved, weight before", healthy["low"], [(weighted["low"], True), (moved, False)], 1)
    yield trial_of("moved, weight behind", healthy["low"], [(moved, False), (weighted["low"], True)], 0)
    for old in SPEEDS:
        for new in SPEEDS:
            if new != old:
                sick = [(weighted[new], True)] if new in weighted else []
                yield trial_of(f"{old} to {new} speed", healthy[old], [(healthy[new], False), *sick], 0)


EXAM = Exam(
    "FAN-SESSIONS",
    "ceiling fan, another session",
    "The healthy clips of one speed are learned; 30 clips of another session are told to be normal, those that follow "
    "are judged, with the clips with a weight. Moved, weight before: the fault comes before the move. Moved, weight "
    "behind: the fault, in the old place, is judged by the calibration of the new one. The other trials take another "
    "speed as the session.",
    trials,
    (
        Published("recentring alone", SOURCE, {"false_alarm_rate": 0.99}, "moved"),
        Published("recentring and a new threshold, best", SOURCE, {"false_alarm_rate": 0.017}, "moved"),
        Published("recentring and a new threshold, worst", SOURCE, {"false_alarm_rate": 0.039}, "moved"),
    ),
)
