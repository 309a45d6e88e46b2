"""The two ways a command of Tocsin can fail, and the base of every tier's errors.

TocsinError                 something failed: exit status 1
  UsageError                the user asked for something that cannot be: exit status 2
  MessageError              bytes from the wire that are not a message of ours
  ImageError                bytes that are not a model image this reader accepts
  TfliteError               a .tflite file that is damaged, or holds what a model image cannot say
"""


class TocsinError(Exception):
    """A failure told in one sentence: the thing, the place and the remedy."""

    exit_status = 1


class UsageError(TocsinError):
    """The request itself is wrong (a missing file, an unknown channel); nothing was started."""

    exit_status = 2


class MessageError(TocsinError):
    """Bytes from the wire that do not decode to a message of ours."""


class ImageError(TocsinError):
    """Bytes that are not an acceptable model image; the sentence names the offset and the reason."""


class TfliteError(TocsinError):
    """A .tflite file that no model image can be made of; the sentence names the place and what stands there."""
