"""Target `cortex-m0`: cores with nothing but a 32-bit product (M0, M0+, M3); `firmware/c/kernels/cortex_m0.S` reads it.

A block of eight rows a..h: three start values for rows a-d and three for e-h, two words of zero; per column one word of
each four rows; eight multipliers; eight shifts. Byte 3 of a word is the weight of row a (e) plus 128, bytes 2, 1, 0 are
those of the next rows. Biases are those of values less the least that there can be.

The sums are exact if a block holds two bounds, whatever the values are: each row's sum, bias included, stays below
2**23 - 2**15, and shifts are at least 33. A block that does not is plain: biases, per column eight int8 weights,
multipliers, shifts; the same size.
"""

import numpy as np

from firmware.kernels.block import Block, Integers, half, signed_words, sum_range, words

NAME = "cortex-m0"
LESS_LOW = True

_SHIFT_LESS = 33
_SUM_LIMIT = (1 << 23) - (1 << 15)
_WEIGHT_OFFSET = 128


def fits(block: Block) -> bool:
    """Whether the block holds the bounds."""
    least, greatest = sum_range(block, 0, 255)
    return bool(least.min() >= -_SUM_LIMIT and greatest.max() < _SUM_LIMIT and block.shifts.min() >= _SHIFT_LESS)


def pack(block: Block) -> bytes | None:
    """The bytes of a block, or None if it must be plain."""
    if not fits(block):
        return None
    starts = np.zeros(8, np.int64)
    for number, (a, b, c, d) in enumerate(block.bias.reshape(2, 4)):
        high = (a << 8) + b
        low = (c << 8) + d
        starts[3 * number : 3 * number + 3] = (high << 16) + low, (d << 24) + (c << 16) + (b << 8) + a, high
    weights = (block.weights + _WEIGHT_OFFSET).T.reshape(-1, 2, 4)[:, :, ::-1]
    return (
        words(starts)
        + weights.astype(np.uint8).tobytes()
        + words(block.multipliers)
        + (block.shifts - _SHIFT_LESS).astype(np.uint8).tobytes()
    )


def unpack(content: bytes, columns: int) -> Block:
    """What `pack` packed."""
    scales = 32 + 8 * columns
    starts = signed_words(content[:24]).reshape(2, 3)
    weights = np.frombuffer(content[32:scales], np.uint8).reshape(columns, 2, 4)[:, :, ::-1]
    return Block(
        weights.reshape(columns, 8).T.astype(np.int64) - _WEIGHT_OFFSET,
        _totals(*starts.T).T.ravel(),
        signed_words(content[scales : scales + 32]),
        np.frombuffer(content[scales + 32 :], np.uint8).astype(np.int64) + _SHIFT_LESS,
    )


def _totals(everything: Integers, turned: Integers, high: Integers) -> Integers:
    """The four numbers in each three sums, (4, words), as cortex_m0.S takes them out."""
    low = half(everything - (high << 16))
    mixed = half(turned - (low << 24) - (high << 8))
    b_high = _low_half((high >> 8) - mixed)
    a = (high >> 8) - b_high
    d_high = _low_half((low >> 8) - (((mixed - a) >> 16) + a))
    return np.array([a, (b_high << 8) + (high & 0xFF), (low >> 8) - d_high, (d_high << 8) + (low & 0xFF)])


def _low_half(value: Integers) -> Integers:
    """The lower 16 bits as a signed number."""
    return ((value + (1 << 15)) & 0xFFFF) - (1 << 15)


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
