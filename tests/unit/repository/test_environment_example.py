"""`.env.example` lists every variable of every service, and no other."""

from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from cloud.settings import CloudSettings
from cloud.storage.settings import StoreSettings
from gateway.settings import GatewaySettings

EXAMPLE = Path(__file__).parents[3] / ".env.example"


def listed() -> set[str]:
    lines = (line.lstrip("# ") for line in EXAMPLE.read_text(encoding="utf-8").splitlines())
    return {line.split("=", maxsplit=1)[0] for line in lines if line.startswith("TOCSIN_")}


@pytest.mark.parametrize(
    ("settings", "prefixes"),
    [
        (GatewaySettings, ("TOCSIN_GATEWAY_",)),
        (CloudSettings, ("TOCSIN_CLOUD_",)),
        (StoreSettings, ("TOCSIN_STORE", "TOCSIN_INFLUXDB_")),
    ],
)
def test_the_example_lists_each_setting_of_a_service(settings: type[BaseSettings], prefixes: tuple[str, ...]) -> None:
    prefix = str(settings.model_config["env_prefix"])
    found = {name for name in listed() if name.startswith(prefixes)}
    assert found == {prefix + name.upper() for name in settings.model_fields}
