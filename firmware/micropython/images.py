"""A model image that arrives in parts over a serial line.

>>> transfer = ImageTransfer()
>>> transfer.take(0, 400, bytes(300)), transfer.take(0, 400, bytes(300)), transfer.take(300, 400, bytes(100))
(300, 300, 400)
>>> len(transfer.whole())
400
"""

from shared.errors import ImageError
from shared.model_image import IMAGE_LIMIT_BYTES


class ImageTransfer:
    """Collects the parts of one image; a part at offset 0 begins anew."""

    def __init__(self) -> None:
        self._content = bytearray()
        self._length = 0
        #: What the image's header claims; 0 as long as there is none.
        self.version = 0

    def take(self, offset: int, length: int, part: bytes) -> int:
        """The offset wanted next: `length` when the image is whole. A part that is not the one wanted changes nothing.

        ImageError: no image has this length. MemoryError: there is no room.
        """
        if offset == 0:
            self.drop()
            self._length = length
            if len(part) >= 16:
                self.version = int.from_bytes(part[12:16], "little")
        if not part or not 0 < length <= IMAGE_LIMIT_BYTES or offset + len(part) > length:
            raise ImageError(
                "model image: a part of "
                + str(len(part))
                + " bytes at "
                + str(offset)
                + " of "
                + str(length)
                + " bytes is none"
            )
        if length == self._length and offset == len(self._content):
            self._content.extend(part)
        return len(self._content) if length == self._length else 0

    def whole(self) -> bytes:
        """The image; what was collected is let go."""
        content = bytes(self._content)
        self._content = bytearray()
        return content

    def drop(self) -> None:
        """Forget what has arrived."""
        self._content = bytearray()
        self._length = 0
        self.version = 0
