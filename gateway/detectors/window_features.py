"""The features of a fast device: each reading is a whole window that its sensor has already made features of."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gateway.detectors.row_features import VALUE_LIMIT, Found, session_shift
from gateway.detectors.stacking import stacked

Floats = NDArray[np.float64]


class WindowFeatures:
    """Features in healthy deviations, without memory: a window, or a clip, is judged by itself."""

    kinds = ("value",)
    memory_rows = 1
    #: Nothing changes by what `learn` allows.
    learns = False

    def __init__(self, mean: Floats, scale: Floats) -> None:
        self.mean, self.scale = mean, scale
        self.unit = np.ones(len(mean))

    @classmethod
    def fit(
        cls,
        times_ns: NDArray[np.int64],
        starts: NDArray[np.bool_],
        values: Floats,
        scaling: tuple[Floats, Floats],
    ) -> tuple[Self, Found]:
        """Features made for healthy values (n, columns), and those of these values."""
        made = cls(*scaling)
        return made, made.run(times_ns, starts, values, learn=True)

    def run(self, times_ns: NDArray[np.int64], starts: NDArray[np.bool_], values: Floats, *, learn: bool) -> Found:
        """Features of m readings."""
        return self.run_together([self], times_ns[None], starts[None], values[None], [learn]).part(0)

    @classmethod
    def run_together(
        cls,
        devices: Sequence[Self],
        times_ns: NDArray[np.int64],
        starts: NDArray[np.bool_],
        values: Floats,
        learn: Sequence[bool],
    ) -> Found:
        """`run` of D devices with as many columns: times and starts (D, m), values (D, m, columns)."""
        mean = stacked([device.mean for device in devices])[:, None]
        scale = stacked([device.scale for device in devices])[:, None]
        clean = np.minimum(np.maximum((values - mean) / scale, -VALUE_LIMIT), VALUE_LIMIT)
        return Found((clean,), clean, np.zeros(clean.shape))

    def recentre(self, times_ns: NDArray[np.int64], values: Floats, several: float) -> Floats:
        """Measure from the mean of these values (n, columns) of a new session; what that adds to old states."""
        shift = session_shift((values - self.mean) / self.scale)
        self.mean = self.mean + self.scale * shift
        return -shift

    def fields(self) -> dict[str, Any]:
        """Everything that later features depend on."""
        return {"channel mean": self.mean, "channel scale": self.scale}

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> Self:
        """The features whose `fields` these are; KeyError or ValueError when they do not fit together."""
        if fields["channel mean"].shape != fields["channel scale"].shape:
            raise ValueError("mean and scale differ in size")
        return cls(fields["channel mean"], fields["channel scale"])
