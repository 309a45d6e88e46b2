import socket
from dataclasses import replace

import pytest
from site_run import made_site, services_of

from tocsin.site.translation import Translation


@pytest.fixture
def site(tmp_path):
    return made_site(tmp_path / "site")


@pytest.fixture
def said():
    return []


@pytest.fixture
def translation(site, tmp_path, said):
    return Translation(services_of(site, "demo"), tmp_path / "volumes", said.append)


def test_hosts_ports_secrets_and_volumes_are_those_of_this_machine(site, translation, tmp_path):
    services = services_of(site, "demo")
    cloud = translation.environment(services["cloud"])
    assert cloud["TOCSIN_CLOUD_BROKER"] == f"mqtt://127.0.0.1:{translation.port('nats', 1883)}"
    assert cloud["TOCSIN_INFLUXDB_URL"] == f"http://127.0.0.1:{translation.port('influxdb', 8086)}"
    assert cloud["TOCSIN_CLOUD_HOST"] == "127.0.0.1"
    assert cloud["TOCSIN_CLOUD_PORT"] == str(translation.port("cloud", 8480))
    assert cloud["TOCSIN_CLOUD_DATA_FOLDER"] == str(tmp_path / "volumes/cloud-data")
    assert cloud["TOCSIN_CLOUD_API_TOKEN_FILE"] == str(site / "secrets/api-token")
    assert not {"PATH", "HOME"} & cloud.keys()
    plant = [translation.text(services["plant"], word) for word in services["plant"].command]
    assert f"--out={tmp_path}/volumes/plant" in plant
    assert f"--cloud=http://127.0.0.1:{translation.port('cloud', 8480)}" in plant


def test_a_port_of_the_container_itself_is_its_own_on_this_machine(site, translation):
    services = services_of(site)
    asked = translation.text(services["nats"], "http://127.0.0.1:8222/healthz")
    assert asked == f"http://127.0.0.1:{translation.port('nats', 8222)}/healthz"
    assert translation.port("nats", 8222) != translation.port("grafana", 8222)


def test_the_configuration_of_the_broker_keeps_everything_but_places(site, translation, tmp_path):
    text = (site / "secrets/nats.conf").read_text()
    moved = translation.text(services_of(site)["nats"], text)
    assert f'store_dir: "{tmp_path}/volumes/nats-data"' in moved
    assert "0.0.0.0" not in moved
    assert f'listen: "127.0.0.1:{translation.port("nats", 1883)}"' in moved
    assert moved.count("password:") == text.count("password:") == 3
    assert (site / "secrets/mqtt-cloud").read_text().strip() in moved


def test_words_that_only_look_like_a_path_of_the_container_stay(site, translation):
    service = services_of(site)["gateway"]
    for text in ("/database", "/srv/data", "gateway/data", "/data-old", "http://other/data"):
        assert translation.text(service, text) == text


def test_a_published_port_that_is_taken_is_replaced_and_told(site, tmp_path, said):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        nats = services_of(site)["nats"]
        nats = replace(nats, ports=(replace(nats.ports[0], published=port),))
        translation = Translation({"nats": nats}, tmp_path / "volumes", said.append)
        assert translation.port("nats", 1883) != port
    assert said == [f"port {port} for nats is taken, it is {translation.port('nats', 1883)} instead"]
