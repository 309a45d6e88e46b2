"""Opens the store that the settings name; of the others not even the libraries are loaded."""

from pathlib import Path

from sqlalchemy import inspect

from cloud.settings import CloudSettings
from cloud.storage.births import Births
from cloud.storage.facts import FactStore
from cloud.storage.port import ReadingStore
from cloud.storage.relational import Relations
from cloud.storage.settings import INFLUXDB, StoreSettings
from shared.errors import UsageError

#: What the embedded store keeps in a data folder, and what tells that a folder's readings are in InfluxDB.
EMBEDDED_FILE, LEDGER_TABLE = "readings.duckdb", "ledger_home"


def open_store(settings: CloudSettings, storage: StoreSettings, relations: Relations, facts: FactStore) -> ReadingStore:
    """The store of a data folder, which must stay with the store that it began with.

    Raises
    ------
    UsageError
        The folder was used with another store, or a setting is wrong.
    CloudError
        The store cannot be opened.
    """
    folder = settings.data_folder
    if storage.store == INFLUXDB:
        if (folder / EMBEDDED_FILE).exists():
            raise _other_store(folder, "the embedded store")
        from cloud.storage.influxdb.store import InfluxStore

        return InfluxStore(storage, relations, Births(facts))
    if inspect(relations.engine).has_table(LEDGER_TABLE):
        raise _other_store(folder, "InfluxDB")
    from cloud.storage.embedded import EmbeddedStore

    return EmbeddedStore(
        folder,
        threads=settings.store_threads,
        memory_megabytes=settings.store_memory_megabytes,
        hot_readings=settings.hot_readings,
    )


def _other_store(folder: Path, before: str) -> UsageError:
    return UsageError(
        f"The data folder {folder} was used with {before}, and its marks are there: set TOCSIN_STORE back, or give "
        "another data folder."
    )
