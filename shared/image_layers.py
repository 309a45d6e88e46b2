"""Reads one layer of a model image, whatever its kind, and trusts nothing in it. Runs in MicroPython too."""

import struct

from shared.image_content import (
    LAYER_CONVOLUTION,
    LAYER_DENSE,
    LAYER_DEPTHWISE,
    LAYER_SHIFT_MAX,
    MULTIPLIER_LIMIT,
    ROUNDING_TWICE,
    WIDTH_MAX,
    Layer,
)
from shared.image_sections import LAYER, PADDING, RefusedImageError, Sections, need
from shared.quantized import targets


def read_layer(sections: Sections, number: int, inputs_expected: int, outputs_expected: int, target: int) -> Layer:
    """The next layer, number `number`, of an image for `target`; RefusedImageError names the place and the reason.

    `outputs_expected`: how many outputs it must have, 0 where that is free.
    """
    what = "layer " + str(number)
    inputs, outputs, zero, low, kind, padding = struct.unpack("<HHbbBb", sections.take(8, what))
    begin = sections.begin
    fits = inputs == inputs_expected
    need(fits, LAYER, begin, what + " of " + str(inputs) + " inputs behind " + str(inputs_expected) + " values")
    fits = 1 <= outputs <= WIDTH_MAX
    need(fits, LAYER, begin + 2, what + " of " + str(outputs) + " outputs")
    fits = outputs_expected in (0, outputs)
    need(fits, LAYER, begin + 2, what + ", the last one, of " + str(outputs) + " outputs, not the model's inputs")
    need(kind <= LAYER_DEPTHWISE, LAYER, begin + 6, what + " of an impossible kind " + str(kind))
    need(kind != LAYER_DENSE or not padding, PADDING, begin + 7, what + ", dense, with a padding value")
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
    begin = sections.begin
    need(channels > 0 and layer.inputs % channels == 0, LAYER, begin, what + " of inputs in no whole positions")
    need(filters > 0 and layer.outputs % filters == 0, LAYER, begin + 2, what + " of outputs in no whole places")
    fits = layer.kind != LAYER_DEPTHWISE or filters % channels == 0
    need(fits, LAYER, begin + 2, what + " of filters that are no multiple of its channels")
    columns = taps * channels if layer.kind == LAYER_CONVOLUTION else taps
    need(1 <= columns <= WIDTH_MAX, LAYER, begin + 4, what + " with rows of " + str(columns) + " weights")
    need(stride > 0, LAYER, begin + 5, what + " of stride 0")
    fits = (layer.outputs // filters - 1) * stride - pad < layer.inputs // channels
    need(fits, LAYER, begin + 5, what + " with a last place that begins behind its inputs")
    need(pad < taps, LAYER, begin + 6, what + " with a pad as long as its taps")
    need(rounding <= ROUNDING_TWICE, LAYER, begin + 7, what + " of an impossible rounding")
    layer.channels = channels
    layer.filters = filters
    layer.taps = taps
    layer.stride = stride
    layer.pad = pad
    layer.rounding = rounding


def _check(values: "list[int]", size: int, least: int, most: int, place: int, what: str) -> None:
    """Numbers of `size` bytes from the offset `place` on, each from `least` to `most`."""
    for i in range(len(values)):
        if not least <= values[i] <= most:
            raise RefusedImageError(LAYER, place + size * i, what + str(i))


def _read_rows(sections: Sections, layer: Layer, what: str) -> None:
    rows = layer.rows
    bound = 128 * 128 * layer.columns
    layer.bias = sections.numbers("i", 4, rows, what)
    least, most = bound - (1 << 31), (1 << 31) - 1 - bound
    _check(layer.bias, 4, least, most, sections.begin, what + " that could overflow its accumulator in row ")
    layer.multipliers = sections.numbers("I", 4, rows, what)
    _check(layer.multipliers, 4, 1, MULTIPLIER_LIMIT - 1, sections.begin, what + " of an impossible multiplier in row ")
    layer.shifts = sections.numbers("B", 1, rows, what)
    _check(layer.shifts, 1, 1, LAYER_SHIFT_MAX, sections.begin, what + " of an impossible shift in row ")
    layer.weights = sections.padded(rows * layer.columns, what)


def _read_packed(sections: Sections, layer: Layer, target: targets.Target, what: str) -> None:
    """The blocks of a packed layer: their sizes, which of them are plain, and each row's numbers.

    The sums of packed blocks are not proved: they wrap, defined, and the golden vector tells.
    """
    plain, reserved, length = struct.unpack("<HHI", sections.take(8, what))
    begin = sections.begin
    need(not reserved, PADDING, begin + 2, what + " with reserved bytes that are not zero")
    fits = length == target.layer_bytes(layer.rows, layer.columns, plain)
    need(fits, LAYER, begin + 4, what + " of another length than its blocks")
    body = sections.take(length, what)
    blocks = target.blocks_of(layer.rows)
    bitmap = target.bitmap_bytes(layer.rows, plain)
    flags = int.from_bytes(body[:bitmap], "little")
    fits = not flags >> blocks and _bits(flags) == plain
    need(fits, LAYER, sections.begin, what + " with a bitmap that is not one of its plain blocks")
    size = target.block_bytes(layer.columns)
    for block in range(blocks):
        place = bitmap + block * size
        is_plain = flags >> block & 1 == 1
        in_block = " in block " + str(block) + ", row "
        _check_block(body[place : place + size], sections.begin + place, layer, target, is_plain, what, in_block)
    layer.packed = body
    layer.plain = plain


def _bits(flags: int) -> int:
    count = 0
    while flags:
        flags &= flags - 1
        count += 1
    return count


def _check_block(
    block: bytes, place: int, layer: Layer, target: targets.Target, is_plain: bool, what: str, in_block: str
) -> None:
    """One block of rows, which stands at the offset `place`."""
    rows = target.block_rows
    columns = target.columns_of(layer.columns)
    scales = 4 * rows + rows * columns
    shifts = scales + 4 * rows
    least, most = target.shift_least, target.shift_most
    if is_plain:
        least, most = 1, LAYER_SHIFT_MAX
        room = (1 << 31) - 1 - (columns << 15)
        biases = list(struct.unpack("<" + str(rows) + "i", block[: 4 * rows]))
        _check(biases, 4, -room, room, place, what + " that could overflow its accumulator" + in_block)
    multipliers = list(struct.unpack("<" + str(rows) + "I", block[scales:shifts]))
    what += " of an impossible "
    _check(multipliers, 4, 1, MULTIPLIER_LIMIT - 1, place + scales, what + "multiplier" + in_block)
    signed = list(struct.unpack("<" + str(rows) + "b", block[shifts : shifts + rows]))
    _check(signed, 1, least, most, place + shifts, what + "shift" + in_block)
