"""Some rows of a layer, four or eight: the unit in which a target packs."""

import copy
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.model_image import Layer

Integers = NDArray[np.int64]

#: A row that is added gives about -2**20, which becomes the layer's low, and holds every target's bounds.
_ADDED_BIAS = -(1 << 22)
_ADDED_MULTIPLIER = (1 << 31) - 1
_ADDED_SHIFT = 33


@dataclass(frozen=True, eq=False)
class Block:
    """Rows: weights (rows, columns), and a bias, multiplier and shift for each."""

    weights: Integers
    bias: Integers
    multipliers: Integers
    shifts: Integers


def blocks_of(layer: Layer, block_rows: int, columns: int) -> list[Block]:
    """The rows of a layer, `block_rows` at a time, padded to `columns` with zeros; rows that are added give its low."""
    missing = -layer.rows % block_rows
    rows = layer.rows + missing
    weights = np.zeros((rows, columns), np.int64)
    weights[: layer.rows, : layer.columns] = np.frombuffer(layer.weights, np.int8).reshape(layer.rows, layer.columns)
    bias = np.array([*layer.bias, *[_ADDED_BIAS] * missing], np.int64)
    multipliers = np.array([*layer.multipliers, *[_ADDED_MULTIPLIER] * missing], np.int64)
    shifts = np.array([*layer.shifts, *[_ADDED_SHIFT] * missing], np.int64)
    return [
        Block(*(values[start : start + block_rows] for values in (weights, bias, multipliers, shifts)))
        for start in range(0, rows, block_rows)
    ]


def fill_layer(layer: Layer, blocks: list[Block]) -> Layer:
    """A packed layer with the rows of its blocks again; what `blocks_of` added is dropped."""
    weights, bias, multipliers, shifts = (
        np.concatenate([getattr(block, name) for block in blocks])[: layer.rows]
        for name in ("weights", "bias", "multipliers", "shifts")
    )
    result = copy.copy(layer)
    result.weights = weights[:, : layer.columns].astype(np.int8).tobytes()
    result.bias = bias.tolist()
    result.multipliers = multipliers.tolist()
    result.shifts = shifts.tolist()
    result.packed = b""
    result.plain = 0
    return result


def words(values: Integers) -> bytes:
    """32-bit words, little endian, of any integers modulo 2**32."""
    return (values & 0xFFFFFFFF).astype("<u4").tobytes()


def signed_words(content: bytes) -> Integers:
    """32-bit words, little endian, as signed integers."""
    return np.frombuffer(content, "<i4").astype(np.int64)


def sum_range(block: Block, low: int = -128, high: int = 127) -> tuple[Integers, Integers]:
    """The least and the greatest bias + sum of each row for any values in [low, high]."""
    ends = np.stack([block.weights * low, block.weights * high])
    return block.bias + ends.min(0).sum(1), block.bias + ends.max(0).sum(1)


def half(value: Integers) -> Integers:
    """Modulo 2**32 as a signed number."""
    return ((value + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)
