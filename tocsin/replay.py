"""`tocsin replay`: a recording as one or many devices of a running system."""

import os
import re
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np

from firmware.host.fleet import Fleet, write_device
from firmware.host.link import broker_address
from firmware.host.replay import Source
from shared.errors import UsageError
from shared.recordings import Recording
from tocsin.provisioning import Progress, Provisioned, healthy_part, provision


def device_id(path: str) -> str:
    """A device id from a file's name.

    >>> device_id("data/Valve 1/0.csv")
    '0'
    >>> device_id("Pump_7 (north).parquet::x")
    'pump-7-north'
    """
    stem = Path(path.split("::", maxsplit=1)[0]).stem.lower()
    return re.sub(r"[^a-z0-9]+", "-", stem).strip("-")[:40] or "device"


def parse_speed(text: str) -> float | None:
    """A speed above 0, or None for `max`; UsageError otherwise.

    >>> parse_speed("10"), parse_speed("max")
    (10.0, None)
    """
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0.0 < speed < float("inf"):
        raise UsageError(f"speed {text!r} must be a number above 0, or max")
    return speed


def numbered(provisioned: Provisioned, number: int, asset: str) -> Provisioned:
    """The same device under another id, `-2`, `-3` and so on, watching an asset of its own."""
    base = provisioned.profile
    device = base.device if number == 1 else f"{base.device}-{number}"
    return replace(provisioned, profile=replace(base, device=device, asset=f"{asset}/{device}"))


def replay_recording(
    recording: Recording,
    file: str,
    *,
    broker_url: str,
    speed: str,
    devices: int,
    name: str | None,
    asset: str,
    keys: tuple[str, ...],
    folder: Path,
    seed: int,
    progress: Progress | None,
) -> str:
    """Train, provision and play; returns one sentence on what was delivered. Ctrl-C ends it early."""
    pace = parse_speed(speed)
    broker_address(broker_url)
    public_keys = [_key(text) for text in keys]
    healthy = healthy_part(recording, None, file)
    identifier = name or device_id(file)
    provisioned = provision(recording, identifier, f"{asset}/{identifier}", healthy, seed=seed, progress=progress)
    run = folder / f"{identifier}-{os.getpid()}"
    for number in range(1, devices + 1):
        device = numbered(provisioned, number, asset)
        source = Source(
            np.ascontiguousarray(device.source.times_ns), device.source.counts, sorted(device.source.clip_starts)
        )
        write_device(run, device.profile, source, device.image)
    fleet = Fleet(run, broker_url, public_keys)
    fleet.quiet = True
    signal.signal(signal.SIGINT, fleet.stop)
    signal.signal(signal.SIGTERM, fleet.stop)
    complete = fleet.run(pace, stay=False)
    produced = sum(sensor.device.sequence for sensor, _ in fleet.players)
    stored = sum(sensor.buffer.mark for sensor, _ in fleet.players)
    ending = "all stored at the gateway" if complete else f"{stored} of them stored at the gateway when it was stopped"
    return f"{len(fleet.players)} device(s) produced {produced} readings, {ending} (journals in {run})"


def _key(text: str) -> bytes:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != 32:
        raise UsageError(f"key {text!r} must be an Ed25519 public key of 64 hexadecimal digits")
    return key
