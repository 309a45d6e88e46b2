"""Which channel explains a distance: the one without which least of it would be left.

The distance of a reading is ``y' M y`` over its features y in healthy deviations. What single features add to that sum
is smeared over all channels that move together. Here each channel's features q are instead set to what the others let
expect, ``y_q - M_qq**-1 (M y)_q``, which makes the distance as small as this channel alone can make it; how much
smaller, ``(M y)_q' M_qq**-1 (M y)_q``, is what the channel explains. For a fault of a single channel it is largest for
that channel, whatever the correlations are, once the fault outgrows the noise.

References
----------
Alcala, C. F. and Qin, S. J., 2009. Reconstruction-based contribution for process monitoring. Automatica 45.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Attribution:
    """What each of k channels explains of a distance.

    `channels`: the channels that explain most, the first one first, each after those before it were set right.
    ``explained`` float64 (len(channels),): what each takes off the distance, as a share of all of it. ``expected``
    float64 (d,): what the other features let expect of each channel's features, in healthy deviations.
    """

    channels: tuple[int, ...]
    explained: Floats
    expected: Floats


def attribute(matrix: Floats, deviations: Floats, owners: NDArray[np.int64], most: int) -> Attribution:
    """At most `most` channels that explain ``deviations' matrix deviations``.

    Parameters
    ----------
    matrix
        Symmetric and positive definite, float64 (d, d).
    deviations
        Features in healthy deviations, float64 (d,).
    owners
        The channel of each feature, int64 (d,), numbered without a gap.

    >>> matrix = np.linalg.inv(np.array([[1.0, 0.9], [0.9, 1.0]]))
    >>> attribute(matrix, np.array([3.0, 0.0]), np.array([0, 1]), 1).channels
    (0,)
    """
    places = [np.flatnonzero(owners == channel) for channel in np.unique(owners)]
    own = [matrix[np.ix_(place, place)] for place in places]
    rest = deviations.astype(np.float64).copy()
    total = max(float(rest @ matrix @ rest), 1e-12)
    found: list[int] = []
    explained: list[float] = []
    expected = np.empty(len(rest))
    for turn in range(min(most, len(places))):
        pull = matrix @ rest
        moves = [np.linalg.solve(block, pull[place]) for block, place in zip(own, places, strict=True)]
        gains = np.array([pull[place] @ move for place, move in zip(places, moves, strict=True)])
        gains[found] = -np.inf
        if turn == 0:
            for place, move in zip(places, moves, strict=True):
                expected[place] = deviations[place] - move
        best = int(gains.argmax())
        found.append(best)
        explained.append(float(gains[best]) / total)
        rest[places[best]] -= moves[best]
    return Attribution(tuple(found), np.array(explained), expected)


def block_diagonal(matrices: tuple[Floats, ...]) -> Floats:
    """Matrices of groups of features as one, float64 (d, d): what stands in different groups is not related."""
    size = sum(map(len, matrices))
    whole, begin = np.zeros((size, size)), 0
    for matrix in matrices:
        end = begin + len(matrix)
        whole[begin:end, begin:end] = matrix
        begin = end
    return whole
