"""The gate: a candidate is released only if it is not worse than what the device runs, by more than a stated margin.

Both models judge the same held-back healthy readings, which neither the candidate's weights nor its threshold have
seen, and the same seeded faults in them.

1. It may flag healthy readings more often than the current model by `HEALTHY_MARGIN` at most.
2. It may see fewer of the faulty readings than the current model by `FAULT_MARGIN` at most.
3. Where the device has no model yet, the candidate flags at most `HEALTHY_LIMIT` of the healthy readings and sees at
   least `FAULT_FLOOR` of the faulty ones.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloud.training.faults import fast_faults, slow_faults
from cloud.training.features import model_inputs, raw_features, scaled_counts, stretch_starts
from cloud.training.recipe import Recipe
from cloud.training.train import recipe_of
from shared.identity import SLOW
from shared.model_image import ImageContent
from shared.quantized import arrays

Integers = NDArray[np.int64]

#: More of the healthy readings flagged than by the current model, as a part of them.
HEALTHY_MARGIN = 0.02
#: Fewer of the faulty readings seen than by the current model, as a part of them.
FAULT_MARGIN = 0.10
#: What a first model may flag of the healthy readings, and must see of the faulty ones.
HEALTHY_LIMIT = 0.10
FAULT_FLOOR = 0.10
#: Q12 score of the threshold.
_FLAGGED = 4096
#: Seed of the faults: the same for every candidate.
FAULT_SEED = 20_240_501


@dataclass(frozen=True, eq=False)
class HeldBack:
    """Healthy readings that no training has seen: what `judge` compares on.

    Either `counts` int32 (rows, channels) with `times_ns` int64 and `starts` bool (slow, or samples of a fast device),
    or `features` int16 (readings, features) as scaled by the current image, whose scalings the candidate shares.
    """

    times_ns: NDArray[np.int64] | None = None
    starts: NDArray[np.bool_] | None = None
    counts: NDArray[np.int32] | None = None
    features: NDArray[np.int16] | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the candidate may be released, why in one sentence, and the rates that decided."""

    accepted: bool
    reason: str
    metrics: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rates:
    """Parts of the readings at or above the threshold: `healthy`, `faulty` over all faults, and by kind of fault."""

    healthy: float
    faulty: float
    kinds: dict[str, float]


def judge(candidate: ImageContent, current: ImageContent | None, held: HeldBack) -> Verdict:
    """Decide by the rules of this module; `current` without layers counts as none."""
    new = rates(candidate, held)
    metrics: dict[str, Any] = {"candidate": _as_metrics(new)}
    if current is None or not current.layers:
        metrics["current"] = None
        said = (
            f"{_percent(new.healthy)} of the held-back healthy readings and {_percent(new.faulty)} of the seeded faults"
        )
        if new.healthy > HEALTHY_LIMIT:
            return Verdict(False, f"The first model flags {said}: at most {_percent(HEALTHY_LIMIT)} healthy.", metrics)
        if new.faulty < FAULT_FLOOR:
            return Verdict(False, f"The first model flags {said}: at least {_percent(FAULT_FLOOR)} of them.", metrics)
        return Verdict(True, f"The first model flags {said}.", metrics)
    old = rates(current, held)
    metrics["current"] = _as_metrics(old)
    metrics["healthy_margin"], metrics["fault_margin"] = HEALTHY_MARGIN, FAULT_MARGIN
    healthy = f"{_percent(new.healthy)} of the held-back healthy readings (now {_percent(old.healthy)})"
    faulty = f"{_percent(new.faulty)} of the seeded faults (now {_percent(old.faulty)})"
    if new.healthy > old.healthy + HEALTHY_MARGIN:
        return Verdict(False, f"It flags {healthy}, more than the margin of {_percent(HEALTHY_MARGIN)} above.", metrics)
    if new.faulty < old.faulty - FAULT_MARGIN:
        return Verdict(False, f"It sees {faulty}, more than the margin of {_percent(FAULT_MARGIN)} below.", metrics)
    return Verdict(True, f"It flags {healthy} and sees {faulty}: not worse by more than the margins.", metrics)


def rates(image: ImageContent, held: HeldBack) -> Rates:
    """How often an image flags the healthy and the faulty readings."""
    healthy = _flagged_rate(image, _features(image, held))
    kinds = defaultdict(list)
    for kind, features in _faulty(image, held):
        kinds[kind].append(_flagged_rate(image, features))
    every = [rate for some in kinds.values() for rate in some]
    return Rates(healthy, float(np.mean(every)), {kind: float(np.mean(some)) for kind, some in kinds.items()})


def _features(image: ImageContent, held: HeldBack, counts: NDArray[np.int32] | None = None) -> Integers:
    """What this image's model reads of the held-back readings; `counts` instead of theirs."""
    if held.features is not None:
        return held.features.astype(np.int64)
    assert held.counts is not None
    assert held.times_ns is not None
    assert held.starts is not None
    recipe = recipe_of(image)
    starts = stretch_starts(held.times_ns, held.starts, recipe.gap_ns)
    scaled = scaled_counts(held.counts if counts is None else counts, image.channels, starts)
    return model_inputs(recipe, scaled, raw_features(recipe, scaled, starts), image.features)


def _faulty(image: ImageContent, held: HeldBack) -> Iterator[tuple[str, Integers]]:
    recipe = recipe_of(image)
    if held.counts is not None and recipe.kind == SLOW:
        for kind, counts in slow_faults(held.counts, FAULT_SEED):
            yield kind, _features(image, held, counts)
    else:
        yield from _feature_faults(recipe, _features(image, held))


def _feature_faults(recipe: Recipe, features: Integers) -> Iterable[tuple[str, Integers]]:
    return fast_faults(features, recipe.features_per_channel(), FAULT_SEED)


def _flagged_rate(image: ImageContent, features: Integers) -> float:
    scores, _ = arrays.scores(image, features)
    return float(np.mean(scores >= _FLAGGED))


def _as_metrics(found: Rates) -> dict[str, Any]:
    return {"healthy_flagged": found.healthy, "faults_seen": found.faulty, "faults_seen_by_kind": found.kinds}


def _percent(part: float) -> str:
    return f"{100 * part:.1f} %"
