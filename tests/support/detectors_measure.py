"""What a reading costs: the gateway's recipe for many devices and for one, river's half-space trees one by one.

Times are seconds of one core that this process spent (not of the clock on the wall): the quickest of several rounds,
which other work on the machine disturbed least, and the middle one.
Memory is what Python and NumPy allocate for one detector; a state is what the gateway stores.
"""

import json
import platform
import statistics
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from detector_plants import SECOND_NS, Plant, plant_birth
from numpy.typing import NDArray
from river import __version__ as river_version
from river.anomaly import HalfSpaceTrees

from gateway.detectors.device import DeviceDetector
from gateway.detectors.fleet import judge_fleet
from gateway.detectors.readings import Readings
from gateway.judgement import DeviceJudge
from shared.messages.codec import Data

SEED = 20260101
HEALTHY, DEVICES, CHANNELS, MESSAGE = 2000, 64, 8, 16
#: Every second plant has a season of so many rows.
SEASON_ROWS = 300
ROUNDS = 24
TREES, HEIGHT = 25, 8
DAY_ROWS = 86_400
YEAR_ROWS = 365 * DAY_ROWS
_PIECE_ROWS = 4096

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Cost:
    """What one form of one detector costs; None = not measured."""

    what: str
    microseconds_per_reading: float
    middle_microseconds: float
    devices: int
    channels: int
    readings_per_message: int
    memory_bytes: int | None = None
    state_bytes: int | None = None


@dataclass(frozen=True)
class Rescoring:
    """A stretch of one asset rescored, and what a year would take at the same pace."""

    days: float
    readings: int
    seconds: float
    resident_megabytes_grown: float
    checkpoint_bytes: int

    @property
    def year_minutes(self) -> float:
        """Extrapolated, not measured."""
        return self.seconds / self.readings * YEAR_ROWS / 60.0


@dataclass(frozen=True)
class Result:
    """Everything of one run."""

    machine: str
    versions: dict[str, str]
    seed: int
    costs: list[Cost]
    rescoring: Rescoring

    def cost(self, what: str) -> Cost:
        """The cost with this name."""
        return next(cost for cost in self.costs if cost.what == what)


FLEET, ONE_CHANNEL, ALONE, SINGLE, RIVER = (
    "whole recipe, many devices at once",
    "whole recipe with events, one channel, many devices at once",
    "whole recipe, device after device",
    "whole recipe, device after device, messages of one reading",
    "river's half-space trees, one by one",
)


def measured(days: float) -> Result:
    """One run of everything; `days` of one asset are rescored."""
    rows = _plants(CHANNELS, HEALTHY + ROUNDS * MESSAGE)
    states = [_commissioned(number, values) for number, values in enumerate(rows)]
    costs = [
        _cost(FLEET, states, rows, MESSAGE, _fleet),
        _cost(ALONE, states, rows, MESSAGE, _alone),
        _cost(SINGLE, states[:4], rows[:4], 1, _alone),
    ]
    single = _plants(1, HEALTHY + ROUNDS * MESSAGE)
    one_channel = [_commissioned(number, values) for number, values in enumerate(single)]
    costs.insert(1, _cost(ONE_CHANNEL, one_channel, single, MESSAGE, _fleet))
    costs.append(_river(rows))
    versions = {"python": platform.python_version(), "numpy": np.__version__, "river": river_version}
    return Result(platform.processor() or platform.machine(), versions, SEED, costs, _rescored(days))


def _plants(channels: int, rows: int) -> list[Floats]:
    return [
        np.concatenate(list(Plant(SEED + number, channels, SEASON_ROWS * (number % 2)).rows(rows)))
        for number in range(DEVICES)
    ]


def _commissioned(number: int, values: Floats) -> bytes:
    times, stretches = _clock(0, HEALTHY)
    birth = plant_birth(f"pump-{number}", values.shape[1])
    return DeviceDetector.commission(birth, times, stretches, values[:HEALTHY]).state()


def _clock(begin: int, rows: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return np.arange(begin, begin + rows) * SECOND_NS, np.zeros(rows, np.int64)


Work = list[tuple[DeviceDetector, Readings]]


def _fleet(work: Work) -> None:
    judge_fleet(work)


def _alone(work: Work) -> None:
    for detector, readings in work:
        detector.process(readings.times_ns, readings.stretches, readings.values, readings.sensor_scores)


def _cost(what: str, states: list[bytes], rows: list[Floats], message: int, judge: Callable[[Work], None]) -> Cost:
    detectors = [DeviceDetector.from_state(state) for state in states]
    seconds = []
    for begin in range(HEALTHY, HEALTHY + ROUNDS * message, message):
        times, stretches = _clock(begin, message)
        work = [
            (detector, Readings(times, stretches, values[begin : begin + message], np.full(message, np.nan)))
            for detector, values in zip(detectors, rows, strict=True)
        ]
        began = time.process_time()
        judge(work)
        seconds.append(time.process_time() - began)
    size = max(len(detector.state()) for detector in detectors)
    memory = _allocated(lambda: DeviceDetector.from_state(states[0]))
    each, middle = _quickest_and_middle(seconds, len(states) * message)
    return Cost(what, each, middle, len(states), rows[0].shape[1], message, memory, size)


def _river(rows: list[Floats]) -> Cost:
    """On the same rows, round by round as they would come: each is scored, then learned."""

    def grown(values: Floats) -> HalfSpaceTrees:
        low, high = values[:HEALTHY].min(axis=0), values[:HEALTHY].max(axis=0)
        limits = dict(enumerate(zip(low.tolist(), high.tolist(), strict=True)))
        forest = HalfSpaceTrees(n_trees=TREES, height=HEIGHT, limits=limits, seed=SEED)
        for row in values[HEALTHY - 250 : HEALTHY].tolist():
            forest.learn_one(dict(enumerate(row)))
        return forest

    forests = [grown(values) for values in rows]
    seconds = []
    for begin in range(HEALTHY, HEALTHY + ROUNDS * MESSAGE, MESSAGE):
        work = [[dict(enumerate(row)) for row in values[begin : begin + MESSAGE].tolist()] for values in rows]
        began = time.process_time()
        for forest, own in zip(forests, work, strict=True):
            for row in own:
                forest.score_one(row)
                forest.learn_one(row)
        seconds.append(time.process_time() - began)
    each, middle = _quickest_and_middle(seconds, DEVICES * MESSAGE)
    return Cost(RIVER, each, middle, DEVICES, CHANNELS, 1, _allocated(lambda: grown(rows[0])))


def _quickest_and_middle(seconds: list[float], readings: int) -> tuple[float, float]:
    """Of rounds of `readings` each, in microseconds per reading."""
    return min(seconds) / readings * 1e6, statistics.median(seconds) / readings * 1e6


def _allocated(make: Callable[[], object]) -> int:
    make()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        kept = make()
        after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    del kept
    return after - before


def _rescored(days: float) -> Rescoring:
    """One asset at one reading a second, by the judge that `tocsin score` and the gateway run, in bounded memory."""
    judge = DeviceJudge(plant_birth("pump-0", CHANNELS), HEALTHY, false_alarms_per_day=1.0 / 7.0)
    count = HEALTHY + int(days * DAY_ROWS)
    seconds, place, resident = 0.0, 0, 0.0
    for values in Plant(SEED, CHANNELS, SEASON_ROWS).rows(count, _PIECE_ROWS):
        message = _message(place, values)
        began = time.process_time()
        judge.take(message)
        seconds += time.process_time() - began
        if place == 0:
            resident, seconds = _resident_megabytes(), 0.0
        place += len(values)
    return Rescoring(days, place - _PIECE_ROWS, seconds, _resident_megabytes() - resident, len(judge.state() or b""))


def _message(begin: int, values: Floats) -> Data:
    count, times = len(values), _clock(begin, len(values))[0]
    scores, tops = np.full(count, 2048, np.uint32), np.zeros(count, np.uint16)
    counts = np.round(values * 65536.0).astype(np.int32)
    return Data("pump-0", 0, begin, 0, 0, 0, 0, times, scores, tops, counts, None)


def _resident_megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 1e6


def write_result(result: Result, path: Path) -> None:
    """As JSON, for `read_result`."""
    path.write_text(json.dumps(asdict(result), indent=1) + "\n", encoding="utf-8")


def read_result(path: Path) -> Result:
    """What `write_result` wrote."""
    fields = json.loads(path.read_text(encoding="utf-8"))
    costs = [Cost(**cost) for cost in fields.pop("costs")]
    return Result(costs=costs, rescoring=Rescoring(**fields.pop("rescoring")), **fields)
