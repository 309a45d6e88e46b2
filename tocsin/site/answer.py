"""Whether an address of a service answers."""

import urllib.error
import urllib.request


def trouble_at(url: str, timeout_seconds: float) -> str:
    """Why a GET is not answered with a success; empty when it is."""
    try:
        with urllib.request.urlopen(url, timeout=timeout_seconds):  # noqa: S310  (an address of the compose file)
            return ""
    except urllib.error.HTTPError as error:
        return f"{url} answers with status {error.code}"
    except OSError as error:
        return f"{url} does not answer ({getattr(error, 'reason', error)})"
