"""Names and limits of the features (docs/architecture.md, *Numbers*). Runs in MicroPython too."""

KIND_SLOW = 0
KIND_FAST = 1

MISSING = -2147483648

#: A scaled value or feature has this many units per healthy deviation.
UNITS_PER_DEVIATION = 64
#: A fast channel's scaled samples have this many units per healthy deviation.
FAST_UNITS_PER_DEVIATION = 1024

SLOW_FEATURES = ("value", "mean", "deviation", "slope")
FAST_FEATURES = ("level", "crest", "kurtosis")

#: Rows of a slow device's rolling window: a power of two within these.
SLOW_WINDOW_MIN = 4
SLOW_WINDOW_MAX = 256
#: Samples of a fast device's window: a power of two within these.
FAST_WINDOW_MIN = 32
FAST_WINDOW_MAX = 4096
CHANNELS_MAX = 1024
FEATURES_MAX = 4096
BANDS_MAX = 64
#: The part of a fast window's spectrum whose envelope is looked at: a power of two of bins within these.
ENVELOPE_BINS_MIN = 16
ENVELOPE_BINS_MAX = 1024
ENVELOPE_BANDS_MAX = 64
HOP_MAX = 1 << 24

#: Readings in one message at most, and the recorded time they may span.
MESSAGE_READINGS = 16
MESSAGE_SPAN_NS = 10000000000


def band_edges(window: int, bands: int) -> list[int]:
    """Edges, in bins of the FFT, of `bands` bands of about equal width from bin 1 to window // 2.

    They ascend, as an image demands, for 1 <= bands <= window // 4. With the bins of an envelope in place of the window
    they are edges of its spectrum.

    >>> band_edges(64, 4)
    [1, 8, 16, 24, 33]
    """
    half = window // 2
    return [1] + [band * half // bands for band in range(1, bands)] + [half + 1]
