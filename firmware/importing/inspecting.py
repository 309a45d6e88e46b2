"""``tocsin firmware inspect``: what a model file is, a .tflite file or a model image, packed or not."""

import json
from collections.abc import Callable
from pathlib import Path

from firmware.errors import FirmwareError
from firmware.importing.image_facts import image_facts, image_lines
from firmware.importing.tflite_facts import tflite_facts, tflite_lines
from shared.errors import ImageError, UsageError
from shared.model_image import MAGIC
from shared.tflite.graph import FILE_IDENTIFIER


def inspect_file(path: Path, key: str | None, as_json: bool, say: Callable[[str], None]) -> None:
    """Tell what a file holds.

    Raises
    ------
    UsageError
        It cannot be read, or `key` is no key.
    ImageError, TfliteError, FirmwareError
        It is damaged, holds what no image can say, or is neither.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}); name a model image or a .tflite file") from error
    if content[4:8] == FILE_IDENTIFIER:
        facts = tflite_facts(content, str(path))
        lines = tflite_lines(facts, content, str(path))
    elif content[:4] == MAGIC:
        try:
            facts = image_facts(content, key)
        except ImageError as error:
            raise ImageError(f"{path}: {error}") from error
        lines = image_lines(facts, content)
    else:
        raise FirmwareError(
            f"{path} is no model: neither {MAGIC.decode()} stands at offset 0 (a model image) nor "
            f"{FILE_IDENTIFIER.decode()} at offset 4 (.tflite)"
        )
    if as_json:
        say(json.dumps(facts))
        return
    for line in lines:
        say(line)
