"""The serial port of a board with MicroPython, when nobody named one."""

from firmware.boards.board import Board
from firmware.errors import FlashError

#: What stands for a port in steps that are only shown.
PLACEHOLDER = "PORT"


def only_port(board: Board) -> str:
    """The only serial port whose USB numbers are those of `board`, else the only one that there is.

    FlashError: there is none, there are several (they are listed), or pyserial is not installed.
    """
    try:
        from serial.tools import list_ports  # only those who speak to boards need it
    except ImportError as error:
        raise FlashError("serial ports need pyserial; install it with pip install 'tocsin[firmware]'") from error
    ports = list(list_ports.comports())
    usual = [port for port in ports if (port.vid, port.pid) in board.usb_ids]
    found = sorted(port.device for port in usual or ports)
    if not found:
        raise FlashError(f"there is no serial port; plug the {board.name} in, or name its port with --port")
    if len(found) > 1:
        raise FlashError(f"there are {len(found)} serial ports ({', '.join(found)}); name the board's with --port")
    return found[0]
