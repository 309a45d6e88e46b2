"""Packs the layers of a model for a target and unpacks them again: nothing is lost, nothing is added but padding.

A packed layer, little endian, aligned to 4:

    0   2   inputs          4   1   zero (int8)     6   2   plain: blocks that only the plain form computes
    2   2   outputs         5   1   low (int8)      8   4   bytes that follow
    12      with plain blocks: a bitmap of them, lowest bit first, padded to 4 bytes
            blocks of four or eight rows, as the target's module says; all of a layer have one size
"""

import dataclasses
import struct
from dataclasses import dataclass
from types import ModuleType

from firmware.errors import FirmwareError
from firmware.kernels import cortex_m0, dsp, mve, portable
from firmware.kernels.block import Block, blocks_of, layer_of
from shared.errors import UsageError
from shared.model_image import Layer

_VALUE_MIN = -128
_HEADER = struct.Struct("<HHbbHI")
_TARGETS: dict[str, ModuleType] = {module.NAME: module for module in (portable, cortex_m0, dsp, mve)}
TARGETS = tuple(_TARGETS)


class PackingError(FirmwareError):
    """Bytes that are not packed layers of that target."""


@dataclass(frozen=True)
class PackedModel:
    """Layers packed for `target`; `plain_rows` of `rows` (padding included) are computed by the plain form."""

    target: str
    content: bytes
    layers: int
    rows: int
    plain_rows: int


def target_named(name: str) -> ModuleType:
    """The module of a target; UsageError names those that exist."""
    if name not in _TARGETS:
        raise UsageError(f"there is no target {name}; choose one of {', '.join(TARGETS)}")
    return _TARGETS[name]


def pack(layers: list[Layer], target: str) -> PackedModel:
    """Layers, as an image holds them, packed for a target."""
    module = target_named(target)
    parts = []
    rows = 0
    plain_rows = 0
    least = _VALUE_MIN
    for layer in layers:
        columns = module.columns_of(layer.inputs)
        blocks = [_shifted(module, block, least) for block in blocks_of(layer, module.BLOCK_ROWS, columns)]
        least = layer.low
        packed = [module.pack(block) for block in blocks]
        plain = [number for number, content in enumerate(packed) if content is None]
        body = _bitmap(plain, len(blocks)) + b"".join(
            module.pack_plain(block) if content is None else content
            for block, content in zip(blocks, packed, strict=True)
        )
        parts.append(_HEADER.pack(layer.inputs, layer.outputs, layer.zero, layer.low, len(plain), len(body)) + body)
        rows += module.BLOCK_ROWS * len(blocks)
        plain_rows += module.BLOCK_ROWS * len(plain)
    return PackedModel(target, b"".join(parts), len(layers), rows, plain_rows)


def _shifted(module: ModuleType, block: Block, least: int) -> Block:
    """The block for values less `least`, if that is what the target's kernel sums."""
    if not module.LESS_LOW:
        return block
    return dataclasses.replace(block, bias=block.bias + least * block.weights.sum(1))


def unpack(model: PackedModel) -> list[Layer]:
    """The layers that were packed; PackingError where sizes do not fit."""
    module = target_named(model.target)
    layers = []
    position = 0
    least = _VALUE_MIN
    for number in range(model.layers):
        start = position + _HEADER.size
        if start > len(model.content):
            raise PackingError(f"packed layer {number} is cut short")
        inputs, outputs, zero, low, plain, size = _HEADER.unpack(model.content[position:start])
        position = start + size
        body = model.content[start:position]
        blocks = [_shifted(module, block, -least) for block in _blocks(module, body, number, (inputs, outputs), plain)]
        layers.append(layer_of(blocks, inputs, outputs, zero, low))
        least = low
    if position != len(model.content):
        raise PackingError(f"{len(model.content) - position} bytes are left over behind the packed layers")
    return layers


def _blocks(module: ModuleType, body: bytes, number: int, sizes: tuple[int, int], plain: int) -> list[Block]:
    inputs, outputs = sizes
    columns = module.columns_of(inputs)
    count = -(-outputs // module.BLOCK_ROWS)
    size = module.BLOCK_ROWS * (9 + columns)
    bitmap = _bitmap_bytes(count) if plain else 0
    if len(body) != bitmap + count * size:
        raise PackingError(f"packed layer {number} has {len(body)} bytes where {bitmap + count * size} are expected")
    flags = int.from_bytes(body[:bitmap], "little")
    return [
        (module.unpack_plain if flags >> index & 1 else module.unpack)(
            body[bitmap + index * size : bitmap + (index + 1) * size], columns
        )
        for index in range(count)
    ]


def _bitmap_bytes(blocks: int) -> int:
    return -(-blocks // 32) * 4


def _bitmap(plain: list[int], blocks: int) -> bytes:
    if not plain:
        return b""
    return sum(1 << number for number in plain).to_bytes(_bitmap_bytes(blocks), "little")
