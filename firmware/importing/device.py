"""The device that an imported model is for: one that exists, or one made of what the model reads."""

import re
from pathlib import Path

from firmware.board_build import read_board_device
from firmware.host.sensor import birth_of
from firmware.importing.request import ImportRequest
from firmware.importing.shape import Shape
from firmware.importing.units import Standard, Units, new_channel
from firmware.micropython.slots import Slots
from shared import model_image
from shared.errors import UsageError
from shared.identity import DeviceProfile
from shared.messages import codec
from shared.recordings.recording import Recording

_ASSET = "imported/site/area/line"
_ID_MAX = 48


class ExistingDevice:
    """A provisioned device, read from its folder: who it is, and the version that it runs."""

    def __init__(self, folder: Path) -> None:
        read = read_board_device(folder)
        self.folder = folder
        self.profile = read.birth.profile
        self.version = read.content.version

    def check(self, shape: Shape) -> None:
        """UsageError unless an image of this shape could run on the device."""
        if shape.kind != self.profile.kind or shape.channels != len(self.profile.channels):
            raise UsageError(
                f"the device in {self.folder} is {self.profile.kind} with {len(self.profile.channels)} channels, and "
                f"the model would make it {shape.kind} with {shape.channels}; give another --window or --device"
            )


def new_profile(
    request: ImportRequest, shape: Shape, units: Units, standards: list[Standard], recording: Recording | None
) -> DeviceProfile:
    """The profile of a device made of the model: channels as the recording names them, else numbered."""
    names = [f"input-{number}" for number in range(1, shape.channels + 1)] if recording is None else recording.names
    of_units = [""] * shape.channels if recording is None else recording.units
    channels = tuple(
        new_channel(name, unit, standard, units, request.counts_per_unit)
        for name, unit, standard in zip(names, of_units, standards, strict=True)
    )
    name = request.name or _id_of(request.model)
    try:
        return DeviceProfile(name, f"{_ASSET}/{name}", shape.kind, shape.sample_rate_hz, channels)
    except ValueError as error:
        raise UsageError(f"--name: {error}") from error


def check_new_folder(folder: Path) -> None:
    """UsageError where a new device cannot be put: another one is there, with its count of boots."""
    if (folder / "profile.cbor").exists():
        raise UsageError(f"{folder} holds a device already; give --provision a new folder, or --device this one")


def write_device_folder(folder: Path, profile: DeviceProfile, image: bytes) -> None:
    """A provisioned device's folder, as ``tocsin firmware build``, ``emulate`` and ``flash`` take it."""
    content = model_image.read(image)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "profile.cbor").write_bytes(codec.encode_birth(birth_of(profile, 0, content)))
        Slots(str(folder)).provision(image)
    except OSError as error:
        raise UsageError(f"{folder} cannot be written ({error.strerror}); give --provision another folder") from error


def _id_of(model: Path) -> str:
    """A device id made of a file's name.

    >>> _id_of(Path("models/AD01 int8.tflite"))
    'ad01-int8'
    """
    return re.sub(r"[^a-z0-9]+", "-", model.stem.lower())[:_ID_MAX].strip("-") or "imported"
