"""The parts of a running cloud, put together: stores, ingest, registry, trainings."""

import fcntl
import shutil
from pathlib import Path
from typing import IO

from cloud.errors import CloudError
from cloud.ingest.ingest import Ingest
from cloud.jobs.trainings import Trainings
from cloud.registry.keys import ensure_signing_key, signing_key_path
from cloud.registry.models import ModelRegistry
from cloud.settings import CloudSettings
from cloud.storage.choice import open_store
from cloud.storage.facts import Fact, FactStore
from cloud.storage.port import ReadingStore
from cloud.storage.relational import Relations
from cloud.storage.settings import StoreSettings, store_settings_from
from cloud.updates.downward import Downward
from cloud.updates.releases import ReleasePublisher
from cloud.updates.words import OperatorWords


class CloudTier:
    """A cloud on its data folder, which is its alone while it is open.

    Parameters
    ----------
    settings
        The cloud's own settings.
    storage
        Which store it keeps readings in; by default what the environment says.

    Raises
    ------
    CloudError
        The folder is another cloud's, or cannot be used.
    UsageError
        A setting of the store is wrong, or the folder was used with another store.
    """

    def __init__(self, settings: CloudSettings, storage: StoreSettings | None = None) -> None:
        self.settings = settings
        storage = store_settings_from() if storage is None else storage
        folder = settings.data_folder
        self._lock = _lock(folder)
        try:
            ensure_signing_key(folder, settings.signing_key_file)
            self.relations = Relations(folder)
            self.facts = FactStore(self.relations)
            try:
                self.store: ReadingStore = open_store(settings, storage, self.relations, self.facts)
            except BaseException:
                self.relations.close()
                raise
        except BaseException:
            self._lock.close()
            raise
        self.registry = ModelRegistry(self.relations, folder / "models")
        self.releases = ReleasePublisher(self.registry, self.facts)
        self.words = OperatorWords(self.relations, self.facts, signing_key_path(folder, settings.signing_key_file))
        down = Downward(self.words, self.releases)
        self.ingest = Ingest(settings, self.store, self.facts, down, self._observe)
        self.trainings = Trainings(settings, self.relations, self.store, self.facts, self.registry, self.releases)

    def _observe(self, facts: list[Fact]) -> None:
        self.registry.observe(facts)
        self.words.observe(facts)

    def start(self) -> None:
        """Take uploads and orders."""
        self.trainings.start()
        self.ingest.start()

    def free_bytes(self) -> int:
        """Room that is left for the data folder."""
        return shutil.disk_usage(self.settings.data_folder).free

    def close(self) -> None:
        """Commit what came, end what runs, close the files."""
        self.trainings.stop()
        self.ingest.stop()
        self.store.close()
        self.relations.close()
        self._lock.close()


def _lock(folder: Path) -> IO[str]:
    """Hold the folder for this process; the operating system lets go of it however the process ends."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("w")
    except OSError as error:
        raise CloudError(f"The data folder {folder} cannot be used ({error.strerror}): choose another.") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise CloudError(f"The data folder {folder} is in use by another cloud: stop it or choose another.") from error
    return lock
