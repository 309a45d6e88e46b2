"""`.env.example` lists every variable of every service, and no other."""

from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from cloud.settings import CloudSettings
from gateway.settings import GatewaySettings

EXAMPLE = Path(__file__).parents[3] / ".env.example"


@pytest.mark.parametrize("settings", [GatewaySettings, CloudSettings])
def test_the_example_lists_each_setting_of_a_service(settings: type[BaseSettings]) -> None:
    prefix = str(settings.model_config["env_prefix"])
    listed = {
        line.lstrip("# ").split("=", maxsplit=1)[0]
        for line in EXAMPLE.read_text(encoding="utf-8").splitlines()
        if line.lstrip("# ").startswith(prefix)
    }
    assert listed == {prefix + name.upper() for name in settings.model_fields}
