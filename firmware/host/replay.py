"""Recordings played as devices: samples reach each sensor in the order of recorded time, at the clock's speed."""

import heapq
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from firmware.host.played import PlayedDevice, PlayedSensor
from shared.clock import ReplayClock
from shared.signal import definition

#: Samples of a fast device handed over at once, at most: a fraction of a second of vibration.
RUN_SAMPLES = 1024
#: A replay pauses rather than let more messages wait: recorded time can stand still, a plant cannot.
WAITING_MAX = 512


class Source:
    """A recording as a device sees it: `times_ns` int64[rows], `counts` int32[rows, channels], rows where a clip
    begins."""

    def __init__(self, times_ns: NDArray[np.int64], counts: NDArray[np.int32], clip_starts: Iterable[int] = ()) -> None:
        self.times_ns = times_ns
        self.counts = counts
        self.clip_starts = frozenset(int(row) for row in clip_starts if row)

    def steps(self, device: PlayedDevice, gap_ns: int) -> Iterator[tuple[int, Callable[[], None]]]:
        """(time, action) for each row (slow) or run of samples (fast); the action hands it to the device."""
        if device.image.kind == definition.KIND_FAST:
            yield from self._runs(device, gap_ns)
            return
        for row in range(len(self.times_ns)):
            yield int(self.times_ns[row]), self._row_action(device, row)

    def _row_action(self, device: PlayedDevice, row: int) -> Callable[[], None]:
        def action() -> None:
            if row in self.clip_starts:
                device.end_stretch()
            device.push_row(int(self.times_ns[row]), self.counts[row].tolist())

        return action

    def _runs(self, device: PlayedDevice, gap_ns: int) -> Iterator[tuple[int, Callable[[], None]]]:
        steps_ns = np.diff(self.times_ns)
        breaks = set((np.flatnonzero((steps_ns < 0) | (steps_ns > gap_ns)) + 1).tolist()) | self.clip_starts
        borders = sorted(breaks | {0, len(self.times_ns)})
        for begin, end in itertools.pairwise(borders):
            for first in range(begin, end, RUN_SAMPLES):
                last = min(first + RUN_SAMPLES, end)
                yield int(self.times_ns[last - 1]), self._run_action(device, first, last)

    def _run_action(self, device: PlayedDevice, first: int, last: int) -> Callable[[], None]:
        def action() -> None:
            if first in self.clip_starts:
                device.end_stretch()
            columns = [self.counts[first:last, channel].tolist() for channel in range(self.counts.shape[1])]
            device.push_run(self.times_ns[first:last].tolist(), columns)

        return action


def push_all(device: PlayedDevice, source: Source) -> None:
    """Hand a whole recording to a device at once."""
    for _, action in source.steps(device, device.image.gap_ns):
        action()
    device.close_message()


def play(
    players: Sequence[tuple[PlayedSensor, Source]],
    clock: ReplayClock,
    *,
    should_stop: Callable[[], bool],
    on_progress: Callable[[int], None] | None = None,
) -> None:
    """Play all recordings to their end, or until `should_stop`; every message is then closed, not yet delivered."""
    queue: list[tuple[int, int, Callable[[], None], Iterator[tuple[int, Callable[[], None]]]]] = []
    for number, (sensor, source) in enumerate(players):
        steps = source.steps(sensor.device, sensor.image.gap_ns)
        first = next(steps, None)
        if first is not None:
            heapq.heappush(queue, (first[0], number, first[1], steps))
    polled = time.monotonic()
    while queue and not should_stop():
        time_ns, number, action, steps = queue[0]
        wait = clock.wait_until(time_ns)
        now = time.monotonic()
        if wait > 0.0 or now - polled > 0.01:
            polled = now
            for sensor, _ in players:
                sensor.poll()
            if on_progress is not None:
                on_progress(time_ns)
        crowded = any(len(sensor.buffer.entries) > WAITING_MAX for sensor, _ in players)
        if wait > 0.0 or crowded:
            pause = 0.01 if crowded else min(wait, 0.02)
            time.sleep(pause)
            if crowded:
                clock.hold(time.monotonic() - now)
            continue
        action()
        following = next(steps, None)
        if following is None:
            heapq.heappop(queue)
        else:
            heapq.heapreplace(queue, (following[0], number, following[1], steps))
    for sensor, _ in players:
        sensor.device.close_message()
        sensor.poll()


def settle(
    sensors: Sequence[PlayedSensor], *, limit_seconds: float, until: Callable[[], bool], should_stop: Callable[[], bool]
) -> bool:
    """Poll until `until()` holds (True) or the limit passes or `should_stop()` (False)."""
    deadline = time.monotonic() + limit_seconds
    while time.monotonic() < deadline and not should_stop():
        for sensor in sensors:
            sensor.poll()
        if until():
            return True
        time.sleep(0.01)
    return False
