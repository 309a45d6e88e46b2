"""What a .tflite file holds: its tensors and operators, each read when it is asked for."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.errors import TfliteError
from shared.tflite import schema
from shared.tflite.flatbuffer import Flatbuffer, Table

FILE_IDENTIFIER = b"TFL3"
#: Longer than any file that a model image of 1 MiB could come from.
FILE_LIMIT_BYTES = 16 << 20
#: Operators that are looked at: those that only reshape are not layers.
OPERATORS_MAX = 64
_RANK_MAX = 8
_ELEMENTS_MAX = 1 << 24
_SIZE_BYTES = 4


@dataclass(frozen=True, eq=False)
class Tensor:
    """One tensor.

    `shape` has no size below 1; `scales` float32 and `zeros` int64 are empty without quantization; `content` is what
    the file holds of it, empty for a tensor that is computed. `offset` is where its table stands in the file, the other
    offsets where its first size, scale and zero point stand.
    """

    index: int
    name: str
    kind: int
    shape: tuple[int, ...]
    scales: NDArray[np.float32]
    zeros: NDArray[np.int64]
    axis: int
    content: NDArray[np.uint8]
    offset: int
    shape_offset: int
    scales_offset: int
    zeros_offset: int

    @property
    def elements(self) -> int:
        """How many values it has."""
        return math.prod(self.shape)

    def __str__(self) -> str:
        return f"tensor {self.index} '{self.name}'"


@dataclass(frozen=True)
class Operator:
    """One operator: `code` as in `schema`, `inputs` and `outputs` are numbers of tensors, -1 for one left out.

    `offset` is where its table stands in the file.
    """

    number: int
    code: int
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Table | None
    offset: int

    def __str__(self) -> str:
        return f"operator {self.number} ({self.name})"

    def option(self, field: int, code: str = "b", absent: int = 0) -> int:
        """A field of its options; `absent` where the file says nothing."""
        return absent if self.options is None else self.options.integer(field, code, absent)

    def where(self, field: int) -> int:
        """Offset of a field of its options in the file, of the operator where the file says nothing."""
        return self.offset if self.options is None else self.options.where(field)


class Graph:
    """The one graph of a file: `inputs` and `outputs` are numbers of tensors, `operators` how many there are."""

    def __init__(self, content: bytes, name: str) -> None:
        self.name = name
        if len(content) > FILE_LIMIT_BYTES:
            raise TfliteError(
                f"{name} has {len(content)} bytes, more than the {FILE_LIMIT_BYTES} that are read here; "
                "a model image holds 1 MiB: make the model smaller"
            )
        if content[4:8] != FILE_IDENTIFIER:
            raise TfliteError(
                f"{name} is not a .tflite file: {FILE_IDENTIFIER.decode()} is missing at offset 4; "
                "give the file that the TensorFlow Lite converter wrote"
            )
        model = Flatbuffer(content, name).root()
        self._codes = model.tables(schema.MODEL["operator_codes"], "operator code")
        self._buffers = model.tables(schema.MODEL["buffers"], "buffer")
        graphs = model.tables(schema.MODEL["subgraphs"], "subgraph")
        if len(graphs) != 1:
            raise self.fault(
                model.where(schema.MODEL["subgraphs"]),
                f"the model has {len(graphs)} subgraphs; convert one model with one way through it",
            )
        graph = graphs.at(0, model.offset)
        self._graph = graph
        self._read: dict[int, Tensor] = {}
        self._tensors = graph.tables(schema.SUBGRAPH["tensors"], "tensor")
        self._operators = graph.tables(schema.SUBGRAPH["operators"], "operator")
        self.inputs = _numbers(graph, schema.SUBGRAPH["inputs"], "the list of inputs")
        self.outputs = _numbers(graph, schema.SUBGRAPH["outputs"], "the list of outputs")
        self.operators = len(self._operators)
        if not 1 <= self.operators <= OPERATORS_MAX:
            raise self.fault(
                graph.where(schema.SUBGRAPH["operators"]),
                f"the model has {self.operators} operators; 1 to {OPERATORS_MAX} can be read here",
            )

    @property
    def inputs_offset(self) -> int:
        """Where the first number of `inputs` stands in the file."""
        return self._graph.where_first(schema.SUBGRAPH["inputs"])

    @property
    def outputs_offset(self) -> int:
        """Where the first number of `outputs` stands in the file."""
        return self._graph.where_first(schema.SUBGRAPH["outputs"])

    def fault(self, offset: int, reason: str) -> TfliteError:
        """The error for something at an offset of the file that no image can say."""
        return TfliteError(f"{self.name} at offset {offset}: {reason}")

    def refuse(self, operator: Operator, reason: str, offset: int | None = None) -> TfliteError:
        """The error for an operator that no layer can be made of, `offset` being of the part that is at fault."""
        return self.fault(operator.offset if offset is None else offset, f"{operator} {reason}")

    def operator(self, number: int) -> Operator:
        """Operator `number` in the order of the file."""
        table = self._operators.at(number, self._graph.offset)
        code = self._codes.at(table.integer(schema.OPERATOR["code"], "I"), table.offset)
        # files older than the format's 128th operator say the code in one signed byte
        kind = max(
            code.integer(schema.OPERATOR_CODE["deprecated"], "b"), code.integer(schema.OPERATOR_CODE["code"], "i")
        )
        name = schema.operator_name(kind)
        if kind == schema.CUSTOM:
            name = f"CUSTOM '{code.text(schema.OPERATOR_CODE['custom'])}'"
        options = table.table(schema.OPERATOR["options"], f"the options of operator {number}")
        if options is not None and kind in schema.OPTIONS_TYPE:
            said = table.integer(schema.OPERATOR["options_type"], "B")
            if said != schema.OPTIONS_TYPE[kind]:
                raise table.buffer.damaged(table.offset, f"operator {number} ({name}) has options of kind {said}")
        return Operator(
            number,
            kind,
            name,
            _numbers(table, schema.OPERATOR["inputs"], f"the list of inputs of operator {number}"),
            _numbers(table, schema.OPERATOR["outputs"], f"the list of outputs of operator {number}"),
            options,
            table.offset,
        )

    def tensor(self, index: int) -> Tensor:
        """Tensor number `index`."""
        if index not in self._read:
            self._read[index] = self._tensor(index)
        return self._read[index]

    def _tensor(self, index: int) -> Tensor:
        table = self._tensors.at(index, self._graph.offset)
        name = table.text(schema.TENSOR["name"])
        what = f"tensor {index} '{name}'"
        shape = _numbers(table, schema.TENSOR["shape"], f"the shape of {what}")
        shape_offset = table.where_first(schema.TENSOR["shape"])
        if len(shape) > _RANK_MAX or min(shape, default=1) < 1 or math.prod(shape) > _ELEMENTS_MAX:
            bad = next((number for number, size in enumerate(shape[:_RANK_MAX]) if size < 1), 0)
            raise self.fault(
                shape_offset + _SIZE_BYTES * bad,
                f"{what} has the impossible shape {list(shape[:_RANK_MAX])}; "
                "convert the model for inputs of one fixed size",
            )
        if table.has(schema.TENSOR["sparsity"]):
            raise self.fault(
                table.where(schema.TENSOR["sparsity"]), f"{what} is stored sparsely; convert the model without sparsity"
            )
        buffer = self._buffers.at(table.integer(schema.TENSOR["buffer"], "I"), table.offset)
        quantization = table.table(schema.TENSOR["quantization"], f"the quantization of {what}")
        scales: NDArray[np.float32] = np.zeros(0, np.float32)
        zeros: NDArray[np.int64] = np.zeros(0, np.int64)
        axis = 0
        scales_offset = zeros_offset = table.offset
        if quantization is not None:
            scales = quantization.vector(schema.QUANTIZATION["scale"], "<f4", f"the list of scales of {what}")
            zeros = quantization.vector(schema.QUANTIZATION["zero"], "<i8", f"the list of zero points of {what}")
            axis = quantization.integer(schema.QUANTIZATION["axis"], "i")
            scales_offset = quantization.where_first(schema.QUANTIZATION["scale"])
            zeros_offset = quantization.where_first(schema.QUANTIZATION["zero"])
        return Tensor(
            index,
            name,
            table.integer(schema.TENSOR["type"], "b"),
            shape,
            scales,
            zeros,
            axis,
            buffer.vector(schema.BUFFER["data"], "u1", f"the content of {what}"),
            table.offset,
            shape_offset,
            scales_offset,
            zeros_offset,
        )


def _numbers(table: Table, field: int, what: str) -> tuple[int, ...]:
    """A short vector of int32; a long one is cut, and whoever counts it refuses it."""
    return tuple(table.vector(field, "<i4", what)[: OPERATORS_MAX + 1].tolist())
