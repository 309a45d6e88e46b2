"""An STM32 flashed: the real tools without a board; and programs on PATH that stand for an absent board.

The stand-ins write and read a file in the place of the flash and say what dfu-util 0.11 and st-flash 1.7.0 say.
"""

import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from firmware.boards.registry import STM32F405
from firmware.errors import FlashError
from firmware.flashing.command import FlashRequest, flash, show_plan
from firmware.flashing.content import read_firmware
from firmware.flashing.stm32 import find, programmers
from shared.errors import UsageError

FIRMWARE = struct.pack("<II", 0x20020000, 0x08000101) + bytes(range(256)) * 40

DFU_UTIL = """
import os, sys
flash, state = os.environ["TEST_FLASH"], os.environ.get("TEST_STATE", "")
print("dfu-util 0.11\\n")
if state == "forbidden":
    print("dfu-util: Cannot open DFU device 0483:df11 found on devnum 4 (LIBUSB_ERROR_ACCESS)", file=sys.stderr)
    if "-l" in sys.argv:
        sys.exit(0)
    print("dfu-util: No DFU capable USB device available", file=sys.stderr)
    sys.exit(74)
if "-l" in sys.argv:
    boards = {"absent": [], "two": ["A1", "B2"]}.get(state, ["A1"])
    for serial in boards:
        for alt, name in enumerate(("@Internal Flash  /0x08000000/04*016Kg", "@OTP Memory /0x1FFF7800/01*512 e")):
            print(f'Found DFU: [0483:df11] ver=2200, devnum=4, cfg=1, intf=0, path="1-1", alt={alt}, '
                  f'name="{name}", serial="{serial}"')
    sys.exit(0)
place = sys.argv[sys.argv.index("-s") + 1].split(":")
assert int(place[0], 16) == 0x08000000
if "-D" in sys.argv:
    if state == "write fails":
        print("dfu-util: Error during special command \\"ERASE_PAGE\\" get_status", file=sys.stderr)
        sys.exit(74)
    open(flash, "wb").write(open(sys.argv[-1], "rb").read())
    print("Download done.\\nFile downloaded successfully")
else:
    content = bytearray(open(flash, "rb").read()[: int(place[1])])
    if state == "worn":
        content[100] ^= 4
    if state == "short":
        del content[1000:]
    if state != "nothing read":
        open(sys.argv[-1], "xb").write(content)
    if "leave" in place:
        open(flash + ".started", "w").close()
        print("Submitting leave request...")
        if state == "gone at start":
            sys.exit(74)
"""
ST_INFO = """
import os, sys
state = os.environ.get("TEST_STATE", "")
if state == "forbidden":
    print("libusb: error [get_usbfs_fd] libusb couldn't open USB device /dev/bus/usb/001/004, errno=13")
    print("Found 0 stlink programmers")
elif state == "absent":
    print("Found 0 stlink programmers")
else:
    chip = {"other chip": "0x0435", "no chip": "0x0000"}.get(state, "0x0413")
    print("Found 1 stlink programmers\\n  version:    V2J37S7\\n  serial:     066DFF485")
    print("  flash:      1048576 (pagesize: 16384)")
    print(f"  sram:       196608\\n  chipid:     {chip}\\n  descr:      F4xx")
"""
ST_FLASH = """
import os, sys
flash = os.environ["TEST_FLASH"]
command, *rest = sys.argv[1:]
if command == "write":
    open(flash, "wb").write(open(rest[0], "rb").read())
    print("2026-11-22T18:00:00 INFO common.c: Flash written and verified! jolly good!", file=sys.stderr)
elif command == "read":
    open(rest[0], "wb").write(open(flash, "rb").read()[: int(rest[2], 16)])
else:
    assert command == "reset", command
    open(flash + ".started", "w").close()
"""


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """Puts stand-ins of the named tools on PATH, and nothing else; the flash is `bench.flash`."""

    class Bench:
        flash = tmp_path / "flash"
        firmware = tmp_path / "firmware.bin"

        def tools(self, *names, state=""):
            folder = tmp_path / "bin"
            folder.mkdir(exist_ok=True)
            for name, script in (("dfu-util", DFU_UTIL), ("st-info", ST_INFO), ("st-flash", ST_FLASH)):
                if name in names:
                    (folder / name).write_text(f"#!{sys.executable}{script}")
                    (folder / name).chmod(0o755)
            monkeypatch.setenv("PATH", str(folder))
            monkeypatch.setenv("TEST_FLASH", str(self.flash))
            monkeypatch.setenv("TEST_STATE", state)

        def run(self, **changes):
            self.said = []
            flash(FlashRequest(STM32F405, file=self.firmware, **changes), self.said.append)

        def started(self):
            return Path(f"{self.flash}.started").exists()

    made = Bench()
    made.firmware.write_bytes(FIRMWARE)
    return made


@pytest.mark.parametrize("tools", [("dfu-util",), ("st-flash", "st-info")])
def test_a_board_is_written_read_back_and_started(bench, tools):
    bench.tools(*tools)
    bench.run()
    assert bench.flash.read_bytes() == FIRMWARE
    assert bench.started()
    assert f"verified: all {len(FIRMWARE)} bytes read back are those that were written" in bench.said


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ("worn", "differs from the firmware at 0x64"),
        ("short", "only 1000 of 10248 bytes could be read back"),
        ("nothing read", "the tool wrote no file"),
        ("write fails", r"dfu-util could not write the flash .*ERASE_PAGE"),
    ],
)
def test_a_firmware_that_did_not_arrive_is_never_started(bench, state, sentence):
    bench.tools("dfu-util", state=state)
    with pytest.raises(FlashError, match=sentence):
        bench.run()
    assert not bench.started()


def test_a_chip_that_is_gone_while_it_starts_is_no_failure(bench):
    bench.tools("dfu-util", state="gone at start")
    bench.run()
    assert "the tool could not start it; press RESET" in bench.said


@pytest.mark.parametrize("tools", [("dfu-util",), ("st-flash", "st-info")])
def test_without_permission_the_rule_that_we_ship_is_named(bench, tools):
    bench.tools(*tools, state="forbidden")
    with pytest.raises(FlashError, match=r"sudo cp \S*firmware/boards/udev/60-tocsin\.rules /etc/udev/rules\.d/"):
        bench.run()


def test_of_two_boards_one_must_be_chosen(bench):
    bench.tools("dfu-util", state="two")
    with pytest.raises(FlashError, match=r"sees 2 boards \(A1, B2\); choose one with --serial"):
        bench.run()
    bench.run(serial="B2")
    assert any("-S B2" in line for line in bench.said)
    with pytest.raises(FlashError, match="found no stm32f405 with the serial number C3"):
        bench.run(serial="C3")


def test_the_tool_that_has_a_board_is_taken(bench):
    bench.tools("dfu-util", "st-flash", "st-info")
    candidates = programmers(STM32F405)
    assert find(STM32F405, candidates).tool == "dfu-util"
    candidates[0]._FOUND = candidates[1]._CHIP  # sees nothing
    assert find(STM32F405, candidates).tool == "st-flash"


@pytest.mark.parametrize(("state", "seen"), [("other chip", "0x435"), ("no chip", "no chip")])
def test_a_probe_on_another_chip_writes_nothing(bench, state, seen):
    bench.tools("st-flash", "st-info", state=state)
    with pytest.raises(FlashError, match=f"the ST-LINK sees {seen}, not the chip of stm32f405"):
        bench.run()
    assert not bench.flash.exists()


def test_without_a_tool_both_are_named(bench):
    bench.tools()
    with pytest.raises(FlashError, match=r"install dfu-util \(on Debian: apt install dfu-util\); st-flash \("):
        bench.run()
    with pytest.raises(FlashError, match=r"no tool to flash stm32f405 is installed; install st-flash \([^;]*\)$"):
        bench.run(tool="st-flash")
    with pytest.raises(UsageError, match="openocd does not flash stm32f405; dfu-util and st-flash do"):
        bench.run(tool="openocd")


@pytest.mark.parametrize("tool", ["dfu-util", "st-flash"])
def test_the_real_tools_find_no_board(tool):
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed; on Debian: apt install dfu-util stlink-tools")
    (programmer,) = programmers(STM32F405, tool)
    if programmer.attached():
        pytest.skip("a board is attached; unplug it to see what is said without one")
    with pytest.raises(FlashError, match=f"^{tool} found no stm32f405; plug it in and start its boot loader"):
        find(STM32F405, [programmer])


def test_a_dry_run_says_the_commands_and_runs_none(bench, monkeypatch):
    bench.tools("dfu-util", state="write fails")
    monkeypatch.setattr("firmware.flashing.tools.subprocess.run", None)
    said = []
    show_plan(FlashRequest(STM32F405, file=bench.firmware), said.append)
    assert f"    dfu-util -d 0483:df11 -a 0 -s 0x08000000 -D {bench.firmware}" in said
    assert f"    dfu-util -d 0483:df11 -a 0 -s 0x08000000:{len(FIRMWARE)} -U read-back.bin" in said


@pytest.fixture
def typed(bench, tmp_path, monkeypatch):
    """Types the commands of a dry run into a shell, in an empty folder; the words of the dry run."""
    pytest.importorskip("ziglang", reason="ziglang is not installed: pip install 'tocsin[firmware]'")
    usual = os.environ["PATH"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))

    def type_them(request):
        bench.tools("dfu-util")
        (tmp_path / "bin" / "tocsin").write_text(f'#!/bin/sh\nexec {sys.executable} -m tocsin "$@"\n')
        (tmp_path / "bin" / "tocsin").chmod(0o755)
        said = []
        show_plan(request, said.append)
        if request.file is None:
            shutil.rmtree(tmp_path / "build")
        script = "\n".join(["set -e", *(line for line in said if line.startswith("    "))])
        monkeypatch.setenv("PATH", f"{os.environ['PATH']}:{usual}")
        subprocess.run(["sh", "-c", script], check=True, capture_output=True)
        return said

    return type_them


def test_the_steps_of_a_dry_run_work_as_typed(bench, typed, tmp_path):
    said = typed(FlashRequest(STM32F405, name="fan-2"))
    assert "    tocsin firmware build --board stm32f405 --name=fan-2" in said
    assert any("A Feather STM32F405 does not bring out USART 2: give --lines 3,6" in line for line in said)
    (built,) = Path("build/firmware").glob("stm32f405-fan-2-*/tocsin.bin")
    assert bench.flash.read_bytes() == built.read_bytes()
    assert bench.started()
    # Of an .elf the same bytes are written, out of the file that the build made with it.
    bench.flash.unlink()
    for name in ("read-back.bin", "started.bin"):
        (tmp_path / name).unlink()
    typed(FlashRequest(STM32F405, file=built.with_suffix(".elf")))
    assert bench.flash.read_bytes() == built.read_bytes()


def test_lines_are_built_in_as_they_are_chosen(bench, typed):
    said = typed(FlashRequest(STM32F405, lines="3,6"))
    assert "    tocsin firmware build --board stm32f405 --lines=3,6" in said
    assert not any("Feather" in line for line in said)
    (header,) = Path("build/firmware").glob("*/tocsin_board_device.h")
    assert "#define TOCSIN_GATEWAY_USART 3\n#define TOCSIN_SAMPLES_USART 6\n" in header.read_text()
    with pytest.raises(UsageError, match="--lines '3' must be two USARTs"):
        show_plan(FlashRequest(STM32F405, lines="3"), said.append)


@pytest.mark.parametrize(
    ("content", "name", "sentence"),
    [
        (b"", "a.bin", "has 0 bytes"),
        (bytes(1 << 21), "a.bin", "has 2097152 bytes"),
        (bytes(1000), "a.bin", "no firmware for stm32f405"),
        (struct.pack("<II", 0x20000400, 0x08000000) + bytes(90), "a.bin", "no firmware for stm32f405"),
        (struct.pack("<II", 0x20020004, 0x08000009) + bytes(90), "a.bin", "no firmware for stm32f405"),
        (b":020000040800F2", "a.hex", "neither .bin nor .elf"),
        (b"\x7fELF" + bytes(200), "a.elf", "no ELF file with a firmware"),
    ],
)
def test_a_file_that_is_no_firmware_is_refused(tmp_path, content, name, sentence):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=sentence):
        read_firmware(tmp_path / name, STM32F405)


def test_a_stuck_tool_ends_with_a_sentence(bench, monkeypatch):
    bench.tools()
    (Path(os.environ["PATH"]) / "dfu-util").write_text(f"#!{sys.executable}\nimport time\ntime.sleep(100)\n")
    (Path(os.environ["PATH"]) / "dfu-util").chmod(0o755)
    monkeypatch.setattr("firmware.flashing.programmers.LOOK_LIMIT_SECONDS", 0.2)
    with pytest.raises(FlashError, match=r"dfu-util did not finish within 0\.2 s"):
        bench.run()


def test_an_option_of_the_other_kind_of_board_is_refused(bench):
    with pytest.raises(UsageError, match="--port is nothing for stm32f405"):
        bench.run(port="/dev/ttyUSB0")
    with pytest.raises(UsageError, match="--file holds its device, lines and model already"):
        bench.run(name="fan-2")
    with pytest.raises(UsageError, match="--file holds its device, lines and model already"):
        bench.run(lines="3,6")
    with pytest.raises(UsageError, match="--file holds its device, lines and model already"):
        bench.run(small=True)


def test_the_kernel_is_built_in_as_it_is_chosen(bench, typed):
    said = typed(FlashRequest(STM32F405, small=True))
    assert "    tocsin firmware build --board stm32f405 --small" in said
    with pytest.raises(UsageError, match="--worst-case and --small exclude each other"):
        show_plan(FlashRequest(STM32F405, small=True, worst_case=True), said.append)
