"""``tocsin firmware pack``: a model image laid out for one processor."""

from collections.abc import Callable
from pathlib import Path

from firmware.errors import FirmwareError
from firmware.importing.image_facts import golden_state
from firmware.kernels.cores import core_named
from firmware.kernels.packing import pack_image, plain_rows
from firmware.model_files import check_out, read_image, write_image
from firmware.release_key import sign_with
from shared import model_image
from shared.quantized.targets import TARGET_ANY, target_name


def pack_file(image: Path, core: str, key: Path | None, out: Path, say: Callable[[str], None]) -> None:
    """Write the image in `image`, packed for `core`, to `out`, signed with the private key in `key` if there is one.

    Raises UsageError for files and names that cannot be, ImageError where the image is damaged, FirmwareError where it
    holds no model.
    """
    chosen = core_named(core)
    check_out(out, image)
    _, content = read_image(image)
    if golden_state(content) == "wrong":
        raise FirmwareError(
            f"{image} does not give its own golden output: it was damaged or made wrongly; make it anew"
        )
    if not content.layers:
        raise FirmwareError(f"{image} is a recipe without a model: there is nothing to pack, send it as it is")
    packed = pack_image(content, chosen.target)
    unsigned = model_image.encode(packed)
    sealed = model_image.seal(unsigned) if key is None else sign_with(key, unsigned)
    model_image.read(sealed)
    write_image(out, sealed)
    plain, rows = plain_rows(packed)
    before = target_name(content.target) if content.target != TARGET_ANY else "any processor"
    say(f"{out}: version {packed.version} for {target_name(packed.target)} instead of {before}, {len(sealed)} bytes")
    if plain:
        say(f"{plain} rows of {rows} are computed by the plain loop")
    say("signed" if key is not None else "not signed: give --key, or devices that check signatures refuse it")
