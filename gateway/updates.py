"""Which model image a gateway passes on to a device. The rules, in order; the first that fails is the reason:

1. it is an image: lengths, ranges and digest as `shared.model_image` demands;
2. it is signed by the key of this site's releases;
3. it was made for this device: its profile digest is the device's;
4. its version is above the one the device runs, and above every one passed on before.

The device judges again by its own rules; this check keeps bad bytes off the last and slowest link.
"""

import hashlib
import struct
from dataclasses import dataclass

from shared import ed25519, model_image
from shared.errors import ImageError
from shared.identity import DeviceProfile


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do with an image; `reason` is empty if it is passed on. `version` is 0 if it could not be read."""

    version: int
    digest: bytes
    reason: str

    @property
    def accepted(self) -> bool:
        return not self.reason


def digest_of(image: bytes) -> bytes:
    """SHA-256, by which an image is known again."""
    return hashlib.sha256(image).digest()


def judge(image: bytes, public_key: bytes, profile: DeviceProfile, version_floor: int) -> Decision:
    """Check an image for the device with `profile`, which runs or was already sent `version_floor`."""
    digest = digest_of(image)
    try:
        content = model_image.read(image)
    except (ImageError, struct.error) as error:
        return Decision(0, digest, str(error))
    return Decision(content.version, digest, _reason(content, image, public_key, profile, version_floor))


def _reason(
    content: model_image.ImageContent, image: bytes, public_key: bytes, profile: DeviceProfile, version_floor: int
) -> str:
    if not public_key:
        return "the gateway has no public key for releases"
    key_id, signature = model_image.signature_of(image)
    if key_id != ed25519.key_id(public_key):
        return f"signed with the unknown key {key_id.hex()}"
    if not ed25519.verify(public_key, model_image.signed_message(image), signature):
        return "the signature is wrong"
    if content.profile_digest != profile.digest():
        return f"made for other channels than those of device {profile.device}"
    if content.version <= version_floor:
        return f"version {content.version} is not above {version_floor}"
    return ""
