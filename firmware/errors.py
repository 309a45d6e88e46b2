"""What can fail on the way from sources to a running sensor.

FirmwareError              base of this tier: exit status 1
  CompilerError            no C compiler, or one that refused the sources
  FlashError               a firmware that did not get onto a board
  LineError                a board's line that cannot be opened or says nothing
"""

from shared.errors import TocsinError


class FirmwareError(TocsinError):
    """Something of the sensor's tier failed."""


class CompilerError(FirmwareError):
    """The C sources could not be built; the sentence names the compiler and the remedy."""


class FlashError(FirmwareError):
    """A board was not flashed, or holds something else than was sent; the sentence names the remedy."""


class LineError(FirmwareError):
    """A board's serial line cannot be opened, or nothing that belongs to Tocsin comes over it."""
