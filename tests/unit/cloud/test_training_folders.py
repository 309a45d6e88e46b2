"""The folders of trainings: the newest of each device stay."""

import pytest
from sqlalchemy import update

from cloud.jobs.trainings import FAILED, KEPT_FOLDERS
from cloud.storage.facts import Fact, Source
from cloud.storage.relational import JobRow
from shared.identity import Channel, DeviceProfile
from shared.messages.codec import Birth


@pytest.fixture
def born(tier):
    for device in ("pump-1", "fan-7"):
        profile = DeviceProfile(device, f"acme/{device}", "slow", 1.0, (Channel("flow", "", 0.0, 1.0),))
        tier.facts.apply([Fact(Source("g", 1, 0), Birth(profile, 1, 0, ("f",), 8, 1), 1)])
    return tier


def past_job(tier, device, created_ns):
    """A training that failed long ago and left its folder."""
    identifier = tier.trainings.ask(device).identifier
    tier.trainings._asked.get_nowait()
    with tier.relations.transaction() as session:
        session.execute(
            update(JobRow).where(JobRow.identifier == identifier).values(state=FAILED, created_ns=created_ns)
        )
    folder = tier.settings.data_folder / "jobs" / identifier
    folder.mkdir(parents=True)
    (folder / "training.log").write_text("what it said\n")
    return identifier


def test_a_training_leaves_the_newest_folders_of_its_device_and_all_of_others(born):
    old = [past_job(born, "pump-1", number) for number in range(KEPT_FOLDERS + 3)]
    other = past_job(born, "fan-7", 0)
    job = born.trainings.ask("pump-1")
    born.trainings._asked.put(None)  # the worker ends after it
    born.trainings.start()
    born.trainings._worker.join(30.0)
    assert not born.trainings._worker.is_alive()
    assert "No healthy reading" in born.trainings.job(job.identifier).reason
    left = {path.name for path in (born.settings.data_folder / "jobs").iterdir()}
    assert left == {other, *old[-(KEPT_FOLDERS - 1) :]}  # the newest is the one without readings, which made none
    assert len(born.trainings.jobs()) == KEPT_FOLDERS + 5  # what became of each stays known
