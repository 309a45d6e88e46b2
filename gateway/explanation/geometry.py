"""The shaft and the bearing that a vibration sensor looks at, as an operator declares them."""

import math
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.signal.definition import ENVELOPE_BINS_MAX, ENVELOPE_BINS_MIN

Millimetres = Annotated[float, Field(gt=0.0, le=10_000.0)]


class Geometry(BaseModel):
    """What decides at which frequencies a damaged part is heard.

    `rpm`: speed of the shaft. `rollers`, `roller_mm`, `pitch_mm`, `contact_degrees`: number and diameter of the rolling
    elements, diameter of the circle through their centres, contact angle; without the first three only the shaft's
    harmonics are looked for. `envelope_bins`: bins of the band whose envelope the device's features hold, as it was
    trained; 0: it has no such features, or they are not known.

    >>> bearing = Geometry(rpm=1797, rollers=9, roller_mm=7.94, pitch_mm=39.04)
    >>> {name: round(hertz, 1) for name, hertz in bearing.bearing_lines().items()}
    {'BPFO': 107.4, 'BPFI': 162.2, 'BSF': 141.2, 'FTF': 11.9}
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rpm: Annotated[float, Field(gt=0.0, le=1_000_000.0)]
    rollers: Annotated[int, Field(ge=3, le=1000)] | None = None
    roller_mm: Millimetres | None = None
    pitch_mm: Millimetres | None = None
    contact_degrees: Annotated[float, Field(ge=0.0, lt=90.0)] = 0.0
    envelope_bins: Annotated[int, Field(ge=0, le=ENVELOPE_BINS_MAX)] = 0

    @model_validator(mode="after")
    def _fits(self) -> Self:
        given = [value for value in (self.rollers, self.roller_mm, self.pitch_mm) if value is not None]
        if len(given) not in (0, 3):
            raise ValueError("a bearing needs rollers, roller_mm and pitch_mm together, or none of them")
        if self.rollers is not None and self.roller_mm is not None and self.pitch_mm is not None:
            if self.roller_mm >= self.pitch_mm:
                raise ValueError(
                    f"rolling elements of {self.roller_mm:g} mm do not fit a pitch circle of {self.pitch_mm:g} mm"
                )
            if self.rollers * self.roller_mm > math.pi * self.pitch_mm:
                raise ValueError(
                    f"{self.rollers} rolling elements of {self.roller_mm:g} mm have no room on a pitch circle of "
                    f"{self.pitch_mm:g} mm"
                )
        bins = self.envelope_bins
        if bins and (bins < ENVELOPE_BINS_MIN or bins & (bins - 1)):
            raise ValueError(f"envelope_bins must be a power of two from {ENVELOPE_BINS_MIN}, or 0, not {bins}")
        return self

    @property
    def shaft_hertz(self) -> float:
        """Turns a second."""
        return self.rpm / 60.0

    def bearing_lines(self) -> dict[str, float]:
        """How often each part is struck if nothing slips, Hz: the races (BPFO, BPFI), a rolling element, on both races
        (twice its spin, told as BSF), the cage (FTF). Empty without a bearing.

        R. B. Randall, Vibration-based Condition Monitoring, 2011, section 2.2.3; the outer race stands still.
        """
        if self.rollers is None or self.roller_mm is None or self.pitch_mm is None:
            return {}
        slender = self.roller_mm / self.pitch_mm * math.cos(math.radians(self.contact_degrees))
        turns = {
            "BPFO": 0.5 * self.rollers * (1.0 - slender),
            "BPFI": 0.5 * self.rollers * (1.0 + slender),
            "BSF": self.pitch_mm / self.roller_mm * (1.0 - slender**2),
            "FTF": 0.5 * (1.0 - slender),
        }
        return {name: per_turn * self.shaft_hertz for name, per_turn in turns.items()}
