"""Everything that goes down to gateways, from one place."""

from collections.abc import Iterator

from cloud.ingest.ingest import ReleaseSource


class Downward:
    """Several sources of retained messages as one."""

    def __init__(self, *sources: ReleaseSource) -> None:
        self._sources = sources

    def forget(self) -> None:
        """See `cloud.ingest.ingest.ReleaseSource`."""
        for source in self._sources:
            source.forget()

    def due(self) -> Iterator[tuple[str, bytes]]:
        """See `cloud.ingest.ingest.ReleaseSource`."""
        for source in self._sources:
            yield from source.due()
