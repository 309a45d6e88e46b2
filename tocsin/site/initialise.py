"""``tocsin init``: makes what a site needs before its first start, and what is missing later. Overwrites nothing."""

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from cloud.registry.keys import KEY_NAME, ensure_signing_key
from shared.credentials import read_secret
from shared.errors import TocsinError, UsageError
from tocsin.site.broker_configuration import broker_configuration
from tocsin.site.layout import (
    BROKER_CONFIGURATION,
    BUCKET,
    INFLUXDB_URL,
    MOUNTED_SECRETS,
    ORGANISATION,
    PROVISIONING,
    RANDOM_SECRETS,
    RELEASE_KEY,
    SIGNING_KEY,
    secrets_folder,
)

#: The containers run as users of their own and must read what Docker shows them; the folder keeps everybody else out.
_SECRET_MODE = 0o444
_SECRETS_MODE = 0o700
#: What is no secret; Grafana runs as a user of its own.
_SHOWN_MODE, _SHOWN_FOLDER_MODE = 0o644, 0o755
_RANDOM_BYTES = 32


@dataclass(slots=True)
class Made:
    """Paths below the site, as they are told: what was made, and what was there already."""

    made: list[str] = field(default_factory=list)
    there: list[str] = field(default_factory=list)

    def add(self, name: str, *, made: bool) -> None:
        """Remember one of them."""
        (self.made if made else self.there).append(name)


def initialise(site: Path) -> Made:
    """Make or complete the folder of a site.

    Raises
    ------
    UsageError
        A secret that is there is empty or too short, or two files contradict each other.
    TocsinError
        The folder cannot be written.
    """
    told = Made()
    try:
        _make_folders(site)
        _make_secrets(site, told)
        _make_keys(site, told)
        _make_provisioning(site, told)
    except OSError as error:
        raise TocsinError(
            f"The folder {site} cannot be used ({error.strerror}: {error.filename}): give one that can be written."
        ) from error
    return told


def _make_folders(site: Path) -> None:
    site.mkdir(parents=True, exist_ok=True)
    folder = secrets_folder(site)
    folder.mkdir(mode=_SECRETS_MODE, exist_ok=True)
    folder.chmod(_SECRETS_MODE)
    if not (site / ".gitignore").exists():
        (site / ".gitignore").write_text("# secrets and configuration of one site\n*\n", encoding="utf-8")


def _make_secrets(site: Path, told: Made) -> None:
    folder = secrets_folder(site)
    configuration = folder / BROKER_CONFIGURATION
    if configuration.exists():
        _refuse_lost_passwords(folder)
    passwords: dict[str, str] = {}
    for name in RANDOM_SECRETS:
        made = _write_new(folder / name, secrets.token_urlsafe(_RANDOM_BYTES) + "\n")
        told.add(f"{folder.name}/{name}", made=made)
        passwords[name] = read_secret(folder / name, f"secret {name}")
    made = _write_new(configuration, broker_configuration(passwords))
    told.add(f"{folder.name}/{configuration.name}", made=made)


def _refuse_lost_passwords(folder: Path) -> None:
    """A password made anew would not be the one that the broker's configuration holds."""
    known = read_secret(folder / BROKER_CONFIGURATION, f"secret {BROKER_CONFIGURATION}")
    for name in RANDOM_SECRETS:
        if not name.startswith("mqtt-"):
            continue
        path = folder / name
        if not path.exists() or read_secret(path, f"secret {name}") not in known:
            raise UsageError(
                f"The broker's configuration {folder / BROKER_CONFIGURATION} does not hold the password in {path}: "
                f"put back the file, or remove {BROKER_CONFIGURATION} too and run tocsin init again."
            )


def _make_keys(site: Path, told: Made) -> None:
    folder = secrets_folder(site)
    assert KEY_NAME == SIGNING_KEY
    there = (folder / SIGNING_KEY).exists()
    public = ensure_signing_key(folder).hex()
    (folder / SIGNING_KEY).chmod(_SECRET_MODE)
    told.add(f"{folder.name}/{SIGNING_KEY}", made=not there)
    release_key = site / RELEASE_KEY
    told.add(RELEASE_KEY, made=_write_new(release_key, public + "\n"))
    if release_key.read_text(encoding="utf-8").strip() != public:
        raise UsageError(
            f"The public key {release_key} does not belong to {folder / SIGNING_KEY}: put back the right one of "
            "the two."
        )


def _make_provisioning(site: Path, told: Made) -> None:
    from cloud.grafana.provisioning import provisioning

    texts = provisioning(
        url=INFLUXDB_URL,
        organisation=ORGANISATION,
        bucket=BUCKET,
        token_file=f"{MOUNTED_SECRETS}/influxdb-token",
    )
    for name, text in texts.items():
        path = site / PROVISIONING / name
        for folder in (path.parent.parent, path.parent):
            if not folder.exists():
                folder.mkdir()
                folder.chmod(_SHOWN_FOLDER_MODE)
        told.add(f"{PROVISIONING}/{name}", made=_write_new(path, text, _SHOWN_MODE))


def _write_new(path: Path, text: str, mode: int = _SECRET_MODE) -> bool:
    """Write a file that is not there, whole or not at all; whether it was written."""
    if path.exists():
        return False
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        unfinished.chmod(mode)
        os.link(unfinished, path)
    except FileExistsError:
        return False
    finally:
        unfinished.unlink(missing_ok=True)
    return True
