"""Which model image a device accepts. The rules, in the order in which they are checked:

1. it is at most `IMAGE_LIMIT_BYTES` long, its structure is sound in every length and range, and its digest matches;
2. it is signed with a key that this device knows;
3. its version is above the version that runs;
4. it was made for this device: same kind, same number of channels, same channels' offsets and steps;
5. its layers are not packed for another processor: the twin runs those that are packed for none;
6. its golden inputs give its golden output and score in this device's own arithmetic.

Until all of them hold, not one byte of the running model changes.
"""

from shared import ed25519
from shared.errors import ImageError
from shared.model_image import ImageContent, read, signature_of, signed_message
from shared.quantized.packed import refuse_packed
from shared.quantized.scorer import Scorer


def accept(image: bytes, running: ImageContent, public_keys: "list[bytes]") -> ImageContent:
    """The content of an acceptable image; `ImageError` names the rule that it breaks."""
    content = read(image)
    check_signature(image, public_keys)
    if content.version <= running.version:
        raise ImageError(
            "model image: version " + str(content.version) + " is not above the running " + str(running.version)
        )
    if (
        content.profile_digest != running.profile_digest
        or content.kind != running.kind
        or len(content.channels) != len(running.channels)
    ):
        raise ImageError("model image: version " + str(content.version) + " was made for other channels")
    refuse_packed(content)
    check_golden(content)
    return content


def check_signature(image: bytes, public_keys: "list[bytes]") -> None:
    """`ImageError` unless one of the keys made the signature."""
    named, signature = signature_of(image)
    for key in public_keys:
        if ed25519.key_id(key) == named and ed25519.verify(key, signed_message(image), signature):
            return
    raise ImageError("model image: not signed with a key that this device knows")


def check_golden(content: ImageContent) -> None:
    """`ImageError` unless the golden vector gives what the image says, in this device's arithmetic."""
    if content.layers and Scorer(content).golden_fails():
        raise ImageError("model image: version " + str(content.version) + " fails its golden vector here")
