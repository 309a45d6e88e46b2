"""``tocsin firmware import``: a .tflite file, what a person says of it, and the model image that they make."""

import math
from collections.abc import Callable

from firmware.errors import FirmwareError
from firmware.importing.device import ExistingDevice, check_new_folder, new_profile, write_device_folder
from firmware.importing.healthy import check_columns, healthy_inputs, read_healthy
from firmware.importing.image import content_of, errors_of, finish, ramp
from firmware.importing.request import ImportRequest
from firmware.importing.shape import Shape, shape_of
from firmware.importing.threshold import Level, healthy_level, level_of
from firmware.importing.units import Units, channel_scaling, read_standards, units_of
from firmware.model_files import check_out, write_image
from firmware.release_key import sign_with
from shared import model_image
from shared.errors import UsageError
from shared.identity import DeviceProfile
from shared.model_image import IMAGE_LIMIT_BYTES, ImageContent
from shared.tflite.reader import TfliteModel, read_tflite

_DEFAULT_RATE_HZ = 1.0
_VERSION_MAX = 2**32 - 1


def import_model(request: ImportRequest, say: Callable[[str], None]) -> None:
    """Make the image, write it, and tell what was decided.

    Raises
    ------
    UsageError
        The request cannot be: options that contradict each other, files that are not there, a device of another shape.
    TfliteError, FirmwareError
        The model cannot be an image, and why.
    """
    _check_request(request)
    model = read_tflite(request.model)
    device = None if request.device is None else ExistingDevice(request.device)
    recording = read_healthy(request, None if device is None else device.profile)
    rate = request.sample_rate_hz or (
        device.profile.sample_rate_hz if device else recording.sample_rate_hz if recording else _DEFAULT_RATE_HZ
    )
    shape = shape_of(model, request, rate)
    units = units_of(model)
    standards = read_standards(request.scaler, shape.channels)
    if recording is not None:
        check_columns(recording, shape.channels)
    if device is not None:
        device.check(shape)
        profile, running = device.profile, device.version
    else:
        profile, running = new_profile(request, shape, units, standards, recording), 0
    scalings = [channel_scaling(*pair, units) for pair in zip(profile.channels, standards, strict=True)]
    version = _version(request.version, running)
    content = content_of(model, shape, units, profile, scalings, version=version, round_once=request.round_once)
    if recording is None:
        inputs = ramp(content, units)
        level = level_of(request.threshold or 0.0, content.inputs, units)
    else:
        inputs = healthy_inputs(recording, profile, content)
        level = healthy_level(errors_of(content, inputs), units)
    finish(content, level, inputs)
    unsigned = model_image.encode(content)
    image = model_image.seal(unsigned) if request.key is None else sign_with(request.key, unsigned)
    if len(image) > IMAGE_LIMIT_BYTES:
        raise FirmwareError(
            f"{request.model} makes an image of {len(image)} bytes and a device takes {IMAGE_LIMIT_BYTES}; "
            "make the model smaller"
        )
    model_image.read(image)
    write_image(request.out, image)
    if request.provision is not None:
        write_device_folder(request.provision, profile, image)
    for line in _told(request, model, shape, units, profile, content, level, len(image)):
        say(line)


def _check_request(request: ImportRequest) -> None:
    if (request.threshold is None) == (request.healthy is None):
        raise UsageError(
            "say when the score is 1: either --threshold with a mean squared error, or --healthy with a recording"
        )
    if request.device is not None and (request.provision is not None or request.counts_per_unit is not None):
        raise UsageError(
            "--device names a device that exists, with counts of its own; leave out --provision and --counts-per-unit"
        )
    if request.healthy is None and (request.channels or request.healthy_rows or request.time_column):
        raise UsageError("--channels, --healthy-rows and --time-column say how --healthy is read; give that too")
    if request.threshold is not None and not 0 < request.threshold < math.inf:
        raise UsageError(f"--threshold must be a mean squared error above 0, not {request.threshold:g}")
    for name, value in (
        ("--sample-rate", request.sample_rate_hz),
        ("--gap", request.gap_seconds),
        ("--counts-per-unit", request.counts_per_unit),
    ):
        if value is not None and not 0 < value < 1e12:
            raise UsageError(f"{name} must be above 0 and below 1e12, not {value:g}")
    check_out(request.out, request.model)
    if request.provision is not None:
        check_new_folder(request.provision)


def _version(asked: int | None, running: int) -> int:
    version = running + 1 if asked is None else asked
    if not running < version <= _VERSION_MAX:
        raise UsageError(f"version {version} must be above the running {running} and at most {_VERSION_MAX}")
    return version


def _told(
    request: ImportRequest,
    model: TfliteModel,
    shape: Shape,
    units: Units,
    profile: DeviceProfile,
    content: ImageContent,
    level: Level,
    size: int,
) -> list[str]:
    products = sum(layer.outputs * layer.columns for layer in content.layers)
    signed = "not signed" if request.key is None else "signed"
    lines = [
        f"read    {request.model}: {len(content.layers)} layers, {products} products, {content.inputs} values in, out",
        f"reads   {shape.window} samples of {shape.channels} channels at {shape.sample_rate_hz:g} Hz ({shape.kind})",
        f"units   {units.per_step} of a scaled sample per int8 step of {model.input_scale:g}",
        f"score   1 at a mean squared error of {level.mean_squared_error:.6g}{_from_windows(level)}",
        f"device  {profile.device}, profile {profile.digest().hex()}, image version {content.version}, {signed}",
        f"wrote   {request.out}, {size} bytes",
    ]
    if request.provision is not None:
        lines.append(f"wrote   {request.provision}: a device for tocsin firmware build, emulate and flash --device")
    return lines


def _from_windows(level: Level) -> str:
    if level.windows is None:
        return ""
    told = f", which 1 in 1,000 healthy windows passes, from {level.windows} of them"
    return f"{told}: provisional" if level.provisional else told
