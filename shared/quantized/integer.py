"""Dense int8 layers in plain integers (CPython and MicroPython): the reference.

``y = clamp(((bias + sum(w * x)) * multiplier + half) >> shift) + zero)``: the accumulator is int32, the product int64,
rounded once, half up: the single-rounding convention, which LiteRT's reference has for dense layers. Its convolutions
round twice, which is a single rounding with another `half` (`rounding_half`). The input's zero point is folded into the
bias.

The twin's speed comes from *columns*: the weights of one input towards all outputs stand side by side in one big
integer, 32 bits each, so that one multiplication serves every output. A field may be negative; what it borrows from its
neighbour is put right by adding 2**31 to each field at the end.
"""

#: What the first of two roundings adds: half of the 31 bits that it drops.
_FIRST_HALF = 1 << 30


def requantize(value: int, multiplier: int, shift: int) -> int:
    """``value * multiplier / 2**shift`` rounded half up once; `value` int32, `multiplier` below 2**31, shift 1 to 62.

    >>> requantize(100, 1 << 30, 31), requantize(-3, 1 << 30, 31)
    (50, -1)
    """
    return (value * multiplier + (1 << (shift - 1))) >> shift


def rounding_half(total: int, shift: int, rounding: int) -> int:
    """What is added before ``>> shift`` to round ``total * multiplier`` once (`rounding` 0) or twice (1).

    Twice is what `SaturatingRoundingDoublingHighMul` and `RoundingDivideByPOT` of TensorFlow Lite do: half up to a
    multiple of 2**31, then half away from zero. The sum stays within int64.

    >>> rounding_half(-5, 34, 0) - (1 << 33), rounding_half(-5, 34, 1) - (1 << 33), rounding_half(-5, 31, 1) - (1 << 30)
    (0, -1073741824, 0)
    """
    half = 1 << (shift - 1)
    if rounding and shift > 31:
        half += _FIRST_HALF if total >= 0 else -_FIRST_HALF
    return half


def clamp8(value: int) -> int:
    """Limit to int8.

    >>> clamp8(200), clamp8(-200)
    (127, -128)
    """
    if value > 127:
        return 127
    if value < -128:
        return -128
    return value


class Dense:
    """One dense layer.

    `weights` is bytes of int8, row by row (outputs x inputs); `bias` int32 per output with the input's zero point
    folded in;
    `multipliers` and `shifts` per output; results are offset by `zero` and limited to [`low`, 127]. `rounding` is 1 in
    a convolution that rounds twice.

    >>> layer = Dense(2, 2, bytes((1, 2, 255, 0)), [10, 0], [1 << 30, 1 << 30], [30, 30], 0, -128)
    >>> layer.forward([3, 4])
    [21, -3]
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        weights: bytes,
        bias: "list[int]",
        multipliers: "list[int]",
        shifts: "list[int]",
        zero: int,
        low: int,
        rounding: int = 0,
    ) -> None:
        self.inputs = inputs
        self.outputs = outputs
        self.multipliers = multipliers
        self.shifts = shifts
        self.zero = zero
        self.low = low
        self.rounding = rounding
        columns = []
        for i in range(inputs):
            column = 0
            for j in range(outputs - 1, -1, -1):
                weight = weights[j * inputs + i]
                if weight > 127:
                    weight -= 256
                column = (column << 32) + weight
            columns.append(column)
        self.columns = columns
        start = 0
        for j in range(outputs - 1, -1, -1):
            start = (start << 32) + bias[j] + 0x80000000
        self.start = start

    def forward(self, x: "list[int]") -> "list[int]":
        """Outputs, int8, of `inputs` int8 values."""
        accumulator = self.start
        columns = self.columns
        for i in range(self.inputs):
            value = x[i]
            if value:
                accumulator += value * columns[i]
        fields = accumulator.to_bytes(4 * self.outputs + 4, "little")
        low = self.low
        zero = self.zero
        rounding = self.rounding
        result = []
        position = 0
        for j in range(self.outputs):
            total = (
                fields[position]
                | (fields[position + 1] << 8)
                | (fields[position + 2] << 16)
                | (fields[position + 3] << 24)
            ) - 0x80000000
            position += 4
            shift = self.shifts[j]
            half = rounding_half(total, shift, 1) if rounding else 1 << (shift - 1)
            y = ((total * self.multipliers[j] + half) >> shift) + zero
            if y > 127:
                y = 127
            elif y < low:
                y = low
            result.append(y)
        return result
