"""The boards that exist.

>>> board_named("stm32f405").core
'Cortex-M4F'
>>> board_named("abacus")
Traceback (most recent call last):
...
shared.errors.UsageError: there is no board 'abacus'; there are stm32f405 and esp32
"""

from firmware.boards.board import Board
from shared.errors import UsageError

STM32F405 = Board(
    name="stm32f405",
    title="STM32F405: Adafruit Feather STM32F405 Express, pyboard v1.1",
    language="c",
    core="Cortex-M4F",
    flash_tools=("dfu-util", "st-flash"),
    usb_ids=(
        (0x0483, 0xDF11),  # the boot loader in the chip's ROM, in DFU mode
        (0x0483, 0x3744),  # ST-LINK/V1
        (0x0483, 0x3748),  # ST-LINK/V2
        (0x0483, 0x374B),  # ST-LINK/V2-1, with a drive and a serial port
        (0x0483, 0x3752),  # ST-LINK/V2-1, without the drive
        (0x0483, 0x374D),  # STLINK-V3, boot loader
        (0x0483, 0x374E),  # STLINK-V3E
        (0x0483, 0x374F),  # STLINK-V3S
        (0x0483, 0x3753),  # STLINK-V3, two serial ports
        (0x0483, 0x3754),  # STLINK-V3, without the drive
    ),
    how_to_enter=(
        "start its boot loader: on the Feather join B0 with 3.3V (or move the BOOT0 switch to ON), on the pyboard join"
        " DFU with 3V3, then press RESET"
    ),
    zig_cpu="cortex_m4",
    flash_origin=0x08000000,
    flash_bytes=1 << 20,
    ram_origin=0x20000000,
    ram_bytes=128 << 10,
    core_ram_origin=0x10000000,
    core_ram_bytes=64 << 10,
    qemu_machine="netduinoplus2",
    notes=("Take the jumper off again before the next reset, or the boot loader starts instead of the firmware.",),
)

ESP32 = Board(
    name="esp32",
    title="ESP32 with MicroPython 1.22 or later",
    language="micropython",
    core="Xtensa LX6",
    flash_tools=("mpremote",),
    usb_ids=(
        (0x10C4, 0xEA60),  # CP210x
        (0x1A86, 0x7523),  # CH340
        (0x1A86, 0x55D4),  # CH9102
        (0x0403, 0x6001),  # FT232
        (0x303A, 0x1001),  # the USB serial port in ESP32-S3 and -C3
    ),
    how_to_enter="put MicroPython on it once, with esptool and the firmware from micropython.org, and plug in its USB",
    notes=("Its memory holds small models; `tocsin firmware flash` checks the golden vector on the board itself.",),
)

#: By name, in the order in which they are listed to people.
BOARDS: dict[str, Board] = {board.name: board for board in (STM32F405, ESP32)}


def board_named(name: str) -> Board:
    """The board of that name; UsageError with those that exist."""
    try:
        return BOARDS[name]
    except KeyError:
        raise UsageError(f"there is no board {name!r}; there are {' and '.join(BOARDS)}") from None
