"""What can go wrong in a gateway, by what the caller can do about it.

GatewayError                something failed: exit status 1
  FolderInUse               another gateway works on this data folder: refuse to start
  StoreFull                 nothing could be committed: keep the batch, acknowledge nothing, try again
  StoreError                the store is not one of ours, or of a newer format: refuse to start
  LineAway                  a serial line cannot be opened or has ended: say it once, try again
"""

from shared.errors import TocsinError


class GatewayError(TocsinError):
    """A failure of the gateway."""


class FolderInUseError(GatewayError):
    """Another process holds the data folder."""


class StoreFullError(GatewayError):
    """The disk took nothing of this transaction; the store is as it was before."""


class StoreError(GatewayError):
    """The file of the store cannot be used by this version."""


class LineAwayError(GatewayError):
    """A serial line cannot be opened now, or has ended."""
