"""From a judged reading to its explanation: channels, features, distances, what spoke up, since when."""

import math

import numpy as np
from numpy.typing import NDArray

from gateway.detectors.judgement import NEVER, Judgement
from gateway.detectors.novelty_reason import novelty_reason
from gateway.explanation.attribution import attribute
from gateway.explanation.bands import band_of
from gateway.explanation.explanation import Explanation, Healthy
from gateway.explanation.geometry import Geometry
from gateway.explanation.lines import lines_of
from gateway.explanation.sentences import fast_feature, lost, slow_deviation, slow_mean, slow_relation
from shared.identity import SLOW
from shared.messages.codec import Birth, Line, Reason

#: Reasons given at most, the heaviest first.
REASONS_MAX = 3
#: A further channel is named when, the first ones set right, it explains at least this share of the distance.
WORTH_NAMING = 0.2
#: Nearer to its healthy mean than this, in healthy deviations, a channel is told by what the others let expect.
FAR = 3.0
#: A further feature of a fast channel is named when it is at least this part as far as the farthest.
ALSO_FAR = 0.6
#: What stands this many of its healthy heights above its healthy median has spoken up.
SPOKE = 1.0


def channel_of_columns(birth: Birth, columns: int) -> NDArray[np.int64]:
    """Index of the channel that each column of a device's values belongs to, int64 (columns,).

    A slow device has one column per channel, a fast one equally many features per channel, channel by channel.
    """
    return np.arange(columns) * len(birth.profile.channels) // columns


def explain(
    birth: Birth,
    judgement: Judgement,
    index: int,
    healthy: Healthy,
    place: NDArray[np.int64],
    geometry: Geometry | None = None,
) -> Explanation:
    """Why reading `index` was judged as it was.

    `place`: where the judgement has each feature of `healthy`, int64 (kinds * columns,). `geometry`: what a fast device
    looks at, if it was declared.
    """
    novelty, score = float(judgement.novelty[index]), float(judgement.scores[index])
    gone = [
        (channel, int(since))
        for channel, since in zip(birth.profile.channels, judgement.lost_since_ns[index], strict=False)
        if since != NEVER
    ]
    missing = tuple(lost(channel, since) for channel, since in gone)
    event = novelty_reason(birth, novelty)
    evident = int(judgement.since_ns[index])
    far: tuple[tuple[Reason, float], ...] = ()
    if not math.isnan(score) and (evident != NEVER or not (missing or event)):
        far = _far(birth, judgement.deviations[index][place], healthy, geometry)
    lines: tuple[Line, ...] = ()
    if far and geometry is not None and birth.profile.kind != SLOW:
        lines = lines_of(birth, geometry, judgement.deviations[index][place])
    told = tuple(reason for reason, _ in far)
    reasons = missing + (told + event if score >= 1.0 else event + told)
    weights = [(f"{reason.channel}/{reason.feature}{'-' if reason.distance < 0 else '+'}", w) for reason, w in far]
    weights += [(f"{reason.channel}/{reason.feature}", 1.0) for reason in missing + event]
    begins = [since for _, since in gone] + ([evident] if evident != NEVER else [])
    return Explanation(
        reasons[:REASONS_MAX],
        min(begins) if begins else None,
        _spoke(judgement, index, bool(missing), bool(event)),
        tuple((f"{birth.profile.device}/{name}", weight) for name, weight in weights),
        lines,
    )


def _far(
    birth: Birth, deviations: NDArray[np.float64], healthy: Healthy, geometry: Geometry | None
) -> tuple[tuple[Reason, float], ...]:
    """Reasons from the distance, the heaviest first, each with the root of the share that it explains."""
    columns = len(healthy.mean)
    owners = np.tile(channel_of_columns(birth, columns), len(healthy.kinds))
    found = attribute(healthy.matrix, deviations, owners, REASONS_MAX)
    reasons: list[tuple[Reason, float]] = []
    for rank, (channel, share) in enumerate(zip(found.channels, found.explained.tolist(), strict=True)):
        if rank and share < WORTH_NAMING:
            break
        own = np.flatnonzero(owners == channel)
        if birth.profile.kind == SLOW:
            told = [_slow(birth, channel, own, deviations, found.expected, healthy)]
        else:
            told = _fast(birth, channel, own, deviations, 0 if geometry is None else geometry.envelope_bins)
        reasons += [(reason, math.sqrt(share)) for reason in told]
    return tuple(reasons[:REASONS_MAX])


def _slow(
    birth: Birth,
    channel_index: int,
    own: NDArray[np.int64],
    deviations: NDArray[np.float64],
    expected: NDArray[np.float64],
    healthy: Healthy,
) -> Reason:
    """The farthest of a slow channel's running features; near its healthy mean, the one that fits the others least."""
    channel, column = birth.profile.channels[channel_index], channel_index
    unexpected = deviations - expected
    marginal = float(np.abs(deviations[own]).max()) >= FAR
    feature = int(own[np.abs((deviations if marginal else unexpected)[own]).argmax()])
    distance, spread = float(deviations[feature]), float(healthy.spread[feature])
    if healthy.kinds[feature // len(healthy.mean)] == "deviation":
        return slow_deviation(channel, distance, spread)
    normal = float(healthy.mean[column] + healthy.scale[column] * healthy.centre[feature])
    per_deviation = float(healthy.scale[column]) * spread
    observed = normal + per_deviation * distance
    fits = normal + per_deviation * float(expected[feature])
    if marginal or abs(float(unexpected[feature])) <= abs(distance):
        return slow_mean(channel, distance, observed, normal)
    return slow_relation(channel, float(unexpected[feature]), observed, fits)


def _fast(
    birth: Birth, channel_index: int, own: NDArray[np.int64], deviations: NDArray[np.float64], envelope_bins: int
) -> list[Reason]:
    """The farthest features of a fast channel."""
    channel = birth.profile.channels[channel_index]
    names = [birth.feature_names[place % len(birth.feature_names)].removeprefix(f"{channel.name} ") for place in own]
    by_distance = np.argsort(-np.abs(deviations[own]), kind="stable")[:REASONS_MAX].tolist()
    reasons = []
    for rank in by_distance:
        distance = float(deviations[own[rank]])
        if abs(distance) < ALSO_FAR * abs(float(deviations[own[by_distance[0]]])):
            break
        reasons.append(fast_feature(channel, names[rank], band_of(birth, names[rank], names, envelope_bins), distance))
    return reasons


def _spoke(judgement: Judgement, index: int, missing: bool, event: bool) -> tuple[str, ...]:
    """What raised the alarm, in words."""
    distance, kept = judgement.standings[index].tolist()
    score, fused = float(judgement.scores[index]), float(judgement.fused[index])
    sensor = fused > score or (math.isnan(score) and not math.isnan(fused))
    words = []
    if distance >= SPOKE or (distance == distance and not (kept >= SPOKE or sensor or missing or event)):
        words.append("whitened distance")
    if kept >= SPOKE:
        words.append("kept rows")
    if sensor:
        words.append("sensor's model")
    if event:
        words.append("events")
    if missing:
        words.append("missing values")
    return tuple(words)
