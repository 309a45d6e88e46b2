"""What a batch changes in the store, and what the store gives back: values only."""

from dataclasses import dataclass, field

from gateway.inbox import Cursor


@dataclass(frozen=True, slots=True)
class NewUpload:
    """An upload to put at the end of the outbox.

    A `key` marks an upload that replaces earlier ones with the same key (a birth, an alarm, a state, counters): when
    the outbox is full its newest is kept. Readings have no key; `device`, `boot` and `readings` account for them.
    """

    kind: str
    body: bytes
    key: str | None = None
    device: str | None = None
    boot: int | None = None
    readings: int = 0


@dataclass(frozen=True, slots=True)
class Pending:
    """An upload that waits in the outbox."""

    sequence: int
    kind: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Release:
    """What the cloud wants on a device.

    `version` and `image` are those of the last image that was accepted (0 and None: none yet), `published` whether the
    devices' broker has it; `refused` is the SHA-256 of the last image that was refused, empty if none was.
    """

    device: str
    version: int
    image: bytes | None
    refused: bytes
    published: bool


@dataclass(slots=True)
class Changes:
    """What one batch changes. Filled by the judgement, written by `Store.commit` as a whole or not at all.

    `past` are data messages that a checkpoint of this batch covers, `journal` those after it, `words` what is to be
    done about the last word of an operator on each asset. `refused` counts messages that were acknowledged and thrown
    away since they could not be understood.
    """

    births: dict[str, bytes] = field(default_factory=dict)
    states: dict[str, bytes] = field(default_factory=dict)
    cursors: dict[tuple[str, int], Cursor] = field(default_factory=dict)
    checkpoints: dict[str, bytes | None] = field(default_factory=dict)
    past: list[tuple[str, bytes]] = field(default_factory=list)
    journal: list[tuple[str, bytes]] = field(default_factory=list)
    assets: dict[str, bytes] = field(default_factory=dict)
    uploads: list[NewUpload] = field(default_factory=list)
    releases: dict[str, Release] = field(default_factory=dict)
    words: dict[str, bytes] = field(default_factory=dict)
    refused: int = 0

    def set_cursor(self, cursor: Cursor) -> None:
        """Keep the accounts of the cursor's boot."""
        self.cursors[cursor.device, cursor.boot] = cursor

    def set_checkpoint(self, device: str, state: bytes | None) -> None:
        """Replace the device's checkpoint; the messages it covers are past. Without one (None) they are forgotten."""
        self.checkpoints[device] = state
        covered = [entry for entry in self.journal if entry[0] == device]
        self.journal = [entry for entry in self.journal if entry[0] != device]
        if state is None:
            self.past = [entry for entry in self.past if entry[0] != device]
        else:
            self.past += covered

    def __bool__(self) -> bool:
        return bool(
            self.births
            or self.states
            or self.cursors
            or self.checkpoints
            or self.past
            or self.journal
            or self.assets
            or self.uploads
            or self.releases
            or self.words
            or self.refused
        )


@dataclass(frozen=True, slots=True)
class StoredDevice:
    """A device as the store knows it."""

    device: str
    birth: bytes | None
    state: bytes | None
    checkpoint: bytes | None
    cursor: Cursor


@dataclass(frozen=True, slots=True)
class Account:
    """The accounts of one boot of one device; `dropped` readings were stored and then lost to a full outbox."""

    cursor: Cursor
    dropped: int
