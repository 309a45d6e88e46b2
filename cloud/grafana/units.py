"""Units of channels as Grafana knows them, so that axis, tooltip and legend carry them and no two share an axis."""

from grafana_foundation_sdk.models import units

#: The texts by which channels call a unit, and Grafana's identifier for it.
_NAMES = (
    (("degC", "\N{DEGREE SIGN}C", "C", "Celsius"), units.Celsius),
    (("degF", "\N{DEGREE SIGN}F"), units.Fahrenheit),
    (("K",), units.Kelvin),
    (("A",), units.Ampere),
    (("mA",), units.MilliAmpere),
    (("V",), units.Volt),
    (("mV",), units.MilliVolt),
    (("W",), units.Watt),
    (("kW",), units.KiloWatt),
    (("Hz",), units.Hertz),
    (("rpm", "1/min", "min-1"), units.RevolutionsPerMinute),
    (("bar",), units.Bars),
    (("mbar",), units.Millibars),
    (("Pa",), units.Pascals),
    (("kPa",), units.Kilopascals),
    (("g",), units.GUnit),
    (("m/s2", "m/s\N{SUPERSCRIPT TWO}", "m/s^2"), units.MetersSecSquared),
    (("m/s",), units.MetersPerSecond),
    (("mm",), units.Millimeter),
    (("%", "percent"), units.Percent),
    (("l/h", "L/h"), units.LitrePerHour),
    (("l/min", "L/min"), units.LitrePerMinute),
    (("dB",), units.Decibel),
    (("s",), units.Seconds),
    (("ms",), units.Milliseconds),
    (("mm/s",), "suffix: mm/s"),
    (("um", "\N{MICRO SIGN}m"), "suffix: \N{MICRO SIGN}m"),
    (("m3/h", "m\N{SUPERSCRIPT THREE}/h"), "suffix: m\N{SUPERSCRIPT THREE}/h"),
    (("Nm", "N m"), "suffix: Nm"),
    (("MPa",), "suffix: MPa"),
    (("healthy deviations",), "suffix: \N{GREEK SMALL LETTER SIGMA}"),
)
_SPECIAL = frozenset("\\^$.|?*+()[]{}/")


def unit_patterns() -> list[tuple[str, str]]:
    """Pairs of a JavaScript pattern for the names ``channel [unit]`` of series, and Grafana's unit for them.

    >>> unit_patterns()[10]
    ('/\\\\[(rpm|1\\\\/min|min-1)\\\\]$/', 'rotrpm')
    """
    return [(rf"/\[({'|'.join(map(_escaped, names))})\]$/", unit) for names, unit in _NAMES]


def _escaped(text: str) -> str:
    return "".join("\\" + character if character in _SPECIAL else character for character in text)
