"""The health command of the service nats in docker-compose.yml, run as it stands against the real broker."""

import shutil
import subprocess

import pytest
from site_run import made_site, services_of, site_broker
from waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.services


@pytest.mark.parametrize("shell", [pytest.param([], id="wget"), pytest.param(["busybox"], id="busybox")])
def test_the_health_command_of_the_broker_tells_a_live_one_from_a_dead_one(tmp_path, shell):
    """The broker's image is Alpine's, whose wget is BusyBox's."""
    program = shell[0] if shell else "wget"
    if shutil.which(program) is None:
        pytest.skip(f"needs {program}: apt install {program}")
    site = made_site(tmp_path / "site")
    health = services_of(site)["nats"].health
    assert health is not None
    assert health.command[0] == "wget"
    with site_broker(site, tmp_path / "broker") as broker:
        command = [*shell, *(broker.translated(word) for word in health.command)]
        assert command[-1] != health.command[-1], "the port of this test, not the container's"

        def asked():
            return subprocess.run(command, timeout=PATIENCE_SECONDS, capture_output=True, text=True, check=False)

        done = asked()
        assert done.returncode == 0, done.stderr
        broker.stop()
        assert asked().returncode != 0
