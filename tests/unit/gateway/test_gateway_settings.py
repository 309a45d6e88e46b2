"""Settings: from the environment, checked, frozen, refused in one sentence that names the setting."""

import pytest
from pydantic import ValidationError

from gateway.detectors.device import MINIMUM_HEALTHY_READINGS
from gateway.settings import GatewaySettings
from shared.errors import UsageError

KEY = "ab" * 32


def test_the_environment_and_options_are_read_once_and_frozen(monkeypatch, tmp_path):
    monkeypatch.setenv("TOCSIN_GATEWAY_ID", "hall-2")
    monkeypatch.setenv("TOCSIN_GATEWAY_HEALTHY_READINGS_OF", '{"pump-1": 400}')
    settings = GatewaySettings.read(data_folder=tmp_path, broker_url=None)
    assert (settings.id, settings.data_folder, settings.broker_url) == ("hall-2", tmp_path, "mqtt://127.0.0.1:1883")
    assert (settings.healthy_readings_for("pump-1"), settings.healthy_readings_for("fan-7")) == (400, 0)
    with pytest.raises(ValidationError):
        settings.id = "other"


@pytest.mark.parametrize("form", ["digits", "file of digits", "file of bytes"])
def test_the_key_is_given_as_digits_or_as_a_file(tmp_path, form):
    path = tmp_path / "key"
    path.write_bytes(bytes.fromhex(KEY) if form == "file of bytes" else f"{KEY}\n".encode())
    given = KEY if form == "digits" else str(path)
    assert GatewaySettings.read(release_public_key=given).release_public_key == KEY


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("id", "Hall 2", "a-z"),
        ("broker_url", "127.0.0.1:1883", "mqtt://host:port"),
        ("broker_url", "mqtt://host:99999", "mqtt://host:port"),
        ("uplink_url", "http://host", "mqtt://host:port"),
        ("healthy_readings", 12, f"at least {MINIMUM_HEALTHY_READINGS}"),
        ("healthy_readings_of", {"pump-1": 3}, f"at least {MINIMUM_HEALTHY_READINGS}"),
        ("false_alarms_per_day", 0.0, "greater than 0"),
        ("release_public_key", "abcd", "32 bytes"),
        ("release_public_key", "/no/such/file", "readable file"),
        ("outbox_limit_bytes", 10, "65536"),
        ("geometry_of", {"pump-1": {"rpm": 0}}, "greater than 0"),
        ("geometry_of", {"pump-1": {"rpm": 1797, "rollers": 0, "roller_mm": 8, "pitch_mm": 39}}, "rollers cannot be 0"),
        ("geometry_of", {"pump-1": {"rpm": 1797, "rollers": 9, "roller_mm": 50, "pitch_mm": 39}}, "do not fit"),
        ("geometry_of", {"pump-1": {"rpm": 1797, "rollers": 90, "roller_mm": 8, "pitch_mm": 39}}, "no room"),
        ("geometry_of", {"pump-1": {"rpm": 1797, "rollers": 9}}, "together"),
        ("geometry_of", {"pump-1": {"rpm": 1797, "envelope_bins": 100}}, "power of two"),
        ("geometry_of", {"pump-1": {"speed": 3}}, "rpm"),
    ],
)
def test_what_cannot_be_is_one_sentence_that_names_the_setting(name, value, words):
    with pytest.raises(UsageError) as refusal:
        GatewaySettings.read(**{name: value})
    assert words in str(refusal.value)
    assert name in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_map_that_is_not_json_is_one_sentence(monkeypatch):
    monkeypatch.setenv("TOCSIN_GATEWAY_HEALTHY_READINGS_OF", "pump-1=400")
    with pytest.raises(UsageError, match="healthy_readings_of"):
        GatewaySettings.read()
