"""The Dockerfiles: what they promise, and, without Docker, what they build: installed, started and asked for health."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from built_images import BuiltImage, build_image, context_files
from packaging.utils import canonicalize_name
from site_run import COMPOSE, SiteBroker, made_site, services_of, visible_copy
from small_devices import PUBLIC_KEY, small_image, small_profile
from small_devices import signed as signed_image
from waiting import until

from firmware.host.fleet import write_device
from firmware.host.replay import Source
from shared.ports import free_port
from tocsin.site.dockerfile import read_image, read_instructions

ROOT = COMPOSE.parent
TIERS = {"gateway": "gateway", "cloud": "cloud", "firmware": "sensor"}
DOCKERFILES = [*(f"{tier}/Dockerfile" for tier in TIERS), "deploy/nats/Dockerfile"]


def test_every_dockerfile_is_checked_here() -> None:
    found = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("*/Dockerfile")}
    found |= {path.relative_to(ROOT).as_posix() for path in ROOT.glob("deploy/*/Dockerfile")}
    assert found == set(DOCKERFILES)


@pytest.mark.parametrize("name", DOCKERFILES)
class TestRules:
    def test_base_images_have_a_whole_version(self, name: str) -> None:
        instructions = read_instructions((ROOT / name).read_text())
        (base,) = {one.rest.partition("=")[2] for one in instructions if one.name == "ARG"}
        tag = base.partition(":")[2]
        assert tag.split("-")[0].count(".") == 2, base
        for one in instructions:
            if one.name == "FROM":
                assert one.words[0].startswith("${"), "the base image is named once, in ARG"

    def test_the_user_is_made_has_numbers_and_is_not_root(self, name: str) -> None:
        text = (ROOT / name).read_text()
        uid, gid = read_image(ROOT / name).user.split(":")
        assert int(uid) > 1000
        assert f"-u {uid}" in text or f"--uid {uid}" in text
        assert f"-g {gid}" in text or f"--gid {gid}" in text

    def test_nothing_is_fetched_by_address_or_left_unlocked(self, name: str) -> None:
        for one in read_instructions((ROOT / name).read_text()):
            assert one.name != "ADD"
            if one.name == "RUN":
                assert "http" not in one.rest
                for command in one.rest.split("&&"):
                    if "pip install" in command:
                        assert "--require-hashes" in command or "--no-index" in command, command

    def test_programs_are_in_exec_form_so_that_signals_reach_them(self, name: str) -> None:
        for one in read_instructions((ROOT / name).read_text()):
            if one.name in ("ENTRYPOINT", "CMD"):
                assert one.rest.startswith("[")

    def test_the_health_check_is_the_one_of_the_compose_file(self, name: str, tmp_path: Path) -> None:
        image = read_image(ROOT / name)
        services = [
            service
            for service in services_of(tmp_path, "demo").values()
            if service.built_in == Path(name).parent.as_posix() and service.health is not None
        ]
        assert services
        assert {service.health.command for service in services if service.health} == {image.health}


def test_the_build_sees_neither_secrets_nor_tests() -> None:
    seen = {path.parts[0] for path in context_files()}
    assert seen == {
        *("pyproject.toml", "README.md", "LICENSE", "requirements"),
        *("shared", "firmware", "gateway", "cloud", "tocsin"),
    }


@pytest.fixture(scope="module", params=TIERS)
def built(request: pytest.FixtureRequest) -> Iterator[BuiltImage]:
    """An image, built; in a folder that another user may enter."""
    with tempfile.TemporaryDirectory(prefix="tocsin-image-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield build_image(ROOT / request.param / "Dockerfile", Path(name))


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SiteBroker]:
    folder = tmp_path_factory.mktemp("images")
    running = SiteBroker(made_site(folder / "site"), folder / "broker")
    running.start()
    yield running
    running.stop()


@pytest.mark.slow
@pytest.mark.services
class TestBuilt:
    def test_it_holds_its_requirements_and_no_installer(self, built: BuiltImage) -> None:
        code = "from importlib.metadata import distributions as d; print(*(one.name for one in d()))"
        installed = [canonicalize_name(name) for name in built.run(("python", "-c", code), {}).stdout.split()]
        assert "tocsin" in installed
        assert not {"pip", "uv", "hatchling"} & set(installed)
        is_cloud = built.image.command == ("cloud", "run")
        assert ("tensorflow-cpu" in installed or "tensorflow" in installed) == is_cloud

    def test_its_program_starts_becomes_healthy_and_tells_when_the_broker_is_away(
        self, built: BuiltImage, broker: SiteBroker, tmp_path: Path
    ) -> None:
        secrets = visible_copy(broker.site / "secrets", built.folder / "secrets")
        port = str(free_port())
        given = {
            "TOCSIN_GATEWAY_BROKER_URL": broker.url,
            "TOCSIN_GATEWAY_BROKER_USER": "gateway",
            "TOCSIN_GATEWAY_BROKER_PASSWORD_FILE": str(secrets / "mqtt-gateway"),
            "TOCSIN_CLOUD_BROKER": broker.url,
            "TOCSIN_CLOUD_BROKER_USER": "cloud",
            "TOCSIN_CLOUD_BROKER_PASSWORD_FILE": str(secrets / "mqtt-cloud"),
            "TOCSIN_CLOUD_API_TOKEN_FILE": str(secrets / "api-token"),
            "TOCSIN_CLOUD_SIGNING_KEY_FILE": str(secrets / "signing-key.pem"),
            "TOCSIN_CLOUD_PORT": port,
            "TOCSIN_SENSOR_BROKER_USER": "sensors",
            "TOCSIN_SENSOR_BROKER_PASSWORD_FILE": str(secrets / "mqtt-sensors"),
        }
        arguments = built.image.command
        if built.image.entrypoint[-1] == "firmware.host.fleet":
            write_small_fleet(built)
            arguments = ("/plant/fleet", broker.url, "1", PUBLIC_KEY.hex(), "stay")
        log = tmp_path / "log"
        process = built.start((*built.image.entrypoint, *arguments), given, log)

        def health() -> int:
            assert process.poll() is None, log.read_text()
            return built.run(built.image.health, given).returncode

        try:
            until(lambda: health() == 0, "the image's program to be healthy")
            broker.stop()
            until(lambda: health() == 1, "the health check to tell that the broker is away")
            broker.start()
            until(lambda: health() == 0, "the image's program to be healthy again")
        finally:
            process.terminate()
            status = process.wait(30)
        assert status in (0, 1), log.read_text()  # a sensor that is stopped with readings on the way says 1
        assert "Traceback" not in log.read_text()

    @pytest.mark.parametrize("built", ["cloud"], indirect=True)
    def test_the_cloud_simulates_and_trains_the_plant_of_the_demo(self, built: BuiltImage) -> None:
        done = built.run(("tocsin", "plant", "--out=/plant", "--pumps=1"), {})
        assert done.returncode == 0, done.stderr
        assert len(list(built.folder.glob("plant/fleet/*/slot-0.image"))) == 2


def write_small_fleet(built: BuiltImage) -> None:
    """One device that has an hour of readings, where the container's user may write."""
    profile = small_profile()
    counts = np.random.default_rng(1).integers(-100, 100, (3600, 2)).astype(np.int32)
    source = Source(np.arange(3600) * 1_000_000_000, counts, [])
    folder = write_device(built.folder / "plant" / "fleet", profile, source, signed_image(small_image(profile)))
    for path in (folder.parent, folder, *folder.iterdir()):
        built.give(path)
