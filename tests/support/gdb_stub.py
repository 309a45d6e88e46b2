"""A debugger's end of QEMU's GDB stub: stop a board, read its memory, put its program counter somewhere, let it go."""

import socket
from pathlib import Path

from waiting import PATIENCE_SECONDS

_PROGRAM_COUNTER = 15


class GdbStub:
    """Connected, and with that the board stands still. `path` is the socket that ``-gdb unix:`` names."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(PATIENCE_SECONDS)
        self._socket.connect(str(path))
        self._received = b""
        self.ask("?")

    def ask(self, words: str) -> str:
        """One packet and its answer."""
        self._send(words)
        while True:
            begin = self._received.find(b"$")
            end = self._received.find(b"#", begin)
            if begin >= 0 and end >= 0 and len(self._received) >= end + 3:
                answer = self._received[begin + 1 : end].decode()
                self._received = self._received[end + 3 :]
                self._socket.sendall(b"+")
                if answer.startswith("T") and words != "?":
                    continue  # the stop that connecting brought, told once more
                return answer
            more = self._socket.recv(65536)
            assert more, "the GDB stub closed the connection"
            self._received += more

    def _send(self, words: str) -> None:
        body = words.encode()
        self._socket.sendall(b"$" + body + b"#%02x" % (sum(body) & 0xFF))

    def read(self, address: int, length: int) -> bytes:
        """Memory of the board."""
        content = b""
        while len(content) < length:
            step = min(1024, length - len(content))
            content += bytes.fromhex(self.ask(f"m{address + len(content):x},{step:x}"))
        return content

    def jump(self, address: int) -> None:
        """The next instruction is to be there."""
        self.ask("qXfer:features:read:target.xml:0,1000")  # only then single registers may be written
        assert self.ask(f"P{_PROGRAM_COUNTER:x}={address.to_bytes(4, 'little').hex()}") == "OK"

    def let_go(self) -> None:
        """The board goes on."""
        self._send("D")
        self._socket.close()
