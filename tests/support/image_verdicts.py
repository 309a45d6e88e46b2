"""What the readers of model images say of the same bytes: reason and offset, as Python and C tell them."""

import struct
import subprocess
from pathlib import Path

from shared import model_image
from shared.image_sections import REASONS
from shared.model_image import RefusedImageError

#: Reason ("" where it is accepted) and offset (0 there).
Verdict = tuple[str, int]
ACCEPTED: Verdict = ("", 0)


def verdict_of(image: bytes) -> Verdict:
    """What `shared.model_image.read` says."""
    try:
        model_image.read(image)
    except RefusedImageError as refused:
        return refused.reason, refused.offset
    return ACCEPTED


def verdict_told(status: int, offset: int) -> Verdict:
    """What the reader in C means by a status of tocsin_status.h and an offset."""
    return ("", *REASONS)[status], offset


def verdicts_told(stream: bytes) -> list[Verdict]:
    """The verdicts that `firmware/c/ports/host/image_check.c` writes."""
    return [verdict_told(*pair) for pair in struct.iter_unpack("<BI", stream)]


def framed(images: list[bytes]) -> bytes:
    """Each image behind its length, as the programs that judge images take them."""
    return b"".join(struct.pack("<I", len(image)) + image for image in images)


def verdicts_in_c(checker: Path, images: list[bytes]) -> list[Verdict]:
    """What the checking program says of each image."""
    done = subprocess.run([str(checker)], input=framed(images), capture_output=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    verdicts = verdicts_told(done.stdout)
    assert len(verdicts) == len(images)
    return verdicts


def assert_same(images: list[bytes], ours: list[Verdict], theirs: list[Verdict]) -> None:
    """Fails with the first image of which the two readers differ."""
    differing = [i for i, (first, second) in enumerate(zip(ours, theirs, strict=True)) if first != second]
    assert not differing, (
        f"{len(differing)} verdicts differ, first {ours[differing[0]]} and {theirs[differing[0]]} "
        f"of {images[differing[0]].hex()}"
    )
