"""Whether the cloud of this machine does its work, for a health check: asked over HTTP like any client would."""

import json
import urllib.error
import urllib.request

from cloud.settings import CloudSettings

_TIMEOUT_SECONDS = 4.0
#: What a server listens at that listens everywhere.
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104


def authority(settings: CloudSettings) -> str:
    """Host and port at which the cloud that runs with `settings` answers its own machine."""
    return f"{_EVERYWHERE.get(settings.host, settings.host)}:{settings.port}"


def trouble(settings: CloudSettings) -> str:
    """What is wrong with the cloud that runs with `settings`, as a sentence; empty when all is well."""
    url = f"http://{authority(settings)}/api/health"
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as answer:
            health = json.load(answer)
            if health["status"] == "ok":
                return ""
            return str(health["trouble"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"The cloud at {url} does not answer ({error})."
