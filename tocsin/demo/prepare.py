"""What the demo plays: recordings made or read, each device trained and provisioned."""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware.host.fleet import write_device
from shared.errors import UsageError
from shared.recordings import Recording, read_recording
from shared.recordings.simulator import FAULTS, HEALTHY, simulate, write_simulation
from tocsin.demo.options import DemoOptions
from tocsin.provisioning import Provisioned, healthy_part, provision
from tocsin.replay import device_id

SITE = "demo/site/area/line"
#: Healthy part of a simulated recording, seconds.
SIMULATED_HEALTHY_S = 600.0
SIMULATED_DURATION_S = 1800.0
SIMULATED_ONSET_S = 900.0
#: What a sample costs when it is sent as it is: int16 of an accelerometer, float32 of a process value.
RAW_BYTES = {"fast": 2, "slow": 4}


@dataclass(frozen=True, eq=False)
class Task:
    """One device before its training."""

    recording: Recording
    device: str
    asset: str
    healthy_rows: int


@dataclass(frozen=True, eq=False)
class Truth:
    """What is known about the recordings; no tier sees it. Times in UTC nanoseconds."""

    #: The asset that goes wrong and when; None when nothing does, or nothing is known.
    asset: str | None
    onset_ns: int | None
    #: From here on alarms count as false when nothing is wrong: the end of the healthy part.
    healthy_end_ns: int
    #: Stretches of time in which something is wrong.
    anomalous: tuple[tuple[int, int], ...]
    known: bool

    def is_anomalous(self, asset: str, time_ns: int) -> bool:
        """Whether an alarm of `asset` that begins at `time_ns` is right."""
        return asset == self.asset and any(begin <= time_ns <= end for begin, end in self.anomalous)


@dataclass(frozen=True, eq=False)
class Plan:
    """The prepared demo: devices in `fleet`, their sizes, and the truth for the summary."""

    fleet: Path
    devices: dict[str, Provisioned]
    truth: Truth
    start_ns: int
    end_ns: int
    raw_bytes: int
    notes: tuple[str, ...]
    #: The asset whose devices get a new model.
    retrained_asset: str


def collect(options: DemoOptions, say: Callable[[str], None]) -> tuple[list[Task], Truth, tuple[str, ...]]:
    """The recordings of the demo and the truth about them."""
    if options.recording is None:
        return _simulated(options, say)
    recording = read_recording(
        options.recording,
        healthy_rows=options.healthy_rows,
        channels=options.channels,
        time_column=options.time_column,
        sample_rate_hz=options.sample_rate_hz,
        ignore=(*options.ignore, *((options.truth,) if options.truth else ())),
        transpose=options.transpose,
    )
    healthy_rows = healthy_part(recording, options.healthy_rows, options.recording)
    device = device_id(options.recording)
    asset = f"{SITE}/{device}"
    truth = _truth_of(recording, options.truth, asset, healthy_rows)
    return [Task(recording, device, asset, healthy_rows)], truth, recording.notes


def _truth_of(recording: Recording, column: str | None, asset: str, healthy_rows: int) -> Truth:
    healthy_end_ns = int(recording.times_ns[healthy_rows - 1])
    if column is None:
        return Truth(None, None, healthy_end_ns, (), False)
    labels = recording.labels[column]
    if labels.dtype.kind not in "fiub":
        raise UsageError(f"the truth column {column!r} is not numeric; name one that holds 0 and 1")
    anomalous = np.nan_to_num(labels.astype(np.float64)) > 0.5
    anomalous[:healthy_rows] = False
    spans = _spans(anomalous, recording.times_ns)
    return Truth(asset if spans else None, spans[0][0] if spans else None, healthy_end_ns, spans, True)


def _spans(anomalous: NDArray[np.bool_], times_ns: NDArray[np.int64]) -> tuple[tuple[int, int], ...]:
    """Times of the first and last row of each run of anomalous rows.

    >>> _spans(np.array([False, True, True, False, True]), np.arange(5))
    ((1, 2), (4, 4))
    """
    edges = np.diff(np.concatenate([[False], anomalous, [False]]).astype(np.int8))
    begins, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1
    return tuple((int(times_ns[begin]), int(times_ns[end])) for begin, end in zip(begins, ends, strict=True))


def _simulated(options: DemoOptions, say: Callable[[str], None]) -> tuple[list[Task], Truth, tuple[str, ...]]:
    if options.fault not in (*FAULTS, HEALTHY):
        raise UsageError(f"fault {options.fault!r} is none of {', '.join((*FAULTS, HEALTHY))}")
    tasks = []
    onset_ns = None
    end_ns = healthy_end_ns = 0
    for number, fault in ((1, options.fault), (2, HEALTHY)):
        name = f"pump-{number}"
        asset = f"{SITE}/{name}"
        say(f"simulating {name}: {'no fault' if fault == HEALTHY else fault.replace('_', ' ')}")
        simulation = simulate(
            1000 * options.seed + number,
            fault,
            duration_s=SIMULATED_DURATION_S,
            onset_s=SIMULATED_ONSET_S,
            asset=asset,
        )
        write_simulation(simulation, options.folder / "recordings" / name)
        for part, recording in (("vibration", simulation.vibration), ("process", simulation.process)):
            healthy_rows = int(SIMULATED_HEALTHY_S * recording.sample_rate_hz)
            tasks.append(Task(recording, f"{name}-{part}", asset, healthy_rows))
            healthy_end_ns = max(healthy_end_ns, int(recording.times_ns[healthy_rows - 1]))
            end_ns = max(end_ns, int(recording.times_ns[-1]))
        if number == 1:
            onset_ns = simulation.onset_ns
    spans = () if onset_ns is None else ((onset_ns, end_ns),)
    asset_with_fault = None if onset_ns is None else f"{SITE}/pump-1"
    return tasks, Truth(asset_with_fault, onset_ns, healthy_end_ns, spans, True), ()


def train(task: Task, seed: int) -> Provisioned:
    """Train one device (in a process of its own)."""
    return provision(task.recording, task.device, task.asset, task.healthy_rows, seed=seed)


def prepare(options: DemoOptions, say: Callable[[str], None], step: Callable[[str, int, int], None]) -> Plan:
    """Collect, train two devices at a time, provision. `step(device, done, total)` counts trained devices."""
    tasks, truth, notes = collect(options, say)
    devices: dict[str, Provisioned] = {}
    step("models", 0, len(tasks))
    with ProcessPoolExecutor(min(2, len(tasks)), mp_context=multiprocessing.get_context("spawn")) as pool:
        running = {pool.submit(train, task, options.seed): task for task in tasks}
        try:
            for finished in as_completed(running):
                devices[running[finished].device] = finished.result()
                step("models", len(devices), len(tasks))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    fleet = options.folder / "fleet"
    for task in tasks:
        provisioned = devices[task.device]
        write_device(fleet, provisioned.profile, provisioned.source, provisioned.image)
    return Plan(
        fleet,
        {task.device: devices[task.device] for task in tasks},
        truth,
        min(int(task.recording.times_ns[0]) for task in tasks),
        max(int(task.recording.times_ns[-1]) for task in tasks),
        sum(task.recording.values.size * RAW_BYTES[task.recording.kind] for task in tasks),
        notes,
        tasks[0].asset,
    )
