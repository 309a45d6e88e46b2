"""New models in the demo: ask the cloud to train, follow each one down to its device, then try bad images on it.

The gate may refuse a candidate, and that is its right: then the demo asks again once there is more healthy data.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from firmware.host.player import TWIN, Player
from shared.errors import TocsinError
from shared.identity import FAST
from tocsin.demo.api import Api
from tocsin.demo.attack import send_bad_images
from tocsin.demo.prepare import Plan
from tocsin.demo.table import Picture

#: The cloud should hold so many times the readings that the first model was made from.
MORE_DATA = 1.1
#: A device whose candidate was refused, or whose training was interrupted, is asked for again at most so often.
ASKS_MAX = 3
_WORKING = ("waiting", "running")


class Retraining:
    """The devices that get a new model: the fast ones, or all where none is fast, of those that check signatures."""

    def __init__(
        self,
        plan: Plan,
        players: Mapping[str, Player],
        broker_url: str,
        cloud_folder: Path,
        api: Api,
        say: Callable[[str], None],
    ) -> None:
        self._plan = plan
        self._broker_url = broker_url
        self._cloud_folder = cloud_folder
        self._api = api
        self._say = say
        able = [name for name in plan.devices if players[name].kind == TWIN]
        self.devices = [name for name in able if plan.devices[name].profile.kind == FAST] or able
        if not self.devices:
            say("no device here takes new models: the firmware of the emulated board does not check signatures yet")
        self._asked: dict[str, int] = dict.fromkeys(self.devices, 0)
        self._asked_at: dict[str, int] = {}
        self._jobs: dict[str, dict[str, Any]] = {}
        #: Why bad images were refused, once they were.
        self.refused_images: list[str] = []
        self._attacked = False

    def step(self, picture: Picture) -> None:
        """Ask for what can be asked for, look how the trainings stand, attack once a new model runs."""
        stored = {entry["device"]: int(entry["stored"]) for entry in picture.loss["devices"]}
        over = picture.progress["state"] == "done"
        for device in self.devices:
            self._follow(device)
            if self._may_ask(device, stored.get(device, 0), over=over):
                self._ask(device, stored.get(device, 0))
        arrived = [device for device in self.devices if version_of(picture, device) > 1]
        if arrived and not self._attacked:
            self._attacked = True
            self._say(f"{arrived[0]} runs its new model; now it gets three bad images")
            first = self._plan.devices[arrived[0]].image
            self.refused_images = send_bad_images(self._broker_url, arrived[0], first, self._cloud_folder, self._say)

    def _may_ask(self, device: str, stored: int, *, over: bool) -> bool:
        job = self._jobs.get(device)
        if job is None:
            return over or stored >= MORE_DATA * self._plan.devices[device].healthy_readings
        if job["state"] in _WORKING or job["state"] == "accepted" or self._asked[device] >= ASKS_MAX:
            return False
        return over or job["state"] == "failed" or stored >= MORE_DATA * self._asked_at[device]

    def _ask(self, device: str, stored: int) -> None:
        try:
            job = self._api.post(f"/api/devices/{device}/train")
        except TocsinError:
            return  # the cloud may be restarting: asked again at the next look
        self._jobs[device] = job
        self._asked[device] += 1
        self._asked_at[device] = stored
        self._say(f"{device}: the cloud trains version {job['version']} from {stored} stored readings")

    def _follow(self, device: str) -> None:
        job = self._jobs.get(device)
        if job is None or job["state"] not in _WORKING:
            return
        fresh = self._api.get_or_none(f"/api/jobs/{job['id']}")
        if fresh is None:
            return
        self._jobs[device] = fresh
        if fresh["state"] not in _WORKING:
            self._say(f"{device}: version {fresh['version']} {fresh['state']}. {fresh['reason']}")

    def missing(self, picture: Picture) -> str:
        """What is still on its way, as words; empty when nothing is."""
        for device in self.devices:
            job = self._jobs.get(device)
            if job is None or job["state"] in _WORKING:
                return f"a training for {device}"
            if job["state"] == "accepted" and version_of(picture, device) < job["version"]:
                return f"model version {job['version']} on {device}"
        if not self._attacked and any(self._asked[device] < ASKS_MAX for device in self.devices):
            return "a candidate that the gate accepts"
        return ""

    def lines(self) -> list[tuple[str, int, int]]:
        """What each training is doing: words, steps done, steps in all."""
        return [
            (f"{device} v{job['version']}: {job['stage'] or job['state']}", int(job["done"]), int(job["total"]))
            for device, job in self._jobs.items()
            if job["state"] in _WORKING
        ]

    def verdicts(self) -> str:
        """How each training ended."""
        return "; ".join(f"{device}: {job['state']}, {job['reason']}" for device, job in self._jobs.items())


def version_of(picture: Picture, device: str) -> int:
    """The model version that a device reported."""
    for asset in picture.assets:
        for entry in asset["devices"]:
            if entry["device"] == device:
                return int(entry["model_version"])
    return 0
