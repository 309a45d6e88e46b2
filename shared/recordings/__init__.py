"""Recorded samples: read from files that others wrote, or made by the simulator of a rotating machine."""

from shared.recordings.profile import profile_of
from shared.recordings.reader import read_recording
from shared.recordings.recording import Recording

__all__ = ["Recording", "profile_of", "read_recording"]
