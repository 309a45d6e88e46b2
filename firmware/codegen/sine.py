"""The quarter sine table: as a Python module for `shared/signal`, as a C array for `firmware/c`."""

import math

from firmware.codegen.digest import digest_of

#: Steps from 0 to 90 degrees.
QUARTER = 1024
#: Q30.
ONE = 1 << 30
_PER_LINE = 8


def quarter_sine() -> list[int]:
    """``round(2**30 * sin(pi / 2 * i / QUARTER))`` for i = 0..QUARTER.

    Raises ArithmeticError where a value lies so close to a half that another mathematical library might round it
    otherwise.

    >>> quarter_sine()[:3], quarter_sine()[-1]
    ([0, 1647099, 3294193], 1073741824)
    """
    table = []
    for i in range(QUARTER + 1):
        value = ONE * math.sin(math.pi / 2 * i / QUARTER)
        if abs(value - math.floor(value) - 0.5) < 1e-6:
            raise ArithmeticError(f"sine table: entry {i} lies on a rounding boundary; choose another QUARTER")
        table.append(round(value))
    return table


def _lines() -> str:
    table = [str(value) for value in quarter_sine()]
    return "".join(f"    {', '.join(table[i : i + _PER_LINE])},\n" for i in range(0, len(table), _PER_LINE))


def python_source() -> str:
    """`shared/signal/tables.py`."""
    return (
        f'"""Written by firmware/codegen from {digest_of(quarter_sine())}: a quarter of a sine in Q30.\n\n'
        "``round(2**30 * sin(pi / 2 * i / QUARTER))`` for i = 0..QUARTER.\n"
        '"""\n\n'
        f"QUARTER = {QUARTER}\n"
        "# fmt: off\n"
        f"QUARTER_SINE = (\n{_lines()})\n"
        "# fmt: on\n"
    )


def c_source() -> str:
    """`firmware/c/generated/tocsin_sine_table.c`."""
    return (
        f"/* Written by firmware/codegen from {digest_of(quarter_sine())}: a quarter of a sine in Q30. */\n\n"
        '#include "tocsin_integer.h"\n\n'
        f"const int32_t tocsin_quarter_sine[TOCSIN_QUARTER + 1] = {{\n{_lines()}}};\n"
    )
