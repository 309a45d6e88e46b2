"""The C features built for this machine, by two compilers and under a sanitizer: every bit is that of the reference."""

import subprocess
import sys

import numpy as np
import pytest
from feature_windows import odd_edges, strained_windows

from firmware.build import C_FOLDER, WARNINGS, find_compiler, packaged_compiler
from firmware.errors import CompilerError
from shared.signal import arrays

#: Computes windows with a library; its arguments are library, windows, edges, the first sample's place, result.
WORKER = """
import ctypes, sys
import numpy as np

class Window(ctypes.Structure):
    _fields_ = [("ring", ctypes.c_void_p), ("oldest", ctypes.c_uint32), ("log2_samples", ctypes.c_uint32)]

library = ctypes.CDLL(sys.argv[1])
windows, edges = np.load(sys.argv[2]), np.load(sys.argv[3])
oldest = int(sys.argv[4])
count, samples = windows.shape
raw = np.zeros((count, 3 + len(edges) - 1), np.int32)
for window, row in zip(windows, raw):
    ring = np.roll(window, oldest).astype(np.int16)
    points = np.full(samples, 7, np.int32)
    given = Window(ring.ctypes.data, oldest, samples.bit_length() - 1)
    library.tocsin_fast_features(
        ctypes.byref(given), edges.ctypes.data_as(ctypes.c_void_p), len(edges) - 1,
        points.ctypes.data_as(ctypes.c_void_p), row.ctypes.data_as(ctypes.c_void_p),
    )
np.save(sys.argv[5], raw)
"""
SANITIZERS = ("-fsanitize=undefined", "-fno-sanitize-recover=all")


@pytest.fixture(scope="module", params=["machine", "packaged", "sanitized"])
def library(request, tmp_path_factory):
    """The features as a library of this machine."""
    path = tmp_path_factory.mktemp("features") / "libfeatures.so"
    names = [f"src/tocsin_{name}.c" for name in ("fast", "integer", "moments", "spectrum")]
    try:
        compiler = packaged_compiler() if request.param == "packaged" else find_compiler()
    except CompilerError as error:
        pytest.skip(str(error))
    command = [*compiler, "-std=c99", "-O2", "-fPIC", "-shared", *WARNINGS]
    command += SANITIZERS if request.param == "sanitized" else ()
    command += [f"-I{C_FOLDER / name}" for name in ("include", "generated")]
    command += [str(C_FOLDER / name) for name in (*names, "generated/tocsin_sine_table.c")]
    done = subprocess.run([*command, "-o", str(path)], capture_output=True, text=True, check=False)
    if request.param == "sanitized" and done.returncode:
        pytest.skip("this machine's compiler has no sanitizers")
    assert done.returncode == 0, done.stderr
    return path


@pytest.mark.parametrize("samples", [32, 64, 1024, 2048, 4096])
def test_strained_windows_give_the_features_of_the_reference(library, tmp_path, samples):
    windows, edges, oldest = strained_windows(samples), odd_edges(samples), samples // 3
    np.save(tmp_path / "windows.npy", windows)
    np.save(tmp_path / "edges.npy", np.array(edges, "<u2"))
    arguments = [str(library), *(str(tmp_path / f"{name}.npy") for name in ("windows", "edges")), str(oldest)]
    result = tmp_path / "raw.npy"
    done = subprocess.run(
        [sys.executable, "-c", WORKER, *arguments, str(result)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.load(result), arrays.fast_features(windows, tuple(edges)))
