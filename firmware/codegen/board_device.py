"""The device that a board's firmware holds, as C: who it is, its model image, and the sizes that its memory needs.

Made anew for every build, never committed.
"""

from dataclasses import dataclass

import cbor2

from shared.messages import codec
from shared.messages.codec import Birth
from shared.model_image import ImageContent
from shared.signal import definition

HEADER_NAME = "tocsin_board_device.h"
SOURCE_NAME = "tocsin_board_device.c"
_PER_LINE = 24


@dataclass(frozen=True, slots=True)
class BoardOptions:
    """What a build decides for its board: `usarts` are those of the gateway's line and of the samples line.

    `worst_case`: the kernel with the least largest number of instructions instead of the least mean; `small`: least
    flash and RAM.
    """

    baud: int = 115_200
    usarts: tuple[int, int] = (1, 2)
    first_boot: int = 1
    worst_case: bool = False
    small: bool = False


def birth_parts(birth: Birth) -> tuple[bytes, bytes, bytes]:
    """A birth without its boot and its model version: what stands before, between and after the two.

    >>> from shared.identity import Channel, DeviceProfile
    >>> profile = DeviceProfile("a", "pump", "slow", 1.0, (Channel("t", "", 0.0, 1.0),))
    >>> before, between, after = birth_parts(Birth(profile, 9, 9, ("value",), 8, 1))
    >>> before + b"\\x05" + between + b"\\x07" + after == codec.encode_birth(Birth(profile, 5, 7, ("value",), 8, 1))
    True
    """
    encoded = codec.encode_birth(Birth(birth.profile, 0, 0, birth.feature_names, birth.window, birth.hop))
    fields = cbor2.loads(encoded)
    before = b"\xaa" + b"".join(cbor2.dumps(key) + cbor2.dumps(fields[key]) for key in (0, 1)) + b"\x02"
    between = b"".join(cbor2.dumps(key) + cbor2.dumps(fields[key]) for key in (3, 4, 5, 6)) + b"\x07"
    after = encoded[len(before) + 1 + len(between) + 1 :]
    if before + b"\x00" + between + b"\x00" + after != encoded:
        raise ArithmeticError("the encoding of births has changed; change birth_parts with it")
    return before, between, after


def widest_of(content: ImageContent) -> int:
    """The most values that stand between two layers, the model's inputs included."""
    return max([content.inputs, *(layer.outputs for layer in content.layers)])


def header(
    birth: Birth, content: ImageContent, options: BoardOptions, board: str, version: str, kernel_bytes: int = 0
) -> str:
    """`tocsin_board_device.h`; `kernel_bytes` is the memory of a packed model between its layers."""
    gateway, samples = options.usarts
    definitions = {
        "FIRMWARE_VERSION": f'"{version}"',
        "BOARD_NAME": f'"{board}"',
        "DEVICE_ID": f'"{birth.profile.device}"',
        "FIRST_BOOT": f"{options.first_boot}u",
        "BAUD": f"{options.baud}u",
        "GATEWAY_USART": str(gateway),
        "SAMPLES_USART": str(samples),
        "DEVICE_SLOW": str(int(content.kind == definition.KIND_SLOW)),
        "DEVICE_SAMPLES": str(int(content.samples)),
        "DEVICE_CHANNELS": str(len(content.channels)),
        "DEVICE_FEATURES": str(len(content.features)),
        "DEVICE_WINDOW": str(content.window),
        "DEVICE_WIDEST": str(0 if content.target else widest_of(content)),
        "DEVICE_KERNEL_BYTES": str(kernel_bytes),
    }
    lines = "".join(f"#define TOCSIN_{name} {value}\n" for name, value in definitions.items())
    return (
        "/* Written by firmware/codegen for one build: the device that this firmware is. */\n\n"
        "#ifndef TOCSIN_BOARD_DEVICE_H\n#define TOCSIN_BOARD_DEVICE_H\n\n"
        '#include <stddef.h>\n#include <stdint.h>\n\n#include "tocsin_identity.h"\n\n'
        f"{lines}\n"
        "extern const uint8_t tocsin_device_image[];\n"
        "extern const size_t tocsin_device_image_bytes;\n"
        "extern const struct tocsin_birth tocsin_device_birth;\n\n#endif\n"
    )


def source(birth: Birth, image: bytes) -> str:
    """`tocsin_board_device.c`."""
    parts = birth_parts(birth)
    arrays = "".join(_array(f"static const uint8_t birth_{number}[]", part) for number, part in enumerate(parts))
    return (
        "/* Written by firmware/codegen for one build. */\n\n"
        f'#include "{HEADER_NAME}"\n\n'
        f"{arrays}"
        "const struct tocsin_birth tocsin_device_birth = {\n"
        "    {birth_0, birth_1, birth_2},\n"
        "    {sizeof birth_0, sizeof birth_1, sizeof birth_2},\n};\n\n"
        f"const size_t tocsin_device_image_bytes = {len(image)};\n"
        + _array('__attribute__((section(".image"), aligned(4))) const uint8_t tocsin_device_image[]', image)
    )


def _array(declaration: str, content: bytes) -> str:
    numbers = [str(byte) for byte in content]
    lines = "".join(f"    {', '.join(numbers[i : i + _PER_LINE])},\n" for i in range(0, len(numbers), _PER_LINE))
    return f"{declaration} = {{\n{lines}}};\n\n"
