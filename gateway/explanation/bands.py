"""Which part of the spectrum a feature of a fast device holds."""

from shared.messages.codec import Birth
from shared.signal.definition import band_edges

_BAND = "band-"


def band_of(birth: Birth, name: str) -> tuple[float, float] | None:
    """Lowest and highest frequency, Hz, of a band of the spectrum; None for other features.

    The edges are those that Tocsin's own training chooses (`shared.signal.definition.band_edges`); a birth does not
    carry them.
    """
    if not name.startswith(_BAND):
        return None
    per_channel = len(birth.feature_names) // len(birth.profile.channels)
    bands = sum(_BAND in known for known in birth.feature_names[:per_channel])
    number = int(name.removeprefix(_BAND))
    edges = band_edges(birth.window, bands)
    hertz = birth.profile.sample_rate_hz / birth.window
    return (edges[number] - 0.5) * hertz, (edges[number + 1] - 0.5) * hertz
