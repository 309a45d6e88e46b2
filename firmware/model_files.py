"""Files of model images that a person names: read, or refused in one sentence; written where there is a place."""

from pathlib import Path

from shared import model_image
from shared.errors import ImageError, UsageError
from shared.model_image import MAGIC, ImageContent
from shared.tflite.graph import FILE_IDENTIFIER


def read_image(path: Path) -> tuple[bytes, ImageContent]:
    """The bytes of an image and what they say.

    Raises
    ------
    UsageError
        The file cannot be read, or is a .tflite file.
    ImageError
        It is no image that a device accepts; the sentence names the offset and the reason.
    """
    try:
        image = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}); name a model image") from error
    if image[:4] != MAGIC and image[4:8] == FILE_IDENTIFIER:
        raise UsageError(f"{path} is a .tflite file; make a model image of it with tocsin firmware import")
    return image, content_of_image(path, image)


def content_of_image(path: Path, image: bytes) -> ImageContent:
    """What the bytes of the file `path` say; ImageError names the file, the offset, the reason and the remedy."""
    try:
        return model_image.read(image)
    except ImageError as error:
        raise ImageError(f"{path}: {error}; it is damaged or no model image, copy or make it anew") from error


def check_out(out: Path, source: Path) -> None:
    """UsageError where no file can be written: a folder that is not there, a folder, or `source`, which is read."""
    if not out.parent.is_dir():
        raise UsageError(f"the folder {out.parent} of {out} does not exist; make it, or give another --out")
    if out.is_dir():
        raise UsageError(f"{out} is a folder; give --out a file in it")
    if out.exists() and source.exists() and out.samefile(source):
        raise UsageError(f"{out} is the file that is read, and would be lost; give another --out")


def write_image(out: Path, image: bytes) -> None:
    """Write a file that a person named with ``--out``; UsageError where it cannot be written."""
    try:
        out.write_bytes(image)
    except OSError as error:
        raise UsageError(f"{out} cannot be written ({error.strerror}); give another --out") from error
