"""Three images that a device must refuse, sent to it as somebody on the plant's network could, past the gateway.

Altered: one weight changed and the digest repaired, so that only the signature tells. Truncated. Older: rightly
signed, with a lower version.
"""

import hashlib
import queue
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from paho.mqtt.enums import CallbackAPIVersion

from cloud.registry.keys import signing_key_path
from cloud.registry.signing import sign_image
from firmware.host.link import broker_address
from shared import topics
from shared.errors import TocsinError
from shared.messages import codec
from shared.model_image import TRAILER_BYTES

ANSWER_LIMIT_SECONDS = 60.0


def altered(image: bytes) -> bytes:
    """The image with one bit of its body changed, and a digest that matches again."""
    middle = len(image) // 2
    body = image[:middle] + bytes([image[middle] ^ 1]) + image[middle + 1 : len(image) - TRAILER_BYTES]
    return body + hashlib.sha256(body).digest() + image[-72:]


def bad_images(running: bytes, first: bytes, key: Ed25519PrivateKey) -> dict[str, bytes]:
    """What is wrong with each, and its bytes; `running` is the signed image that runs, `first` an older one."""
    return {
        "altered": altered(running),
        "truncated": running[: len(running) // 2],
        "older": sign_image(first[:-72], key),
    }


def send_bad_images(
    broker_url: str, device: str, first: bytes, cloud_folder: Path, say: Callable[[str], None]
) -> list[str]:
    """Send each to `device` and return the reasons that it reported; TocsinError if it does not refuse one."""
    key = load_pem_private_key(signing_key_path(cloud_folder).read_bytes(), None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TocsinError(f"the signing key in {cloud_folder} is not an Ed25519 key; start with an empty folder")
    received: queue.Queue[tuple[str, bytes]] = queue.Queue()
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="demo-attacker")

    def on_connect(connected: mqtt.Client, *_rest: Any) -> None:
        connected.subscribe([(topics.image(device), 1), (topics.state(device), 1)])

    client.on_connect = on_connect
    client.on_message = lambda _client, _userdata, message: received.put((message.topic, bytes(message.payload)))
    client.connect(*broker_address(broker_url))
    client.loop_start()
    try:
        running = _next(received, topics.image(device))
        reasons = []
        for what, image in bad_images(running, first, key).items():
            client.publish(topics.image(device), image, qos=1)
            reasons.append(f"{what}: {_refusal(received, device, what)}")
            say(f"  {reasons[-1]}")
        return reasons
    finally:
        client.disconnect()
        client.loop_stop()


def _next(received: "queue.Queue[tuple[str, bytes]]", topic: str) -> bytes:
    deadline = time.monotonic() + ANSWER_LIMIT_SECONDS
    while time.monotonic() < deadline:
        try:
            found, payload = received.get(timeout=0.2)
        except queue.Empty:
            continue
        if found == topic:
            return payload
    raise TocsinError(
        f"nothing came on {topic} within {ANSWER_LIMIT_SECONDS:.0f} s; look at the logs in the data folder"
    )


def _refusal(received: "queue.Queue[tuple[str, bytes]]", device: str, what: str) -> str:
    deadline = time.monotonic() + ANSWER_LIMIT_SECONDS
    while time.monotonic() < deadline:
        try:
            found, payload = received.get(timeout=0.2)
        except queue.Empty:
            continue
        if found != topics.state(device):
            continue
        state = codec.decode_state(payload)
        if state.result == "refused" and _fits(what, state.reason):
            return state.reason
    raise TocsinError(f"{device} did not refuse the {what} image within {ANSWER_LIMIT_SECONDS:.0f} s")


def _fits(what: str, reason: str) -> bool:
    """Whether a reason answers this image and not an earlier one."""
    words = {"altered": "not signed", "truncated": "bytes", "older": "is not above"}
    return words[what] in reason
