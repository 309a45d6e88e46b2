"""`firmware/c/generated/tocsin_limits.h`: every limit, offset and constant that C shares with `shared/`."""

import struct

from firmware.codegen.digest import digest_of
from firmware.codegen.sine import QUARTER
from shared import model_image
from shared.messages import compact
from shared.quantized import targets
from shared.serial import framing
from shared.signal import definition

#: Names of the image's header fields, in the order of its packed layout.
_HEADER_FIELDS = (
    "MAGIC",
    "FORMAT",
    "HEADER_BYTES",
    "IMAGE_BYTES",
    "VERSION",
    "KIND",
    "LAYERS",
    "BANDS",
    "CHANNELS",
    "FEATURES",
    "WINDOW",
    "HOP",
    "GAP_NS",
    "PROFILE_DIGEST",
    "INPUT_MULTIPLIER",
    "INPUT_SHIFT",
    "INPUT_ZERO",
    "OUTPUT_ZERO",
    "OUTPUT_SHIFT",
    "OUTPUT_MULTIPLIER",
    "GOLDEN_SCORE",
    "THRESHOLD",
    "SAMPLE_RATE",
    "TARGET",
    "INPUT",
    "ENVELOPE_BANDS",
    "ENVELOPE_FIRST",
    "ENVELOPE_BINS",
)

_DEFINITIONS = (
    "KIND_SLOW",
    "KIND_FAST",
    "MISSING",
    "SLOW_WINDOW_MIN",
    "SLOW_WINDOW_MAX",
    "FAST_WINDOW_MIN",
    "FAST_WINDOW_MAX",
    "CHANNELS_MAX",
    "FEATURES_MAX",
    "BANDS_MAX",
    "ENVELOPE_BINS_MIN",
    "ENVELOPE_BINS_MAX",
    "ENVELOPE_BANDS_MAX",
    "HOP_MAX",
    "MESSAGE_READINGS",
    "MESSAGE_SPAN_NS",
)

_IMAGE = (
    "FORMAT",
    "HEADER_BYTES",
    "TRAILER_BYTES",
    "IMAGE_LIMIT_BYTES",
    "LAYERS_MAX",
    "WIDTH_MAX",
    "MULTIPLIER_LIMIT",
    "SCALE_MULTIPLIER_LIMIT",
    "SCALE_SHIFT_MAX",
    "LAYER_SHIFT_MAX",
    "SUM_LIMIT",
    "EXPECTED_LIMIT",
)

#: Numbers that an image says, without the prefix of its limits.
_MODEL = ("INPUT_FEATURES", "INPUT_SAMPLES", "LAYER_DENSE", "LAYER_CONVOLUTION", "LAYER_DEPTHWISE")

_MESSAGE = ("NO_SCORE", "NO_FEATURE", "TAG_UINT16", "TAG_UINT32", "TAG_INT16", "TAG_INT32", "TAG_INT64")


#: Kinds of frames and limits of a serial line.
_FRAMES = (
    "BIRTH",
    "DATA",
    "STATE",
    "LOG",
    "IMAGE_PROGRESS",
    "STORED",
    "IMAGE_PART",
    "TIME",
    "SAMPLES",
    "TAKEN",
    "SAMPLES_FLAG_CLIP",
    "IMAGE_PART_BYTES",
)


def header_offsets() -> list[tuple[str, int]]:
    """Each header field of the image with its byte offset, and where the reserved bytes begin.

    >>> dict(header_offsets())["THRESHOLD"], header_offsets()[-1]
    (64, ('RESERVED', 84))
    """
    codes = []
    count = ""
    for letter in model_image.HEADER_LAYOUT[1:]:
        if letter.isdigit():
            count += letter
        else:
            codes.append(count + letter)
            count = ""
    offsets = [struct.calcsize("<" + "".join(codes[:i])) for i in range(len(codes) + 1)]
    return list(zip((*_HEADER_FIELDS, "RESERVED"), offsets, strict=True))


def _targets() -> list[tuple[str, int]]:
    """The processors that layers are packed for, and the blocks of each."""
    numbers = range(targets.TARGET_ANY + 1, targets.TARGET_LAST + 1)
    names = [targets.target_name(number).upper().replace("-", "_") for number in numbers]
    result = [("TARGETS", targets.TARGET_LAST + 1), ("TARGET_ANY", targets.TARGET_ANY)]
    result += [(f"TARGET_{name}", number) for name, number in zip(names, numbers, strict=True)]
    for name, number in zip(names, numbers, strict=True):
        result.append((f"TARGET_{name}_BLOCK_ROWS", targets.packed(number).block_rows))
        result.append((f"TARGET_{name}_COLUMN_STEP", targets.packed(number).column_step))
    return result


def constants() -> list[tuple[str, int]]:
    """Every constant of the header file, name without prefix and value, in its order."""
    result = [(name, getattr(definition, name)) for name in _DEFINITIONS]
    result += [("IMAGE_" + name.removeprefix("IMAGE_"), getattr(model_image, name)) for name in _IMAGE]
    result += [(name, getattr(model_image, name)) for name in _MODEL]
    result += _targets()
    result += [(name, getattr(compact, name)) for name in _MESSAGE]
    result += [("IMAGE_AT_" + name, offset) for name, offset in header_offsets()]
    result += [("FRAME_" + name, getattr(framing, name)) for name in _FRAMES]
    result.append(("QUARTER", QUARTER))
    return result


def literal(value: int) -> str:
    """A C literal of the smallest type that holds it.

    >>> literal(16), literal(-2147483648), literal(4294967295), literal(2**39)
    ('16', '(-2147483647 - 1)', '4294967295u', 'INT64_C(549755813888)')
    """
    if value == -(1 << 31):
        return "(-2147483647 - 1)"
    if -(1 << 31) < value < 1 << 31:
        return str(value)
    return f"{value}u" if 0 < value < 1 << 32 else f"INT64_C({value})"


def c_source() -> str:
    """The header file."""
    table = constants()
    lines = [f"#define TOCSIN_{name} {literal(value)}" for name, value in table]
    return (
        f"/* Written by firmware/codegen from {digest_of(table)}: limits, offsets and constants of shared/. */\n\n"
        "#ifndef TOCSIN_LIMITS_H\n#define TOCSIN_LIMITS_H\n\n#include <stdint.h>\n\n"
        + "\n".join(lines)
        + "\n\n#endif\n"
    )
