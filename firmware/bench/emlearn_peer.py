"""emlearn's generated C for the same layers, by the same compiler for the same core.

emlearn computes in float32 and writes weights with six decimals. Its header calls expf, logf and tanhf for activations
that these models do not have: empty functions stand for them, so that its code is counted rather too small.
"""

import importlib
import importlib.metadata
import importlib.util
import struct
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware.bench.measure import expected
from firmware.bench.models import BenchModel
from firmware.bench.program import Program, read_program
from firmware.bench.rows import MEASURED, MISSING, Row, with_rates
from firmware.bench.run import MachineError
from firmware.bench.unicorn_machine import RAM_ADDRESS, UnicornMachine
from firmware.build import packaged_compiler, run_compiler
from firmware.kernels.cores import Core
from shared.model_image import LAYER_DENSE, Layer

REMEDY = "pip install emlearn"
VARIANT = "generated C, float32, -O2"
_FOLDER = Path(__file__).resolve().parent
_NAME = "peer"
_FUNCTION = f"{_NAME}_regress"
#: Where inputs and outputs stand: beyond the program's own data.
_INPUTS = RAM_ADDRESS + 0x10000
_OUTPUTS = RAM_ADDRESS + 0x18000
#: Cores that compute floating point by subroutines need twenty times as many instructions: fewer inputs.
_SLOW_INPUTS = 2
#: Headers that emlearn includes and a compiler without a C library lacks.
_HEADERS = {
    "stdio.h": "",
    "stdlib.h": "",
    "math.h": '#define INFINITY __builtin_inff()\n#define NAN __builtin_nanf("")\n#define fabsf __builtin_fabsf\n'
    "float expf(float); float logf(float); float tanhf(float);\n",
}
_STUBS = "".join(f"float {name}(float x) {{ return x; }}\n" for name in ("expf", "logf", "tanhf"))
#: Cores that are counted with their unit for single precision, and what the compiler's name of them lacks for it.
_FPU_CORES = {"m4": "+vfp4d16sp", "m7": "+fp_armv8d16sp", "m33": "+fp_armv8d16sp"}

#: Least correlation of float32 outputs, weights cut to six decimals, with int8 ones.
_LIKENESS_MIN = 0.98


def float_layers(
    layers: list[Layer],
) -> tuple[list[str], list[NDArray[np.float64]], list[NDArray[np.float64]]]:
    """Activations, weights (inputs, outputs) and biases in units of one step of each layer's output."""
    activations, weights, biases = [], [], []
    zero = 0
    for layer in layers:
        integers = np.frombuffer(layer.weights, np.int8).reshape(layer.outputs, layer.inputs).astype(np.float64)
        ratios = np.array(layer.multipliers, np.float64) / np.exp2(np.array(layer.shifts, np.float64))
        weights.append((integers * ratios[:, None]).T)
        biases.append(ratios * (np.array(layer.bias, np.float64) + zero * integers.sum(axis=1)))
        activations.append("relu" if layer.low == layer.zero else "identity")
        zero = layer.zero
    return activations, weights, biases


def generated(layers: list[Layer]) -> str:
    """The C code that emlearn writes for the layers."""
    with np.errstate():  # the package sets how NumPy treats errors when it is loaded
        net: Any = importlib.import_module("emlearn.net")
        code: str = net.c_generate_net_loadable(*float_layers(layers), prefix=_NAME)
    return code


def build(core: Core, layers: list[Layer]) -> Program:
    """CompilerError where the compiler refuses the generated code."""
    code = generated(layers)
    package = importlib.util.find_spec("emlearn")
    assert package is not None
    assert package.origin is not None
    with tempfile.TemporaryDirectory(prefix="tocsin-emlearn-") as name:
        folder = Path(name)
        for header, content in _HEADERS.items():
            (folder / header).write_text(content, encoding="utf-8")
        (folder / "peer.c").write_text(code, encoding="utf-8")
        (folder / "stubs.c").write_text(_STUBS, encoding="utf-8")
        command = [
            *(*packaged_compiler(), "-target", f"thumb-freestanding-{_interface(core)}"),
            f"-mcpu={core.compiler_name}{_FPU_CORES.get(core.name, '')}",
            *("-std=c99", "-O2", "-ffreestanding", "-fno-sanitize=undefined", "-fno-unwind-tables", "-w"),
            *("-ffunction-sections", f"-I{folder}", f"-I{Path(package.origin).parent}"),
            *(str(folder / "peer.c"), str(folder / "stubs.c"), f"-Wl,-T,{_FOLDER / 'bench.ld'}"),
            *("-Wl,--gc-sections", f"-Wl,-e,{_FUNCTION}", f"-Wl,-u,{_FUNCTION}", "-o", str(folder / "peer.elf")),
        ]
        run_compiler(command, folder)
        return read_program(folder / "peer.elf")


def _interface(core: Core) -> str:
    return "eabihf" if core.name in _FPU_CORES else "eabi"


def emlearn_rows(model: BenchModel, cores: list[Core]) -> list[Row]:
    """One row per core that Unicorn has; without the package one row whose note is the remedy.

    It has no convolutions: no row for a model that has some.
    """
    if any(layer.kind != LAYER_DENSE for layer in model.layers):
        return []
    if importlib.util.find_spec("emlearn") is None or importlib.util.find_spec("jinja2") is None:
        return [Row(model.name, "-", VARIANT, "emlearn", MISSING, note=f"not installed: {REMEDY}")]
    return [_measured(model, core) for core in cores if core.unicorn_name is not None]


def _measured(model: BenchModel, core: Core) -> Row:
    program = build(core, model.layers)
    assert core.unicorn_name is not None
    machine = UnicornMachine(core.unicorn_name, program)
    machine.count()
    inputs = model.inputs if core.name in _FPU_CORES else model.inputs[:_SLOW_INPUTS]
    width = model.layers[-1].outputs
    counts, outputs = [], []
    machine.paint_stack()
    for values in inputs.astype("<f4"):
        machine.write(_INPUTS, values.tobytes())
        before = machine.instructions
        status = machine.call(_FUNCTION, _INPUTS, len(values), _OUTPUTS, width)
        if status:
            raise MachineError(f"emlearn's code for {model.name} on {core.name} ended with status {status}")
        counts.append(machine.instructions - before)
        outputs.append(struct.unpack(f"<{width}f", machine.read(_OUTPUTS, 4 * width)))
    _refuse_another_model(model, inputs, np.array(outputs), core)
    row = Row(
        model=model.name,
        core=core.name,
        variant=VARIANT,
        engine=f"emlearn {importlib.metadata.version('emlearn')}",
        source=MEASURED,
        inputs=model.inputs_name
        if len(inputs) == len(model.inputs)
        else f"the first {len(inputs)} of these: {model.inputs_name}",
        instructions_first=counts[0],
        instructions_mean=round(float(np.mean(counts)), 2),
        instructions_worst=max(counts),
        code_bytes=program.code_bytes,
        table_bytes=program.constant_bytes,
        ram_bytes=program.data_bytes + 4 * (model.layers[0].inputs + width),
        stack_bytes=machine.stack_used(),
        note=None if core.name in _FPU_CORES else "floating point by subroutines",
    )
    return with_rates(row, model.products)


def _refuse_another_model(
    model: BenchModel, inputs: NDArray[np.int8], outputs: NDArray[np.float64], core: Core
) -> None:
    """MachineError when the outputs are not near those of the int8 model: the code would compute something else."""
    last = model.layers[-1]
    wanted = expected(model.layers, inputs) - last.zero
    found = np.clip(outputs, -128 - last.zero, 127 - last.zero)
    likeness = float(np.corrcoef(found.ravel(), wanted.ravel())[0, 1])
    if not likeness > _LIKENESS_MIN:
        raise MachineError(f"emlearn's code for {model.name} on {core.name} computes another model ({likeness:.3f})")
