"""Why a reading was judged abnormal, in sentences that an operator can check against the machine."""

import math

import numpy as np
from numpy.typing import NDArray

from shared.identity import SLOW, Channel
from shared.messages.codec import Birth, Reason

#: Reasons given at most, the heaviest first.
REASONS_MAX = 3
#: A further channel is named when it adds at least this share of what the first one adds.
WORTH_NAMING = 0.2


def channel_of_columns(birth: Birth, columns: int) -> NDArray[np.int64]:
    """Index of the channel that each column of a device's values belongs to, int64 (columns,).

    A slow device has one column per channel, a fast one equally many features per channel, channel by channel.
    """
    return np.arange(columns) * len(birth.profile.channels) // columns


def explain(
    birth: Birth,
    kinds: tuple[str, ...],
    mean: NDArray[np.float64],
    scale: NDArray[np.float64],
    centre: NDArray[np.float64],
    spread: NDArray[np.float64],
    deviations: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> tuple[Reason, ...]:
    """Reasons for one reading.

    Parameters
    ----------
    kinds
        Kinds of running features, in the order of `deviations`.
    mean, scale
        Healthy mean and deviation of each column of values, float64 (columns,).
    centre, spread
        Healthy mean and deviation of each running feature, float64 (kinds * columns,).
    deviations
        The running features of the reading in those deviations, float64 (kinds * columns,).
    weights
        What each channel adds to the distance, float64 (channels,).
    """
    columns = len(mean)
    owners = channel_of_columns(birth, columns)
    grid = deviations.reshape(len(kinds), columns)
    order = np.argsort(-weights, kind="stable")[:REASONS_MAX]
    reasons = []
    for rank, channel_index in enumerate(order.tolist()):
        if rank > 0 and weights[channel_index] < WORTH_NAMING * weights[order[0]]:
            break
        channel = birth.profile.channels[channel_index]
        own = np.flatnonzero(owners == channel_index)
        kind_index, within = divmod(int(np.abs(grid[:, own]).argmax()), len(own))
        column = int(own[within])
        distance = float(grid[kind_index, column])
        feature = kind_index * columns + column
        if birth.profile.kind == SLOW:
            expected = float(mean[column] + scale[column] * centre[feature])
            observed = expected + float(scale[column] * spread[feature]) * distance
            reasons.append(_slow(channel, kinds[kind_index], distance, observed, expected, float(spread[feature])))
        else:
            name = birth.feature_names[column % len(birth.feature_names)].removeprefix(f"{channel.name} ")
            sentence = f"{name} of {channel.name} is {_times(distance)}"
            reasons.append(Reason(channel.name, name, distance, sentence))
    return tuple(reasons)


def _slow(channel: Channel, kind: str, distance: float, observed: float, expected: float, spread: float) -> Reason:
    if kind == "deviation":
        ratio = math.exp(min(abs(distance * spread), 20.0))
        change = "more" if distance > 0 else "less"
        sentence = f"{channel.name} varies {ratio:.1f} times {change} than normal"
        return Reason(channel.name, "deviation", distance, sentence)
    unit = f" {channel.unit}" if channel.unit else ""
    sentence = f"{channel.name} is {_times(distance)}: {observed:.4g}{unit}, expected {expected:.4g}{unit}"
    return Reason(channel.name, "mean", distance, sentence)


def _times(distance: float) -> str:
    return f"{abs(distance):.1f} deviations {'above' if distance >= 0 else 'below'} normal"
