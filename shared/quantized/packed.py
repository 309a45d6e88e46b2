"""Refuses what only another processor can run. Runs in MicroPython too."""

from shared.errors import ImageError
from shared.image_content import ImageContent
from shared.quantized.targets import target_name


def refuse_packed(content: ImageContent) -> None:
    """ImageError if the image is packed for a processor: Python runs layers that stand row by row."""
    if content.target:
        raise ImageError(
            "model image: version "
            + str(content.version)
            + " is packed for another processor, "
            + target_name(content.target)
            + "; send the image that it was packed from"
        )
