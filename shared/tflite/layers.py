"""One operator of a .tflite file as one layer of a model image, or the reason why it cannot be one."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.model_image import LAYER_CONVOLUTION, LAYER_DEPTHWISE, ROUNDING_ONCE, ROUNDING_TWICE, WIDTH_MAX, Layer
from shared.tflite import schema
from shared.tflite.graph import Graph, Operator, Tensor
from shared.tflite.quantization import away_from_zero, row_multipliers, upper_limit
from shared.tflite.track import Track, track_of

_INT32_LIMIT = 1 << 31
#: The most that one product of two int8 values adds to a sum.
_PRODUCT_MAX = 128 * 128


class LayerReader:
    """Makes layers of the operators of one graph; errors are `TfliteError` that name operator or tensor and offset."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def layer(self, operator: Operator, source: Tensor, output: Tensor) -> Layer:
        """The layer that FULLY_CONNECTED, CONV_2D or DEPTHWISE_CONV_2D is, from `source` to `output`."""
        if len(operator.inputs) not in (2, 3):
            raise self.graph.refuse(
                operator, f"has {len(operator.inputs)} inputs; values, weights and a bias are expected"
            )
        weights = self.graph.tensor(operator.inputs[1])
        values = self._constant(operator, weights, schema.INT8, "i1", "weights")
        if operator.code == schema.FULLY_CONNECTED:
            return self._dense(operator, source, output, weights, values)
        if operator.code == schema.CONV_2D:
            return self._convolution(operator, source, output, weights, values)
        return self._depthwise(operator, source, output, weights, values)

    def scale_and_zero(self, tensor: Tensor) -> tuple[float, int]:
        """Scale and zero point of an int8 tensor that has one of each."""
        scales, zero = self._quantization(tensor)
        if scales.size != 1:
            raise self.graph.fault(
                tensor.scales_offset, f"{tensor} has {scales.size} scales; values between layers have one each"
            )
        return float(scales[0]), zero

    def _dense(
        self, operator: Operator, source: Tensor, output: Tensor, weights: Tensor, values: NDArray[np.int8]
    ) -> Layer:
        if operator.option(schema.DENSE_OPTIONS["weights_format"]) != 0:
            raise self.graph.refuse(
                operator,
                "has shuffled weights; convert the model with the default format",
                operator.where(schema.DENSE_OPTIONS["weights_format"]),
            )
        if values.ndim != 2:
            raise self.graph.refuse(
                operator,
                f"has weights of the shape {list(weights.shape)}; rows and columns are expected",
                weights.shape_offset,
            )
        rows, columns = values.shape
        places = source.elements // columns
        if source.elements != places * columns or output.elements != places * rows:
            raise self.graph.refuse(
                operator,
                f"makes {output.elements} of {source.elements} values by {rows} x {columns}; convert the model again",
                output.shape_offset,
            )
        track = Track(places, columns, 1, 1, 0, places) if places > 1 else None
        activation = operator.option(schema.DENSE_OPTIONS["activation"])
        return self._finished(
            operator, source, output, weights, values, activation, 0, track, LAYER_CONVOLUTION, ROUNDING_ONCE
        )

    def _convolution(
        self, operator: Operator, source: Tensor, output: Tensor, weights: Tensor, values: NDArray[np.int8]
    ) -> Layer:
        options = schema.CONVOLUTION_OPTIONS
        track = track_of(self.graph, operator, source, weights, options)
        filters, channels = weights.shape[0], weights.shape[3]
        if channels != track.channels:
            raise self.graph.refuse(
                operator,
                f"has filters for {channels} of {track.channels} channels; groups are not known here",
                weights.shape_offset,
            )
        self._check_output(operator, output, track, filters)
        activation = operator.option(options["activation"])
        rows = values.reshape(filters, track.taps * channels)
        return self._finished(
            operator, source, output, weights, rows, activation, 0, track, LAYER_CONVOLUTION, ROUNDING_TWICE
        )

    def _depthwise(
        self, operator: Operator, source: Tensor, output: Tensor, weights: Tensor, values: NDArray[np.int8]
    ) -> Layer:
        options = schema.DEPTHWISE_OPTIONS
        track = track_of(self.graph, operator, source, weights, options)
        filters = weights.shape[3]
        said = operator.option(options["channel_filters"], "i")
        if weights.shape[0] != 1 or filters % track.channels or said not in (0, filters // track.channels):
            raise self.graph.refuse(
                operator,
                f"has weights of the shape {list(weights.shape)} and {said} filters a channel for "
                f"{track.channels} channels; convert the model again",
                weights.shape_offset,
            )
        self._check_output(operator, output, track, filters)
        activation = operator.option(options["activation"])
        rows = np.ascontiguousarray(values.reshape(track.taps, filters).T)
        return self._finished(
            operator, source, output, weights, rows, activation, 3, track, LAYER_DEPTHWISE, ROUNDING_TWICE
        )

    def _check_output(self, operator: Operator, output: Tensor, track: Track, filters: int) -> None:
        if output.elements != track.places * filters:
            raise self.graph.refuse(
                operator,
                f"makes {track.places} x {filters} values, but {output} has the shape {list(output.shape)}; "
                "convert the model again",
                output.shape_offset,
            )

    def _finished(
        self,
        operator: Operator,
        source: Tensor,
        output: Tensor,
        weights: Tensor,
        values: NDArray[np.int8],
        activation: int,
        axis: int,
        track: Track | None,
        kind: int,
        rounding: int,
    ) -> Layer:
        """What all kinds have in common: sizes, folded bias, scales, the lower limit."""
        rows, columns = values.shape
        if max(source.elements, output.elements, rows, columns) > WIDTH_MAX:
            raise self.graph.refuse(
                operator,
                f"makes {output.elements} of {source.elements} values; a layer has at most {WIDTH_MAX} of each",
                output.shape_offset,
            )
        input_scale, input_zero = self.scale_and_zero(source)
        output_scale, output_zero = self.scale_and_zero(output)
        scales, weight_zero = self._quantization(weights)
        if weight_zero != 0 or scales.size not in (1, rows) or (scales.size > 1 and weights.axis != axis):
            raise self.graph.refuse(
                operator,
                f"has weights ({weights}) that are not quantized symmetrically per tensor or per row; "
                "quantize the model to full int8 first",
                weights.zeros_offset if weight_zero != 0 else weights.scales_offset,
            )
        bias = self._bias(operator, rows) - values.astype(np.int64).sum(axis=1) * input_zero
        reach = _PRODUCT_MAX * columns
        if bias.min() < -_INT32_LIMIT + reach or bias.max() >= _INT32_LIMIT - reach:
            raise self.graph.refuse(
                operator,
                f"could overflow its 32-bit sums with the bias that it has ({columns} columns); "
                "convert the model with a coarser scale of its inputs or weights",
            )
        pairs = row_multipliers(input_scale, scales, output_scale, rows)
        least = min(shift for _, shift in pairs)
        if least < 1 or (rounding == ROUNDING_TWICE and int(np.abs(bias).max()) + reach >= 1 << (least + 1)):
            raise self.graph.refuse(
                operator,
                "scales its sums up so far that they could overflow; convert the model with wider outputs",
                output.scales_offset,
            )
        multipliers = [multiplier for multiplier, _ in pairs]
        if rounding == ROUNDING_ONCE:
            reaches = np.abs(bias) + 128 * np.abs(values.astype(np.int64)).sum(axis=1)
            multipliers = [away_from_zero(*pair, most) for pair, most in zip(pairs, reaches.tolist(), strict=True)]
        layer = Layer(
            source.elements,
            output.elements,
            values.tobytes(),
            bias.tolist(),
            multipliers,
            [shift for _, shift in pairs],
            output_zero,
            self._low(operator, activation, output_scale, output_zero),
        )
        if track is not None:
            layer.kind, layer.padding, layer.rounding = kind, input_zero, rounding
            layer.channels, layer.filters = track.channels, rows
            layer.taps, layer.stride, layer.pad = track.taps, track.stride, track.pad
        return layer

    def _low(self, operator: Operator, activation: int, scale: float, zero: int) -> int:
        """The least value of an output, as the fused activation says."""
        if activation == schema.NO_ACTIVATION:
            return -128
        place = operator.where(schema.OPTIONS[operator.code]["activation"])
        if activation == schema.RELU6:
            cut = upper_limit(6.0, scale, zero)
            if cut < 127:
                raise self.graph.refuse(
                    operator,
                    f"ends in RELU6, which cuts its output at {cut} of 127; a model image has no upper limit: use RELU",
                    place,
                )
        elif activation != schema.RELU:
            names = schema.ACTIVATION_NAMES
            name = names[activation] if 0 <= activation < len(names) else f"activation {activation}"
            raise self.graph.refuse(operator, f"ends in {name}; only RELU and RELU6 are known here", place)
        return max(-128, zero)

    def _bias(self, operator: Operator, rows: int) -> NDArray[np.int64]:
        if len(operator.inputs) < 3 or operator.inputs[2] < 0:
            return np.zeros(rows, np.int64)
        tensor = self.graph.tensor(operator.inputs[2])
        values = self._constant(operator, tensor, schema.INT32, "<i4", "bias")
        if values.size != rows:
            raise self.graph.refuse(
                operator,
                f"has {values.size} values of bias for {rows} rows; convert the model again",
                tensor.shape_offset,
            )
        return values.reshape(rows).astype(np.int64)

    def _constant(self, operator: Operator, tensor: Tensor, kind: int, dtype: str, what: str) -> NDArray[Any]:
        if tensor.kind != kind:
            raise self.graph.refuse(
                operator,
                f"has {what} ({tensor}) in {schema.type_name(tensor.kind)}, not {schema.type_name(kind)}; "
                "quantize the model to full int8 first",
                tensor.offset,
            )
        if tensor.content.nbytes != tensor.elements * np.dtype(dtype).itemsize:
            raise self.graph.refuse(
                operator,
                f"has {what} ({tensor}) of the shape {list(tensor.shape)}, and the file holds "
                f"{tensor.content.nbytes or 'no'} bytes of them; only constants can be read here",
                tensor.offset,
            )
        return tensor.content.view(dtype).reshape(tensor.shape)

    def _quantization(self, tensor: Tensor) -> tuple[NDArray[np.float32], int]:
        """Scales, all finite and above 0, and the one zero point of an int8 tensor."""
        if tensor.kind != schema.INT8 or not tensor.scales.size:
            raise self.graph.fault(
                tensor.offset,
                f"{tensor} is {schema.type_name(tensor.kind)} {'with' if tensor.scales.size else 'without'} a scale; "
                "quantize the model to full int8 first",
            )
        bad = np.flatnonzero(~(np.isfinite(tensor.scales) & (tensor.scales > 0)))
        if bad.size:
            raise self.graph.fault(
                tensor.scales_offset + tensor.scales.itemsize * int(bad[0]),
                f"{tensor} has an impossible scale ({tensor.scales[bad[0]]:g}); convert the model again",
            )
        zeros = np.unique(tensor.zeros) if tensor.zeros.size else np.zeros(1, np.int64)
        if zeros.size != 1 or not -128 <= int(zeros[0]) <= 127 or tensor.zeros.size not in (0, 1, tensor.scales.size):
            raise self.graph.fault(
                tensor.zeros_offset, f"{tensor} has impossible zero points ({zeros[0]}); convert the model again"
            )
        return tensor.scales, int(zeros[0])
