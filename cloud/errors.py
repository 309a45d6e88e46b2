"""What can go wrong in the cloud, by what the caller can do about it.

shared.errors.TocsinError
  CloudError                a failure of this tier, told in one sentence
    StoreUnavailable        the store cannot be written now (disk full, locked): keep what you have and try again
    StoreBroken             what the store holds contradicts itself: stop and say so
    UnknownDevice           nobody has heard of the device that was asked for
"""

from shared.errors import TocsinError


class CloudError(TocsinError):
    """A failure of the cloud."""


class StoreUnavailable(CloudError):  # noqa: N818  (a state of the store that passes)
    """Nothing was written; the same write may succeed later."""


class StoreBroken(CloudError):  # noqa: N818  (named for what it says)
    """The store contradicts itself and nothing more is written."""


class NotFound(CloudError):  # noqa: N818  (named for what it says)
    """What was asked for is not here."""


class Conflict(CloudError):  # noqa: N818  (named for what it says)
    """Something under way stands against it."""


class UnknownDevice(NotFound):
    """No birth and no reading of that device ever arrived."""

    def __init__(self, device: str) -> None:
        super().__init__(f"No device {device} is known here: see /api/assets for those that are.")
        self.device = device
