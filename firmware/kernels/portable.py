"""Target `portable`: any processor with a C compiler.

A block: four biases; per column the int8 weights of its four rows; four multipliers; four shifts.
"""

import numpy as np

from firmware.kernels.block import Block, signed_words, words

NAME = "portable"
BLOCK_ROWS = 4
LANE_BYTES = 1
LANES = 4
LESS_LOW = False


def columns_of(inputs: int) -> int:
    """Columns of a packed row."""
    return inputs


def pack(block: Block) -> bytes:
    """The bytes of a block; there is none that this target cannot compute."""
    return (
        words(block.bias)
        + block.weights.T.astype(np.int8).tobytes()
        + words(block.multipliers)
        + block.shifts.astype(np.uint8).tobytes()
    )


def unpack(content: bytes, columns: int) -> Block:
    """What `pack` packed."""
    scales = 16 + 4 * columns
    return Block(
        np.frombuffer(content[16:scales], np.int8).reshape(columns, 4).T.astype(np.int64),
        signed_words(content[:16]),
        signed_words(content[scales : scales + 16]),
        np.frombuffer(content[scales + 16 :], np.uint8).astype(np.int64),
    )
