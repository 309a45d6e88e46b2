"""Slow readings of 8 channels through the gateway: inbox and store alone, with judgement, and drained from a broker."""

import itertools
import threading
import time

import numpy as np
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from gateway import service
from gateway.intake import Intake
from gateway.settings import GatewaySettings
from gateway.store import Store
from shared import topics
from shared.broker import Broker
from shared.identity import Channel, DeviceProfile
from shared.messages import codec

DEVICES, CHANNELS, READINGS = 20, 8, 16
BATCH = 500


def births():
    for number in range(DEVICES):
        name = f"pump-{number}"
        profile = DeviceProfile(name, f"a/b/c/d/{name}", "slow", 1.0, tuple(
            Channel(f"c{channel}", "", 0.0, 2.0**-16) for channel in range(CHANNELS)
        ))  # fmt: skip
        yield topics.birth(name), codec.encode_birth(codec.Birth(profile, 0, 0, (), 16, 1))


def messages(per_device):
    noise = (np.random.default_rng(1).normal(size=(READINGS * per_device, CHANNELS)) * 65536).astype(np.int32)
    for first in range(0, READINGS * per_device, READINGS):
        index = np.arange(first, first + READINGS)
        for number in range(DEVICES):
            data = codec.Data(
                f"pump-{number}", 0, first, 0, 0, 0, 0, index * 10**9, np.full(READINGS, 2048, np.uint32),
                np.zeros(READINGS, np.uint16), noise[index], None,
            )  # fmt: skip
            yield topics.data(f"pump-{number}"), codec.encode_data(data)


@pytest.mark.parametrize(("healthy", "per_device"), [(0, 400), (320, 60)], ids=["store alone", "with judgement"])
def test_readings_a_second_without_a_broker(tmp_path, healthy, per_device):
    settings = GatewaySettings(data_folder=tmp_path, healthy_readings=healthy)
    store, intake = Store(tmp_path), Intake(settings)
    warm = list(births()) + (list(messages(healthy // READINGS)) if healthy else [])
    store.commit(intake.take(warm).changes)
    work = list(messages(per_device))[len(warm) - DEVICES :]
    began = time.perf_counter()
    for first in range(0, len(work), BATCH):
        result = intake.take(work[first : first + BATCH])
        store.commit(result.changes)
    seconds = time.perf_counter() - began
    assert sum(account.cursor.stored for account in store.accounts()) == DEVICES * READINGS * per_device
    print(f"\n{len(work) * READINGS / seconds:,.0f} readings/s ({seconds / len(work) * 1e6:.0f} us a message)")
    store.close()


@pytest.mark.parametrize("per_device", [400])
def test_readings_a_second_drained_from_the_broker(tmp_path, per_device):
    total = DEVICES * READINGS * per_device
    with Broker(tmp_path / "broker") as broker:
        settings = GatewaySettings(data_folder=tmp_path / "gateway", broker_url=broker.url)
        _send(broker, births(), retain=True)
        _run(settings, lambda store: len(list(store.devices())) == DEVICES)  # the session exists from now on
        _send(broker, messages(per_device))
        seconds = _run(settings, lambda store: sum(a.cursor.stored for a in store.accounts()) == total)
    print(f"\n{total / seconds:,.0f} readings/s drained, publishing upwards at the same time")


def _send(broker, work, retain=False):
    sender = mqtt.Client(CallbackAPIVersion.VERSION2)
    sender.max_inflight_messages_set(100)
    sender.connect("127.0.0.1", broker.port)
    sender.loop_start()
    for chunk in iter(lambda: list(itertools.islice(work, 200)), []):
        for info in [sender.publish(*message, qos=1, retain=retain) for message in chunk]:
            info.wait_for_publish(30)
    sender.disconnect()
    sender.loop_stop()


def _run(settings, done):
    """Seconds from the first connection until `done` of the store."""
    stop, ready = threading.Event(), threading.Event()
    thread = threading.Thread(target=service.run, args=(settings, stop, ready))
    thread.start()
    ready.wait(20)
    began = time.perf_counter()
    look = Store(settings.data_folder, read_only=True)
    while not done(look) and time.perf_counter() < began + 60:
        time.sleep(0.02)
    seconds = time.perf_counter() - began
    arrived = done(look)
    look.close()
    stop.set()
    thread.join()
    assert arrived
    return seconds
