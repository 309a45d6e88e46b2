"""What a site's folder holds, and the names that its parts agree on."""

from pathlib import Path

#: The folder of a site, unless it is said otherwise; docker-compose.yml reads ``TOCSIN_SITE``.
DEFAULT_SITE = Path("site")
#: What InfluxDB is set up with; Grafana's data source and the cloud's settings name the same.
ORGANISATION = "tocsin"
BUCKET = "tocsin"
INFLUXDB_URL = "http://influxdb:8086"
#: Where Docker shows a secret to the containers that may see it.
MOUNTED_SECRETS = "/run/secrets"

#: Passwords and tokens, each of its own: file name -> what it opens.
RANDOM_SECRETS = {
    "mqtt-sensors": "the broker, for sensors: births, readings and states of devices, nothing else",
    "mqtt-gateway": "the broker, for the gateway",
    "mqtt-cloud": "the broker, for the cloud",
    "influxdb-password": "InfluxDB, for the user tocsin",
    "influxdb-token": "InfluxDB, for the cloud and Grafana",
    "grafana-password": "Grafana, for the user admin",
    "grafana-secret-key": "what Grafana encrypts in its database",
    "api-token": "changes through the cloud's API",
}
#: The broker's configuration is a secret too: it holds the passwords of its users.
BROKER_CONFIGURATION = "nats.conf"
SIGNING_KEY = "signing-key.pem"
#: Every file below ``secrets/``.
SECRETS = (*RANDOM_SECRETS, BROKER_CONFIGURATION, SIGNING_KEY)
#: Not secret: with it gateways and devices check the signature of model images.
RELEASE_KEY = "release-key.pub"
PROVISIONING = "grafana"


def secrets_folder(site: Path) -> Path:
    """Where the secrets of a site lie."""
    return site / "secrets"
