"""The queue of trainings: one at a time, each ending in the registry whatever happens to it."""

import contextlib
import logging
import queue
import secrets
import shutil
import threading
import time
from pathlib import Path

from sqlalchemy import select

from cloud.errors import CloudError, Conflict, NotFound
from cloud.jobs.healthy import margin_ns, unhealthy_spans
from cloud.jobs.process import TrainingProcess
from cloud.jobs.request import READINGS, read_outcome, write_request
from cloud.registry.keys import ensure_signing_key, signing_key_path
from cloud.registry.models import ModelRegistry
from cloud.settings import CloudSettings
from cloud.storage.facts import FactStore
from cloud.storage.port import ReadingStore
from cloud.storage.relational import DeviceRow, JobRow, Relations
from cloud.updates.releases import ReleasePublisher
from shared.identity import FAST

_log = logging.getLogger(__name__)
#: Request folders that stay, with their logs, for looking into: so many of the newest of each device.
KEPT_FOLDERS = 10
WAITING, RUNNING, ACCEPTED, REFUSED, FAILED = "waiting", "running", "accepted", "refused", "failed"


class Trainings:
    """Starts, follows and records trainings. `start` before use; `stop` kills what runs."""

    def __init__(
        self,
        settings: CloudSettings,
        relations: Relations,
        store: ReadingStore,
        facts: FactStore,
        registry: ModelRegistry,
        releases: ReleasePublisher,
    ) -> None:
        self._settings = settings
        self._relations = relations
        self._store = store
        self._facts = facts
        self._registry = registry
        self._releases = releases
        self._asked: queue.Queue[str | None] = queue.Queue()
        self._stopping = threading.Event()
        self._process: TrainingProcess | None = None
        self._worker = threading.Thread(target=self._work, name="trainings", daemon=True)

    def start(self) -> None:
        """Call off what an earlier life of this cloud left unfinished, then take orders."""
        with self._relations.transaction() as session:
            unfinished = list(session.scalars(select(JobRow).where(JobRow.state.in_((WAITING, RUNNING)))))
        for job in unfinished:
            self._close(job.identifier, FAILED, "The cloud ended while it ran: ask for it again.")
        self._worker.start()

    def stop(self) -> None:
        """Kill the training that runs and wait for its supervisor."""
        self._stopping.set()
        self._asked.put(None)
        process = self._process
        if process is not None:
            process.end("the cloud was stopped")
        if self._worker.is_alive():
            self._worker.join(10.0)

    def ask(self, device: str) -> JobRow:
        """Queue a training of a device's next model version.

        Raises
        ------
        UnknownDevice
            Nothing ever came from it.
        Conflict
            One is under way already.
        """
        self._facts.device(device)
        with self._relations.transaction() as session:
            query = select(JobRow).where(JobRow.device == device, JobRow.state.in_((WAITING, RUNNING)))
            if session.scalars(query).first() is not None:
                raise Conflict(f"A training for device {device} is under way: wait until it has ended.")
        version = self._registry.begin(device)
        job = JobRow(
            identifier=secrets.token_hex(8), device=device, version=version, state=WAITING, stage="waiting",
            done=0, total=0, reason="", created_ns=time.time_ns(), ended_ns=None,
        )  # fmt: skip
        with self._relations.transaction() as session:
            session.add(job)
        self._asked.put(job.identifier)
        return job

    def job(self, identifier: str) -> JobRow:
        """One training as it stands."""
        with self._relations.transaction() as session:
            job = session.get(JobRow, identifier)
        if job is None:
            raise NotFound(f"No job {identifier} is known here: start one with POST /api/devices/DEVICE/train.")
        return job

    def jobs(self) -> list[JobRow]:
        """All trainings, the newest first."""
        with self._relations.transaction() as session:
            return list(session.scalars(select(JobRow).order_by(JobRow.created_ns.desc())))

    def _work(self) -> None:
        while True:
            identifier = self._asked.get()
            if identifier is None or self._stopping.is_set():
                return
            try:
                self._run(self.job(identifier))
            except CloudError as error:
                _log.warning("training %s failed: %s", identifier, error)
                self._close(identifier, FAILED, str(error))
            except Exception as error:  # noqa: BLE001  (one training must not end all those after it)
                _log.exception("training %s failed", identifier)
                self._close(identifier, FAILED, f"{type(error).__name__}: {error}")
            with contextlib.suppress(CloudError):  # tried again after the next training
                self._remove_old_folders(self.job(identifier).device)

    def _remove_old_folders(self, device: str) -> None:
        query = select(JobRow.identifier).where(JobRow.device == device).order_by(JobRow.created_ns.desc())
        with self._relations.transaction() as session:
            for identifier in session.scalars(query.offset(KEPT_FOLDERS)):
                shutil.rmtree(self._folder(identifier), ignore_errors=True)

    def _folder(self, identifier: str) -> Path:
        return self._settings.data_folder / "jobs" / identifier

    def _run(self, job: JobRow) -> None:
        folder = self._folder(job.identifier)
        self._progress(job.identifier, "reading", 0, 1)
        row = self._facts.device(job.device)
        current = self._registry.current_image(job.device)
        # Features mean something only under the recipe that made them; counts are the same under every image.
        versions = None
        if row.kind == FAST and current is not None:
            versions = self._registry.versions_with_recipe(job.device, current)
        readings = self._store.readings(
            job.device, healthy=True, newest=self._settings.training_readings, model_versions=versions,
            without=self._unhealthy(row),
        )  # fmt: skip
        if len(readings) == 0:
            raise CloudError(
                f"No healthy reading of device {job.device} is stored outside the alarms of asset {row.asset}: "
                "wait until some have arrived."
            )
        signing_key = self._settings.data_folder, self._settings.signing_key_file
        ensure_signing_key(*signing_key)
        write_request(
            folder, row, readings, version=job.version, seed=job.version,
            signing_key=signing_key_path(*signing_key),
            current_image=current,
        )  # fmt: skip
        try:
            self._process = TrainingProcess(folder, lambda *progress: self._progress(job.identifier, *progress))
            if self._stopping.is_set():
                self._process.end("the cloud was stopped")
            self._process.wait(self._settings.training_timeout_seconds)
        finally:
            self._process = None
            (folder / READINGS).unlink(missing_ok=True)
        outcome = read_outcome(folder, row, job.version)
        if outcome.image is not None:
            self._registry.release(job.device, job.version, outcome.image, outcome.metrics, outcome.reason)
            self._close(job.identifier, ACCEPTED, outcome.reason)
            self._releases.wake()
        else:
            self._registry.refuse(job.device, job.version, outcome.reason, outcome.metrics)
            self._close(job.identifier, REFUSED, outcome.reason)

    def _unhealthy(self, row: DeviceRow) -> list[tuple[int, int]]:
        """Times of which no reading is trained on: the alarms of the device's asset and what came before them."""
        companions = [device for device in self._facts.devices() if device.asset == row.asset]
        return unhealthy_spans(self._facts.alarms_concerning(row.device, row.asset), margin_ns(companions))

    def _progress(self, identifier: str, stage: str, done: int, total: int) -> None:
        with self._relations.transaction() as session:
            job = session.get(JobRow, identifier)
            if job is not None:
                job.state, job.stage, job.done, job.total = RUNNING, stage, done, total

    def _close(self, identifier: str, state: str, reason: str) -> None:
        with self._relations.transaction() as session:
            job = session.get(JobRow, identifier)
            if job is None:
                return
            job.state, job.reason, job.ended_ns = state, reason, time.time_ns()
            if state != FAILED:
                job.stage = "done"
        if state == FAILED:
            self._registry.refuse(job.device, job.version, f"training failed: {reason}", {})
        _log.info("training of device %s version %d: %s %s", job.device, job.version, state, reason)
