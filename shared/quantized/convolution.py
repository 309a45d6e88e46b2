"""Convolutions of int8 in plain integers (CPython and MicroPython): the reference.

Values stand position by position, the channels of a position side by side (TensorFlow's NWC with one batch). A layer
lays its rows on `taps` positions, the first time on those from ``-pad`` on, then `stride` further each time; what lies
outside the input has the padding value, which is the input's zero point. Each place is a small dense layer, so the
arithmetic is that of `shared.quantized.integer`; a layer says whether it rounds once or twice.

A layer allocates, beside its weights, the values of one place (reused) and the list of its outputs.
"""

from shared.image_content import LAYER_CONVOLUTION, LAYER_DENSE, Layer
from shared.quantized.integer import Dense


def _rows_of(layer: Layer, first: int, last: int) -> Dense:
    """Rows `first` to `last` of a layer of any kind as a dense one; all of them share the layer's lists."""
    columns = layer.columns
    weights, bias, multipliers, shifts = layer.weights, layer.bias, layer.multipliers, layer.shifts
    if last - first < layer.rows:
        weights = weights[first * columns : last * columns]
        bias, multipliers, shifts = bias[first:last], multipliers[first:last], shifts[first:last]
    return Dense(columns, last - first, weights, bias, multipliers, shifts, layer.zero, layer.low, layer.rounding)


class Convolution:
    """Every filter reads all channels: `filters` rows of ``taps * channels`` weights, tap by tap.

    >>> layer = Layer(3, 3, bytes((1, 2)), [10], [1 << 30], [30], 0, -128, 1, 5, 1, 1, 2, 1, 1)
    >>> Convolution(layer).forward([1, 2, 3])
    [17, 15, 18]
    """

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        self.dense = _rows_of(layer, 0, layer.filters)
        self.values = [0] * layer.columns

    def forward(self, x: "list[int]") -> "list[int]":
        """Outputs, int8, of `inputs` int8 values: positions by filters."""
        layer = self.layer
        step = layer.stride * layer.channels
        begin = -layer.pad * layer.channels
        size = layer.inputs
        width = len(self.values)
        values = self.values
        padding = layer.padding
        result: list[int] = []
        while len(result) < layer.outputs:
            for i in range(width):
                place = begin + i
                values[i] = x[place] if 0 <= place < size else padding
            result.extend(self.dense.forward(values))
            begin += step
        return result


class Depthwise:
    """Every filter reads one channel: `filters` rows of `taps` weights, the filters of channel 0 first.

    >>> layer = Layer(4, 4, bytes((1, 2)), [0, 10], [1 << 30] * 2, [30] * 2, 0, -128, 2, 0, 2, 2, 1, 1, 0)
    >>> Depthwise(layer).forward([1, 2, 3, 4])
    [1, 14, 3, 18]
    """

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        each = layer.filters // layer.channels
        self.filters = [_rows_of(layer, first, first + each) for first in range(0, layer.filters, each)]
        self.values = [0] * layer.taps

    def forward(self, x: "list[int]") -> "list[int]":
        """Outputs, int8, of `inputs` int8 values: positions by filters."""
        layer = self.layer
        channels = layer.channels
        begin = -layer.pad * channels
        size = layer.inputs
        values = self.values
        padding = layer.padding
        result: list[int] = []
        while len(result) < layer.outputs:
            for channel in range(channels):
                place = begin + channel
                for i in range(layer.taps):
                    values[i] = x[place] if 0 <= place < size else padding
                    place += channels
                result.extend(self.filters[channel].forward(values))
            begin += layer.stride * channels
        return result


def runnable(layer: Layer) -> "Dense | Convolution | Depthwise":
    """The layer, whatever its kind, ready to run; its rows must be there, which those of a packed layer are not."""
    if layer.kind == LAYER_DENSE:
        return _rows_of(layer, 0, layer.outputs)
    return Convolution(layer) if layer.kind == LAYER_CONVOLUTION else Depthwise(layer)
