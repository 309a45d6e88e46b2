"""`.env.example` lists every variable of the compose file and of every service, with its default, and no other."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic_settings import BaseSettings
from site_run import COMPOSE, ROOT

from cloud.settings import CloudSettings
from cloud.storage.settings import StoreSettings
from firmware.host.fleet import LOGIN_PREFIX
from gateway.settings import GatewaySettings

SECTIONS = {
    "site": "# The site:",
    "gateway": "# Gateway:",
    "cloud": "# Cloud:",
    "store": "# Where the cloud keeps readings:",
    "sensors": "# Sensors of this machine:",
}


def listed() -> dict[str, dict[str, str]]:
    """Of each section the variables with their values; a variable outside a section fails."""
    found: dict[str, dict[str, str]] = {name: {} for name in SECTIONS}
    section = ""
    for line in (ROOT / ".env.example").read_text(encoding="utf-8").splitlines():
        section = next((name for name, heading in SECTIONS.items() if line.startswith(heading)), section)
        if "=" in line:
            variable = re.fullmatch(r"# (TOCSIN_[A-Z_]+)=(.*)", line)
            assert variable is not None, f"{line!r} is no variable that is commented out"
            assert variable[1] not in found[section], f"{variable[1]} stands twice"
            found[section][variable[1]] = variable[2]
    return found


def written(value: Any) -> str:
    """A default as a person writes it into the file."""
    if value is None:
        return ""
    return str(value) if isinstance(value, str | Path) else json.dumps(value)


@pytest.mark.parametrize(
    ("section", "settings"), [("gateway", GatewaySettings), ("cloud", CloudSettings), ("store", StoreSettings)]
)
def test_the_example_lists_each_setting_of_a_service_with_its_default(
    section: str, settings: type[BaseSettings]
) -> None:
    prefix = str(settings.model_config["env_prefix"])
    assert listed()[section] == {
        prefix + name.upper(): written(field.get_default(call_default_factory=True))
        for name, field in settings.model_fields.items()
    }


def test_the_example_lists_each_variable_of_the_compose_file_with_its_default() -> None:
    content = re.sub(r"#.*", "", COMPOSE.read_text(encoding="utf-8"))
    assert listed()["site"] == dict(re.findall(r"\$\{(\w+):-([^}]*)\}", content))
    assert set(re.findall(r"\$\{(\w+)", content)) == set(listed()["site"])


def test_the_example_lists_the_login_of_the_sensors() -> None:
    assert listed()["sensors"] == {f"{LOGIN_PREFIX}USER": "", f"{LOGIN_PREFIX}PASSWORD_FILE": ""}
