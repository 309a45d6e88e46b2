import sqlite3
import subprocess
import sys

import pytest

from cloud.settings import CloudSettings
from cloud.storage import choice, embedded
from cloud.storage.settings import store_settings_from
from cloud.tier import CloudTier
from shared.errors import UsageError


def influxdb(folder, **given):
    token = folder / "token"
    token.write_text("a-token\n")
    return store_settings_from({"store": "influxdb", "influxdb_token_file": token, **given})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"store": "mongo"}, "TOCSIN_STORE is wrong"),
        ({"store": "influxdb"}, "TOCSIN_INFLUXDB_TOKEN_FILE must name"),
        ({"influxdb_url": "influxdb:8086"}, "TOCSIN_INFLUXDB_URL is wrong .must look like"),
        ({"influxdb_url": "http://host:99999"}, "TOCSIN_INFLUXDB_URL is wrong .must look like"),
        ({"influxdb_url": "http://me:secret@host:1"}, "TOCSIN_INFLUXDB_URL is wrong .must not hold a password"),
        ({"influxdb_timeout_seconds": 0}, "TOCSIN_INFLUXDB_TIMEOUT_SECONDS is wrong"),
        ({"influxdb_bucket": ""}, "TOCSIN_INFLUXDB_BUCKET is wrong"),
    ],
)
def test_a_wrong_setting_is_named(given, words):
    with pytest.raises(UsageError, match=words):
        store_settings_from(given)


def test_settings_come_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("TOCSIN_STORE", "influxdb")
    monkeypatch.setenv("TOCSIN_INFLUXDB_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("TOCSIN_INFLUXDB_BUCKET", "plant/month")
    found = store_settings_from()
    assert (found.store, found.influxdb_bucket) == ("influxdb", "plant/month")


def test_a_cloud_opens_without_its_influxdb_and_only_on_its_own_bucket(tmp_path):
    settings, storage = CloudSettings(data_folder=tmp_path / "cloud"), influxdb(tmp_path)
    CloudTier(settings, storage).close()
    CloudTier(settings, storage).close()
    with pytest.raises(Exception, match="belongs to bucket 'tocsin' of organisation 'tocsin', not to 'other'"):
        CloudTier(settings, influxdb(tmp_path, influxdb_bucket="other"))
    with pytest.raises(UsageError, match="was used with InfluxDB"):
        CloudTier(settings, store_settings_from({"store": "embedded"}))
    CloudTier(settings, storage).close()


def test_a_folder_of_the_embedded_store_stays_with_it(tmp_path):
    settings = CloudSettings(data_folder=tmp_path / "cloud")
    CloudTier(settings, store_settings_from({"store": "embedded"})).close()
    with sqlite3.connect(tmp_path / "cloud" / "facts.sqlite") as facts:
        assert not facts.execute("SELECT name FROM sqlite_master WHERE name LIKE 'ledger%'").fetchall()
    facts.close()
    with pytest.raises(UsageError, match="was used with the embedded store"):
        CloudTier(settings, influxdb(tmp_path))
    assert choice.EMBEDDED_FILE == embedded.DATABASE_NAME


@pytest.mark.parametrize(
    ("text", "words"), [(None, "cannot be read"), ("\n", "is empty"), ("a\nb", "more than one line")]
)
def test_a_token_file_that_cannot_be_used_stops_the_start(tmp_path, text, words):
    storage = influxdb(tmp_path)
    (tmp_path / "token").unlink() if text is None else (tmp_path / "token").write_text(text)
    with pytest.raises(UsageError, match=words):
        CloudTier(CloudSettings(data_folder=tmp_path / "cloud"), storage)


@pytest.mark.parametrize(("store", "without"), [("embedded", "influxdb_client"), ("influxdb", "duckdb")])
def test_only_the_chosen_stores_libraries_are_loaded(tmp_path, store, without):
    (tmp_path / "token").write_text("a-token")
    script = (
        "import sys; from pathlib import Path; from cloud.settings import CloudSettings; "
        "from cloud.tier import CloudTier;"
        "CloudTier(CloudSettings(data_folder=Path(sys.argv[1]))).close(); sys.exit(sys.argv[2] in sys.modules)"
    )
    environment = {
        "PATH": "", "PYTHONPATH": ":".join(sys.path), "TOCSIN_STORE": store,
        "TOCSIN_INFLUXDB_TOKEN_FILE": str(tmp_path / "token"),
    }  # fmt: skip
    subprocess.run([sys.executable, "-c", script, tmp_path / "cloud", without], check=True, env=environment)
