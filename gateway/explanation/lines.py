"""Which line of a bearing or a shaft the far bands of a fast device hold.

A damaged part of a bearing rings resonances far above its own rate; that rate stands in the spectrum of the envelope.
So the bearing's lines are looked for in envelope bands, and the shaft's harmonics, which an imbalance or a misalignment
drives directly, in the bands of the spectrum. A part counts by how far the bands that hold its first harmonics stand
out from the other bands of their kind: damage lifts them all. Without a clear winner nothing is told.

The gateway knows features in healthy deviations, not their energies: where a healthy machine has a steady tone, its
band moves little, so its deviations are large whatever is damaged. Choose an envelope's part without one.
"""

import numpy as np
from numpy.typing import NDArray

from gateway.explanation.bands import BAND, ENVELOPE, bands_of
from gateway.explanation.geometry import Geometry
from gateway.explanation.sentences import part_of
from shared.messages.codec import Birth, Line

#: Harmonics that are looked for, and by what share a bearing may run off its kinematic lines.
HARMONICS, SLIP = 3, 0.02
#: The band of a line lies at least this far above normal, in healthy deviations.
FAR = 3.0
#: How far the bands of a part stand out from the others, in deviations among these: at least, and more than those of
#: the next part. The shaft has no other part to be weighed against.
STAND_OUT, AHEAD, SHAFT_STANDS_OUT = 1.0, 0.5, 3.0
#: Fewer bands of a kind do not tell what is usual among them.
BANDS_MIN = 8
_LEAST_DEVIATION = 0.25
_PARTS = {
    "BPFO": "the outer race",
    "BPFI": "the inner race",
    "BSF": "a rolling element",
    "FTF": "the cage",
    "shaft": "the shaft's turns",
}


def lines_of(birth: Birth, geometry: Geometry, deviations: NDArray[np.float64]) -> tuple[Line, ...]:
    """Lines that the features (columns,) of a fast device in healthy deviations match: at most one of the bearing and
    one of the shaft for each channel."""
    per_channel = len(birth.feature_names) // len(birth.profile.channels)
    found = []
    for channel_index, channel in enumerate(birth.profile.channels):
        own = slice(channel_index * per_channel, (channel_index + 1) * per_channel)
        names = [name.removeprefix(f"{channel.name} ") for name in birth.feature_names[own]]
        for kind, lines, least in (
            (ENVELOPE, geometry.bearing_lines(), STAND_OUT),
            (BAND, {"shaft": geometry.shaft_hertz}, SHAFT_STANDS_OUT),
        ):
            bands = bands_of(birth, names, kind, geometry.envelope_bins)
            best = _best(lines, bands, deviations[own], least)
            if best is not None:
                name, place = best
                sentence = (
                    f"{names[place]}{part_of(dict(bands)[place])} of {channel.name} matches {_PARTS[name]}: {name} is "
                    f"{lines[name]:.4g} Hz at {geometry.rpm:g} rpm"
                )
                found.append(Line(name, lines[name], channel.name, names[place], sentence))
    return tuple(found)


def _best(
    lines: dict[str, float], bands: list[tuple[int, tuple[float, float]]], deviations: NDArray[np.float64], least: float
) -> tuple[str, int] | None:
    """The line whose harmonics' bands stand out most, and the place of its first one's; None without a clear one."""
    if len(bands) < BANDS_MIN:
        return None
    among = deviations[[place for place, _ in bands]]
    middle = float(np.median(among))
    width = 1.4826 * float(np.median(np.abs(among - middle))) + _LEAST_DEVIATION
    ranked = sorted(
        ((_height(hertz, bands, (deviations - middle) / width), name) for name, hertz in lines.items()), reverse=True
    )
    if not ranked or ranked[0][0] < least or (len(ranked) > 1 and ranked[0][0] - ranked[1][0] < AHEAD):
        return None
    name = ranked[0][1]
    place = max(_holding(lines[name], lines[name], bands), key=lambda number: float(deviations[number]))
    return (name, place) if deviations[place] >= FAR else None


def _height(hertz: float, bands: list[tuple[int, tuple[float, float]]], standing: NDArray[np.float64]) -> float:
    """How far the bands of the first harmonics stand out, weighted by 1 over their number; -inf without the first."""
    heights = weights = 0.0
    for harmonic in range(1, HARMONICS + 1):
        inside = _holding(harmonic * hertz, hertz, bands)
        if inside:
            heights += max(float(standing[place]) for place in inside) / harmonic
            weights += 1.0 / harmonic
        elif harmonic == 1:
            return float("-inf")
    return heights / weights


def _holding(hertz: float, apart: float, bands: list[tuple[int, tuple[float, float]]]) -> list[int]:
    """Places of the bands that a line may lie in, but for those so wide that its harmonics, so far `apart`, are always
    in them."""
    low, high = hertz * (1.0 - SLIP), hertz * (1.0 + SLIP)
    return [place for place, (begin, end) in bands if begin < high and end > low and end - begin < apart]
