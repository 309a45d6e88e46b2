"""The memory that the C core wants for an image: the macros of `tocsin_device.h` once more, for people.

`tests/unit/firmware/test_import_memory.py` holds them together.
"""

from dataclasses import dataclass

from shared.model_image import ImageContent
from shared.signal.definition import KIND_SLOW, MESSAGE_READINGS

#: Bytes of a message beside its readings (TOCSIN_MESSAGE_OVERHEAD_BYTES).
MESSAGE_OVERHEAD_BYTES = 145
#: Time, score and top of a reading in a message.
_READING_BYTES = 14


@dataclass(frozen=True, slots=True)
class Memory:
    """Elements of each of the core's four pools."""

    int64s: int
    int32s: int
    int16s: int
    bytes: int

    @property
    def total_bytes(self) -> int:
        """All of them in bytes."""
        return 8 * self.int64s + 4 * self.int32s + 2 * self.int16s + self.bytes


def memory_of(content: ImageContent, kernel_bytes: int = 0) -> Memory:
    """What ``tocsin_needs_of`` says; `kernel_bytes` are the buffers of a packed model."""
    slow = content.kind == KIND_SLOW
    channels, features, window = len(content.channels), len(content.features), content.window
    widest = 0 if content.target else max([content.inputs, *(layer.outputs for layer in content.layers)])
    sums = channels if (window > 1 if content.samples else slow) else 0
    rows = (MESSAGE_READINGS + (0 if content.samples else 2)) * channels
    held = channels * window * (2 if content.samples and not slow else 1)
    width = 4 * channels if slow else 2 * features
    return Memory(
        MESSAGE_READINGS + sums,
        MESSAGE_READINGS + (rows if slow else window) + kernel_bytes // 4,
        MESSAGE_READINGS + channels + features + held + (0 if slow else MESSAGE_READINGS * features),
        2 * widest + MESSAGE_OVERHEAD_BYTES + MESSAGE_READINGS * (_READING_BYTES + width),
    )
