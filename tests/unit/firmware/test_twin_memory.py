"""The twin's memory over a thousand windows: what it holds stays flat, and a window takes no more than is documented.

The same module runs in CPython, traced, and in the real MicroPython, whose collector tells what it holds.
"""

import gc
import struct
import sys
import tracemalloc
from array import array

import pytest
from micropython_board import lay_out, run_module
from small_devices import small_image, small_profile, small_rows

from shared import model_image

MESSAGE = 16
CHUNKS = 63
WINDOW = {"slow": 1, "fast": 32}
#: What docs/arithmetic.md says of these two devices, in bytes: what a window allocates at most in MicroPython, freed or
#: not, and what CPython holds at most for a moment.
ALLOCATED_BYTES = {"slow": 12_000, "fast": 65_000}
MOMENTARY_BYTES = {"slow": 12_000, "fast": 25_000}

#: A device with its buffer and a gateway that stores everything at once; `chunk()` is 16 windows of it.
TWIN = """
import struct
from firmware.micropython.buffer import Buffer
from firmware.micropython.device import Device
from shared.model_image import read


class Life:
    def __init__(self, folder):
        with open(folder + "/image", "rb") as file:
            self.image = read(file.read())
        with open(folder + "/rows", "rb") as file:
            self.rows = file.read()
        self.place = 0
        self.buffer = Buffer(4096)
        self.device = Device("press-7", 1, self.image, self.buffer.add)
        self.form = "<q" + str(len(self.image.channels)) + "i"

    def window(self):
        samples = self.image.window if self.image.kind else 1
        size = struct.calcsize(self.form)
        rows = [struct.unpack_from(self.form, self.rows, self.place + i * size) for i in range(samples)]
        self.place += samples * size
        if self.image.kind:
            columns = [[row[1 + i] for row in rows] for i in range(len(self.image.channels))]
            self.device.push_run([row[0] for row in rows], columns)
        else:
            self.device.push_row(rows[0][0], list(rows[0][1:]))
        while self.buffer.take():
            pass
        self.buffer.stored(self.device.sequence)

    def chunk(self):
        for _ in range(16):
            self.window()
"""

VM = """
import gc
from array import array
from twin import Life

life = Life("/case")
held = array("I", [0] * {chunks})
taken = array("I", [0] * {chunks})
number = 0

def step():
    global number
    held[number] = gc.mem_alloc()
    life.chunk()
    taken[number] = gc.mem_alloc() - held[number]
    gc.collect()
    number += 1
    if number < {chunks}:
        return True
    with open("/out/told", "wb") as file:
        file.write(held)
        file.write(taken)
    return False
"""


@pytest.fixture(params=["slow", "fast"])
def kind(request):
    return request.param


@pytest.fixture
def folder(kind, tmp_path):
    """A folder with the module, and the device's image and rows in ``case``."""
    profile = small_profile(fast=kind == "fast")
    case = tmp_path / "case"
    case.mkdir()
    case.joinpath("image").write_bytes(model_image.seal(model_image.encode(small_image(profile))))
    rows = small_rows(profile, CHUNKS * MESSAGE * WINDOW[kind])
    case.joinpath("rows").write_bytes(b"".join(struct.pack("<q2i", time_ns, *counts) for time_ns, counts in rows))
    (tmp_path / "twin.py").write_text(TWIN)
    return tmp_path


def assert_flat(held):
    """The last third holds no more than the second, 3 bytes a window aside; in the first one, things are made once."""
    third = len(held) // 3
    assert max(held[2 * third :]) <= max(held[third : 2 * third]) + 1024, list(held)


def test_a_thousand_windows_leave_nothing_in_cpython(kind, folder, monkeypatch):
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "twin", raising=False)
    life = __import__("twin").Life(str(folder / "case"))
    held, peaks = array("q", [0] * CHUNKS), array("q", [0] * CHUNKS)
    enabled = gc.isenabled()
    gc.collect()  # it empties the lists of free objects too, which would be filled again under the trace
    gc.disable()
    tracemalloc.start()
    try:
        for number in range(CHUNKS):
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            life.chunk()
            held[number], peak = tracemalloc.get_traced_memory()
            peaks[number] = peak - before
    finally:
        tracemalloc.stop()
        if enabled:
            gc.enable()
        sys.modules.pop("twin")
    assert life.device.sequence == CHUNKS * MESSAGE > 1000
    assert_flat(held)
    assert max(peaks) < MOMENTARY_BYTES[kind]


def test_a_thousand_windows_leave_nothing_in_micropython(kind, folder):
    lay_out(folder)
    (folder / "bench.py").write_text(VM.replace("{chunks}", str(CHUNKS)))
    run_module(folder, "bench")
    told = array("I", (folder / "out/told").read_bytes())
    held, taken = told[:CHUNKS], told[CHUNKS:]
    assert_flat(held)
    assert max(taken) / MESSAGE < ALLOCATED_BYTES[kind]
