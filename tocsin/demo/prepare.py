"""What the demo plays: recordings made or read, each device trained and provisioned."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firmware.host.fleet import write_device
from shared.errors import UsageError
from shared.identity import DeviceProfile
from shared.recordings import Recording, read_recording
from shared.recordings.simulator import FAULTS, HEALTHY, simulate, write_simulation
from tocsin.demo.options import DemoOptions
from tocsin.provisioning import healthy_part, provision
from tocsin.replay import device_id

SITE = "demo/site/area/line"
#: Healthy part of a simulated recording, seconds.
SIMULATED_HEALTHY_S = 600.0
SIMULATED_DURATION_S = 1800.0
SIMULATED_ONSET_S = 900.0
#: What a sample costs when it is sent as it is: int16 of an accelerometer, float32 of a process value.
RAW_BYTES = {"fast": 2, "slow": 4}


@dataclass(frozen=True, slots=True)
class Prepared:
    """A device in the fleet's folder. Times in UTC nanoseconds, `raw_bytes` of all its samples."""

    profile: DeviceProfile
    image: bytes
    healthy_readings: int
    start_ns: int
    healthy_end_ns: int
    end_ns: int
    raw_bytes: int


@dataclass(frozen=True, slots=True)
class Truth:
    """What is known about the recordings; no tier sees it. Times in UTC nanoseconds."""

    #: The asset that goes wrong and when; None when nothing does, or nothing is known.
    asset: str | None
    onset_ns: int | None
    #: The end of the part that models are made from.
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
    devices: dict[str, Prepared]
    truth: Truth
    notes: tuple[str, ...]

    @property
    def start_ns(self) -> int:
        """When the earliest recording begins."""
        return min(device.start_ns for device in self.devices.values())

    @property
    def end_ns(self) -> int:
        """When the last recording ends."""
        return max(device.end_ns for device in self.devices.values())

    @property
    def raw_bytes(self) -> int:
        """What the samples of all devices would cost if they were sent as they are."""
        return sum(device.raw_bytes for device in self.devices.values())


def put_into_fleet(
    fleet: Path, recording: Recording, device: str, asset: str, healthy_rows: int, seed: int
) -> Prepared:
    """Train one device and write it into the fleet's folder."""
    provisioned = provision(recording, device, asset, healthy_rows, seed=seed)
    write_device(fleet, provisioned.profile, provisioned.source, provisioned.image)
    return Prepared(
        provisioned.profile,
        provisioned.image,
        provisioned.healthy_readings,
        int(recording.times_ns[0]),
        int(recording.times_ns[healthy_rows - 1]),
        int(recording.times_ns[-1]),
        recording.values.size * RAW_BYTES[recording.kind],
    )


def simulate_asset(folder: Path, number: int, fault: str, seed: int) -> tuple[list[Prepared], int | None]:
    """Simulate one pump and prepare its two devices (in a process of its own); with the onset of its fault."""
    name = f"pump-{number}"
    simulation = simulate(
        1000 * seed + number, fault, duration_s=SIMULATED_DURATION_S, onset_s=SIMULATED_ONSET_S, asset=f"{SITE}/{name}"
    )
    write_simulation(simulation, folder / "recordings" / name)
    prepared = [
        put_into_fleet(
            folder / "fleet",
            recording,
            f"{name}-{part}",
            f"{SITE}/{name}",
            int(SIMULATED_HEALTHY_S * recording.sample_rate_hz),
            seed,
        )
        for part, recording in (("vibration", simulation.vibration), ("process", simulation.process))
    ]
    return prepared, simulation.onset_ns


def check(options: DemoOptions) -> Recording | None:
    """The recording to play, None for simulated ones; `UsageError` for options that cannot be."""
    if options.recording is None:
        if options.fault not in (*FAULTS, HEALTHY):
            raise UsageError(f"fault {options.fault!r} is none of {', '.join((*FAULTS, HEALTHY))}")
        if options.truth or options.healthy_rows is not None:
            raise UsageError("--truth and --healthy-rows describe a recording; name it with --recording")
        return None
    recording = read_recording(
        options.recording,
        healthy_rows=options.healthy_rows,
        channels=options.channels,
        time_column=options.time_column,
        sample_rate_hz=options.sample_rate_hz,
        ignore=(*options.ignore, *((options.truth,) if options.truth else ())),
        transpose=options.transpose,
    )
    _truth_of(recording, options.truth, "", healthy_part(recording, options.healthy_rows, options.recording))
    return recording


def prepare(
    options: DemoOptions,
    recording: Recording | None,
    say: Callable[[str], None],
    step: Callable[[str, int, int], None],
) -> Plan:
    """Make the recordings or take the one given, train two assets at a time, provision.

    `step("models", done, total)` counts trained devices.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context, initializer=belong_to_the_demo) as pool:
        try:
            if recording is None or options.recording is None:
                return _simulated(options, pool, say, step)
            return _recorded(options, recording, options.recording, pool, step)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in multiprocessing.active_children():
                worker.terminate()
            raise


def belong_to_the_demo() -> None:
    """In a worker: Ctrl-C is for the demo, which ends its workers; and they end with it, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    demo = multiprocessing.parent_process()

    def end_with_the_demo() -> None:
        if demo is not None:
            demo.join()
        os._exit(1)

    threading.Thread(target=end_with_the_demo, daemon=True).start()


def _simulated(
    options: DemoOptions, pool: ProcessPoolExecutor, say: Callable[[str], None], step: Callable[[str, int, int], None]
) -> Plan:
    faults = {1: options.fault, 2: HEALTHY}
    running: dict[Future[tuple[list[Prepared], int | None]], int] = {}
    for number, fault in faults.items():
        say(f"simulating pump-{number}: {'no fault' if fault == HEALTHY else fault.replace('_', ' ')}")
        running[pool.submit(simulate_asset, options.folder, number, fault, options.seed)] = number
    step("models", 0, 2 * len(faults))
    results: dict[int, tuple[list[Prepared], int | None]] = {}
    for finished in as_completed(running):
        results[running[finished]] = finished.result()
        step("models", 2 * len(results), 2 * len(faults))
    devices = {entry.profile.device: entry for number in sorted(results) for entry in results[number][0]}
    onset_ns = results[1][1]
    asset = f"{SITE}/pump-1"
    end_ns = max(entry.end_ns for entry in devices.values())
    truth = Truth(
        None if onset_ns is None else asset,
        onset_ns,
        max(entry.healthy_end_ns for entry in devices.values()),
        () if onset_ns is None else ((onset_ns, end_ns),),
        True,
    )
    return Plan(options.folder / "fleet", devices, truth, ())


def _recorded(
    options: DemoOptions,
    recording: Recording,
    file: str,
    pool: ProcessPoolExecutor,
    step: Callable[[str, int, int], None],
) -> Plan:
    healthy_rows = healthy_part(recording, options.healthy_rows, file)
    device = device_id(file)
    asset = f"{SITE}/{device}"
    truth = _truth_of(recording, options.truth, asset, healthy_rows)
    step("models", 0, 1)
    prepared = pool.submit(
        put_into_fleet, options.folder / "fleet", recording, device, asset, healthy_rows, options.seed
    ).result()
    step("models", 1, 1)
    return Plan(options.folder / "fleet", {device: prepared}, truth, recording.notes)


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
