"""Trials by candidates, on several processes; the result does not depend on how many."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from multiprocessing import get_context
from pathlib import Path

from shared.errors import TocsinError, UsageError
from tocsin.evaluation.exams import budget, cwru, fan, fan_sessions, femto, nab, skab, smd, tep
from tocsin.evaluation.figures import TrialFigures, digest_of, figures_of
from tocsin.evaluation.registry import candidate_named
from tocsin.evaluation.trial import Exam, Trial

EXAMS: dict[str, Exam] = {
    module.EXAM.name: module.EXAM for module in (skab, nab, smd, tep, cwru, fan, fan_sessions, femto, budget)
}
#: Where the recordings of an exam lie below the folder of all.
FOLDERS = {
    "BUDGET": "skab",
    "SKAB": "skab",
    "NAB": "nab",
    "SMD": "smd",
    "TEP": "tep",
    "CWRU": "cwru48k",
    "FAN": "fan_esp32",
    "FAN-SESSIONS": "fan_esp32",
    "FEMTO": "femto",
}
#: Told after each trial: exam, trials done, trials in all.
Progress = Callable[[str, int, int], None]


@cache
def trials_of(exam: str, folder: Path) -> tuple[Trial, ...]:
    """The trials of an exam, read once in each process; UsageError where there are none."""
    try:
        found = tuple(EXAMS[exam].trials(folder))
    except FileNotFoundError as error:
        raise UsageError(f"{error.filename} is missing; {fetching(exam)}") from error
    if not found:
        raise UsageError(f"{folder / FOLDERS[exam]} holds no recording of {exam}; {fetching(exam)}")
    return found


def fetching(exam: str) -> str:
    """How the recordings of an exam are brought: the end of a sentence."""
    return f"tocsin datasets fetch {recordings_of(exam)} brings them"


def recordings_of(exam: str) -> str:
    """The recordings of an exam, by their name in the catalogue.

    >>> recordings_of("FAN-SESSIONS"), recordings_of("TEP")
    ('FAN', 'TEP')
    """
    return "SKAB" if exam == "BUDGET" else exam.partition("-")[0]


def present(folder: Path) -> list[str]:
    """Exams whose recordings lie in `folder`."""
    return [name for name in EXAMS if (folder / FOLDERS[name]).is_dir()]


def _one(
    exam: str, folder: Path, index: int, candidates: tuple[str, ...], seed: int
) -> tuple[str, dict[str, TrialFigures | str]]:
    """Figures of one trial by each candidate, or the sentence why there are none; and the trial's digest."""
    trial = trials_of(exam, folder)[index]
    found: dict[str, TrialFigures | str] = {}
    for key in candidates:
        try:
            said = candidate_named(key).judge(trial.recording, trial.healthy_rows, trial.recalibration, seed)
            found[key] = figures_of(trial, said)
        except TocsinError as error:
            found[key] = str(error)
    return digest_of(trial), found


def _quiet() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(name, "1")


def run(
    exam: str, folder: Path, candidates: Iterable[str], *, seed: int, workers: int, progress: Progress
) -> tuple[list[str], list[dict[str, TrialFigures | str]]]:
    """Digests and figures of all trials of an exam, in the order of the trials."""
    keys = tuple(candidates)
    tiers = EXAMS[exam].tiers
    if tiers:
        keys = tuple(key for key in keys if candidate_named(key).tier in (*tiers, "baseline"))
    count = len(trials_of(exam, folder))
    digests = [""] * count
    found: list[dict[str, TrialFigures | str]] = [{} for _ in range(count)]
    if workers <= 1:
        for index in range(count):
            digests[index], found[index] = _one(exam, folder, index, keys, seed)
            progress(exam, index + 1, count)
        return digests, found
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_quiet) as pool:
        work = {pool.submit(_one, exam, folder, index, keys, seed): index for index in range(count)}
        try:
            for done, future in enumerate(as_completed(work), start=1):
                digests[work[future]], found[work[future]] = future.result()
                progress(exam, done, count)
        except BaseException:
            for future in work:
                future.cancel()
            raise
    return digests, found
