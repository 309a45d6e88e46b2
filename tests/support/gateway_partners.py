"""A plain device and a plain cloud for the tests of the gateway, and the gateway as a process."""

import os
import subprocess
import sys
import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from waiting import PATIENCE_SECONDS, until

from gateway import service
from gateway.judgement import DeviceJudge
from gateway.store import Store
from shared import ed25519, model_image, topics
from shared.identity import Channel, DeviceProfile
from shared.messages import codec
from shared.messages.compact import NO_SCORE

HEALTHY = 64
PROFILE = DeviceProfile(
    "pump-1",
    "acme/north/water/line-1/pump",
    "slow",
    1.0,
    tuple(Channel(n, "", 0.0, 2.0**-16) for n in ("flow", "heat")),
)


def data_message(sequence, readings=16, boot=0, oldest=0, device="pump-1", channels=2, shift=0.0):
    """Readings that depend on their sequence alone."""
    index = np.arange(sequence, sequence + readings)
    noise = np.random.default_rng([boot, sequence]).normal(size=(readings, channels)) + shift
    return codec.encode_data(
        codec.Data(
            device, boot, sequence, oldest, 0, 0, 0,
            index * 1_000_000_000,
            np.where(index < 4, NO_SCORE, 2048 + index % 100).astype(np.uint32),
            np.zeros(readings, np.uint16),
            (noise * 65536).astype(np.int32),
            None,
        )
    )  # fmt: skip


class Partner:
    """An MQTT client that remembers what came, per topic."""

    def __init__(self, url, client_id, *subscriptions, persistent=False):
        self.messages = defaultdict(list)
        self._ready = threading.Event()
        self._subscriptions = subscriptions
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=not persistent)
        self.client.on_connect = self._on_connect
        self.client.on_subscribe = lambda *_: self._ready.set()
        self.client.on_message = self._on_message
        self.client.reconnect_delay_set(1, 1)
        self.client.connect_async("127.0.0.1", int(url.rsplit(":", 1)[1]))
        self.client.loop_start()
        assert self._ready.wait(PATIENCE_SECONDS), f"no subscription of {client_id} at {url}"

    def _on_connect(self, client, _userdata, _flags, _reason, _properties):
        client.subscribe([(topic, 1) for topic in self._subscriptions])

    def _on_message(self, _client, _userdata, message):
        self.messages[message.topic].append(bytes(message.payload))

    def send(self, topic, payload, retain=False):
        self.client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(PATIENCE_SECONDS)

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


class Device(Partner):
    """Sends what it is told to and knows the last mark."""

    def __init__(self, url, name="pump-1"):
        super().__init__(url, f"{name}-device", topics.device_stored(name), topics.image(name))
        self.name = name
        #: The boot of the last birth; None before the first.
        self.born = None

    def birth(self, boot=0, version=0):
        self.born = boot
        profile = DeviceProfile(self.name, PROFILE.asset, "slow", 1.0, PROFILE.channels)
        self.send(topics.birth(self.name), codec.encode_birth(codec.Birth(profile, boot, version, (), 16, 1)), True)

    def data(self, *arguments, **named):
        self.send(topics.data(self.name), data_message(*arguments, device=self.name, **named))

    def mark(self):
        marks = [codec.decode_stored(payload) for payload in self.messages[topics.device_stored(self.name)]]
        return (marks[-1].boot, marks[-1].next_sequence) if marks else None


def until_known(settings, name="pump-1", boot=0):
    """The gateway has a device's birth. It comes by another connection than readings do, which are nobody's before."""

    def known():
        with closing(Store(settings.data_folder, read_only=True)) as store:
            births = [codec.decode_birth(device.birth) for device in store.devices() if device.birth]
        return any((birth.profile.device, birth.boot) == (name, boot) for birth in births)

    until(known, f"the birth of {name} at the gateway")


@contextmanager
def running(settings, *devices):
    """A gateway in a thread of this process, once it knows the births of `devices`; its failure is the test's."""
    stop, ready = threading.Event(), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        work = pool.submit(service.run, settings, stop, ready)
        try:
            until(lambda: ready.is_set() or work.done(), "the gateway to reach its brokers")
            if work.done():
                work.result()
            for device in devices:
                if device.born is not None:
                    until_known(settings, device.name, device.born)
            yield
        finally:
            stop.set()
            work.result(PATIENCE_SECONDS)


class Cloud(Partner):
    """Takes uploads in order and answers with marks; counts what came twice."""

    def __init__(self, url, gateway="gateway-1"):
        self.uploads, self.next, self.duplicates, self.answering = [], {}, 0, True
        self._gateway = gateway
        super().__init__(url, "cloud", topics.ALL_UPLOADS, persistent=True)

    def _on_message(self, client, _userdata, message):
        upload = codec.decode_upload(bytes(message.payload))
        expected = max(self.next.get(upload.epoch, 0), upload.oldest)
        if upload.sequence == expected:
            self.uploads.append(upload)
            expected += 1
        else:
            self.duplicates += upload.sequence < expected
        self.next[upload.epoch] = expected
        if self.answering:
            mark = codec.Stored(self._gateway, upload.epoch, expected)
            client.publish(topics.gateway_stored(self._gateway), codec.encode_stored(mark), qos=1)

    def of_kind(self, kind):
        return [upload.body for upload in self.uploads if upload.kind == kind]

    def readings(self):
        """(boot, sequence) of every reading, in the order taken."""
        found = []
        for body in self.of_kind("readings"):
            _, data = codec.decode_judged(body)
            found += [(data.boot, sequence) for sequence in range(data.sequence, data.sequence + len(data))]
        return found

    def counters(self, device="pump-1", boot=0):
        every = [codec.decode_counters(body) for body in self.of_kind("counters")]
        own = [counters for counters in every if (counters.device, counters.boot) == (device, boot)]
        return own[-1] if own else None


def assert_judged_as_alone(cloud, false_alarms_per_day, device="pump-1", healthy=HEALTHY):
    """The judgement without broker and disk says the same, bit for bit, however the readings are grouped."""
    births = [codec.decode_birth(body) for body in cloud.of_kind("birth")]
    judged = [codec.decode_judged(body) for body in cloud.of_kind("readings")]
    judged = [(mine, data) for mine, data in judged if data.device == device]
    datas = [data for _, data in judged]
    alone = DeviceJudge(
        next(birth for birth in births if birth.profile.device == device),
        healthy,
        false_alarms_per_day=false_alarms_per_day,
    )
    verdicts = [alone.take(regrouped(datas, first, 5)) for first in range(0, sum(map(len, datas)), 5)]
    for name in ("gateway_scores", "fused_scores", "flags", "top_channels"):
        mine = np.concatenate([getattr(verdict, name) for verdict in verdicts])
        theirs = np.concatenate([getattr(verdict, name) for verdict, _ in judged])
        assert mine.tobytes() == theirs.tobytes(), name
    rescores = [codec.encode_rescore(rescore) for verdict in verdicts for rescore in verdict.rescores]
    assert rescores == [body for body in cloud.of_kind("rescore") if codec.decode_rescore(body).device == device]


def regrouped(datas, first, readings):
    """Readings `first` to ``first + readings`` of many messages of one boot and stretch as one message."""
    arrays = {n: np.concatenate([getattr(d, n) for d in datas]) for n in ("times_ns", "scores_q12", "tops", "counts")}
    part = {name: values[first : first + readings] for name, values in arrays.items()}
    return codec.Data(datas[0].device, datas[0].boot, first, 0, datas[0].stretch, 0, 0, features=None, **part)


def image_for(version, key, profile=PROFILE):
    """The smallest image: a recipe without layers; signed if there is a `key`."""
    scaling = [model_image.Scaling(0, 1 << 20, 10)]
    content = model_image.ImageContent(
        version, 0, 0, 16, 1, 10**10, profile.digest(), 1000, scaling * 2, [], scaling * 8, [1] * 8, []
    )
    return signed(model_image.encode(content), key)


def signed(unsigned, key):
    """An encoded image with its digest, and its signature if there is a `key`."""
    if key is None:
        return model_image.seal(unsigned)
    key_id = ed25519.key_id(key.public_key().public_bytes_raw())
    return model_image.seal(unsigned, key_id, key.sign(model_image.signed_message(unsigned)))


def process(settings, *arguments, output=subprocess.PIPE):
    """The command `tocsin gateway` as a process of its own; text on `output`."""
    environment = os.environ | {"PYTHONPATH": str(Path(service.__file__).parents[1]), "COLUMNS": "200"}
    command = [sys.executable, "-m", "gateway.cli", *arguments, "--data-folder", str(settings.data_folder)]
    return subprocess.Popen(command, env=environment, stdout=output, stderr=output, text=True)
