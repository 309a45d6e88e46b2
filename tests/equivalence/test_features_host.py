"""The C features built for this machine, by two compilers and under a sanitizer: every bit is that of the reference."""

import subprocess
import sys

import numpy as np
import pytest
from feature_windows import knocks, odd_edges, strained_envelopes, strained_windows

from firmware.build import C_FOLDER, WARNINGS, find_compiler, packaged_compiler
from firmware.errors import CompilerError
from shared.signal import arrays

#: Computes windows with a library; its arguments are library, windows, edges, the envelope's first bin, bins and edges,
#: the first sample's place, result.
WORKER = """
import ctypes, sys
import numpy as np

class Window(ctypes.Structure):
    _fields_ = [("ring", ctypes.c_void_p), ("oldest", ctypes.c_uint32), ("log2_samples", ctypes.c_uint32)]

class Bands(ctypes.Structure):
    _fields_ = [("edges", ctypes.c_void_p), ("bands", ctypes.c_uint32),
                ("envelope_edges", ctypes.c_void_p), ("envelope_bands", ctypes.c_uint32),
                ("first", ctypes.c_uint32), ("log2_bins", ctypes.c_uint32)]

library = ctypes.CDLL(sys.argv[1])
windows, edges, envelope = (np.load(path) for path in sys.argv[2:5])
oldest = int(sys.argv[5])
count, samples = windows.shape
first, bins, *_ = envelope.tolist()
envelope_edges = envelope[2:].astype("<u2")
raw = np.zeros((count, 3 + len(edges) - 1 + len(envelope_edges) - 1), np.int32)
bands = Bands(edges.ctypes.data, len(edges) - 1, envelope_edges.ctypes.data, len(envelope_edges) - 1,
              first, bins.bit_length() - 1)
for window, row in zip(windows, raw):
    ring = np.roll(window, oldest).astype(np.int16)
    points = np.full(samples, 7, np.int32)
    given = Window(ring.ctypes.data, oldest, samples.bit_length() - 1)
    library.tocsin_fast_features(
        ctypes.byref(given), ctypes.byref(bands),
        points.ctypes.data_as(ctypes.c_void_p), row.ctypes.data_as(ctypes.c_void_p),
    )
np.save(sys.argv[6], raw)
"""
SANITIZERS = ("-fsanitize=undefined", "-fno-sanitize-recover=all")


@pytest.fixture(scope="module", params=["machine", "packaged", "sanitized"])
def library(request, tmp_path_factory):
    """The features as a library of this machine."""
    path = tmp_path_factory.mktemp("features") / "libfeatures.so"
    names = [f"src/tocsin_{name}.c" for name in ("envelope", "fast", "integer", "moments", "spectrum")]
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
    assert_same(library, tmp_path, windows, edges, oldest, None)


@pytest.mark.parametrize(("samples", "which"), [(64, 0), (64, 4), (512, 1), (1024, 2), (1024, 4), (4096, 3), (4096, 2)])
def test_strained_windows_give_the_envelope_bands_of_the_reference(library, tmp_path, samples, which):
    windows, edges = np.concatenate([strained_windows(samples), knocks(samples)]), [1, samples // 2 + 1]
    assert_same(library, tmp_path, windows, edges, samples // 3, strained_envelopes(samples)[which])


def assert_same(library, tmp_path, windows, edges, oldest, envelope):
    first, bins, envelope_edges = envelope or (0, 1, (0,))
    np.save(tmp_path / "windows.npy", windows)
    np.save(tmp_path / "edges.npy", np.array(edges, "<u2"))
    np.save(tmp_path / "envelope.npy", np.array([first, bins, *envelope_edges]))
    names = ("windows", "edges", "envelope")
    arguments = [str(library), *(str(tmp_path / f"{name}.npy") for name in names), str(oldest)]
    result = tmp_path / "raw.npy"
    done = subprocess.run(
        [sys.executable, "-c", WORKER, *arguments, str(result)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.load(result), arrays.fast_features(windows, tuple(edges), envelope))
