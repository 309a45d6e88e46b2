"""Every version of every device's model, and how far it came.

| from candidate to                     |                                                                       |
|---------------------------------------|-----------------------------------------------------------------------|
| refused                               | the gate, or the device, said no; `reason` tells                      |
| released, then running, then replaced | accepted and on its way, reported by the device, followed by another  |

An image that a device was given by other means is *installed* until the device reports it.
"""

import hashlib
import os
import time
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cloud.errors import CloudError, Conflict
from cloud.storage.facts import Fact
from cloud.storage.relational import ModelRow, Relations, StateRow
from shared import model_image
from shared.messages.codec import Birth, State

CANDIDATE = "candidate"
REFUSED = "refused"
RELEASED = "released"
RUNNING = "running"
REPLACED = "replaced"
INSTALLED = "installed"


class ModelRegistry:
    """The models of all devices: rows in the relational part, images as files beside it."""

    def __init__(self, relations: Relations, folder: Path) -> None:
        self._relations = relations
        self._folder = folder

    def versions(self, device: str | None = None) -> list[ModelRow]:
        """Versions of a device (or of all), by device, the newest first."""
        query = select(ModelRow).order_by(ModelRow.device, ModelRow.version.desc())
        if device is not None:
            query = query.where(ModelRow.device == device)
        with self._relations.transaction() as session:
            return list(session.scalars(query))

    def begin(self, device: str) -> int:
        """Register a candidate under the next version and return it; versions only grow."""
        with self._relations.transaction() as session:
            newest = session.scalar(select(func.max(ModelRow.version)).where(ModelRow.device == device)) or 0
            state = session.get(StateRow, device)
            version = max(newest, state.model_version if state else 0, state.judged_version if state else 0) + 1
            session.add(_row(device, version, CANDIDATE))
        return version

    def refuse(self, device: str, version: int, reason: str, metrics: dict[str, Any]) -> None:
        """The gate refused a candidate, or its training failed."""
        with self._relations.transaction() as session:
            row = _known(session, device, version)
            row.state, row.reason, row.metrics = REFUSED, reason, metrics

    def release(self, device: str, version: int, image: bytes, metrics: dict[str, Any], reason: str = "") -> None:
        """An accepted image: kept as a file, and from now on what the device should run."""
        digest = self._keep(device, version, image)
        with self._relations.transaction() as session:
            for older in session.scalars(select(ModelRow).where(ModelRow.device == device)):
                if older.state == RELEASED and older.version < version:
                    older.state, older.reason = REPLACED, f"version {version} was released before a device took it"
            row = _known(session, device, version)
            row.state, row.reason, row.metrics, row.digest = RELEASED, reason, metrics, digest
            row.released_ns = time.time_ns()

    def install(self, device: str, version: int, image: bytes) -> None:
        """Register the image that a device was given by other means; doing it again changes nothing.

        Raises
        ------
        Conflict
            Another image has that version.
        """
        digest = hashlib.sha256(image).hexdigest()
        with self._relations.transaction() as session:
            row = session.get(ModelRow, (device, version))
        if row is not None and row.digest is not None and row.digest != digest:
            raise Conflict(f"Another image of device {device} has version {version}: sign it under a higher one.")
        self._keep(device, version, image)
        with self._relations.transaction() as session:
            row = session.get(ModelRow, (device, version))
            if row is None:
                row = _row(device, version, INSTALLED)
                session.add(row)
            row.digest = digest

    def observe(self, facts: list[Fact]) -> None:
        """Follow what devices report of their models."""
        reports = [fact.what for fact in facts if isinstance(fact.what, State | Birth)]
        if reports:
            with self._relations.transaction() as session:
                for report in reports:
                    device = report.device if isinstance(report, State) else report.profile.device
                    _note_running(session, device, report.model_version)
                    if isinstance(report, State) and report.result == "refused":
                        _note_refused(session, device, report)

    def waiting(self) -> list[tuple[str, int]]:
        """Device and version of each release that no device has reported yet."""
        query = select(ModelRow.device, ModelRow.version).where(ModelRow.state == RELEASED).order_by(ModelRow.device)
        with self._relations.transaction() as session:
            return [(device, version) for device, version in session.execute(query)]

    def image(self, device: str, version: int) -> bytes:
        """The bytes of a version's image, checked against its digest."""
        with self._relations.transaction() as session:
            digest = _known(session, device, version).digest
        path = self._path(device, version)
        try:
            image = path.read_bytes()
        except OSError as error:
            raise CloudError(f"The model image {path} cannot be read ({error.strerror}).") from error
        if hashlib.sha256(image).hexdigest() != digest:
            raise CloudError(f"The model image {path} is not the one that was registered: train a new version.")
        return image

    def current_image(self, device: str) -> bytes | None:
        """The image of the version that the device runs, None if it is not known here."""
        for row in self.versions(device):
            if row.state == RUNNING:
                return None if row.digest is None else self.image(device, row.version)
        return None

    def versions_with_recipe(self, device: str, image: bytes) -> list[int]:
        """Versions whose features mean the same as those of `image`: same windows, bands and scalings."""
        wanted = _recipe(image)
        known = [row for row in self.versions(device) if row.digest is not None]
        return [row.version for row in known if _recipe(self.image(device, row.version)) == wanted]

    def _path(self, device: str, version: int) -> Path:
        return self._folder / device / f"{version:06d}.image"

    def _keep(self, device: str, version: int, image: bytes) -> str:
        path = self._path(device, version)
        unfinished = path.with_suffix(".unfinished")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with unfinished.open("wb") as file:
                file.write(image)
                file.flush()
                os.fsync(file.fileno())
            unfinished.rename(path)
        except OSError as error:
            raise CloudError(f"The model image {path} cannot be written ({error.strerror}).") from error
        return hashlib.sha256(image).hexdigest()


def _recipe(image: bytes) -> tuple[object, ...]:
    """What decides the features of an image."""
    content = model_image.read(image)
    scalings = [(scaling.centre, scaling.multiplier, scaling.shift) for scaling in content.channels + content.features]
    return content.kind, content.window, content.hop, content.gap_ns, content.edges, scalings


def _row(device: str, version: int, state: str) -> ModelRow:
    return ModelRow(
        device=device, version=version, state=state, reason="", metrics={}, digest=None,
        created_ns=time.time_ns(), released_ns=None, running_ns=None,
    )  # fmt: skip


def _known(session: Session, device: str, version: int) -> ModelRow:
    row = session.get(ModelRow, (device, version))
    if row is None:
        raise CloudError(f"Device {device} has no model version {version} here: see /api/models.")
    return row


def _note_running(session: Session, device: str, version: int) -> None:
    if version == 0:
        return
    row = session.get(ModelRow, (device, version))
    if row is None:
        row = _row(device, version, RUNNING)
        session.add(row)
    if row.state != RUNNING or row.running_ns is None:
        row.state, row.reason, row.running_ns = RUNNING, "", time.time_ns()
        for other in session.scalars(select(ModelRow).where(ModelRow.device == device)):
            if other.version != version and other.state == RUNNING:
                other.state = REPLACED


def _note_refused(session: Session, device: str, state: State) -> None:
    row = session.get(ModelRow, (device, state.judged_version))
    if row is not None and row.state == RELEASED:
        row.state, row.reason = REFUSED, f"refused by the device: {state.reason}"
