import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from stored_blocks import SECOND_NS, make_block

from cloud.settings import CloudSettings
from cloud.storage.embedded import EmbeddedStore
from cloud.storage.port import Block
from cloud.storage.relational import Relations
from cloud.tier import CloudTier

BlockMaker = Callable[..., Block]


@pytest.fixture
def block() -> BlockMaker:
    return make_block


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    opened = EmbeddedStore(tmp_path / "store")
    yield opened
    opened.close()


@pytest.fixture
def relations(tmp_path: Path) -> Iterator[Relations]:
    opened = Relations(tmp_path / "facts")
    yield opened
    opened.close()


@pytest.fixture
def tier(tmp_path: Path) -> Iterator[CloudTier]:
    opened = CloudTier(CloudSettings(data_folder=tmp_path / "cloud", silent_after_seconds=60.0))
    yield opened
    opened.close()


@pytest.fixture
def ticks() -> Iterator[int]:
    """Wall times for batches, one after another."""
    return itertools.count(1_700_000_000 * SECOND_NS, SECOND_NS)
