"""The slots: trials, power cuts at every file operation, and damaged files."""

import itertools
import os
import shutil
from pathlib import Path

import pytest
from gateway_partners import image_for

from firmware.micropython import slots as slots_module
from firmware.micropython.slots import Slots
from shared.errors import ImageError, TocsinError
from shared.model_image import read

IMAGES = [image_for(version, None) for version in range(1, 6)]
FACTORY, SECOND, THIRD, FOURTH, FIFTH = IMAGES


def version_of(image):
    return read(image).version


@pytest.fixture
def folder(tmp_path):
    Slots(str(tmp_path)).provision(FACTORY)
    return tmp_path


def started(folder):
    """The version that a start runs, and whether a trial was given up."""
    image, given_up = Slots(str(folder)).boot_image()
    return version_of(image), given_up


def test_a_provisioned_device_starts_with_the_factorys_image(folder):
    assert started(folder) == (1, False)
    assert started(folder) == (1, False)
    assert sorted(path.name for path in folder.iterdir()) == ["active", "slot-0.image", "slot-1.image"]


def test_an_empty_folder_is_one_sentence(tmp_path):
    with pytest.raises(ImageError, match=f"^model image: no whole one in {tmp_path}; provision the device first$"):
        Slots(str(tmp_path)).boot_image()


def test_a_trial_is_given_up_at_the_next_start_and_only_then(folder):
    slots = Slots(str(folder))
    slots.store(SECOND)
    assert started(folder) == (1, True)
    assert started(folder) == (1, False)


def test_a_proved_image_stays(folder):
    slots = Slots(str(folder))
    slots.store(SECOND)
    slots.prove()
    assert started(folder) == (2, False)
    slots = Slots(str(folder))
    slots.prove()
    slots.store(THIRD)
    assert started(folder) == (2, True)


def test_an_update_during_a_trial_leaves_the_proved_image(folder):
    slots = Slots(str(folder))
    slots.store(SECOND)
    slots.store(THIRD)
    slots.store(FOURTH)
    assert started(folder) == (1, True)
    slots = Slots(str(folder))
    slots.store(SECOND)
    slots.store(THIRD)
    slots.prove()
    assert started(folder) == (3, False)


def test_provisioning_again_begins_anew_but_counts_on(folder):
    slots = Slots(str(folder))
    assert [slots.next_boot() for _ in range(3)] == [1, 2, 3]
    slots.store(FOURTH)
    slots.provision(SECOND)
    assert started(folder) == (2, False)
    assert Slots(str(folder)).next_boot() == 4


def test_a_full_disk_switches_nothing(folder, monkeypatch):
    slots = Slots(str(folder))

    def full(*_):
        raise OSError(28, "No space left on device")

    for name in ("fsync", "rename"):
        with monkeypatch.context() as patch:
            patch.setattr(slots_module.os, name, full)
            with pytest.raises(OSError, match="No space"):
                slots.store(SECOND)
        assert (slots.active, slots.on_trial) == (0, False)
    slots.store(THIRD)
    slots.prove()
    assert started(folder) == (3, False)


class PowerCut(BaseException):
    """No code of the device may catch it."""


class Flash:
    """Cuts the power at the `cut`-th file operation: before it, or in the midst of a write."""

    def __init__(self, patch, cut):
        self.left = cut
        self.files = []
        patch.setattr(slots_module, "open", self.open, raising=False)
        for name in ("rename", "fsync", "open"):
            patch.setattr(slots_module.os, name, self.counted(getattr(os, name)))

    def step(self):
        self.left -= 1
        if self.left == 0:
            for file in self.files:
                file.close()
            raise PowerCut

    def counted(self, operation):
        def run(*arguments):
            self.step()
            return operation(*arguments)

        return run

    def open(self, path, mode):
        self.step()
        file = Path(path).open(mode, buffering=0)  # noqa: SIM115  a cut leaves it open
        self.files.append(file)
        return Torn(file, self) if mode == "wb" else file


class Torn:
    """A file whose write stops half way when the power goes."""

    def __init__(self, file, flash):
        self.file, self.flash = file, flash
        self.flush, self.fileno = file.flush, file.fileno

    def write(self, content):
        self.file.write(content[: len(content) // 2])
        self.flash.step()
        self.file.write(content[len(content) // 2 :])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()


def life(folder, boots, proved, offered):
    """Five starts of a device; each line is noted before the device goes on."""

    def start():
        slots = Slots(str(folder))
        running.append(version_of(slots.boot_image()[0]))
        assert running[-1] in (proved[-1], offered[-1] if proved[-1] != offered[-1] else None)
        boots.append(slots.next_boot())
        return slots

    def offer(image, slots):
        offered.append(version_of(image))
        slots.store(image)

    def prove(slots):
        slots.prove()
        proved.append(offered[-1])

    running = []
    start()
    slots = start()
    offer(SECOND, slots)
    prove(slots)
    slots = start()
    offer(THIRD, slots)
    slots = start()
    assert running == [1, 1, 2, 2]
    offer(THIRD, slots)
    offer(FOURTH, slots)
    prove(slots)
    start()
    assert running[-1] == 4


def test_a_power_cut_at_any_operation_leaves_a_whole_image_and_a_growing_boot_number(tmp_path, monkeypatch):
    factory = tmp_path / "factory"
    factory.mkdir()
    Slots(str(factory)).provision(FACTORY)
    for cut in itertools.count(1):
        folder = tmp_path / str(cut)
        shutil.copytree(factory, folder)
        boots, proved, offered = [0], [1], [1]
        with monkeypatch.context() as patch:
            flash = Flash(patch, cut)
            try:
                life(folder, boots, proved, offered)
            except PowerCut:
                pass
            else:
                break
        assert flash.left == 0
        slots = Slots(str(folder))
        version = version_of(slots.boot_image()[0])
        # the last step may have been the proof of the newest: done on the disk, and not yet told
        assert version in (proved[-1], offered[-1])
        on_disk = [version_of((folder / f"slot-{slot}.image").read_bytes()) for slot in (0, 1)]
        assert proved[-1] in on_disk
        boots.append(slots.next_boot())
        assert started(folder) == (version, False)
        boots.append(Slots(str(folder)).next_boot())
        assert boots == sorted(set(boots))
        slots = Slots(str(folder))
        slots.boot_image()
        slots.store(FIFTH)
        slots.prove()
        assert started(folder) == (5, False)
        shutil.rmtree(folder)
    assert cut > 100
    assert boots == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("first", [True, False])
def test_a_power_cut_during_provisioning_leaves_a_whole_image_or_none(tmp_path, monkeypatch, first):
    outcomes = []
    for cut in itertools.count(1):
        folder = tmp_path / str(cut)
        folder.mkdir()
        if not first:
            slots = Slots(str(folder))
            slots.provision(FACTORY)
            slots.store(SECOND)
            slots.prove()
        with monkeypatch.context() as patch:
            Flash(patch, cut)
            try:
                Slots(str(folder)).provision(THIRD)
            except PowerCut:
                pass
            else:
                break
        try:
            outcomes.append(started(folder)[0])
        except ImageError as error:
            outcomes.append(str(error).split(" in ")[0])
        Slots(str(folder)).provision(FOURTH)
        assert started(folder) == (4, False)
    expected = ["model image: no whole one", 3] if first else [2, 3]
    assert [outcome for outcome, _ in itertools.groupby(outcomes)] == expected


DAMAGE = [b"", b"\0", b"\0\0", b"\xff\xff", b"2!", b"1", b"0!0!", b"1!\n", bytes(4096)]


@pytest.mark.parametrize("content", [*DAMAGE, None])
@pytest.mark.parametrize("newer_on_trial", [True, False])
@pytest.mark.parametrize("turns", [1, 2])
def test_a_damaged_record_starts_the_older_image(folder, content, newer_on_trial, turns):
    slots = Slots(str(folder))
    for version in range(1, turns + 1):
        slots.store(IMAGES[version])
        if version < turns or not newer_on_trial:
            slots.prove()
    if content is None:
        (folder / "active").unlink()
    else:
        (folder / "active").write_bytes(content)
    assert started(folder) == (turns, False)
    assert started(folder) == (turns, False)
    assert (folder / "active").read_bytes() in (b"0!", b"1!")
    slots = Slots(str(folder))
    slots.store(FIFTH)
    slots.prove()
    assert started(folder) == (5, False)


@pytest.mark.parametrize(
    "damage", [lambda image: b"", lambda image: image[:-1], lambda image: image[:50] + b"!" + image[51:]]
)
def test_a_damaged_image_gives_way_to_the_other(folder, damage):
    slots = Slots(str(folder))
    slots.store(SECOND)
    slots.prove()
    running = folder / f"slot-{slots.active}.image"
    running.write_bytes(damage(SECOND))
    assert started(folder) == (1, False)
    assert started(folder) == (1, False)
    running.unlink()
    assert started(folder) == (1, False)
    # with nothing but the image on trial, that one runs: better than none
    slots = Slots(str(folder))
    slots.store(SECOND)
    (folder / f"slot-{1 - slots.active}.image").write_bytes(damage(FACTORY))
    assert started(folder) == (2, False)
    (folder / f"slot-{slots.active}.image").write_bytes(damage(SECOND))
    with pytest.raises(ImageError, match="no whole one"):
        started(folder)


@pytest.mark.parametrize("damage", [b"", b"\0\0\0", b"\xff", b"-4", b"7x", b"1.5", b"9" * 19, "٣".encode()])
@pytest.mark.parametrize("name", ["boot", "boot-copy"])
def test_a_damaged_boot_count_is_read_from_the_other(folder, name, damage):
    slots = Slots(str(folder))
    assert [slots.next_boot() for _ in range(11)] == list(range(1, 12))
    (folder / name).write_bytes(damage)
    assert Slots(str(folder)).next_boot() == 12
    (folder / name).unlink()
    assert Slots(str(folder)).next_boot() == 13
    (folder / name).write_bytes(b"2")
    assert Slots(str(folder)).next_boot() == 14


def test_a_boot_count_that_cannot_be_read_at_all_is_one_sentence_with_a_remedy(folder):
    slots = Slots(str(folder))
    slots.next_boot()
    (folder / "boot").write_bytes(b"")
    (folder / "boot-copy").write_bytes(b"\xff\xff")
    with pytest.raises(TocsinError, match=f"in {folder} cannot be read; write a number above the device's last boot"):
        slots.next_boot()
    (folder / "boot").write_text("40\n")
    assert slots.next_boot() == 41


def test_a_boot_count_that_is_a_folder_does_not_crash(folder):
    (folder / "boot").mkdir()
    with pytest.raises(TocsinError, match="boot count"):
        Slots(str(folder)).next_boot()
