"""The data source: InfluxDB by Flux, as Grafana's files and HTTP interface both describe it."""

from typing import Any

from cloud.grafana.names import DATASOURCE_NAME, DATASOURCE_TYPE, DATASOURCE_UID

#: Series that one query may return; Grafana's own default, said so that it does not change.
MAX_SERIES = 1000


def datasource(*, url: str, organisation: str, bucket: str, token: str) -> dict[str, Any]:
    """The data source with its secret.

    Parameters
    ----------
    url
        InfluxDB as Grafana's server reaches it; browsers never ask it themselves.
    token
        The token, or what Grafana puts in its place (``$__file{...}``).
    """
    return {
        "name": DATASOURCE_NAME,
        "uid": DATASOURCE_UID,
        "type": DATASOURCE_TYPE,
        "access": "proxy",
        "url": url,
        "isDefault": False,
        "jsonData": {
            "version": "Flux",
            "organization": organisation,
            "defaultBucket": bucket,
            "maxSeries": MAX_SERIES,
        },
        "secureJsonData": {"token": token},
    }
