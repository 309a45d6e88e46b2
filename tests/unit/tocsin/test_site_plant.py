"""The plant of the profile demo, once it is there; that it is made is tested where its image is."""

import json

import numpy as np
import pytest
from small_devices import signed, small_image, small_profile

from firmware.host.fleet import write_device
from firmware.host.replay import Source
from shared.errors import UsageError
from tocsin.site import plant

NOW = 1_800_000_000_000_000_000
SECOND = 1_000_000_000


@pytest.fixture
def folder(tmp_path):
    """A plant of two devices whose recordings end at 100 s and at 90 s."""
    for name, end in (("press-1", 100), ("press-2", 90)):
        profile = small_profile(name)
        times = np.arange(end - 50, end + 1) * SECOND
        source = Source(times, np.zeros((51, 2), np.int32), [])
        write_device(tmp_path / "fleet", profile, source, signed(small_image(profile)))
    facts = {"healthy_readings": {"press-1": 9, "press-2": 9}, "asset": "a", "onset_ns": 75 * SECOND}
    (tmp_path / "plant.json").write_text(json.dumps(facts))
    return tmp_path


def times_of(folder, device):
    with np.load(folder / "fleet" / device / "samples.npz") as samples:
        return samples["times_ns"]


def call(folder, now_ns, fault="outer_race"):
    return plant.make_plant(folder, fault=fault, seed=1, pumps=1, say=lambda _: None, now_ns=now_ns)


def test_a_second_call_moves_all_recordings_and_the_onset_by_the_same_time(folder):
    (folder / "fleet/press-1/boot").write_text("7")
    facts = call(folder, NOW)
    assert times_of(folder, "press-1")[-1] == NOW
    assert times_of(folder, "press-2")[-1] == NOW - 10 * SECOND
    assert facts["onset_ns"] == NOW - 25 * SECOND
    assert json.loads((folder / "plant.json").read_text()) == facts
    assert set(np.diff(times_of(folder, "press-1"))) == {SECOND}
    assert (folder / "fleet/press-1/boot").read_text() == "7"


def test_moving_twice_is_moving_once(folder):
    call(folder, NOW)
    facts = call(folder, NOW + 5 * SECOND)
    assert times_of(folder, "press-1")[-1] == NOW + 5 * SECOND
    assert facts["onset_ns"] == NOW - 20 * SECOND


def test_a_fault_that_does_not_exist_is_refused_with_the_list(folder):
    with pytest.raises(UsageError, match=r"fault 'rust' is none of healthy, .*outer_race"):
        call(folder, NOW, "rust")


def test_a_plant_that_cannot_be_read_is_one_sentence(folder):
    (folder / "plant.json").write_text("{")
    with pytest.raises(UsageError, match=r"plant\.json cannot be read .*; remove .* and make the plant again"):
        call(folder, NOW)
