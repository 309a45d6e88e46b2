"""A site as `tocsin init` makes it, its broker as in docker-compose.yml, and `tocsin up` as a person types it."""

import functools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from waiting import PATIENCE_SECONDS, until

from shared.credentials import Login
from tocsin.site.compose_file import Service, read_compose
from tocsin.site.initialise import initialise
from tocsin.site.programs import Process, program_for
from tocsin.site.translation import Translation

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "docker-compose.yml"


def made_site(folder: Path) -> Path:
    """A new site in `folder`."""
    initialise(folder)
    return folder


def services_of(site: Path, *profiles: str) -> dict[str, Service]:
    """The services of docker-compose.yml for a site."""
    return read_compose(COMPOSE, list(profiles), {"TOCSIN_SITE": str(site), "TOCSIN_MQTT_PORT": "1"})


class SiteBroker:
    """The broker of a site, with its passwords, by the very configuration that `tocsin init` made."""

    def __init__(self, site: Path, folder: Path) -> None:
        service = services_of(site)["nats"]
        folder.mkdir(parents=True, exist_ok=True)
        translation = Translation({"nats": service}, folder, lambda _: None)
        self.site = site
        self.port = translation.port("nats", 1883)
        self.url = f"mqtt://127.0.0.1:{self.port}"
        program = program_for(service, translation, folder)
        assert isinstance(program, Process)
        self.program = program
        self.translated = functools.partial(translation.text, service)

    def start(self) -> None:
        self.program.start()
        until(lambda: self.program.trouble(PATIENCE_SECONDS) == "", "the site's broker to be healthy")

    def stop(self) -> None:
        self.program.ask_to_stop()
        self.program.wait(PATIENCE_SECONDS)

    def login(self, role: str) -> Login:
        return Login(role, self.password_file(role).read_text().strip())

    def password_file(self, role: str) -> Path:
        return self.site / "secrets" / f"mqtt-{role}"

    def client(self, role: str, *topics: str) -> "RoleClient":
        return RoleClient(self, role, topics)


class RoleClient:
    """An MQTT client that shows the password of a role; `granted` says which subscriptions it got."""

    def __init__(self, broker: SiteBroker, role: str, topics: tuple[str, ...]) -> None:
        self.messages: list[tuple[str, bytes]] = []
        self.granted: list[bool] = []
        self._topics = topics
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"{role}-{os.urandom(4).hex()}")
        self._client.username_pw_set(*broker.login(role))
        self._client.on_message = lambda _client, _data, message: self.messages.append((message.topic, message.payload))
        self._client.on_subscribe = self._subscribed
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()
        until(self._client.is_connected, f"{role} to be connected")
        for topic in topics:
            before = len(self.granted)
            self._client.subscribe(topic, 1)
            until(lambda before=before: len(self.granted) > before, f"an answer on {topic}")

    def _subscribed(self, _client: Any, _data: Any, _mid: int, reasons: list[Any], _properties: Any) -> None:
        self.granted.extend(not reason.is_failure for reason in reasons)

    def send(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        sent = self._client.publish(topic, payload, qos=1, retain=retain)
        until(sent.is_published, f"the broker's answer on {topic}")

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@contextmanager
def site_broker(site: Path, folder: Path) -> Iterator[SiteBroker]:
    """A broker of a site, running."""
    broker = SiteBroker(site, folder)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


def start_up(site: Path, data: Path, *arguments: str, **variables: str) -> subprocess.Popen[bytes]:
    """`tocsin up` as a process in the repository's folder; its output is in ``<data>.log``."""
    with data.with_name(f"{data.name}.log").open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "tocsin", "up", "--site", str(site), "--data", str(data), *arguments],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def said_by_up(data: Path) -> str:
    """What `tocsin up` has said so far."""
    return data.with_name(f"{data.name}.log").read_text(errors="replace")


def addresses_of(data: Path) -> dict[str, str] | None:
    """Where the services are, None until all are healthy."""
    try:
        found: dict[str, str] = json.loads((data / "addresses.json").read_text())
    except OSError:
        return None
    return found


def visible_copy(secrets: Path, folder: Path) -> Path:
    """The secrets in a folder that every user may enter, as Docker shows them to a container."""
    folder.mkdir(mode=0o755)
    for file in secrets.iterdir():
        shutil.copyfile(file, folder / file.name)
        (folder / file.name).chmod(0o444)
    return folder
