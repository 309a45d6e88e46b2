"""Target `cortex-m0`: cores with nothing but a 32-bit product (M0, M0+, M3); `firmware/c/kernels/cortex_m0.S` reads it.

A block of eight rows a..h: four start values for rows a-d and four for e-h; per column one word of each four rows;
eight multipliers; eight shifts. A word is ``(256 a + b) << 16 | (256 c + d + 2**15)``. Biases are those of values less
the least that there can be, which the kernel leaves out of its sums.

The sums are exact if a block holds three bounds, whatever the values are: 256 * a + b and 256 * c + d fit int16,
256 * A fits int32 (A being the bias and sum of row a, c, e or g), shifts are at least 25 in these rows and 33 in the
others. A block that does not is plain: biases, per column eight int8 weights, multipliers, shifts; the same size.
"""

import numpy as np

from firmware.kernels.block import Block, Integers, half, signed_words, sum_range, words

NAME = "cortex-m0"
BLOCK_ROWS = 8
LANE_BYTES = 2
LANES = 4
LESS_LOW = True

_SHIFT_LESS = np.array([33 - 8, 33] * 4, np.int64)
_SUM_LIMIT = 1 << 23


def columns_of(inputs: int) -> int:
    """Columns of a packed row."""
    return inputs


def _halves(weights: Integers) -> Integers:
    """256 * first + second of each two rows."""
    return 256 * weights[0::2] + weights[1::2]


def fits(block: Block) -> bool:
    """Whether the block holds the bounds."""
    halves = _halves(block.weights)
    least, greatest = sum_range(block, 0, 255)
    return bool(
        np.all(np.abs(2 * halves + 1) <= 0xFFFF)
        and np.all(least[0::2] >= -_SUM_LIMIT)
        and np.all(greatest[0::2] < _SUM_LIMIT)
        and np.all(block.shifts >= _SHIFT_LESS)
    )


def pack(block: Block) -> bytes | None:
    """The bytes of a block, or None if it must be plain."""
    if not fits(block):
        return None
    halves = _halves(block.weights)
    biases = _halves(block.bias)
    low = 1 << 15
    weights = (halves[0::2] << 16) + halves[1::2] + low
    starts = np.stack([(biases[0::2] << 16) + biases[1::2], biases[0::2], block.bias[1::4], block.bias[3::4]], axis=1)
    return (
        words(starts.ravel())
        + words(weights.T.ravel())
        + words(block.multipliers)
        + (block.shifts - _SHIFT_LESS).astype(np.uint8).tobytes()
    )


def _split(halves: Integers) -> tuple[Integers, Integers]:
    """`_halves` undone."""
    second = ((halves + 128) & 0xFF) - 128
    return (halves - second) >> 8, second


def unpack(content: bytes, columns: int) -> Block:
    """What `pack` packed."""
    scales = 32 + 8 * columns
    starts = signed_words(content[:32]).reshape(2, 4)
    bias = np.empty(8, np.int64)
    bias[1::4] = starts[:, 2]
    bias[3::4] = starts[:, 3]
    bias[0::4] = half(starts[:, 1] - bias[1::4]) >> 8
    bias[2::4] = half(starts[:, 0] - (starts[:, 1] << 16) - bias[3::4]) >> 8
    packed = signed_words(content[32:scales]).reshape(columns, 2).T
    weights = np.empty((8, columns), np.int64)
    weights[0::4], weights[1::4] = _split(packed >> 16)
    weights[2::4], weights[3::4] = _split((packed & 0xFFFF) - (1 << 15))
    return Block(
        weights,
        bias,
        signed_words(content[scales : scales + 32]),
        np.frombuffer(content[scales + 32 :], np.uint8).astype(np.int64) + _SHIFT_LESS,
    )


def pack_plain(block: Block) -> bytes:
    """The plain form."""
    return (
        words(block.bias)
        + block.weights.T.astype(np.int8).tobytes()
        + words(block.multipliers)
        + block.shifts.astype(np.uint8).tobytes()
    )


def unpack_plain(content: bytes, columns: int) -> Block:
    """What `pack_plain` packed."""
    scales = 32 + 8 * columns
    return Block(
        np.frombuffer(content[32:scales], np.int8).reshape(columns, 8).T.astype(np.int64),
        signed_words(content[:32]),
        signed_words(content[scales : scales + 32]),
        np.frombuffer(content[scales + 32 :], np.uint8).astype(np.int64),
    )
