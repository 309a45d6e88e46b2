"""Target `mve`: cores with the vector extension (M55); `firmware/c/kernels/mve.c` reads it.

A block of eight rows: biases; per sixteen columns the int8 weights of row 0, row 1, ...; multipliers; shifts, held as
``32 - shift`` (int8). The sums are exact for any weights; a block with a shift below 33 is plain: biases, int8 weights
row by row, multipliers, shifts; the same size.
"""

import numpy as np

from firmware.kernels.block import Block, signed_words, words

NAME = "mve"
_BLOCK_ROWS = 8
_LANES = 16
LESS_LOW = False

_HIGH_WORD = 32


def pack(block: Block) -> bytes | None:
    """The bytes of a block, or None if it must be plain."""
    if block.shifts.min() <= _HIGH_WORD:
        return None
    ordered = block.weights.reshape(_BLOCK_ROWS, -1, _LANES).transpose(1, 0, 2)
    return (
        words(block.bias)
        + ordered.astype(np.int8).tobytes()
        + words(block.multipliers)
        + (_HIGH_WORD - block.shifts).astype(np.int8).tobytes()
    )


def unpack(content: bytes, columns: int) -> Block:
    """What `pack` packed."""
    scales = 32 + 8 * columns
    ordered = np.frombuffer(content[32:scales], np.int8).astype(np.int64).reshape(-1, _BLOCK_ROWS, _LANES)
    return Block(
        ordered.transpose(1, 0, 2).reshape(_BLOCK_ROWS, columns),
        signed_words(content[:32]),
        signed_words(content[scales : scales + 32]),
        _HIGH_WORD - np.frombuffer(content[scales + 32 :], np.int8).astype(np.int64),
    )


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
    scales = 32 + 8 * columns
    return Block(
        np.frombuffer(content[32:scales], np.int8).reshape(_BLOCK_ROWS, columns).astype(np.int64),
        signed_words(content[:32]),
        signed_words(content[scales : scales + 32]),
        np.frombuffer(content[scales + 32 :], np.uint8).astype(np.int64),
    )
