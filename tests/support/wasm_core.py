"""The C core in WebAssembly under Node.js: built by the ziglang package for a machine without a system or a library."""

import importlib.util
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
from image_verdicts import Verdict, framed, verdicts_told
from numpy.typing import NDArray

from firmware.bench.records import record_bytes
from firmware.build import C_FOLDER, WARNINGS, packaged_compiler
from firmware.c_program import Trace, messages_of, trace_of
from shared.model_image import Layer
from shared.quantized.targets import TARGET_ANY

SCRIPTS = Path(__file__).parent / "wasm_scripts"
LIMIT_SECONDS = 240
_SENSOR = ("src/*.c", "generated/*.c", "ports/wasm/sensor.c")
_LAYERS = (
    *(f"src/tocsin_{name}.c" for name in ("integer", "layer", "dense", "convolution")),
    "generated/tocsin_sine_table.c",
    "ports/wasm/layers.c",
)


def node() -> str:
    """Node's path; skips the test where there is none, or no compiler for WebAssembly."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("node is not on the path; install Node.js 18 or later")
    if importlib.util.find_spec("ziglang") is None:
        pytest.skip("ziglang is not installed: pip install 'tocsin[firmware]'")
    return found


def _build(path: Path, patterns: tuple[str, ...]) -> Path:
    command = [
        *packaged_compiler(),
        *("-target", "wasm32-freestanding", "-nostdlib", "-Wl,--no-entry", "-std=c99", "-O2", *WARNINGS),
        *(f"-I{C_FOLDER / name}" for name in ("include", "generated")),
        *(str(source) for pattern in patterns for source in sorted(C_FOLDER.glob(pattern))),
        *("-o", str(path)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return path


def build_sensor(folder: Path) -> Path:
    """The module of the whole sensor."""
    return _build(folder / "sensor.wasm", _SENSOR)


def build_layers(folder: Path) -> Path:
    """The module that runs layers alone."""
    return _build(folder / "layers.wasm", _LAYERS)


def _run(script: str, arguments: list[str], given: bytes) -> bytes:
    done = subprocess.run(
        [node(), str(SCRIPTS / script), *arguments],
        input=given,
        capture_output=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout


def run_sensor(
    module: Path,
    folder: Path,
    image: bytes,
    boot: int,
    stream: bytes,
    features: int,
    next_image: bytes | None = None,
    inputs: int | None = None,
) -> tuple[list[bytes], Trace]:
    """Messages, and what was computed for each reading, as `firmware.c_program.run_device` gives them."""
    (folder / "image").write_bytes(image)
    arguments = [str(module), str(folder / "image"), "press-7", str(boot)]
    arguments += [str(folder / "messages"), str(folder / "trace")]
    if next_image is not None:
        (folder / "next").write_bytes(next_image)
        arguments.append(str(folder / "next"))
    _run("sensor.mjs", arguments, stream)
    return messages_of((folder / "messages").read_bytes()), trace_of((folder / "trace").read_bytes(), features, inputs)


def verdicts_in_wasm(module: Path, images: list[bytes]) -> list[Verdict]:
    """What the reader says about each image."""
    return verdicts_told(_run("verdicts.mjs", [str(module)], framed(images)))


def infer_in_wasm(module: Path, layers: list[Layer], inputs: NDArray[np.int8]) -> NDArray[np.int8]:
    """Outputs (rows, outputs) of layers for inputs (rows, inputs)."""
    records = record_bytes(layers, TARGET_ANY)
    head = struct.pack("<5I", len(inputs), layers[0].inputs, layers[-1].outputs, len(layers), len(records))
    given = _run("layers.mjs", [str(module)], head + records + np.ascontiguousarray(inputs, np.int8).tobytes())
    return np.frombuffer(given, np.int8).reshape(len(inputs), layers[-1].outputs)
