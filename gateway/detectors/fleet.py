"""Readings of many devices judged in few calls: the bits that each device gives alone, at a fraction of the cost.

One device with a message of 16 readings pays for a hundred small calls of NumPy. Devices with equally many columns pay
for them together.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from gateway.detectors.device import DeviceDetector
from gateway.detectors.judgement import Judgement
from gateway.detectors.readings import Readings

#: Readings that are judged in one go at most: more gain little, and their arrays leave the caches.
GROUP_READINGS = 512


@dataclass(slots=True, eq=False)
class _Task:
    """Readings of one device, the judgement that they fill, and how far it is."""

    detector: DeviceDetector
    readings: Readings
    judgement: Judgement
    judged: int = 0

    def next_part(self) -> slice:
        """What is judged next."""
        return slice(self.judged, min(len(self.readings), self.judged + self.detector.reach))


def judge_fleet(work: Sequence[tuple[DeviceDetector, Readings]]) -> list[Judgement]:
    """Judge readings of many devices: a judgement for each pair, in the order of `work`.

    A detector may come several times; its readings are then judged in that order, as `DeviceDetector.process` would.
    """
    tasks = [_Task(detector, readings, detector.unjudged(readings)) for detector, readings in work]
    waiting: dict[int, list[_Task]] = {}
    for task in reversed(tasks):
        if len(task.readings):
            waiting.setdefault(id(task.detector), []).append(task)
    while waiting:
        groups: dict[tuple[Hashable, int], list[_Task]] = {}
        for queue in waiting.values():
            part = queue[-1].next_part()
            groups.setdefault((queue[-1].detector.shape, part.stop - part.start), []).append(queue[-1])
        for (_, readings), group in groups.items():
            devices = max(1, GROUP_READINGS // readings)
            for begin in range(0, len(group), devices):
                _judge(group[begin : begin + devices])
        for key, queue in list(waiting.items()):
            if queue[-1].judged == len(queue[-1].readings):
                queue.pop()
            if not queue:
                del waiting[key]
    return [task.judgement for task in tasks]


def _judge(tasks: Sequence[_Task]) -> None:
    parts = [task.next_part() for task in tasks]
    DeviceDetector.judge_together(
        [
            (task.detector, task.readings.part(part), task.judgement.part(part))
            for task, part in zip(tasks, parts, strict=True)
        ]
    )
    for task, part in zip(tasks, parts, strict=True):
        task.judged = part.stop
