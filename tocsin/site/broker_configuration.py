"""The configuration of a site's broker: a NATS server that speaks MQTT, with one user per role.

Each role may publish and hear only what its part of the pipeline needs. Whoever takes a sensor apart and finds its
password can report wrong readings in the name of a device; no model image, no mark and no upload.
"""

from collections.abc import Mapping

from shared import topics
from shared.broker import MAX_PAYLOAD_BYTES

MQTT_PORT = 1883
#: Health and figures of the server, for its own container alone.
MONITORING_PORT = 8222
#: Where the image keeps what must outlive it.
STORE = "/data"

_DEVICE_REPORTS = (topics.birth("+"), topics.data("+"), topics.state("+"))
_DEVICE_ORDERS = (topics.device_stored("+"), topics.image("+"))
_GATEWAY_REPORTS = (topics.upload("+"),)
_GATEWAY_ORDERS = (topics.gateway_stored("+"), topics.release("+", "+"), topics.all_normals("+"))
#: user -> (secret, what it may publish, what it may hear)
ROLES: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "sensors": ("mqtt-sensors", _DEVICE_REPORTS, _DEVICE_ORDERS),
    "gateway": ("mqtt-gateway", (*_DEVICE_ORDERS, *_GATEWAY_REPORTS), (*_DEVICE_REPORTS, *_GATEWAY_ORDERS)),
    "cloud": ("mqtt-cloud", _GATEWAY_ORDERS, _GATEWAY_REPORTS),
}


def subject(topic: str) -> str:
    """The NATS subject of an MQTT topic, whose ids hold no dots.

    >>> subject("tocsin/v1/device/+/data")
    'tocsin.v1.device.*.data'
    """
    return topic.replace("/", ".").replace("+", "*")


def broker_configuration(passwords: Mapping[str, str]) -> str:
    """The text of ``nats.conf``; `passwords` by the names of their secrets."""
    users = "\n".join(_user(user, passwords[secret], *allowed) for user, (secret, *allowed) in ROLES.items())
    return f"""\
# Made by tocsin init. It holds passwords: keep it where it is. Change it as you need; it is never overwritten.
server_name: tocsin
# Clients speak MQTT; nobody needs NATS's own protocol.
listen: "127.0.0.1:4222"
http: "127.0.0.1:{MONITORING_PORT}"
jetstream {{ store_dir: "{STORE}" }}
# A model image may have 1 MiB.
max_payload: {MAX_PAYLOAD_BYTES}
mqtt {{
  listen: "0.0.0.0:{MQTT_PORT}"
  ack_wait: "30s"
  max_ack_pending: 1024
}}
authorization {{
  users: [
{users}
  ]
}}
"""


def _user(user: str, password: str, publish: tuple[str, ...], subscribe: tuple[str, ...]) -> str:
    return f"""\
    {{
      user: "{user}", password: "{password}"
      allowed_connection_types: ["MQTT"]
      permissions: {{
        publish: [{_listed(publish)}]
        subscribe: [{_listed(subscribe)}]
      }}
    }}"""


def _listed(topics_of_role: tuple[str, ...]) -> str:
    return ", ".join(f'"{subject(topic)}"' for topic in topics_of_role)
