"""Every MQTT topic of Tocsin, once.

Only opaque ids stand in topics: a space or a wildcard in one makes some brokers drop the publisher.

>>> data("pump-1-vibration")
'tocsin/v1/device/pump-1-vibration/data'
>>> device_of("tocsin/v1/device/pump-1-vibration/data")
'pump-1-vibration'
"""

import hashlib

ROOT = "tocsin/v1"

#: What a gateway listens to.
ALL_BIRTHS = f"{ROOT}/device/+/birth"
ALL_DATA = f"{ROOT}/device/+/data"
ALL_STATES = f"{ROOT}/device/+/state"
#: What the cloud listens to.
ALL_UPLOADS = f"{ROOT}/gateway/+/upload"


def birth(device: str) -> str:
    """Retained: who the device is."""
    return f"{ROOT}/device/{device}/birth"


def data(device: str) -> str:
    """Readings of a device."""
    return f"{ROOT}/device/{device}/data"


def state(device: str) -> str:
    """Retained: the model a device runs and what became of the last update."""
    return f"{ROOT}/device/{device}/state"


def device_stored(device: str) -> str:
    """The mark that the gateway sends back: everything below it is stored."""
    return f"{ROOT}/device/{device}/stored"


def image(device: str) -> str:
    """Retained: the model image meant for a device."""
    return f"{ROOT}/device/{device}/image"


def upload(gateway: str) -> str:
    """From a gateway to the cloud."""
    return f"{ROOT}/gateway/{gateway}/upload"


def gateway_stored(gateway: str) -> str:
    """The mark that the cloud sends back."""
    return f"{ROOT}/gateway/{gateway}/stored"


def release(gateway: str, device: str) -> str:
    """Retained: the model image that the cloud wants on a device of this gateway."""
    return f"{ROOT}/gateway/{gateway}/release/{device}"


def all_releases(gateway: str) -> str:
    """What a gateway listens to for its devices' images."""
    return f"{ROOT}/gateway/{gateway}/release/+"


def normal(gateway: str, asset: str) -> str:
    """Retained: the last word of an operator that an asset of this gateway is normal. Assets have names of any kind.

    >>> normal("g", "acme/pump 1")
    'tocsin/v1/gateway/g/normal/4281a30fb3743b79'
    """
    return f"{ROOT}/gateway/{gateway}/normal/{hashlib.sha256(asset.encode()).hexdigest()[:16]}"


def all_normals(gateway: str) -> str:
    """What a gateway listens to for the words of operators."""
    return f"{ROOT}/gateway/{gateway}/normal/+"


def device_of(topic: str) -> str:
    """The device in a topic of ours (device topics and releases)."""
    parts = topic.split("/")
    return parts[5] if parts[2] == "gateway" else parts[3]


def gateway_of(topic: str) -> str:
    """The gateway in a gateway topic."""
    return topic.split("/")[3]
