"""Target `dsp`: cores that multiply two 16-bit lanes at once (M4, M7, M33); `firmware/c/kernels/dsp.S` reads it.

A block: two start values for rows a, b and two for c, d; per four columns two words of a, b and two of c, d; four
multipliers; four shifts. A lane is 256 * a + b of one column; the words of a pair hold columns (0, 2) and (1, 3).

The sums are exact if a block holds three bounds, whatever the values are:

- every lane fits int16 (so -128 may stand in b, but not in a unless b is not negative);
- 256 * A fits int32, A being the bias and sum of row a (or c);
- shifts are at least 25 in a, c and 33 in b, d.

A block that does not is plain: biases, int8 weights row by row, multipliers, shifts; the same size.
"""

import numpy as np

from firmware.kernels.block import Block, Integers, half, signed_words, sum_range, words

NAME = "dsp"
LESS_LOW = False

#: Row a's sum is held 256 times: 8 more to shift; 33 less, because the high word and one halving are fixed.
_SHIFT_LESS = np.array([33 - 8, 33, 33 - 8, 33], np.int64)
_SUM_LIMIT = 1 << 23


def _lanes(block: Block) -> Integers:
    return 256 * block.weights[0::2] + block.weights[1::2]


def fits(block: Block) -> bool:
    """Whether the block holds the bounds."""
    lanes = _lanes(block)
    least, greatest = sum_range(block)
    return bool(
        np.all(np.abs(2 * lanes + 1) <= 0xFFFF)
        and np.all(least[0::2] >= -_SUM_LIMIT)
        and np.all(greatest[0::2] < _SUM_LIMIT)
        and np.all(block.shifts >= _SHIFT_LESS)
    )


def _neighbours(weights: Integers) -> Integers:
    """Sum of the products of neighbouring weights, (2, columns) -> (2)."""
    products: Integers = (weights[:, 0::2] * weights[:, 1::2]).sum(1)
    return products


def pack(block: Block) -> bytes | None:
    """The bytes of a block, or None if it must be plain."""
    if not fits(block):
        return None
    bias = block.bias
    starts = np.stack([256 * bias[0::2] + bias[1::2], bias[1::2] - _neighbours(block.weights[1::2])], axis=1)
    lanes = _lanes(block) & 0xFFFF
    # (pair, group, column) -> (group, pair, word, half): columns 0, 2 and 1, 3
    ordered = lanes.reshape(2, -1, 2, 2).transpose(1, 0, 3, 2)
    return (
        words(starts.ravel())
        + ordered.astype("<u2").tobytes()
        + words(block.multipliers)
        + (block.shifts - _SHIFT_LESS).astype(np.uint8).tobytes()
    )


def unpack(content: bytes, columns: int) -> Block:
    """What `pack` packed."""
    scales = 16 + 4 * columns
    starts = signed_words(content[:16]).reshape(2, 2)
    ordered = np.frombuffer(content[16:scales], "<i2").astype(np.int64).reshape(-1, 2, 2, 2)
    lanes = ordered.transpose(1, 0, 3, 2).reshape(2, columns)
    low = ((lanes + 128) & 0xFF) - 128
    weights = np.empty((4, columns), np.int64)
    weights[0::2] = (lanes - low) >> 8
    weights[1::2] = low
    bias = np.empty(4, np.int64)
    bias[1::2] = half(starts[:, 1] + _neighbours(low))
    bias[0::2] = half(starts[:, 0] - bias[1::2]) >> 8
    shifts = np.frombuffer(content[scales + 16 :], np.uint8).astype(np.int64) + _SHIFT_LESS
    return Block(weights, bias, signed_words(content[scales : scales + 16]), shifts)


def pack_plain(block: Block) -> bytes:
    """The plain form."""
    return (
        words(block.bias)
        + block.weights.astype(np.int8).tobytes()
        + words(block.multipliers)
        + block.shifts.astype(np.uint8).tobytes()
    )


def unpack_plain(content: bytes, columns: int) -> Block:
    """What `pack_plain` packed."""
    scales = 16 + 4 * columns
    return Block(
        np.frombuffer(content[16:scales], np.int8).reshape(4, columns).astype(np.int64),
        signed_words(content[:16]),
        signed_words(content[scales : scales + 16]),
        np.frombuffer(content[scales + 16 :], np.uint8).astype(np.int64),
    )
