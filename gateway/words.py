"""An operator's "this is normal": whether it counts, and what is left to do about it. Values in, values out.

The rules, in order; the first that fails is the reason of the refusal:

1. it is signed by the key of this site's releases;
2. it is newer than the last word on the asset; an older one, or the same one again, changes nothing;
3. a device of the asset is known here, and one of them is commissioned;
4. the alarm that the operator saw is the one that stands: the word holds for nothing else.

Then each commissioned device of the asset is calibrated anew on its latest readings, from the moment that the operator
names, else from the beginning of its change or of the alarm. A device that has too few of them waits for more.
"""

from dataclasses import dataclass, field
from typing import Any, Self

from gateway.detectors import portable
from gateway.errors import GatewayError
from shared import ed25519
from shared.identity import FAST, SLOW
from shared.messages.normality import Normal, signed_part

#: Readings that a device is calibrated anew on, at least, by its kind.
NORMAL_READINGS = {SLOW: 64, FAST: 32}
_STATE = "word of an operator"


def needed_readings(kind: str) -> int:
    """Readings that a device of `kind` ("slow", "fast") must have shown for an operator's word to be carried out."""
    return NORMAL_READINGS[kind]


def complaint_about(command: Normal, key_id: bytes, signature: bytes, public_key: bytes) -> str:
    """Why the word is not believed, empty if it is; `public_key` of 32 bytes, empty for none."""
    if not public_key:
        return "the gateway has no public key for releases: give it one with --release-public-key"
    if key_id != ed25519.key_id(public_key):
        return f"it is signed with the unknown key {key_id.hex()}: give the gateway the key of this cloud"
    if not ed25519.verify(public_key, signed_part(command), signature):
        return "its signature is wrong: ask again from the cloud of this site"
    return ""


@dataclass(slots=True)
class Word:
    """The last word on an asset. `waiting` devices have still to be calibrated; `learned` have been, by readings."""

    identifier: str
    asset: str
    alarm: str
    since_ns: int | None
    asked_ns: int
    waiting: list[str] = field(default_factory=list)
    learned: dict[str, int] = field(default_factory=dict)
    #: Why a device was left out, by device.
    left_out: dict[str, str] = field(default_factory=dict)
    newest_ns: int | None = None
    #: When the alarm that it is about began, or the change behind it.
    changed_ns: int | None = None
    #: What was answered last: state, devices that learned, devices that wait. Not stored: said again after a restart.
    told: tuple[str, tuple[str, ...], tuple[str, ...]] | None = None

    def learn(self, device: str, readings: int, newest_ns: int | None) -> None:
        """A device was calibrated anew on so many readings, the newest at `newest_ns`."""
        self.waiting.remove(device)
        self.learned[device] = readings
        self.newest_ns = newest_ns

    def leave_out(self, device: str, why: str) -> None:
        """A device cannot be calibrated."""
        self.waiting.remove(device)
        self.left_out[device] = why

    def sentence(self, missing: dict[str, int]) -> str:
        """How far it is carried out; `missing` readings by waiting device."""
        said = [f"{device} learned {count} readings as normal" for device, count in self.learned.items()]
        said += [f"{device} waits for {missing.get(device, 1)} more readings" for device in self.waiting]
        said += [f"{device} is left out: {why}" for device, why in self.left_out.items()]
        return "; ".join(said) + "."

    def state(self) -> bytes:
        """The word as it is stored."""
        return portable.pack(
            _STATE,
            {
                "identifier": self.identifier,
                "asset": self.asset,
                "alarm": self.alarm,
                "since": self.since_ns,
                "asked": self.asked_ns,
                "waiting": list(self.waiting),
                "learned": [[device, count] for device, count in self.learned.items()],
                "left out": [[device, why] for device, why in self.left_out.items()],
                "newest": self.newest_ns,
                "changed": self.changed_ns,
            },
        )

    @classmethod
    def from_state(cls, content: bytes) -> Self:
        """The word whose `state` this is; GatewayError if it is none."""
        fields: dict[str, Any] = portable.unpack(content, _STATE)
        try:
            return cls(
                fields["identifier"],
                fields["asset"],
                fields["alarm"],
                fields["since"],
                fields["asked"],
                list(fields["waiting"]),
                dict(fields["learned"]),
                dict(fields["left out"]),
                fields["newest"],
                fields["changed"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise GatewayError(f"stored word of an operator: not one that this version reads ({error})") from error
