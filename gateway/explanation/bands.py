"""Which part of the spectrum, or of the envelope's, a feature of a fast device holds.

The edges are those that Tocsin's own training and import choose (`shared.signal.definition.band_edges`); a birth does
not carry them.
"""

from shared.messages.codec import Birth
from shared.signal.definition import band_edges

BAND, ENVELOPE = "band-", "envelope-"


def bands_of(
    birth: Birth, names: list[str], kind: str, envelope_bins: int = 0
) -> list[tuple[int, tuple[float, float]]]:
    """Place among the features of one channel, and lowest and highest frequency (Hz), of each of its bands of a kind.

    Empty for bands of the envelope unless the bins of the envelope's part are known.
    """
    places = [place for place, name in enumerate(names) if name.startswith(kind)]
    window = birth.window if kind == BAND else envelope_bins
    if not places or not window or not birth.window:
        return []
    edges = band_edges(window, len(places))
    hertz = birth.profile.sample_rate_hz / birth.window
    return [
        (place, ((edges[number] - 0.5) * hertz, (edges[number + 1] - 0.5) * hertz))
        for number, place in enumerate(places)
    ]


def band_of(birth: Birth, name: str, names: list[str], envelope_bins: int = 0) -> tuple[float, float] | None:
    """Lowest and highest frequency (Hz) of one feature of a channel with these; None where it has none."""
    for kind in (BAND, ENVELOPE):
        if name.startswith(kind):
            found = dict(bands_of(birth, names, kind, envelope_bins))
            return found.get(names.index(name))
    return None
