"""From the model's inputs to the score, in plain integers (CPython and MicroPython): the reference.

>>> from shared.signal.integer import isqrt
>>> isqrt((1 << 24) * 9 // 1) == 3 * 4096
True
"""

from shared.image_content import SUM_LIMIT, ImageContent, feature_names
from shared.quantized.convolution import runnable
from shared.quantized.integer import clamp8, requantize
from shared.quantized.packed import refuse_packed
from shared.signal.integer import isqrt


class Scorer:
    """The autoencoder of an image with its score; ImageError if the image is packed for a processor."""

    def __init__(self, image: ImageContent) -> None:
        refuse_packed(image)
        self.image = image
        self.layers = [runnable(layer) for layer in image.layers]
        self.expected: list[int] = [
            requantize(value - image.output_zero, image.output_multiplier, image.output_shift)
            for value in range(-128, 128)
        ]
        #: Features of one channel, by which `top` tells a channel where the model reads samples.
        self.per_channel = len(feature_names(image))
        #: What the last call computed: int8 outputs.
        self.output: list[int] = []

    def score(self, inputs: "list[int]") -> "tuple[int, int]":
        """``(score, top)`` of the model's inputs (int16): Q12, 4096 = threshold.

        `top` is the feature furthest off, of equals the first. Where the model reads samples it is the first feature of
        the channel whose samples are furthest off in all.
        """
        image = self.image
        multiplier = image.input_multiplier
        shift = image.input_shift
        half = 1 << (shift - 1)
        zero = image.input_zero
        x = [clamp8(((value * multiplier + half) >> shift) + zero) for value in inputs]
        for layer in self.layers:
            x = layer.forward(x)
        self.output = x
        if image.samples:
            parts = self._channel_parts(inputs, x)
            top = parts.index(max(parts))
            return self._ratio(sum(parts)), top * self.per_channel
        total = 0
        largest = -1
        top = 0
        weights = image.weights
        expected = self.expected
        for i in range(len(inputs)):
            error = inputs[i] - expected[x[i] + 128]
            part = weights[i] * error * error
            total += part
            if part > largest:
                largest = part
                top = i
        return self._ratio(total), top

    def _channel_parts(self, inputs: "list[int]", x: "list[int]") -> "list[int]":
        """Weighted squared errors of each channel's samples, summed up."""
        channels = len(self.image.channels)
        weights = self.image.weights
        expected = self.expected
        parts = [0] * channels
        channel = 0
        for i in range(len(inputs)):
            error = inputs[i] - expected[x[i] + 128]
            parts[channel] += weights[i] * error * error
            channel += 1
            if channel == channels:
                channel = 0
        return parts

    def _ratio(self, total: int) -> int:
        total >>= 6
        if total >= SUM_LIMIT:
            total = SUM_LIMIT - 1
        return isqrt((total << 24) // self.image.threshold)

    def golden_fails(self) -> bool:
        """Whether the image's golden inputs do not give its golden output and score."""
        score, _ = self.score(self.image.golden_features)
        return self.output != self.image.golden_output or score != self.image.golden_score
