"""A Cortex-M in Unicorn: runs functions of a program and counts their instructions exactly.

Unicorn tells each basic block that begins; how many instructions a block holds is counted once by capstone.
"""

import importlib
from typing import Any

from firmware.bench.program import Program
from firmware.bench.run import MachineError
from shared.errors import UsageError

FLASH_ADDRESS = 0x00010000
FLASH_BYTES = 1 << 21
MODEL_ADDRESS = FLASH_ADDRESS + (FLASH_BYTES >> 1)
RAM_ADDRESS = 0x20000000
RAM_BYTES = 1 << 20
STACK_BYTES = 4096
STACK_END = RAM_ADDRESS + RAM_BYTES
_RETURN_ADDRESS = FLASH_ADDRESS + FLASH_BYTES - 16
_PAINT = 0xA5


class UnicornMachine:
    """One core with `program` in its flash.

    Raises UsageError when the packages unicorn and capstone are not installed.
    """

    def __init__(self, cpu_name: str, program: Program) -> None:
        try:
            capstone: Any = importlib.import_module("capstone")
            unicorn: Any = importlib.import_module("unicorn")
        except ImportError as error:
            raise UsageError(
                "counting instructions needs the packages unicorn and capstone: pip install 'tocsin[firmware]'"
            ) from error
        self._registers = arm_const = importlib.import_module("unicorn.arm_const")
        self._unicorn = unicorn
        self._capstone = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
        self.program = program
        self._machine: Any = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
        self._machine.ctl_set_cpu_model(getattr(arm_const, cpu_name))
        self._machine.mem_map(FLASH_ADDRESS, FLASH_BYTES, unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC)
        self._machine.mem_map(RAM_ADDRESS, RAM_BYTES, unicorn.UC_PROT_READ | unicorn.UC_PROT_WRITE)
        for segment in program.segments:
            self._machine.mem_write(segment.address, segment.content)
        self._counts: dict[tuple[int, int], int] = {}
        self.instructions = 0
        self._hook: Any = None

    def write(self, address: int, content: bytes) -> None:
        """Into flash or RAM."""
        self._machine.mem_write(address, content)

    def read(self, address: int, length: int) -> bytes:
        """From flash or RAM."""
        return bytes(self._machine.mem_read(address, length))

    def count(self) -> None:
        """From now on add up `instructions`."""
        if self._hook is None:
            self._hook = self._machine.hook_add(self._unicorn.UC_HOOK_BLOCK, self._on_block)

    def _on_block(self, _machine: Any, address: int, size: int, _data: Any) -> None:
        key = (address, size)
        number = self._counts.get(key)
        if number is None:
            code = self.read(address, size)
            decoded = list(self._capstone.disasm_lite(code, address))
            if sum(each[1] for each in decoded) != size:
                raise MachineError(f"capstone cannot read the instructions at {address:#x}")
            number = self._counts[key] = len(decoded)
        self.instructions += number

    def call(self, function: str, *arguments: int) -> int:
        """Run a function with up to four words of arguments; its word of result.

        Raises MachineError when it leaves its memory or does not return.
        """
        registers = self._registers
        machine = self._machine
        for register, value in zip(
            (registers.UC_ARM_REG_R0, registers.UC_ARM_REG_R1, registers.UC_ARM_REG_R2, registers.UC_ARM_REG_R3),
            arguments,
            strict=False,
        ):
            machine.reg_write(register, value)
        machine.reg_write(registers.UC_ARM_REG_SP, STACK_END)
        machine.reg_write(registers.UC_ARM_REG_LR, _RETURN_ADDRESS | 1)
        try:
            machine.emu_start(self.program.symbols[function] | 1, _RETURN_ADDRESS)
        except self._unicorn.UcError as error:
            place = machine.reg_read(registers.UC_ARM_REG_PC)
            raise MachineError(f"{function} stopped at {place:#x}: {error}") from error
        if machine.reg_read(registers.UC_ARM_REG_SP) != STACK_END:
            raise MachineError(f"{function} returned with another stack pointer")
        result: int = machine.reg_read(registers.UC_ARM_REG_R0)
        return result

    def paint_stack(self) -> None:
        """Fill the stack so that `stack_used` can tell how deep it went."""
        self.write(STACK_END - STACK_BYTES, bytes([_PAINT]) * STACK_BYTES)

    def stack_used(self) -> int:
        """Bytes of the stack that were written since `paint_stack`, at most its size."""
        content = self.read(STACK_END - STACK_BYTES, STACK_BYTES)
        untouched = len(content) - len(content.lstrip(bytes([_PAINT])))
        return STACK_BYTES - untouched
