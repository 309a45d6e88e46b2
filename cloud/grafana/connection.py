"""A Grafana by its HTTP interface: every failure becomes one sentence with what to do about it."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from grafana_client.api import GrafanaApi
from grafana_client.client import GrafanaClientError, GrafanaException, GrafanaServerError, GrafanaTimeoutError

from cloud.errors import CloudError
from shared.errors import UsageError

#: The dashboards are written in the form of this version; a later Grafana takes it, an older one need not.
OLDEST_VERSION = (10, 1)
TIMEOUT_S = 10.0
_NOT_FOUND, _UNAUTHORIZED, _FORBIDDEN = 404, 401, 403


class GrafanaRefused(CloudError):  # noqa: N818  (named for what it says)
    """Grafana said no for a reason that the caller may know better: see `status` and `told`."""

    def __init__(self, sentence: str, status: int, told: dict[str, Any]) -> None:
        super().__init__(sentence)
        self.status = status
        self.told = told


class GrafanaForbids(CloudError):  # noqa: N818  (named for what it says)
    """The token is good, but not for this."""


@dataclass(frozen=True)
class Grafana:
    """A Grafana and the token that we have for it.

    Parameters
    ----------
    url
        Its address, with the path below which it is served.
    token_file
        Where the token came from; sentences name it, never the token.
    """

    url: str
    token_file: str
    api: GrafanaApi

    def call(self, doing: str, role: str, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """The answer of one function of the client; None where what it asks for is not there.

        Parameters
        ----------
        doing
            What is done, to go after "to": ``write the data source``.
        role
            The basic role that may do it.

        Raises
        ------
        GrafanaRefused
            It refused for the sake of what was sent.
        GrafanaForbids
            The token's role is not enough.
        CloudError
            It cannot be reached, failed, or does not accept the token at all.
        """
        try:
            return function(*arguments, **options)
        except GrafanaTimeoutError as error:
            raise CloudError(
                f"Grafana at {self.url} did not answer within {TIMEOUT_S:g} s: see whether it is overloaded."
            ) from error
        except GrafanaServerError as error:
            raise CloudError(
                f"Grafana at {self.url} failed to {doing} ({error.status_code}: {_told(error)}): see its log."
            ) from error
        except GrafanaClientError as error:
            if error.status_code == _NOT_FOUND:
                return None
            raise self._refusal(error, doing, role) from error
        except (GrafanaException, OSError) as error:  # what the client speaks through raises OSError alone
            raise self._unreachable(error) from error

    def check(self) -> str:
        """The version of what answers there; CloudError unless it is a Grafana that is new enough.

        Asks without anything that needs a permission; the token is told wrong by the first call that does.
        """
        try:
            answer = self.call("say how it is", "Viewer", self.api.client.GET, "/health")
        except GrafanaRefused as error:
            raise self._no_grafana() from error
        if not isinstance(answer, dict) or "database" not in answer:
            raise self._no_grafana()
        version = answer.get("version") or self._hidden_version()
        numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
        if numbers and numbers < OLDEST_VERSION:
            raise CloudError(
                f"Grafana at {self.url} is version {version}, and the dashboards need "
                f"{'.'.join(map(str, OLDEST_VERSION))} or later: update it."
            )
        return version

    def _hidden_version(self) -> str:
        """The version for those who are signed in, where Grafana hides it from others."""
        found = self.call("tell its version", "Viewer", self.api.client.GET, "/frontend/settings")
        build = found.get("buildInfo", {}) if isinstance(found, dict) else {}
        return str(build.get("version", ""))

    def _no_grafana(self) -> CloudError:
        return CloudError(f"What answers at {self.url} is no Grafana: give the address that you open in a browser.")

    def _unreachable(self, error: Exception) -> CloudError:
        if isinstance(error, ValueError):  # the answer is not the JSON that it says it is
            return self._no_grafana()
        if "certificate" in str(error).lower():
            return CloudError(
                f"The certificate of Grafana at {self.url} is not trusted here: add its authority to this machine's."
            )
        return CloudError(f"Grafana at {self.url} cannot be reached: see whether it runs and the address is right.")

    def _refusal(self, error: GrafanaClientError, doing: str, role: str) -> CloudError:
        if error.status_code == _UNAUTHORIZED:
            return CloudError(
                f"Grafana at {self.url} refuses the token in {self.token_file}: make a new one for a service account "
                "with the role Admin."
            )
        if error.status_code == _FORBIDDEN and "read-only" not in _told(error):
            return GrafanaForbids(
                f"The token in {self.token_file} does not permit to {doing}: give its service account the role {role} "
                f"in Grafana at {self.url}."
            )
        told = error.response if isinstance(error.response, dict) else {}
        sentence = f"Grafana at {self.url} refused to {doing} ({error.status_code}: {_told(error)})."
        return GrafanaRefused(sentence, error.status_code, told)


@contextmanager
def connect(url: str, token: str, token_file: str) -> Iterator[Grafana]:
    """The Grafana at `url`, its connections closed at the end; nothing is asked yet.

    Raises
    ------
    UsageError
        The address is none.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise UsageError(f"The address {url!r} of Grafana must look like http://host:3000.")
    if parts.username is not None or parts.password is not None:
        raise UsageError("The address of Grafana must not hold a password: put a token into the token file.")
    address = url.rstrip("/")
    # The client joins the path and "api" without a slash.
    api = GrafanaApi.from_url(f"{address}/", token, timeout=TIMEOUT_S)
    try:
        yield Grafana(address, token_file, api)
    finally:
        api.client.s.close()


def _told(error: GrafanaException) -> str:
    told = error.response.get("message") if isinstance(error.response, dict) else error.response
    return " ".join(str(told or "no reason given").split())[:200].rstrip(".")
