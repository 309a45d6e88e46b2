import importlib.util
from concurrent.futures import ThreadPoolExecutor

import pytest

from firmware.board_build import FACTORY_FOLDER, build_board, read_board_device
from firmware.boards.registry import board_named

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("ziglang", "elftools")),
    reason="ziglang or pyelftools is not installed: pip install 'tocsin[firmware]'",
)


def test_builds_at_the_same_time_do_not_mix(tmp_path):
    """Their files have the same names and sizes: the compiler's cache must not take one device's for another's."""
    names = [f"press-{number}" for number in (7, 8, 9)]

    def content(name):
        device = read_board_device(FACTORY_FOLDER, name)
        return build_board(board_named("stm32f405"), tmp_path / name, device=device).bin.read_bytes()

    with ThreadPoolExecutor(len(names)) as together:
        firmwares = dict(zip(names, together.map(content, names), strict=True))
    for name, firmware in firmwares.items():
        assert [other for other in names if other.encode() in firmware] == [name]
