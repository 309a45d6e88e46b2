"""Readings over MQTT: subscribe to every device, and collect batches."""

import queue
import time
from collections.abc import Callable

from gateway.connection import BrokerLog, Connection, Received
from gateway.settings import GatewaySettings
from shared import topics
from shared.messages.codec import Stored, encode_stored

#: Messages that wait between the network and the judgement; more than a broker sends unacknowledged.
WAITING_MESSAGES = 4096


def open_data(settings: GatewaySettings, inbox: "queue.Queue[Received]", log: BrokerLog) -> Connection:
    """The connection that readings come by; not started yet. Its session keeps what comes while the gateway is away."""
    return Connection(
        settings.broker_url,
        f"{settings.id}-inbox",
        (topics.ALL_DATA,),
        inbox,
        log,
        keepalive_seconds=settings.keepalive_seconds,
        login=settings.broker_login(),
    )


def open_devices(settings: GatewaySettings, inbox: "queue.Queue[Received]", log: BrokerLog) -> Connection:
    """The connection that births and states come by; not started yet.

    They are retained, so each connect brings the latest of every device and no session is needed. They stay out of the
    session of the readings: retained messages that meet a session with all of its messages in flight make NATS hold
    back as many readings until ``ack_wait`` has passed, which tears a hole into the order.
    """
    return Connection(
        settings.broker_url,
        f"{settings.id}-devices",
        (topics.ALL_BIRTHS, topics.ALL_STATES),
        inbox,
        log,
        persistent=False,
        keepalive_seconds=settings.keepalive_seconds,
        login=settings.broker_login(),
    )


def collect(
    inbox: "queue.Queue[Received]",
    limit: int,
    batch_seconds: float,
    wait_seconds: float,
    now: Callable[[], float] = time.monotonic,
) -> list[Received]:
    """The next batch: up to `limit` messages, those of `batch_seconds` from the first; empty after `wait_seconds`."""
    try:
        batch = [inbox.get(timeout=wait_seconds)]
    except queue.Empty:
        return []
    deadline = now() + batch_seconds
    while len(batch) < limit:
        try:
            batch.append(inbox.get_nowait())
            continue
        except queue.Empty:
            rest = deadline - now()
        if rest <= 0.0:
            break
        try:
            batch.append(inbox.get(timeout=rest))
        except queue.Empty:
            break
    return batch


def send_mark(connection: Connection, mark: Stored) -> None:
    """Tell a device what is stored. A mark that cannot be sent is not missed: the device repeats and is told again."""
    connection.publish(topics.device_stored(mark.sender), encode_stored(mark))
