import os
import shutil
import stat

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from shared.credentials import read_secret
from shared.errors import TocsinError, UsageError
from tocsin.site import layout
from tocsin.site.initialise import initialise


def contents(site):
    return {path.relative_to(site).as_posix(): path.read_bytes() for path in site.rglob("*") if path.is_file()}


@pytest.fixture
def site(tmp_path):
    initialise(tmp_path / "site")
    return tmp_path / "site"


def test_the_folder_keeps_others_out_and_containers_may_read_the_files_in_it(site):
    secrets = site / "secrets"
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    assert {path.name for path in secrets.iterdir()} == set(layout.SECRETS)
    assert {stat.S_IMODE(path.stat().st_mode) for path in secrets.iterdir()} == {0o444}


def test_secrets_are_long_and_all_different_also_between_sites(site, tmp_path):
    initialise(tmp_path / "other")
    found = [
        (folder / "secrets" / name).read_text() for folder in (site, tmp_path / "other") for name in layout.SECRETS
    ]
    assert len(set(found)) == len(found)
    assert min(map(len, found)) >= 43


def test_the_public_key_is_that_of_the_signing_key(site):
    key = load_pem_private_key((site / "secrets" / layout.SIGNING_KEY).read_bytes(), None)
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    assert (site / layout.RELEASE_KEY).read_text().strip() == public.hex()


def test_a_second_call_changes_nothing_and_says_so(site):
    before = contents(site)
    told = initialise(site)
    assert (told.made, contents(site)) == ([], before)


@pytest.mark.parametrize(
    "name",
    [
        "secrets/api-token",
        "secrets/influxdb-token",
        "release-key.pub",
        "secrets/nats.conf",
        "grafana/dashboards/plant.json",
        "grafana/datasources/tocsin.yaml",
    ],
)
def test_what_is_missing_is_made_and_nothing_else_touched(site, name):
    before = contents(site)
    (site / name).unlink()
    told = initialise(site)
    after = contents(site)
    assert told.made == [name]
    assert {path for path in before if before[path] != after.get(path)} <= {name}
    assert set(after) == set(before)


def test_git_never_sees_a_site(site):
    assert "*" in (site / ".gitignore").read_text().splitlines()


def test_a_dashboard_that_somebody_changed_stays_and_a_missing_folder_is_made_again(site):
    changed = site / "grafana/dashboards/plant.json"
    changed.write_text("{}")
    shutil.rmtree(site / "grafana/datasources")
    assert initialise(site).made == ["grafana/datasources/tocsin.yaml"]
    assert changed.read_text() == "{}"


def test_grafana_may_read_its_files_also_where_new_files_are_closed_to_others(tmp_path):
    usual = os.umask(0o077)
    try:
        initialise(tmp_path / "site")
    finally:
        os.umask(usual)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "site/grafana").rglob("*")}
    assert modes == {0o755, 0o644}


@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "is empty"), (b"hunter2", "needs at least"), (b"\xff\xfe" * 16, "is no text")]
)
@pytest.mark.parametrize("name", ["api-token", "nats.conf"])
def test_a_spoilt_secret_is_not_replaced_and_the_remedy_that_is_told_works(site, name, content, reason):
    path = site / "secrets" / name
    path.chmod(0o600)
    path.write_bytes(content)
    with pytest.raises(UsageError, match=rf"{reason}.*: remove it and run 'tocsin init'"):
        initialise(site)
    assert path.read_bytes() == content
    path.unlink()
    assert initialise(site).made == [f"secrets/{name}"]
    assert len(read_secret(path, "")) > 16


def test_a_broker_password_is_not_made_anew_beside_a_configuration_that_holds_the_old_one(site):
    (site / "secrets" / "mqtt-cloud").unlink()
    with pytest.raises(UsageError, match=r"mqtt-cloud: put back the file, or remove nats\.conf too"):
        initialise(site)
    (site / "secrets" / "nats.conf").unlink()
    told = initialise(site)
    assert told.made == ["secrets/mqtt-cloud", "secrets/nats.conf"]


def test_keys_that_do_not_belong_together_are_refused(site, tmp_path):
    initialise(tmp_path / "other")
    (site / layout.RELEASE_KEY).unlink()
    (site / layout.RELEASE_KEY).write_bytes((tmp_path / "other" / layout.RELEASE_KEY).read_bytes())
    with pytest.raises(UsageError, match="does not belong to"):
        initialise(site)


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(TocsinError, match=r"cannot be used .*: give one that can be written"):
        initialise(tmp_path / "file" / "site")
