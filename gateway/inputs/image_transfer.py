"""A model image on its way to the device of a serial line: one part, its answer, the next part.

No line, no clock: what came goes in with the time, what is to be sent comes out. A part without an answer is sent again
after 2 s. The transfer ends with the device's verdict on this version, or because the device runs it already; a device
that gives none cannot hold the line for ever, since parts and beginnings are numbered.
"""

import struct

from shared.messages.codec import Birth, State
from shared.serial import framing

REPEAT_SECONDS = 2.0
#: How long a device may check a whole image before it reports: a signature takes seconds in MicroPython.
VERDICT_SECONDS = 60.0
#: Beginnings (connects, starts of the device, whole images without a verdict) until the image is given up: a part may
#: be what makes a device start anew.
BEGINNINGS_MAX = 20
#: Parts that one beginning may cost beyond twice the image, until the next connect or start of the device.
SPARE_PARTS = 30


class ImageTransfer:
    """One image of `version`. `outcome` is empty until it ends: "accepted", "refused", "running" or "given up".

    A device that starts anew and runs less than it had is given the image again.
    """

    def __init__(self, version: int, image: bytes) -> None:
        self.version = version
        self.outcome = ""
        self.reason = ""
        self._image = image
        self._beginnings = 0
        self._offset = 0
        self._parts_left = 0
        #: When the part at this offset was sent, or the image was whole; None while the part is due.
        self._sent_at: float | None = None
        self._progressed = False
        #: The state that stood before the transfer began: an answer to something else.
        self._before: State | None = None
        self._boot: int | None = None
        self.begin()

    def begin(self) -> None:
        """From the first part on: the line is new, or its device has started anew."""
        self._beginnings += self._under_way
        if self._beginnings > BEGINNINGS_MAX and not self.outcome:
            self._end("given up", "the device gave no verdict")
        self._offset = 0
        self._sent_at = None
        self._progressed = False
        self._parts_left = 2 * -(-len(self._image) // framing.IMAGE_PART_BYTES) + SPARE_PARTS

    def due(self, now: float) -> bytes | None:
        """The body of the part to send at `now` (monotonic seconds), if one is due."""
        if self.outcome:
            return None
        whole = self._offset >= len(self._image)
        if self._sent_at is not None and now - self._sent_at < (VERDICT_SECONDS if whole else REPEAT_SECONDS):
            return None
        if whole:
            self.begin()
            return self.due(now)
        if self._parts_left <= 0:
            return None
        self._parts_left -= 1
        self._sent_at = now
        part = self._image[self._offset : self._offset + framing.IMAGE_PART_BYTES]
        return struct.pack("<II", self._offset, len(self._image)) + part

    def take_progress(self, body: bytes, now: float) -> None:
        """The device says which offset it wants next.

        The same offset again is the answer to a part that was sent twice; sending on it would double every part from
        there on.
        """
        if len(body) != 4 or self.outcome:
            return
        offset = struct.unpack("<I", body)[0]
        if offset == self._offset or offset > len(self._image) or self._sent_at is None:
            return
        self._progressed = True
        self._offset = offset
        self._sent_at = now if offset == len(self._image) else None

    def take_state(self, state: State) -> None:
        """A state of the device, which may be its verdict."""
        if not self._under_way:
            self._before = state
        if state.result == "accepted" and state.judged_version == self.version:
            self._end("accepted", "")
        elif state.model_version >= self.version:
            self._end("running", "")
        elif state.result == "refused" and self._answers(state):
            self._end("refused", state.reason)

    def take_birth(self, birth: Birth) -> None:
        """A birth of the device: what it runs, and whether it has started anew, perhaps without what it accepted."""
        anew = self._boot is not None and birth.boot != self._boot
        self._boot = birth.boot
        if birth.model_version >= self.version:
            self._end("running", "")
        elif anew:
            if self.outcome in ("accepted", "running"):
                self.outcome = ""
            self.begin()

    @property
    def _under_way(self) -> bool:
        """Whether the device has been sent something since the beginning."""
        return self._sent_at is not None or self._progressed

    def _answers(self, state: State) -> bool:
        """Whether a refusal is about this image. Version 0 is that of an image that the device did not read."""
        if not self._under_way:
            return False
        if state.judged_version == self.version:
            return True
        return state.judged_version == 0 and (not self._progressed or state != self._before)

    def _end(self, outcome: str, reason: str) -> None:
        if not self.outcome:
            self.outcome, self.reason = outcome, reason
