"""``tocsin plant``: a simulated plant for the profile `demo`, as a folder that `firmware.host.fleet` plays.

    <folder>/plant.json        which devices, how many of their first readings are healthy, what goes wrong when
    <folder>/fleet/<device>/   the device: profile, samples, first model

A second call keeps devices, boots and models, and moves the recordings to the present, as the first does: their last
sample is from the moment of the call, so that dashboards that show the last hour show them.
"""

import json
import multiprocessing
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from shared.credentials import read_secret
from shared.errors import TocsinError, UsageError
from shared.recordings.simulator import FAULTS, HEALTHY, simulate
from tocsin.demo.api import Api
from tocsin.demo.prepare import (
    SIMULATED_DURATION_S,
    SIMULATED_HEALTHY_S,
    SIMULATED_ONSET_S,
    SITE,
    belong_to_the_demo,
    put_into_fleet,
)

FLEET = "fleet"
FACTS = "plant.json"
#: The model that a device was provisioned with; its slots may hold newer ones.
FIRST_IMAGE = "first.image"
_WAIT_SECONDS = 60.0


def pump_name(number: int) -> str:
    """The name of a pump; no real one is called so.

    >>> pump_name(1)
    'demo-pump-1'
    """
    return f"demo-pump-{number}"


def make_plant(
    folder: Path, *, fault: str, seed: int, pumps: int, say: Callable[[str], None], now_ns: int | None = None
) -> dict[str, Any]:
    """Make the plant, or move the one that is there to the present; returns what ``plant.json`` holds.

    The fault, if any, begins in the first pump in the middle of the recording.

    Raises
    ------
    UsageError
        There is no such fault, or the folder holds something else.
    """
    if fault not in (*FAULTS, HEALTHY):
        raise UsageError(f"fault {fault!r} is none of {', '.join((HEALTHY, *FAULTS))}")
    facts_file = folder / FACTS
    if not facts_file.exists():
        _build(folder, fault, seed, pumps, say)
    try:
        facts: dict[str, Any] = json.loads(facts_file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(f"{facts_file} cannot be read ({error}); remove {folder} and make the plant again") from error
    shift_ns = _move(folder / FLEET, time.time_ns() if now_ns is None else now_ns)
    if facts["onset_ns"] is not None:
        facts["onset_ns"] += shift_ns
    _write(facts_file, facts)
    return facts


def register_images(folder: Path, url: str, token_file: Path) -> None:
    """Hand the devices' first models to the cloud, which compares the ones that it trains with them.

    Raises
    ------
    TocsinError
        The cloud does not answer, or refuses.
    """
    api = Api(url, read_secret(token_file, "--token-file"))
    deadline = time.monotonic() + _WAIT_SECONDS
    while api.get_or_none("/api/health") is None:
        if time.monotonic() > deadline:
            raise TocsinError(f"no cloud answers at {url}; start it or give its address with --cloud")
        time.sleep(0.2)
    for device in sorted((folder / FLEET).iterdir()):
        if device.is_dir():
            api.put(f"/api/models/{device.name}", (device / FIRST_IMAGE).read_bytes())


def _build(folder: Path, fault: str, seed: int, pumps: int, say: Callable[[str], None]) -> None:
    unfinished = folder / f"{FLEET}.unfinished"
    for rest in (unfinished, folder / FLEET):
        if rest.exists():  # a call that was interrupted
            shutil.rmtree(rest)
    unfinished.mkdir(parents=True)
    context = multiprocessing.get_context("spawn")
    healthy: dict[str, int] = {}
    onset_ns: int | None = None
    with ProcessPoolExecutor(2, mp_context=context, initializer=belong_to_the_demo) as pool:
        try:
            running = []
            for number in range(1, pumps + 1):
                of_pump = fault if number == 1 else HEALTHY
                say(f"{pump_name(number)}: {'no fault' if of_pump == HEALTHY else of_pump.replace('_', ' ')}")
                running.append(pool.submit(_simulate_pump, unfinished, number, of_pump, seed))
            for number, future in enumerate(running, 1):
                counts, onset = future.result()
                healthy |= counts
                onset_ns = onset if number == 1 else onset_ns
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in multiprocessing.active_children():
                worker.terminate()
            raise
    unfinished.rename(folder / FLEET)
    asset = None if onset_ns is None else f"{SITE}/{pump_name(1)}"
    _write(folder / FACTS, {"healthy_readings": healthy, "asset": asset, "onset_ns": onset_ns})


def _simulate_pump(fleet: Path, number: int, fault: str, seed: int) -> tuple[dict[str, int], int | None]:
    """In a process of its own: simulate a pump, train its two devices; their healthy readings and the fault's onset."""
    name = pump_name(number)
    asset = f"{SITE}/{name}"
    made = simulate(
        1000 * seed + number, fault, duration_s=SIMULATED_DURATION_S, onset_s=SIMULATED_ONSET_S, asset=asset
    )
    healthy = {}
    for part, recording in (("vibration", made.vibration), ("process", made.process)):
        rows = int(SIMULATED_HEALTHY_S * recording.sample_rate_hz)
        prepared = put_into_fleet(fleet, recording, f"{name}-{part}", asset, rows, seed)
        (fleet / prepared.profile.device / FIRST_IMAGE).write_bytes(prepared.image)
        healthy[prepared.profile.device] = prepared.healthy_readings
    return healthy, made.onset_ns


def _move(fleet: Path, end_ns: int) -> int:
    """Shift every recording by the same time, so that the last sample of all is at `end_ns`; returns the shift."""
    files = sorted(fleet.glob("*/samples.npz"))
    recordings = []
    for file in files:
        with np.load(file, allow_pickle=False) as samples:
            recordings.append(dict(samples))
    shift_ns = end_ns - max(int(recording["times_ns"][-1]) for recording in recordings)
    for file, recording in zip(files, recordings, strict=True):
        recording["times_ns"] = recording["times_ns"] + shift_ns
        moved = file.with_name("samples.moved.npz")
        np.savez(moved, **recording)
        moved.replace(file)
    return shift_ns


def _write(file: Path, facts: dict[str, Any]) -> None:
    unfinished = file.with_name(f"{file.name}.unfinished")
    unfinished.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    unfinished.replace(file)
