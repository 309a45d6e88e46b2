"""What can fail on the way from sources to a running sensor.

FirmwareError              base of this tier: exit status 1
  CompilerError            no C compiler, or one that refused the sources
"""

from shared.errors import TocsinError


class FirmwareError(TocsinError):
    """Something of the sensor's tier failed."""


class CompilerError(FirmwareError):
    """The C sources could not be built; the sentence names the compiler and the remedy."""
