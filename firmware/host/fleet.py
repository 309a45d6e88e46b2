"""Several replayed devices in one process: a folder of provisioned devices, played into a running system.

    fleet/<device>/profile.cbor     the device's birth (profile and feature names)
    fleet/<device>/samples.npz      times_ns, counts, clip_starts
    fleet/<device>/slot-*.image     its model slots, `boot`, `active`, `journal`
    fleet/<device>/player           what plays it, if not the twin (`firmware.host.player`)

One JSON line on standard output now and then: ``{"time_ns", "produced", "stored", "bytes", "state"}``; state is
`playing`, `delivering`, then
`done`. The process stays connected, so that images still reach its devices, until SIGTERM or SIGINT.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

import numpy as np

from firmware.host.played import PlayedSensor
from firmware.host.player import EMULATED, read_player
from firmware.host.replay import Source, play, settle
from firmware.host.sensor import Sensor, birth_of
from firmware.micropython.slots import Slots
from shared import model_image
from shared.clock import ReplayClock
from shared.credentials import Login, login_from
from shared.errors import TocsinError, UsageError
from shared.heartbeat import Heartbeat
from shared.identity import DeviceProfile
from shared.messages import codec

REPORT_SECONDS = 0.25
#: How long the gateway may take to store the last readings once the recording has ended.
DELIVERY_LIMIT_SECONDS = 600.0
#: ``<prefix>USER`` and ``<prefix>PASSWORD_FILE``: who the sensors of this machine are at a broker that asks.
LOGIN_PREFIX = "TOCSIN_SENSOR_BROKER_"


def write_device(fleet: Path, profile: DeviceProfile, source: Source, image: bytes) -> Path:
    """Provision a device in a fleet's folder; returns its folder."""
    folder = fleet / profile.device
    folder.mkdir(parents=True, exist_ok=True)
    content = model_image.read(image)
    (folder / "profile.cbor").write_bytes(codec.encode_birth(birth_of(profile, 0, content)))
    np.savez(
        folder / "samples.npz",
        times_ns=source.times_ns,
        counts=source.counts,
        clip_starts=np.array(sorted(source.clip_starts), np.int64),
    )
    Slots(str(folder)).provision(image)
    return folder


def read_device(
    folder: Path, public_keys: list[bytes], broker_url: str, login: Login | None = None
) -> tuple[PlayedSensor, Source]:
    """A provisioned device, ready to start: what its folder says plays it. Logins and keys are for twins."""
    try:
        profile = codec.decode_birth((folder / "profile.cbor").read_bytes()).profile
        with np.load(folder / "samples.npz", allow_pickle=False) as samples:
            source = Source(samples["times_ns"], samples["counts"], samples["clip_starts"].tolist())
    except (OSError, KeyError, ValueError) as error:
        raise UsageError(f"{folder} is not a provisioned device ({error}); provision it again") from error
    player = read_player(folder)
    if player.kind == EMULATED:
        from firmware.emulator.sensor import EmulatedSensor

        return EmulatedSensor(profile, folder, player.port), source
    return Sensor(profile, folder, public_keys, broker_url, login), source


class Fleet:
    """The devices of a folder, and the signals that end their run."""

    def __init__(self, fleet: Path, broker_url: str, public_keys: list[bytes], login: Login | None = None) -> None:
        folders = sorted(path.parent for path in fleet.glob("*/profile.cbor"))
        if not folders:
            raise UsageError(f"{fleet} holds no provisioned device; provision one first")
        self.players = [read_device(folder, public_keys, broker_url, login) for folder in folders]
        self.stopping = False
        self._reported = 0.0
        self._heartbeat = Heartbeat(fleet / "heartbeat")
        #: Whether `report` keeps silent.
        self.quiet = False

    def stop(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """End as soon as possible."""
        self.stopping = True

    def _beat(self) -> bool:
        """Say that the loop goes round; whether every device is connected."""
        away = sum(not sensor.link.connected for sensor, _ in self.players)
        self._heartbeat.beat(f"{away} of {len(self.players)} devices are not connected." if away else "")
        return not away

    def report(self, time_ns: int, state: str, *, now: bool = False) -> None:
        """Say where the replay stands, at most every quarter of a second unless `now`."""
        self._beat()
        moment = time.monotonic()
        if self.quiet or (not now and moment - self._reported < REPORT_SECONDS):
            return
        self._reported = moment
        sensors = [sensor for sensor, _ in self.players]
        line = {
            "time_ns": time_ns,
            "produced": {sensor.profile.device: sensor.device.sequence for sensor in sensors},
            "stored": {sensor.profile.device: sensor.buffer.mark for sensor in sensors},
            "bytes": {sensor.profile.device: sensor.data_bytes for sensor in sensors},
            "lost": sum(sensor.buffer.lost for sensor in sensors),
            "state": state,
        }
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()

    def run(self, speed: float | None, *, stay: bool) -> bool:
        """Play everything; True when all readings were stored. With `stay`, go on until stopped."""
        sensors = [sensor for sensor, _ in self.players]
        for sensor in sensors:
            sensor.start()
        start_ns = min(int(source.times_ns[0]) for _, source in self.players)
        end_ns = max(int(source.times_ns[-1]) for _, source in self.players)

        settle(sensors, limit_seconds=DELIVERY_LIMIT_SECONDS, until=self._beat, should_stop=lambda: self.stopping)
        play(
            self.players,
            ReplayClock(start_ns, speed),
            should_stop=lambda: self.stopping,
            on_progress=lambda time_ns: self.report(time_ns, "playing"),
        )

        def delivered() -> bool:
            self.report(end_ns, "delivering")
            return all(sensor.delivered() for sensor in sensors)

        complete = settle(
            sensors, limit_seconds=DELIVERY_LIMIT_SECONDS, until=delivered, should_stop=lambda: self.stopping
        )
        self.report(end_ns, "done", now=True)
        while stay and not self.stopping:
            self._beat()
            settle(sensors, limit_seconds=0.2, until=lambda: self.stopping, should_stop=lambda: self.stopping)
        for sensor in sensors:
            sensor.stop()
        return complete


def _keys(text: str) -> list[bytes]:
    """Public keys from hexadecimal digits and commas, or from a file of them."""
    try:
        digits = Path(text).read_text(encoding="ascii").strip() if "/" in text else text
        return [bytes.fromhex(key) for key in digits.split(",") if key]
    except (OSError, ValueError) as error:
        raise UsageError(
            f"the public keys {text!r} cannot be read ({error}); give hexadecimal digits or a file"
        ) from error


def main(arguments: list[str] | None = None) -> int:
    """``python -m firmware.host.fleet FOLDER BROKER SPEED|max KEYS stay|leave``: a process of the demo.

    KEYS are public keys in hexadecimal, separated by commas, or a file that holds them.

    ``TOCSIN_SENSOR_BROKER_USER`` and ``TOCSIN_SENSOR_BROKER_PASSWORD_FILE`` say who the sensors are at the broker.
    """
    folder, broker, speed, keys, stay = sys.argv[1:] if arguments is None else arguments
    try:
        public_keys = _keys(keys)
        fleet = Fleet(Path(folder), broker, public_keys, login_from(os.environ, LOGIN_PREFIX))
        signal.signal(signal.SIGTERM, fleet.stop)
        signal.signal(signal.SIGINT, fleet.stop)
        complete = fleet.run(None if speed == "max" else float(speed), stay=stay == "stay")
    except OSError as error:
        sys.stderr.write(f"the devices in {folder} cannot go on ({error}); free space or make it writable\n")
        return 1
    except TocsinError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_status
    return 0 if complete else 1


if __name__ == "__main__":
    raise SystemExit(main())
