"""Layers and inputs in, outputs out, by the twin's own reader and arithmetic. Runs in MicroPython too.

The job: five words (runs, inputs, layers, bytes of the records, runs at once), records of layers, inputs.
"""

import struct

from shared.image_layers import read_layer
from shared.image_sections import Sections
from shared.quantized.convolution import runnable
from shared.quantized.targets import TARGET_ANY

_HEAD = "<5I"
_HEAD_BYTES = 20


class LayersJob:
    """The job in `content`; `finished` once `advance` has given the outputs of all runs."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.left, self.inputs, count, size, self.at_once = struct.unpack(_HEAD, content[:_HEAD_BYTES])
        self.place = _HEAD_BYTES + size
        sections = Sections(content, _HEAD_BYTES, self.place)
        width = self.inputs
        self.layers = []
        for number in range(count):
            layer = read_layer(sections, number, width, 0, TARGET_ANY)
            self.layers.append(runnable(layer))
            width = layer.outputs
        self.outputs = width
        if sections.position != self.place:
            raise ValueError("the job has records that no layer reads")
        self.finished = not self.left

    def advance(self) -> bytes:
        """Outputs, int8, of the next runs."""
        given = b""
        for _ in range(min(self.at_once, self.left)):
            x = list(struct.unpack_from("<" + str(self.inputs) + "b", self.content, self.place))
            for layer in self.layers:
                x = layer.forward(x)
            given += struct.pack("<" + str(self.outputs) + "b", *x)
            self.place += self.inputs
            self.left -= 1
        self.finished = not self.left
        return given
