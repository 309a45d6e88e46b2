"""Other runtimes of .tflite files on this machine: how many output bytes differ from LiteRT's reference kernels."""

import importlib
import importlib.metadata
import importlib.util
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware.bench.measure import expected
from firmware.bench.models import BenchModel
from firmware.bench.rows import MEASURED, MISSING, Row

REMEDY = "pip install --pre tflite-micro ai-edge-litert"
_HOST = "host"


def tflite_rows(model: BenchModel) -> list[Row]:
    """Rows for Tocsin's arithmetic and for tflite-micro; none for a model that is no .tflite file."""
    if model.file is None:
        return []
    if importlib.util.find_spec("ai_edge_litert") is None:
        return [_missing(model, "tocsin"), _missing(model, "tflite-micro")]
    outputs = _litert_outputs(model.file, model.inputs)
    ours = expected(model.layers, model.inputs)
    rows = [_compared(model, "tocsin", "shared.quantized", ours, outputs)]
    if importlib.util.find_spec("tflite_micro") is None:
        return [*rows, _missing(model, "tflite-micro")]
    name = f"tflite-micro {importlib.metadata.version('tflite-micro')}"
    return [*rows, _compared(model, name, "reference kernels", _micro_outputs(model.file, model.inputs), outputs)]


def _missing(model: BenchModel, engine: str) -> Row:
    note = f"not compared with LiteRT, a package is missing: {REMEDY}"
    return Row(model.name, _HOST, "outputs compared", engine, MISSING, note=note)


def _compared(model: BenchModel, engine: str, variant: str, found: NDArray[Any], outputs: NDArray[np.int8]) -> Row:
    return Row(
        model=model.name,
        core=_HOST,
        variant=variant,
        engine=engine,
        source=MEASURED,
        inputs=model.inputs_name,
        differing_bytes=int((found != outputs).sum()),
        compared_bytes=outputs.size,
        note=f"compared with LiteRT {importlib.metadata.version('ai-edge-litert')}, reference kernels",
    )


def _litert_outputs(path: Path, inputs: NDArray[np.int8]) -> NDArray[np.int8]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        litert: Any = importlib.import_module("ai_edge_litert.interpreter")
    interpreter = litert.Interpreter(
        model_path=str(path), experimental_op_resolver_type=litert.OpResolverType.BUILTIN_REF
    )
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    target = interpreter.get_output_details()[0]["index"]

    def infer(values: NDArray[np.int8]) -> NDArray[np.int8]:
        interpreter.set_tensor(source, values)
        interpreter.invoke()
        found: NDArray[np.int8] = interpreter.get_tensor(target)[0].copy()
        return found

    return _each(infer, inputs)


def _micro_outputs(path: Path, inputs: NDArray[np.int8]) -> NDArray[np.int8]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        micro: Any = importlib.import_module("tflite_micro")
    interpreter = micro.runtime.Interpreter.from_file(str(path))

    def infer(values: NDArray[np.int8]) -> NDArray[np.int8]:
        interpreter.set_input(values, 0)
        interpreter.invoke()
        found: NDArray[np.int8] = interpreter.get_output(0)[0].copy()
        return found

    return _each(infer, inputs)


def _each(infer: Callable[[NDArray[np.int8]], NDArray[np.int8]], inputs: NDArray[np.int8]) -> NDArray[np.int8]:
    return np.array([infer(row[None]) for row in inputs])
