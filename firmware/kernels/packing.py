"""Packs the layers of an image for a target and unpacks them again: nothing is lost, nothing is added but padding.

The record of a packed layer is that of `shared.model_image`; what its blocks hold is told by the target's module here.
Dense layers and convolutions are packed; depthwise layers, and convolutions that round twice, stay as they are.
"""

import copy
from dataclasses import replace
from types import ModuleType

from firmware.errors import FirmwareError
from firmware.kernels import cortex_m0, dsp, mve
from firmware.kernels.block import Block, blocks_of, fill_layer
from shared.model_image import LAYER_DENSE, ImageContent, Layer
from shared.quantized import targets
from shared.quantized.targets import TARGET_ANY, Target

_VALUE_MIN = -128
_MODULES: dict[str, ModuleType] = {module.NAME: module for module in (cortex_m0, dsp, mve)}


class PackingError(FirmwareError):
    """Layers that cannot be packed for a target, or bytes that are no packed layer of it."""


def pack_image(content: ImageContent, target: int) -> ImageContent:
    """The same model for `target`, a number of `shared.quantized.targets`; encoding it anew gives it another digest.

    Raises PackingError where a bias leaves what the target's plain rows can hold.
    """
    plain = unpacked(content)
    if target == TARGET_ANY or not plain.layers:
        return plain
    plain.layers = pack_layers(plain.layers, target)
    plain.target = target
    return plain


def unpacked(content: ImageContent) -> ImageContent:
    """The same model for every processor; PackingError where a packed layer has another length than its sizes say."""
    result = copy.copy(content)
    if content.target != TARGET_ANY:
        result.layers = unpack_layers(content.layers, content.target)
        result.target = TARGET_ANY
    return result


def pack_layers(layers: list[Layer], target: int) -> list[Layer]:
    """Layers of an image for any processor, packed for `target`."""
    return [
        pack_layer(layer, target, least) if layer.may_be_packed else copy.copy(layer)
        for layer, least in _with_least(layers)
    ]


def unpack_layers(layers: list[Layer], target: int) -> list[Layer]:
    """What `pack_layers` packed."""
    return [
        _unpack_layer(layer, target, least) if layer.may_be_packed else layer for layer, least in _with_least(layers)
    ]


def pack_layer(layer: Layer, target: int, least: int) -> Layer:
    """One dense layer or convolution, `least` being the least of the values that it reads."""
    layout = targets.packed(target)
    module = _MODULES[layout.name]
    blocks = blocks_of(layer, layout.block_rows, layout.columns_of(layer.columns))
    blocks = [_shifted(module, block, least) for block in blocks]
    packed: list[bytes | None] = [module.pack(block) for block in blocks]
    plain = [number for number, content in enumerate(packed) if content is None]
    for number in plain:
        _check_plain(blocks[number], layout, number)
        packed[number] = module.pack_plain(blocks[number])
    result = copy.copy(layer)
    result.weights, result.bias, result.multipliers, result.shifts = b"", [], [], []
    result.packed = _bitmap(plain, layout, layer.rows) + b"".join(content or b"" for content in packed)
    result.plain = len(plain)
    return result


def plain_rows(content: ImageContent) -> tuple[int, int]:
    """Rows of packed layers that only the plain loop of the target computes, and all rows of packed layers."""
    if content.target == TARGET_ANY:
        return 0, 0
    layout = targets.packed(content.target)
    plain = 0
    layers = [layer for layer in content.layers if layer.may_be_packed]
    for layer in layers:
        flags = _flags(layer, layout)
        plain += sum(
            min(layout.block_rows, layer.rows - layout.block_rows * block)
            for block in range(layout.blocks_of(layer.rows))
            if flags >> block & 1
        )
    return plain, sum(layer.rows for layer in layers)


def has_plain_loops(layers: list[Layer]) -> bool:
    """Whether some of these packed layers' rows run in loops of C, whose instructions depend on the values.

    They do in plain blocks, and in layers that are never packed.
    """
    return any(layer.plain or not layer.may_be_packed for layer in layers)


def _with_least(layers: list[Layer]) -> list[tuple[Layer, int]]:
    """Each layer with the least value that it reads: a dense layer behind a dense one reads lanes from `low` on."""
    result = []
    least = _VALUE_MIN
    for layer in layers:
        result.append((layer, least if layer.kind == LAYER_DENSE else _VALUE_MIN))
        least = layer.low if layer.kind == LAYER_DENSE else _VALUE_MIN
    return result


def _shifted(module: ModuleType, block: Block, least: int) -> Block:
    """The block for values less `least`, if that is what the target's kernel sums."""
    if not module.LESS_LOW:
        return block
    return replace(block, bias=block.bias + least * block.weights.sum(1))


def _check_plain(block: Block, layout: Target, number: int) -> None:
    room = (1 << 31) - 1 - (block.weights.shape[1] << 15)
    if abs(block.bias).max() > room:
        raise PackingError(
            f"a bias in rows {number * layout.block_rows} to {(number + 1) * layout.block_rows - 1} is too large for "
            f"target {layout.name}; leave the image unpacked or train it again"
        )


def _unpack_layer(layer: Layer, target: int, least: int) -> Layer:
    layout = targets.packed(target)
    module = _MODULES[layout.name]
    columns = layout.columns_of(layer.columns)
    wanted = layout.layer_bytes(layer.rows, layer.columns, layer.plain)
    if len(layer.packed) != wanted:
        raise PackingError(f"a packed layer has {len(layer.packed)} bytes where {wanted} are expected")
    size = layout.block_bytes(layer.columns)
    first = layout.bitmap_bytes(layer.rows, layer.plain)
    flags = _flags(layer, layout)
    blocks = []
    for index in range(layout.blocks_of(layer.rows)):
        content = layer.packed[first + index * size : first + (index + 1) * size]
        block = (module.unpack_plain if flags >> index & 1 else module.unpack)(content, columns)
        blocks.append(_shifted(module, block, -least))
    return fill_layer(layer, blocks)


def _flags(layer: Layer, layout: Target) -> int:
    return int.from_bytes(layer.packed[: layout.bitmap_bytes(layer.rows, layer.plain)], "little")


def _bitmap(plain: list[int], layout: Target, rows: int) -> bytes:
    return sum(1 << number for number in plain).to_bytes(layout.bitmap_bytes(rows, len(plain)), "little")
