"""Rolling bearings: how often a damaged part is struck, in multiples of the shaft's speed."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bearing:
    """Geometry of a rolling bearing with a fixed outer ring.

    The ratios are the classical kinematic ones for rolling without slip (e.g. R. B. Randall, *Vibration-based
    Condition Monitoring*, 2011, section 2.2.3).

    >>> cwru = Bearing(balls=9, ball_diameter_mm=7.94, pitch_diameter_mm=39.04, contact_angle_rad=0.0)
    >>> [round(ratio, 2) for ratio in (cwru.outer_race, cwru.inner_race, cwru.ball_spin, cwru.cage)]
    [3.58, 5.42, 2.36, 0.4]
    """

    balls: int
    ball_diameter_mm: float
    pitch_diameter_mm: float
    contact_angle_rad: float

    @property
    def _slenderness(self) -> float:
        return self.ball_diameter_mm / self.pitch_diameter_mm * math.cos(self.contact_angle_rad)

    @property
    def outer_race(self) -> float:
        """BPFO over the shaft's speed."""
        return self.balls / 2 * (1 - self._slenderness)

    @property
    def inner_race(self) -> float:
        """BPFI over the shaft's speed."""
        return self.balls / 2 * (1 + self._slenderness)

    @property
    def ball_spin(self) -> float:
        """BSF over the shaft's speed."""
        return self.pitch_diameter_mm / (2 * self.ball_diameter_mm) * (1 - self._slenderness**2)

    @property
    def cage(self) -> float:
        """FTF over the shaft's speed."""
        return (1 - self._slenderness) / 2
