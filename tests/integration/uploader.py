"""What a gateway does towards the cloud, for tests: a window of uploads, repeated from the mark until stored."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import numpy as np
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from waiting import PATIENCE_SECONDS, until

from shared import topics
from shared.identity import Channel, DeviceProfile
from shared.messages import codec
from shared.messages.codec import Birth, Data, Judged, Upload

ROOT = Path(__file__).parents[2]
SECOND_NS = 1_000_000_000
BEGIN_NS = 1_700_000_000 * SECOND_NS
WINDOW = 64
REPEAT_SECONDS = 2.0
CHANNELS = (Channel("temperature", "°C", 20.0, 0.01), Channel("current", "A", 5.0, 0.001))


def birth(device, asset="acme/north/pump-1"):
    profile = DeviceProfile(device, asset, "slow", 1.0, CHANNELS)
    return "birth", codec.encode_birth(Birth(profile, 1, 1, ("value",), 16, 1))


def readings(device, sequence, count=16, level=0.5):
    """Readings that follow from their device and sequence; scores lie within 0.1 of `level`."""
    numbers = np.arange(sequence, sequence + count, dtype=np.int64)
    scores = level + (numbers * 7919 % 100) / 1000.0
    data = Data(
        device=device,
        boot=1,
        sequence=sequence,
        oldest=0,
        stretch=0,
        model_version=1,
        clipped=0,
        times_ns=BEGIN_NS + numbers * SECOND_NS,
        scores_q12=np.floor(scores * 4096).astype(np.uint32),
        tops=np.zeros(count, np.uint16),
        counts=np.stack([numbers, numbers * 3], axis=1).astype(np.int32),
        features=None,
    )
    flags = np.where(scores >= 1.0, codec.FLAGGED, 0) | np.where(scores >= 2.0, codec.ALARM, 0)
    tops = np.ones(count, np.uint16)
    return "readings", codec.encode_judged(
        Judged(codec.encode_data(data), scores, scores, flags.astype(np.uint8), tops)
    )


class Uploader:
    """Keeps uploads until the cloud's mark has passed them."""

    def __init__(self, port, gateway="g", epoch=77):
        self._gateway, self._epoch = gateway, epoch
        self._held: list[tuple[str, bytes]] = []
        self._lock = threading.Condition()
        self.mark = 0
        self.repeats = 0
        self.releases: list[tuple[str, bytes]] = []
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"uploader-{gateway}")
        self._client.on_message = self._heard
        subscribed = threading.Event()
        self._client.on_subscribe = lambda *_rest: subscribed.set()
        self._client.on_connect = lambda client, *_rest: client.subscribe(
            [(topics.gateway_stored(gateway), 1), (topics.all_releases(gateway), 1)]
        )
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert subscribed.wait(PATIENCE_SECONDS), f"no subscription of uploader-{gateway}"

    def _heard(self, _client, _user, message):
        if message.topic != topics.gateway_stored(self._gateway):
            self.releases.append((message.topic, message.payload))
            return
        stored = codec.decode_stored(message.payload)
        with self._lock:
            if stored.boot == self._epoch and stored.next_sequence > self.mark:
                self.mark = stored.next_sequence
                self._lock.notify_all()

    def publish(self, sequence, kind, body):
        upload = codec.encode_upload(Upload(self._gateway, self._epoch, sequence, self.mark, kind, body))
        self._client.publish(topics.upload(self._gateway), upload, qos=1)

    def publish_bytes(self, payload):
        self._client.publish(topics.upload(self._gateway), payload, qos=1)

    def upload(self, *uploads, limit_seconds=PATIENCE_SECONDS):
        """Send uploads and return when all of them are stored."""
        begin = self.mark
        end = begin + len(uploads)
        sent = begin
        heard = time.monotonic()
        deadline = heard + limit_seconds
        while self.mark < end:
            assert time.monotonic() < deadline, f"waited {limit_seconds:g} s for upload {end}, the mark is {self.mark}"
            while sent < min(end, self.mark + WINDOW):
                self.publish(sent, *uploads[sent - begin])
                sent += 1
            with self._lock:
                before = self.mark
                if before < end:
                    self._lock.wait(0.2)
            if self.mark > before:
                heard = time.monotonic()
            elif time.monotonic() - heard > REPEAT_SECONDS:
                self.repeats += 1
                sent, heard = self.mark, time.monotonic()

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()


class CloudProcess:
    """``python -m cloud run`` on a data folder; `kill` is SIGKILL, `stop` is SIGTERM and returns the exit status."""

    def __init__(self, folder, broker_url, port, **settings):
        self.folder, self.url = folder, f"http://127.0.0.1:{port}"
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "TOCSIN_CLOUD_DATA_FOLDER": str(folder),
            "TOCSIN_CLOUD_BROKER": broker_url,
            "TOCSIN_CLOUD_PORT": str(port),
            "TOCSIN_CLOUD_CONSOLE": "false",
            **{f"TOCSIN_CLOUD_{name.upper()}": str(value) for name, value in settings.items()},
        }
        self._process = None
        self._writers: list[subprocess.Popen[bytes]] = []
        self.log = folder.with_suffix(".log")

    @property
    def pid(self):
        return self._process.pid

    def start(self, wait=True):
        # Through another process: a limit on the cloud's files must not silence its log.
        with self.log.open("ab") as log:
            writer = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=log)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "cloud", "run"], env=self._environment, stderr=writer.stdin, cwd=ROOT
        )
        writer.stdin.close()
        self._writers.append(writer)
        if wait:
            until(lambda: self.get_or_none("/api/health", {}).get("status") == "ok", f"a healthy cloud, {self.log}")
        return self

    def get(self, path, **parameters):
        answer = httpx.get(self.url + path, params=parameters, timeout=PATIENCE_SECONDS)
        answer.raise_for_status()
        return answer.json()

    def get_or_none(self, path, otherwise=None):
        assert self._process.poll() is None, self.log.read_text()
        try:
            return self.get(path)
        except httpx.HTTPError:
            return otherwise

    def kill(self):
        self._process.kill()
        self.wait()

    def stop(self):
        self._process.terminate()
        return self.wait()

    def wait(self, limit_seconds=PATIENCE_SECONDS):
        """The exit status, once it has ended and its log is whole."""
        status = self._process.wait(limit_seconds)
        for writer in self._writers:
            writer.wait(limit_seconds)
        return status

    def end(self):
        """For the end of a test, whatever became of it."""
        if self._process is not None:
            self.kill()
