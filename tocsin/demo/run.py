"""The demo from start to end: prepare, start every tier, watch, retrain, sum up, and end all that was started."""

import json
import signal
import socket
import time
from contextlib import ExitStack
from multiprocessing import resource_tracker
from types import FrameType
from typing import Any

from rich.console import Console
from rich.live import Live

from cloud.api.access import token_path
from cloud.registry.keys import ensure_signing_key
from shared.broker import Broker
from shared.errors import TocsinError
from shared.ports import free_port
from shared.recordings import Recording
from tocsin.demo.api import Api
from tocsin.demo.folder import data_folder
from tocsin.demo.influxdb import check_store, own_server, start_server
from tocsin.demo.options import DemoOptions
from tocsin.demo.prepare import Plan, check, prepare
from tocsin.demo.processes import Child
from tocsin.demo.report import write_report
from tocsin.demo.retraining import Retraining
from tocsin.demo.sensors import check_sensors, choose_players, lines_of
from tocsin.demo.summary import Summary, count, weigh_alarms
from tocsin.demo.table import Picture, final_table, live_table
from tocsin.replay import parse_speed
from tocsin.terminal import bars

GATEWAY = "gateway-1"
#: A recording is played so that it takes about this long.
AUTO_SECONDS = 40.0
START_LIMIT_SECONDS = 180.0
PLAY_LIMIT_SECONDS = 3600.0
#: How long the new model and the last readings may take once the recording has ended.
SETTLE_LIMIT_SECONDS = 240.0
POLL_SECONDS = 0.25


class InterruptedRunError(Exception):
    """Ctrl-C or SIGTERM."""


def run_demo(options: DemoOptions) -> int:
    """Run it; returns the exit status. `TocsinError` for what could not even start."""
    parse_speed("1" if options.speed == "auto" else options.speed)
    recording = check(options)
    check_sensors(options.sensors, recording)
    _check_port(options.port)
    check_store()
    console = Console()
    try:
        with data_folder(options.folder), ExitStack() as stack:
            _interruptible()
            return Demo(options, recording, console, stack).run()
    except InterruptedRunError:
        console.print("stopped")
        return 130


def _interruptible() -> None:
    """Ctrl-C, SIGTERM and a closed terminal raise `InterruptedRunError`, once: later ones are ignored."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        raise InterruptedRunError

    # multiprocessing's tracker outlives an interrupt, but not a closed terminal unless it inherits that deafness
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    resource_tracker.ensure_running()
    for number in numbers:
        signal.signal(number, interrupt)


def _check_port(port: int) -> None:
    if not port:
        return
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise TocsinError(
                f"port {port} of 127.0.0.1 cannot be used ({error.strerror}); choose another with --port"
            ) from error


class Demo:
    """One run. Everything started goes onto `stack`, which ends it in reverse order."""

    def __init__(self, options: DemoOptions, recording: Recording | None, console: Console, stack: ExitStack) -> None:
        self.options = options
        self.recording = recording
        self.console = console
        self.stack = stack
        self.summary = Summary()
        self.folder = options.folder
        self.children: dict[str, Child] = {}
        self.progress: dict[str, Any] = {"state": "starting", "produced": {}, "stored": {}, "bytes": {}, "time_ns": 0}
        self._played_lines = 0
        self._first_alarm_seen = False
        self._started = time.monotonic()

    def run(self) -> int:
        """All of it."""
        self._start_cloud()
        plan = self._prepare()
        self._start_plant(plan)
        picture = self._watch(plan)
        self._sum_up(plan, picture)
        status = 1 if self.summary.failures else 0
        if self.console.is_terminal:
            self.console.print(f"\nThe console stays at [bold]{self.url}[/bold] until you press Ctrl-C.")
            try:
                while True:
                    for child in self.children.values():
                        child.watch()
                    time.sleep(0.5)
            except InterruptedRunError:
                self.console.print("stopping")
        return status

    def _say(self, sentence: str) -> None:
        self.console.print(sentence, highlight=False, markup=False)

    def _prepare(self) -> Plan:
        if self.console.is_terminal:
            with bars(self.console) as progress:
                task = progress.add_task("preparing", total=1)

                def step(stage: str, done: int, total: int) -> None:
                    progress.update(task, description=f"training {stage}", completed=done, total=total)

                plan = prepare(self.options, self.recording, self._say, step)
        else:
            plan = prepare(
                self.options,
                self.recording,
                self._say,
                lambda stage, done, total: self._say(f"trained {done} of {total} {stage}"),
            )
        for note in plan.notes:
            self._say(note)
        self.summary.raw_bytes = plan.raw_bytes
        self.players = choose_players(plan, self.options.sensors)
        self.summary.sensors = {device: player.kind for device, player in self.players.items()}
        self._mark("prepared")
        return plan

    def _mark(self, what: str) -> None:
        self.summary.seconds[what] = round(time.monotonic() - self._started, 1)

    def _child(self, name: str, arguments: list[str], environment: dict[str, str]) -> Child:
        child = Child(name, arguments, environment, self.folder / f"{name}.log")
        self.children[name] = child
        self.stack.callback(child.wait)
        self.stack.callback(child.ask_to_stop)
        child.start()
        (self.folder / f"{name}.pid").write_text(f"{child.pid}\n")
        return child

    def _start_cloud(self) -> None:
        """Broker and cloud, which come up while models are trained."""
        self.public_key = ensure_signing_key(self.folder / "cloud")
        broker = self.stack.enter_context(Broker(self.folder / "broker", on_event=self._say))
        self.broker_url = broker.url
        (self.folder / "broker.pid").write_text(f"{broker.pid}\n")
        store: dict[str, str] = {}
        influxd = own_server(self._say)
        if influxd is not None:
            store = start_server(influxd, self.folder / "influxdb", self.stack)
            self._say(f"readings go to InfluxDB at {store['TOCSIN_INFLUXDB_URL']}")
        port = self.options.port or free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._child(
            "cloud",
            ["tocsin", "cloud", "run"],
            {
                "TOCSIN_CLOUD_DATA_FOLDER": str(self.folder / "cloud"),
                "TOCSIN_CLOUD_BROKER": broker.url,
                "TOCSIN_CLOUD_PORT": str(port),
                **store,
            },
        )

    def _start_plant(self, plan: Plan) -> None:
        """The gateway, then the sensors."""
        healthy = {device: prepared.healthy_readings for device, prepared in plan.devices.items()}
        self._child(
            "gateway",
            ["tocsin", "gateway", "run"],
            {
                "TOCSIN_GATEWAY_ID": GATEWAY,
                "TOCSIN_GATEWAY_DATA_FOLDER": str(self.folder / "gateway"),
                "TOCSIN_GATEWAY_BROKER_URL": self.broker_url,
                "TOCSIN_GATEWAY_HEALTHY_READINGS_OF": json.dumps(healthy),
                "TOCSIN_GATEWAY_RELEASE_PUBLIC_KEY": self.public_key.hex(),
                "TOCSIN_GATEWAY_SERIAL_INPUTS": json.dumps(lines_of(self.players)),
                "TOCSIN_GATEWAY_COUNTERS_SECONDS": "1",
            },
        )
        self.api = Api(self.url)
        self._wait_for_cloud()
        self.api = Api(self.url, self._token())
        self._say(f"console: {self.url}")
        for device, prepared in plan.devices.items():
            self.api.put(f"/api/models/{device}", prepared.image)
        speed = self.options.speed
        if speed == "auto":
            speed = str(max((plan.end_ns - plan.start_ns) / 1e9 / AUTO_SECONDS, 1e-3))
        self.retraining = Retraining(plan, self.players, self.broker_url, self.folder / "cloud", self.api, self._say)
        keys = self.public_key.hex()
        self._child("sensors", ["firmware.host.fleet", str(plan.fleet), self.broker_url, speed, keys, "stay"], {})
        self._mark("started")

    def _wait_for_cloud(self) -> None:
        deadline = time.monotonic() + START_LIMIT_SECONDS
        while self.api.get_or_none("/api/health") is None:
            child = self.children["cloud"]
            if not child.alive():
                raise TocsinError(f"the cloud did not start: {child.last_words()} (log: {child.log})")
            if time.monotonic() > deadline:
                raise TocsinError(f"the cloud did not answer within {START_LIMIT_SECONDS:.0f} s (log: {child.log})")
            time.sleep(0.1)

    def _token(self) -> str:
        return token_path(self.folder / "cloud").read_text(encoding="ascii").strip()

    def _read_progress(self) -> None:
        lines = self.children["sensors"].log.read_bytes().split(b"\n")[:-1]
        for line in lines[self._played_lines :]:
            try:
                self.progress = json.loads(line)
            except ValueError:
                continue
        self._played_lines = len(lines)

    def _picture(self, plan: Plan) -> Picture | None:
        assets = self.api.get_or_none("/api/assets")
        alarms = self.api.get_or_none("/api/alarms")
        loss = self.api.get_or_none("/api/loss")
        models = self.api.get_or_none("/api/models")
        if assets is None or alarms is None or loss is None or models is None:
            return None
        kinds = self.summary.sensors
        return Picture(assets, alarms, loss, models, self.progress, kinds, plan.start_ns, plan.end_ns)

    def _watch(self, plan: Plan) -> Picture:
        """Watch until everything is delivered and the new models have arrived, or a limit passes."""
        live = Live(console=self.console, refresh_per_second=4, transient=True)
        deadline = time.monotonic() + PLAY_LIMIT_SECONDS
        settle_deadline: float | None = None
        picture: Picture | None = None
        with live if self.console.is_terminal else ExitStack():
            while True:
                for child in self.children.values():
                    child.watch()
                self._read_progress()
                fresh = self._picture(plan)
                if fresh is not None:
                    picture = fresh
                    self._announce_alarms(picture)
                    self.retraining.step(picture)
                    if self.retraining.refused_images and "new_model" not in self.summary.seconds:
                        self._mark("new_model")
                    if self.console.is_terminal:
                        live.update(live_table(picture, self.url, self.retraining.lines()))
                now = time.monotonic()
                if self.progress["state"] == "done":
                    if settle_deadline is None:
                        settle_deadline = now + SETTLE_LIMIT_SECONDS
                        self._mark("played")
                    if fresh is not None and self._is_settled(plan, fresh):
                        break
                if now > (settle_deadline or deadline):
                    self.summary.failures.append(
                        "the pipeline did not settle in time: " + self._unsettled(plan, picture)
                    )
                    break
                time.sleep(POLL_SECONDS)
        self._mark("settled")
        if picture is None:
            raise TocsinError(f"the cloud never answered (log: {self.children['cloud'].log})")
        return picture

    def _announce_alarms(self, picture: Picture) -> None:
        if picture.alarms and not self._first_alarm_seen:
            self._first_alarm_seen = True
            self._mark("first_alarm")
            first = min(picture.alarms, key=lambda alarm: int(alarm["begin_ns"]))
            why = first["reasons"][0]["sentence"] if first["reasons"] else "no explanation"
            self._say(f"ALARM {first['asset']}: {why}")

    def _is_settled(self, plan: Plan, picture: Picture) -> bool:
        return not self._unsettled(plan, picture)

    def _unsettled(self, plan: Plan, picture: Picture | None) -> str:
        """What is still missing, as words; empty when nothing is."""
        if picture is None:
            return "the cloud does not answer"
        produced = self.progress["produced"]
        at_cloud = {entry["device"]: entry for entry in picture.loss["devices"]}
        for device in plan.devices:
            entry = at_cloud.get(device)
            if entry is None or entry["produced"] < produced.get(device, 0):
                return f"the gateway's counts of {device}"
            if entry["stored"] + entry["lost"] < produced.get(device, 0):
                return f"readings of {device}"
        return self.retraining.missing(picture)

    def _sum_up(self, plan: Plan, picture: Picture) -> None:
        summary = self.summary
        loss = self.api.get("/api/loss")
        count(summary, plan, loss)
        alarms = self.api.get("/api/alarms")
        weigh_alarms(summary, plan, alarms)
        summary.refused_images = self.retraining.refused_images
        summary.uplink_bytes = sum(self.progress["bytes"].values())
        for asset in self.api.get("/api/assets"):
            for entry in asset["devices"]:
                summary.model_versions[entry["device"]] = entry["model_version"]
        summary.new_model = {device: version for device, version in summary.model_versions.items() if version > 1}
        if self.retraining.devices and not summary.new_model:
            summary.failures.append(f"no new model arrived at a device ({self.retraining.verdicts()})")
        write_report(self.folder / "report.html", summary, plan, self.api)
        summary.write(self.folder / "summary.json")
        self.console.print(final_table(summary, plan))
        self._say(f"report: {self.folder / 'report.html'}; figures: {self.folder / 'summary.json'}")
        for failure in summary.failures:
            self._say(f"FAILED: {failure}")
