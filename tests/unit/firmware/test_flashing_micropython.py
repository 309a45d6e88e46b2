"""The twin onto a board: real mpremote, real MicroPython on a pseudo-terminal, what it holds and says afterwards."""

import ast
import dataclasses

import pytest
from micropython_board import MicroPythonBoard
from small_devices import PUBLIC_KEY, provision_small, signed, small_image, small_profile
from typer.testing import CliRunner

from firmware.boards.registry import ESP32
from firmware.cli import app
from firmware.errors import FlashError
from firmware.flashing import modules, twin
from firmware.flashing.command import FlashRequest, flash, show_plan
from firmware.flashing.ports import only_port
from firmware.flashing.staging import stage
from shared.errors import UsageError

#: What MicroPython has, of all that the modules import.
_ON_BOARDS = {
    "binascii",
    "esp32",
    "gc",
    "hashlib",
    "machine",
    "micropython",
    "os",
    "select",
    "sensor",
    "struct",
    "sys",
    "time",
}


@pytest.fixture
def device(tmp_path):
    folder = tmp_path / "device"
    provision_small(folder, small_profile())
    return folder


def request(device, port="/dev/none", **changes):
    return FlashRequest(ESP32, device, port=port, **changes)


def test_a_board_gets_nothing_that_only_cpython_has():
    files = modules.needed_files()
    assert {"shared/model_image.py", "firmware/micropython/serial_loop.py", "shared/__init__.py"} <= set(
        map(str, files)
    )
    imported = set()
    for path in [*files, modules.MAIN]:
        for node in ast.walk(ast.parse((modules.ROOT / path).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module.split(".")[0])
    assert imported - {"firmware", "shared"} <= _ON_BOARDS


def test_the_plan_touches_nothing(device):
    said = []
    show_plan(request(device), said.append)
    assert any(line.endswith("/shared/model_image.py") for line in said)
    assert any("mpremote connect /dev/none fs cp -r device firmware main.py shared :" in line for line in said)


def test_a_board_is_flashed_twice_and_keeps_counting_its_boots(device, tmp_path):
    board_folder = tmp_path / "board"
    board_folder.mkdir()
    sensor = tmp_path / "my_sensor.py"
    sensor.write_text("def read():\n    return [21.0, 4.5]\n")
    (device / "boot").write_text("7")  # this device has run on this machine
    with MicroPythonBoard(board_folder) as board:
        said = []
        flash(request(device, board.port, keys=[PUBLIC_KEY.hex()], sensor=sensor), said.append)
        assert "golden vector right" in " ".join(said)
        assert "samples from sensor.py" in said
        assert said[-1] == "running: press-7, boot 8, model version 1"
        # main.py runs and has the line: the second time, mpremote has to ask it for the prompt.
        (device / "slot-0.image").write_bytes(signed(small_image(small_profile(), 4)))
        said = []
        flash(request(device, board.port), said.append)
        assert "running: press-7, boot 9, model version 4" in said


def test_what_was_altered_on_the_board_is_found(device, tmp_path, monkeypatch):
    staged = stage(device, name=None, keys=[], sensor=None)
    few = tuple(file for file in staged.files if file.path in ("/shared/errors.py", "/device/active"))
    staged = dataclasses.replace(staged, files=few)
    board_folder = tmp_path / "board"
    board_folder.mkdir()
    monkeypatch.setattr(twin, "_BOOTS", "open('/shared/errors.py', 'a').write('x')")
    with MicroPythonBoard(board_folder) as board, pytest.raises(FlashError, match=r"1 files .* /shared/errors\.py"):
        twin.flash(board.port, staged, lambda _: None)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"tool": "dfu-util"}, "--tool is nothing for esp32"),
        ({"keys": ["12"]}, "must be a public key, 64 hexadecimal digits"),
        ({"name": "No Name"}, "device id 'No Name' must be"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_happens(device, changes, sentence):
    with pytest.raises(UsageError, match=sentence):
        flash(request(device, **({"port": "/dev/null"} | changes)), lambda _: None)


@pytest.fixture
def ports(monkeypatch):
    """Plugs in what stands for boards: pairs of port and USB numbers, None for a port that is not on USB."""
    list_ports = pytest.importorskip("serial.tools.list_ports", reason="pip install 'tocsin[firmware]'")
    from serial.tools.list_ports_common import ListPortInfo

    def plug(**found):
        made = []
        for name, ids in found.items():
            port = ListPortInfo(f"/dev/{name}")
            port.vid, port.pid = ids or (None, None)
            made.append(port)
        monkeypatch.setattr(list_ports, "comports", lambda: made)

    return plug


def test_without_a_port_the_only_one_is_taken(device, ports):
    ports(none=None)
    said = []
    with pytest.raises(FlashError, match="there is no port /dev/none"):
        flash(request(device, port=""), said.append)
    assert said == ["over /dev/none, the port that was found"]
    ports(ttyS0=None, ttyUSB1=ESP32.usb_ids[0], ttyACM0=(1, 2))
    assert only_port(ESP32) == "/dev/ttyUSB1"
    ports(ttyUSB1=ESP32.usb_ids[0], ttyUSB0=ESP32.usb_ids[1], ttyS0=None)
    with pytest.raises(
        FlashError, match=r"2 serial ports \(/dev/ttyUSB0, /dev/ttyUSB1\); name the board's with --port"
    ):
        only_port(ESP32)
    ports()
    with pytest.raises(FlashError, match="there is no serial port; plug the esp32 in"):
        only_port(ESP32)


def test_a_dry_run_needs_no_port():
    shown = CliRunner().invoke(app, ["flash", "--board", "esp32", "--dry-run"])
    assert shown.exit_code == 0
    assert "    mpremote connect PORT fs cp -r " in shown.output


def test_a_port_that_is_not_there_is_named(device):
    with pytest.raises(FlashError, match="there is no port /dev/none"):
        flash(request(device), lambda _: None)
