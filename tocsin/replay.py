"""`tocsin replay`: a recording as one or many devices of a running system."""

import os
import re
import signal
import socket
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from firmware.host.fleet import LOGIN_PREFIX, Fleet, write_device
from firmware.host.link import broker_address
from firmware.host.replay import Source
from shared.credentials import login_from
from shared.errors import TocsinError, UsageError
from shared.identity import check_id
from shared.recordings import Recording
from tocsin.provisioning import Progress, Provisioned, healthy_part, provision

#: MQTT 3.1.1 CONNECT with an empty client id and a clean session; a CONNACK of four bytes answers it.
_CONNECT = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x0a\x00\x00"
_CONNACK = b"\x20\x02"
_DISCONNECT = b"\xe0\x00"


def device_id(path: str) -> str:
    """A device id from a file's name, with its folder's where the name has no letter.

    >>> device_id("data/Valve 1/0.csv"), device_id("0.csv")
    ('valve-1-0', '0')
    >>> device_id("Pump_7 (north).parquet::x")
    'pump-7-north'
    """
    file = Path(path.split("::", maxsplit=1)[0])
    name = file.stem if re.search("[a-zA-Z]", file.stem) else f"{file.parent.name} {file.stem}"
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].rstrip("-") or "device"


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
    connect_seconds: float,
    speed: str,
    devices: int,
    name: str | None,
    asset: str,
    keys: tuple[str, ...],
    folder: Path,
    seed: int,
    progress: Progress | None,
) -> str:
    """Train, provision and play; returns one sentence on what was delivered. Ctrl-C ends it early.

    Raises
    ------
    UsageError
        A name, speed, key or address is wrong, or nothing is declared healthy.
    TocsinError
        No broker answers within `connect_seconds`, the folder cannot be written, or no gateway stores the readings.
    """
    pace = parse_speed(speed)
    address = broker_address(broker_url)
    public_keys = [_key(text) for text in keys]
    identifier = device_id(file) if name is None else _checked_id(name)
    _check_asset(asset)
    healthy = healthy_part(recording, None, file)
    wait_for_broker(*address, limit_seconds=connect_seconds)
    provisioned = provision(recording, identifier, f"{asset}/{identifier}", healthy, seed=seed, progress=progress)
    run = folder / f"{identifier}-{os.getpid()}"
    try:
        fleet = _fleet(run, provisioned, devices, asset, broker_url, public_keys)
    except OSError as error:
        raise TocsinError(
            f"the folder {folder} cannot be written ({error.strerror}); free space or choose another with --data"
        ) from error
    signal.signal(signal.SIGINT, fleet.stop)
    signal.signal(signal.SIGTERM, fleet.stop)
    complete = fleet.run(pace, stay=False)
    produced = sum(sensor.device.sequence for sensor, _ in fleet.players)
    stored = sum(sensor.buffer.mark for sensor, _ in fleet.players)
    if not complete and not fleet.stopping:
        raise TocsinError(
            f"only {stored} of {produced} readings were stored by a gateway at {broker_url}; see that tocsin gateway "
            f"runs on this broker (journals in {run})"
        )
    ending = "all stored at the gateway" if complete else f"{stored} of them stored at the gateway when it was stopped"
    played = "1 device" if devices == 1 else f"{devices} devices"
    return f"{played} produced {produced} readings, {ending} (journals in {run})"


def _fleet(
    run: Path, provisioned: Provisioned, devices: int, asset: str, broker_url: str, public_keys: list[bytes]
) -> Fleet:
    for number in range(1, devices + 1):
        device = numbered(provisioned, number, asset)
        source = Source(
            np.ascontiguousarray(device.source.times_ns), device.source.counts, sorted(device.source.clip_starts)
        )
        write_device(run, device.profile, source, device.image)
    fleet = Fleet(run, broker_url, public_keys, login_from(os.environ, LOGIN_PREFIX))
    fleet.quiet = True
    return fleet


def wait_for_broker(host: str, port: int, *, limit_seconds: float) -> None:
    """Return once an MQTT broker welcomes a client there; TocsinError if none does within the limit."""
    place = f"mqtt://{host}:{port}"
    deadline = time.monotonic() + limit_seconds
    while True:
        left = max(deadline - time.monotonic(), 0.1)
        reason = _greet(host, port, min(left, 2.0))
        if not reason:
            return
        if time.monotonic() >= deadline:
            raise TocsinError(f"{reason} at {place}; start one with tocsin broker, or give its address with --broker")
        time.sleep(min(0.1, left))


def _greet(host: str, port: int, timeout_seconds: float) -> str:
    """Why there is no MQTT broker, in words; empty if there is one (even one that wants a password)."""
    try:
        with socket.create_connection((host, port), timeout_seconds) as link:
            link.sendall(_CONNECT)
            welcome = link.recv(4)
            if welcome.startswith(_CONNACK):
                link.sendall(_DISCONNECT)
                return ""
    except TimeoutError:
        return "nothing answers"
    except OSError as error:
        return f"no MQTT broker answers ({error.strerror or error})"
    return "what answers is no MQTT broker"


def _checked_id(name: str) -> str:
    try:
        return check_id(name, "--name")
    except ValueError as error:
        raise UsageError(str(error)) from error


def _check_asset(asset: str) -> None:
    if not asset or not all(part.strip() for part in asset.split("/")):
        raise UsageError(f"--asset {asset!r} must be names with '/' between them, such as demo/site/area/line")


def _key(text: str) -> bytes:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != 32:
        raise UsageError(f"key {text!r} must be an Ed25519 public key of 64 hexadecimal digits")
    return key
