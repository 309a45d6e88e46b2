"""The twiddle factors of the FFT for cores with Arm's DSP extension, in the order in which its stages need them."""

from firmware.codegen.digest import digest_of
from firmware.codegen.sine import QUARTER, quarter_sine
from shared.signal.definition import FAST_WINDOW_MAX, FAST_WINDOW_MIN

#: Groups of the longest window; a shorter one needs the first of them.
GROUPS = 3 * FAST_WINDOW_MAX // 16


def turns() -> list[tuple[int, ...]]:
    """Cosine and sine of one, two and three times each group's angle, Q30: `SpectrumPlan.turns` of the longest window.

    >>> turns()[1]
    (759250125, 759250125, 0, 1073741824, -759250125, 759250125)
    """
    quarter = quarter_sine()
    half_circle = [*quarter, *quarter[-2:0:-1]]
    circle = [*half_circle, *(-value for value in half_circle)]
    bits = FAST_WINDOW_MAX.bit_length() - 2
    made = []
    for group in range(GROUPS):
        angle = int(f"{group:0{bits}b}"[::-1], 2) // 2 * (4 * QUARTER // FAST_WINDOW_MAX)
        places = [times * angle for times in (1, 2, 3)]
        made.append(tuple(circle[(place + shift) % len(circle)] for place in places for shift in (QUARTER, 0)))
    return made


def _windows() -> list[int]:
    return [1 << bits for bits in range(FAST_WINDOW_MIN.bit_length() - 1, FAST_WINDOW_MAX.bit_length())]


def c_source() -> str:
    """`firmware/c/generated/tocsin_turns_table.c`."""
    made = turns()
    lines = ""
    begin = 0
    for window in _windows():
        if begin:
            lines += f"#if TOCSIN_WINDOW_LIMIT >= {window}\n"
        end = 3 * window // 16
        lines += "".join(f"    {{{{{', '.join(map(str, parts))}}}}},\n" for parts in made[begin:end])
        if begin:
            lines += "#endif\n"
        begin = end
    return (
        f"/* Written by firmware/codegen from {digest_of(made)}: twiddle factors in Q30. */\n\n"
        '#include "tocsin_dsp.h"\n\n'
        "#if TOCSIN_DSP\n\n"
        f"const struct tocsin_turns tocsin_turns[3 * TOCSIN_WINDOW_LIMIT / 16] = {{\n{lines}}};\n\n"
        "#endif\n"
    )
