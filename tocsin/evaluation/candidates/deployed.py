"""The code that a plant runs by default, tier by tier, as `tocsin score` runs it."""

from dataclasses import dataclass

import numpy as np

from gateway.alarms.evidence import DEFAULT_FALSE_ALARMS_PER_DAY
from shared.recordings import Recording
from tocsin.evaluation.device_arrays import data_of
from tocsin.evaluation.trial import Scores
from tocsin.provisioning import Provisioned, provision, reading_rows
from tocsin.score import ASSET, DEVICE, Verdicts, judge


@dataclass(frozen=True)
class Deployed:
    """Trained and commissioned on the healthy part alone."""

    tier: str
    false_alarms_per_day: float = DEFAULT_FALSE_ALARMS_PER_DAY
    name: str = "recipe"

    @property
    def deployed(self) -> bool:
        """A plant runs sensor and gateway together."""
        return self.tier == "both"

    def judge(
        self, recording: Recording, healthy_rows: int, recalibration: tuple[int, int] | None, seed: int
    ) -> Scores:
        """Scores of every row; the readings of the recalibration are told to be normal when they have passed."""
        provisioned = _provisioned(recording, healthy_rows, seed, self.tier != "gateway")
        told = None if recalibration is None else _readings(provisioned, recalibration)
        verdicts = judge(
            provisioned,
            tier=self.tier,
            false_alarms_per_day=self.false_alarms_per_day,
            data=data_of(provisioned, 0 if told is None else told.stop),
            told=told,
        )
        return by_row(verdicts, recording.rows, verdicts.provisional)


class _Trained:
    """The last device that was provisioned with a model: sensor and both tiers judge one recording by the same one."""

    recording: Recording | None = None
    healthy_rows: int
    seed: int
    provisioned: Provisioned


def _provisioned(recording: Recording, healthy_rows: int, seed: int, model: bool) -> Provisioned:
    if not model:
        return provision(recording, DEVICE, ASSET, healthy_rows, seed=seed, model=False)
    if _Trained.recording is not recording or (_Trained.healthy_rows, _Trained.seed) != (healthy_rows, seed):
        _Trained.provisioned = provision(recording, DEVICE, ASSET, healthy_rows, seed=seed)
        _Trained.recording, _Trained.healthy_rows, _Trained.seed = recording, healthy_rows, seed
    return _Trained.provisioned


def _readings(provisioned: Provisioned, rows: tuple[int, int]) -> slice:
    """Readings whose last row lies in `rows`, first and row after the last."""
    source = provisioned.source
    ends = reading_rows(provisioned.content, source.times_ns, np.array(sorted(source.clip_starts), np.int64))
    begin, end = np.searchsorted(ends, rows).tolist()
    return slice(begin, end)


def by_row(verdicts: Verdicts, rows: int, provisional: bool) -> Scores:
    """A reading's verdict stands from its row until the next reading; a reading without a score leaves the last one;
    novelty stands at its own row."""
    newest = np.searchsorted(verdicts.rows, np.arange(rows), side="right") - 1
    scored = np.maximum.accumulate(np.where(np.isfinite(verdicts.scores), np.arange(len(verdicts.rows)), -1))
    known = newest >= 0
    reading = np.where(known, newest, 0)
    shown = np.where(known, scored[reading], -1)
    has_score = shown >= 0
    place = np.where(has_score, shown, 0)
    novelty = None
    if verdicts.novelty is not None:
        novelty = np.full(rows, np.nan)
        novelty[verdicts.rows] = verdicts.novelty
    return Scores(
        np.where(has_score, verdicts.scores[place], np.nan),
        has_score & verdicts.flagged[place],
        known & verdicts.alarm[reading],
        np.where(has_score, verdicts.top_channels[place], -1),
        provisional,
        novelty,
    )
