"""What the person who types `tocsin demo` chose."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """Frozen; `recording` None plays the simulator. `speed` is a number, `max` or `auto`; `sensors` lists kinds."""

    recording: str | None
    healthy_rows: int | None
    truth: str | None
    ignore: tuple[str, ...]
    channels: tuple[str, ...] | None
    time_column: str | None
    sample_rate_hz: float | None
    transpose: bool
    fault: str
    seed: int
    speed: str
    folder: Path
    port: int
    sensors: tuple[str, ...] = ("twin",)
