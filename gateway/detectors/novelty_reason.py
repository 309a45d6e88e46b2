"""An event of a single channel, in a sentence."""

import math

from gateway.detectors.novelty_limit import LEAST_LEVEL
from shared.messages.codec import Birth, Reason


def novelty_reason(birth: Birth, novelty: float) -> tuple[Reason, ...]:
    """Why a reading of this novelty is one; empty where it is none (below 1, or NaN)."""
    if not novelty >= 1.0:
        return ()
    channel = birth.profile.channels[0].name
    level = LEAST_LEVEL + 2.0 * math.log(novelty)
    sentence = f"{channel} is unlike its past, by time of day and recent course: {level:.1f} deviations of its novelty"
    return (Reason(channel, "novelty", level, sentence),)
