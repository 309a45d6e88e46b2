"""Reads one layer of a model image, whatever its kind, and trusts nothing in it. Runs in MicroPython too."""

import struct

from shared.image_content import (
    LAYER_DENSE,
    LAYER_DEPTHWISE,
    LAYER_SHIFT_MAX,
    MULTIPLIER_LIMIT,
    ROUNDING_TWICE,
    WIDTH_MAX,
    Layer,
)
from shared.image_sections import Sections
from shared.quantized import targets


def read_layer(sections: Sections, number: int, inputs_expected: int, target: int) -> Layer:
    """The next layer, number `number`, of an image for `target`; ImageError names the place and the reason."""
    what = "layer " + str(number)
    inputs, outputs, zero, low, kind, padding = struct.unpack("<HHbbBb", sections.take(8, what))
    if kind > LAYER_DEPTHWISE or (kind == LAYER_DENSE and padding):
        raise sections.error(what + " has an impossible kind or padding value")
    if inputs != inputs_expected or not 1 <= outputs <= WIDTH_MAX:
        raise sections.error(what + " has impossible sizes " + str(inputs) + " to " + str(outputs))
    layer = Layer(inputs, outputs, b"", [], [], [], zero, low, kind, padding)
    if kind != LAYER_DENSE:
        _read_places(sections, layer, what)
    if target != targets.TARGET_ANY and layer.may_be_packed:
        _read_packed(sections, layer, targets.packed(target), what)
    else:
        _read_rows(sections, layer, what)
    return layer


def _read_places(sections: Sections, layer: Layer, what: str) -> None:
    """Where the rows of a convolution are laid on its inputs."""
    channels, filters, taps, stride, pad, rounding = struct.unpack("<HHBBBB", sections.take(8, what))
    if rounding > ROUNDING_TWICE:
        raise sections.error(what + " has an impossible rounding")
    if not channels or not filters or not taps or not stride or pad >= taps:
        raise sections.error(what + " has impossible channels, filters, taps, stride or pad")
    if layer.inputs % channels or layer.outputs % filters:
        raise sections.error(what + " has inputs or outputs that are no whole positions")
    if (layer.outputs // filters - 1) * stride - pad >= layer.inputs // channels:
        raise sections.error(what + " has a last place that begins behind its inputs")
    if layer.kind == LAYER_DEPTHWISE and filters % channels:
        raise sections.error(what + " has filters that are no multiple of its channels")
    layer.channels = channels
    layer.filters = filters
    layer.taps = taps
    layer.stride = stride
    layer.pad = pad
    layer.rounding = rounding
    if layer.columns > WIDTH_MAX:
        raise sections.error(what + " has rows of " + str(layer.columns) + " weights, too many")


def _is_scale(multiplier: int) -> bool:
    return 0 < multiplier < MULTIPLIER_LIMIT


def _read_rows(sections: Sections, layer: Layer, what: str) -> None:
    rows = layer.rows
    layer.bias = sections.numbers("i", 4, rows, what)
    layer.multipliers = sections.numbers("I", 4, rows, what)
    layer.shifts = sections.numbers("B", 1, rows, what)
    layer.weights = sections.take(rows * layer.columns, what)
    sections.pad(rows * layer.columns, what)
    bound = 128 * 128 * layer.columns
    for j in range(rows):
        if not _is_scale(layer.multipliers[j]) or not 1 <= layer.shifts[j] <= LAYER_SHIFT_MAX:
            raise sections.error(what + " has an impossible multiplier or shift in row " + str(j))
        if not -(1 << 31) + bound <= layer.bias[j] < (1 << 31) - bound:
            raise sections.error(what + " could overflow its accumulator in row " + str(j))


def _read_packed(sections: Sections, layer: Layer, target: targets.Target, what: str) -> None:
    """The blocks of a packed layer: their sizes, which of them are plain, and each row's numbers.

    The sums of packed blocks are not proved: they wrap, defined, and the golden vector tells.
    """
    plain, reserved, length = struct.unpack("<HHI", sections.take(8, what))
    if reserved or length != target.layer_bytes(layer.rows, layer.columns, plain):
        raise sections.error(what + " has another length than its blocks, or reserved bytes that are not zero")
    body = sections.take(length, what)
    blocks = target.blocks_of(layer.rows)
    bitmap = target.bitmap_bytes(layer.rows, plain)
    flags = int.from_bytes(body[:bitmap], "little")
    if flags >> blocks or _bits(flags) != plain:
        raise sections.error(what + " has a bitmap that is not one of its plain blocks")
    size = target.block_bytes(layer.columns)
    for block in range(blocks):
        _check_block(sections, body, bitmap + block * size, layer, target, flags >> block & 1, block, what)
    layer.packed = body
    layer.plain = plain


def _bits(flags: int) -> int:
    count = 0
    while flags:
        flags &= flags - 1
        count += 1
    return count


def _check_block(
    sections: Sections,
    body: bytes,
    place: int,
    layer: Layer,
    target: targets.Target,
    is_plain: int,
    block: int,
    what: str,
) -> None:
    rows = target.block_rows
    columns = target.columns_of(layer.columns)
    scales = place + 4 * rows + rows * columns
    multipliers = struct.unpack("<" + str(rows) + "I", body[scales : scales + 4 * rows])
    shifts = struct.unpack("<" + str(rows) + ("B" if is_plain else "b"), body[scales + 4 * rows : scales + 5 * rows])
    least, most = (1, LAYER_SHIFT_MAX) if is_plain else (target.shift_least, target.shift_most)
    for j in range(rows):
        if not _is_scale(multipliers[j]) or not least <= shifts[j] <= most:
            raise sections.error(what + " has an impossible multiplier or shift in block " + str(block))
    if is_plain:
        room = (1 << 31) - 1 - (columns << 15)
        for bias in struct.unpack("<" + str(rows) + "i", body[place : place + 4 * rows]):
            if not -room <= bias <= room:
                raise sections.error(what + " could overflow its accumulator in block " + str(block))
