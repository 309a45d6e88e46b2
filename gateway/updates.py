"""Which model image a gateway passes on to a device. The rules, in order; the first that fails is the reason:

1. it is an image: lengths, ranges and digest as `shared.model_image` demands;
2. it is signed by the key of this site's releases;
3. it was made for this device: its profile digest is the device's;
4. its version is above the one the device runs, and above every one passed on before.

The device judges again by its own rules; this check keeps bad bytes off the last and slowest link.
"""

import hashlib
import struct
from dataclasses import dataclass, replace

import structlog

from gateway.changes import Changes, Release
from shared import ed25519, model_image
from shared.errors import ImageError
from shared.identity import DeviceProfile
from shared.messages.codec import Birth, State

_log = structlog.get_logger()


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


class Releases:
    """What the cloud wants on each device, and what of it was passed on.

    Parameters
    ----------
    public_key
        Ed25519 key of this site's releases, 32 bytes; empty accepts none.
    known
        The last release of each device, as stored.
    """

    def __init__(self, public_key: bytes, known: dict[str, Release]) -> None:
        self.public_key = public_key
        self._known = known

    def take(self, image: bytes, birth: Birth, state: State | None, changes: Changes) -> State | None:
        """Judge an image for the device of `birth`; returns what to report to the cloud if it is refused.

        The copy that the broker retained comes again with each connection, and a good one also after a bad one took its
        place: what was passed on last changes nothing and is never reported as refused, what was refused last is
        reported once. One that was refused is judged again: the operator may have set the key meanwhile.
        """
        name = birth.profile.device
        previous = self._known.get(name) or Release(name, 0, None, b"", True)
        if image == previous.image:
            return None
        running = birth.model_version if state is None or state.boot < birth.boot else state.model_version
        decision = judge(image, self.public_key, birth.profile, max(running, previous.version))
        if decision.accepted:
            _log.info("a model image is passed on", device=name, version=decision.version)
            refused = b"" if decision.digest == previous.refused else previous.refused
            release = Release(name, decision.version, image, refused, False)
            self._known[name] = changes.releases[name] = release
            return None
        if decision.digest == previous.refused:
            return None
        _log.warning("a model image is refused", device=name, version=decision.version, reason=decision.reason)
        self._known[name] = changes.releases[name] = replace(previous, refused=decision.digest)
        # An impostor under the version of what was passed on says nothing about that version: it is reported as 0.
        passed_on = previous.image is not None and decision.version == previous.version
        judged = 0 if passed_on else decision.version
        return State(name, birth.boot, running, "refused", judged, f"gateway: {decision.reason}")

    def wanted(self, device: str, running: int) -> Release | None:
        """The image that a device which runs version `running` should get; None without one, or if it refused it."""
        release = self._known.get(device)
        if release is None or release.image is None or release.version <= running:
            return None
        refused = bool(release.refused) and release.refused == digest_of(release.image)
        return None if refused else release

    def refused_by_device(self, release: Release) -> Changes:
        """The device itself has refused the image: it is not offered again."""
        digest = digest_of(release.image or b"")
        self._known[release.device] = done = replace(self._known[release.device], published=True, refused=digest)
        return Changes(releases={release.device: done})

    def unpublished(self) -> list[Release]:
        """Accepted images that neither the devices' broker nor a device on a line has confirmed yet."""
        return [release for release in self._known.values() if release.image is not None and not release.published]

    def published(self, release: Release) -> Changes:
        """The broker or the device has the image."""
        self._known[release.device] = done = replace(self._known[release.device], published=True)
        return Changes(releases={release.device: done})
