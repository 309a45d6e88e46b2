"""``tocsin firmware inspect``: what a model file is, a .tflite file or a model image, packed or not."""

import json
from collections.abc import Callable
from pathlib import Path

from firmware.errors import FirmwareError
from firmware.importing.image_facts import image_facts, image_lines
from firmware.importing.tflite_facts import tflite_facts, tflite_lines
from firmware.model_files import content_of_image
from firmware.release_key import public_key
from shared.errors import UsageError
from shared.model_image import MAGIC
from shared.tflite.graph import FILE_IDENTIFIER


def inspect_file(path: Path, key: str | None, as_json: bool, say: Callable[[str], None]) -> None:
    """Tell what a file holds.

    Raises
    ------
    UsageError
        It cannot be read, `key` is no key, or there is no signature that a key could check.
    ImageError, TfliteError, FirmwareError
        It is damaged, holds what no image can say, or is neither.
    """
    public = None if key is None else public_key(key)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}); name a model image or a .tflite file") from error
    if content[:4] == MAGIC:
        facts = image_facts(content_of_image(path, content), content, public)
        lines = image_lines(facts, content)
    elif content[4:8] == FILE_IDENTIFIER:
        if public is not None:
            raise UsageError(f"{path} is a .tflite file, which nobody signs; leave out --key")
        facts = tflite_facts(content, str(path))
        lines = tflite_lines(facts, content, str(path))
    else:
        raise FirmwareError(
            f"{path} is no model: neither {MAGIC.decode()} stands at offset 0 (a model image) nor "
            f"{FILE_IDENTIFIER.decode()} at offset 4 (.tflite); copy or make it anew"
        )
    if as_json:
        say(json.dumps(facts))
        return
    for line in lines:
        say(line)
