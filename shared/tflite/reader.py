"""A chain of int8 layers out of a .tflite file, in the terms of a model image.

Known operators: FULLY_CONNECTED, CONV_2D and DEPTHWISE_CONV_2D along one axis, RESHAPE, EXPAND_DIMS and SQUEEZE,
QUANTIZE at the beginning and DEQUANTIZE at the end. Everything else, and every form of these that an image cannot say,
is refused by name. Nothing of TensorFlow is needed.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shared.errors import TfliteError, UsageError
from shared.model_image import LAYERS_MAX, Layer
from shared.tflite import schema
from shared.tflite.graph import Graph, Operator, Tensor
from shared.tflite.layers import LayerReader

_LAYERS = (schema.FULLY_CONNECTED, schema.CONV_2D, schema.DEPTHWISE_CONV_2D)
_KNOWN = "FULLY_CONNECTED, CONV_2D and DEPTHWISE_CONV_2D in int8 and what reshapes their values"


@dataclass(frozen=True, eq=False)
class TfliteModel:
    """A chain of layers and what its int8 inputs and outputs mean: ``(value - zero) * scale``.

    `input_shape` is that of the file's input without the batch; `operators` names the operator of each layer;
    `float_input` and `float_output` say that the file quantizes and dequantizes by itself.
    """

    layers: list[Layer]
    input_scale: float
    input_zero: int
    output_scale: float
    output_zero: int
    input_shape: tuple[int, ...] = ()
    operators: tuple[str, ...] = ()
    float_input: bool = False
    float_output: bool = False


def read_tflite(path: Path) -> TfliteModel:
    """The layers of a file.

    Raises
    ------
    UsageError
        There is no such file.
    TfliteError
        It is not a .tflite file, is damaged, or holds anything but int8 layers in a chain.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}); name a .tflite file") from error
    return parse_tflite(content, str(path))


def parse_tflite(content: bytes, name: str) -> TfliteModel:
    """`read_tflite` of bytes; `name` stands in messages."""
    return _Chain(Graph(content, name)).model()


class _Chain:
    """One walk along the operators, from the input of the graph to its output."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.reader = LayerReader(graph)
        self.layers: list[Layer] = []
        self.names: list[str] = []
        if len(graph.inputs) != 1 or len(graph.outputs) != 1:
            raise graph.fault(
                graph.inputs_offset if len(graph.inputs) != 1 else graph.outputs_offset,
                f"the model has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs; "
                "convert a model with one of each",
            )
        self.source = graph.tensor(graph.inputs[0])
        if len(self.source.shape) > 1 and self.source.shape[0] != 1:
            raise graph.fault(
                self.source.shape_offset,
                f"the input ({self.source}) has the shape {list(self.source.shape)}; "
                "convert the model for one input at a time (batch size 1)",
            )
        #: Where the walk stands, and every tensor that holds these values in one shape or another.
        self.current = self.source
        self.same = {self.source.index}
        self.first: Tensor | None = self.source if self.source.kind == schema.INT8 else None
        self.last: Tensor | None = None

    def model(self) -> TfliteModel:
        """What the walk finds."""
        graph = self.graph
        for number in range(graph.operators):
            operator = graph.operator(number)
            if not self._only_shapes(operator):
                self._step(operator)
        if graph.outputs[0] not in self.same:
            raise graph.fault(
                graph.outputs_offset,
                f"the output ({graph.tensor(graph.outputs[0])}) is not what the last layer gives "
                f"({self.current}); convert a chain of layers",
            )
        if self.first is None or self.last is None or not self.layers:
            raise TfliteError(f"{graph.name} holds no int8 layer; it takes {_KNOWN}")
        return self._finished(self.first, self.last)

    def _step(self, operator: Operator) -> None:
        """One operator that makes another tensor of the values where the walk stands."""
        current = self.current
        if not operator.inputs or operator.inputs[0] not in self.same or len(operator.outputs) != 1:
            raise self.graph.refuse(
                operator, f"does not make one tensor of {current}; only a chain of operators can be read"
            )
        source, output = self.graph.tensor(operator.inputs[0]), self.graph.tensor(operator.outputs[0])
        if operator.code in _LAYERS and current.kind == schema.INT8:
            if len(self.layers) == LAYERS_MAX:
                raise self.graph.refuse(operator, f"is one layer too many; a model image holds {LAYERS_MAX}")
            self.layers.append(self.reader.layer(operator, source, output))
            self.names.append(operator.name)
            self._move(output)
            self.last = output
        elif operator.code in schema.RESHAPES:
            self._check_shape(operator, output)
            if current.kind != output.kind or not _same_scales(current, output):
                raise self.graph.refuse(
                    operator, "changes the type or scale of its values; only a change of their shape is known here"
                )
            self.same.add(output.index)
        elif operator.code == schema.QUANTIZE:
            self._check_quantize(operator, output)
            self._move(output)
            self.first = output
        elif operator.code == schema.DEQUANTIZE and current.kind == schema.INT8 and self.layers:
            self._check_elements(operator, output)
            self._move(output)
        else:
            raise self.graph.refuse(operator, self._reason(operator, current))

    def _move(self, output: Tensor) -> None:
        self.current = output
        self.same = {output.index}

    def _only_shapes(self, operator: Operator) -> bool:
        """Whether an operator computes but whole numbers beside the chain: the shape that a RESHAPE is told.

        The converter does so where the size of the batch was open (Flatten in Keras); sizes of tensors say it too.
        """
        kinds = [self.graph.tensor(index).kind for index in operator.outputs]
        return bool(kinds) and all(kind in (schema.INT32, schema.INT64) for kind in kinds)

    def _finished(self, first: Tensor, last: Tensor) -> TfliteModel:
        input_scale, input_zero = self.reader.scale_and_zero(first)
        output_scale, output_zero = self.reader.scale_and_zero(last)
        shape = self.source.shape
        return TfliteModel(
            self.layers,
            input_scale,
            input_zero,
            output_scale,
            output_zero,
            shape[1:] if len(shape) > 1 else shape,
            tuple(self.names),
            self.source.kind == schema.FLOAT32,
            self.current.kind == schema.FLOAT32,
        )

    def _check_quantize(self, operator: Operator, output: Tensor) -> None:
        """A QUANTIZE must make the file's float input int8, or change nothing before the first layer."""
        self._check_elements(operator, output)
        current = self.current
        from_float = current.kind == schema.FLOAT32 and self.first is None
        unchanged = current.kind == schema.INT8 and not self.layers and _same_scales(current, output)
        if output.kind != schema.INT8 or not (from_float or unchanged):
            raise self.graph.refuse(
                operator,
                f"makes {schema.type_name(output.kind)} of {schema.type_name(current.kind)} with another scale; "
                "only a float32 input that becomes int8 is known here: convert with int8 inputs",
            )

    def _check_shape(self, operator: Operator, output: Tensor) -> None:
        """As many values as before; a shape that is only known when the file runs may say otherwise."""
        if self.current.elements != output.elements and len(operator.inputs) > 1:
            told = self.graph.tensor(operator.inputs[1])
            if not told.content.size:
                raise self.graph.refuse(
                    operator,
                    f"has a shape ({told}) that is only computed when the file runs; convert the model for a batch of "
                    "one (batch_size=1 in Keras)",
                    told.offset,
                )
        self._check_elements(operator, output)

    def _check_elements(self, operator: Operator, output: Tensor) -> None:
        if self.current.elements != output.elements:
            said = f"makes {output.elements} of {self.current.elements} values; convert the model again"
            raise self.graph.refuse(operator, said, output.shape_offset)

    def _reason(self, operator: Operator, current: Tensor) -> str:
        if operator.code in _LAYERS:
            return f"reads {current} in {schema.type_name(current.kind)}; quantize the model to full int8 first"
        return f"reads {current}; a model image holds only {_KNOWN}"


def _same_scales(one: Tensor, other: Tensor) -> bool:
    return np.array_equal(one.scales, other.scales) and np.array_equal(one.zeros, other.zeros)
