"""The boards that exist, and that the files around them agree."""

import re

import pytest

from firmware.boards.registry import BOARDS, STM32F405, board_named
from firmware.flashing.programmers import PROGRAMMERS
from firmware.flashing.tools import UDEV_RULES
from shared.errors import UsageError


@pytest.mark.parametrize("name", BOARDS)
def test_every_board_says_how_it_is_flashed(name):
    board = board_named(name)
    assert board.name == name
    assert board.title
    assert board.how_to_enter
    assert board.flash_tools
    assert (board.language == "c") == bool(board.zig_cpu and board.flash_bytes and board.ram_bytes)
    known = {programmer.tool for programmer in PROGRAMMERS} | {"mpremote"}
    assert set(board.flash_tools) <= known


def test_the_rule_for_usb_names_every_id_of_a_board_with_c():
    rules = UDEV_RULES.read_text(encoding="ascii")
    lines = [line for line in rules.splitlines() if line and not line.startswith("#")]
    found = set()
    for line in lines:
        match = re.fullmatch(
            r'SUBSYSTEM=="usb", ATTR\{idVendor\}=="([0-9a-f]{4})", ATTR\{idProduct\}=="([0-9a-f]{4})", '
            r'MODE="0660", GROUP="plugdev", TAG\+="uaccess"',
            line,
        )
        assert match, line
        found.add((int(match[1], 16), int(match[2], 16)))
    assert found == {ids for board in BOARDS.values() if board.language == "c" for ids in board.usb_ids}
    assert UDEV_RULES.name < "73-seat-late.rules"  # later, uaccess has no effect


def test_an_unknown_board_is_answered_with_the_list():
    with pytest.raises(UsageError, match="there is no board 'stm32f4'; there are stm32f405 and esp32"):
        board_named("stm32f4")


def test_the_memories_are_those_of_the_data_sheet():
    assert (STM32F405.flash_origin, STM32F405.flash_bytes) == (0x08000000, 1048576)
    assert (STM32F405.ram_origin, STM32F405.ram_bytes) == (0x20000000, 131072)
    assert (STM32F405.core_ram_origin, STM32F405.core_ram_bytes) == (0x10000000, 65536)
