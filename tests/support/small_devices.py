"""Small devices for tests of boards and lines: a profile, images with layers and a golden vector, signed if wanted."""

import random
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from firmware.host.sensor import birth_of
from firmware.micropython.slots import Slots
from shared import ed25519, model_image
from shared.identity import Channel, DeviceProfile
from shared.messages import codec
from shared.model_image import ImageContent, Layer, Scaling
from shared.quantized.scorer import Scorer
from shared.signal import definition

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC_KEY = KEY.public_key().public_bytes_raw()


def small_profile(device: str = "press-7", *, fast: bool = False) -> DeviceProfile:
    """Two slow channels at 1 Hz, or two axes at 800 Hz."""
    channels = (Channel("temperature", "degC", 20.0, 0.001), Channel("current", "A", 5.0, 0.0005))
    kind, rate = ("fast", 800.0) if fast else ("slow", 1.0)
    return DeviceProfile(device, "acme/north/hall/line-1/press-7", kind, rate, channels)


def small_image(profile: DeviceProfile, version: int = 1, *, hidden: int = 3, bands: int = 2) -> ImageContent:
    """An image for `profile` with two random layers; another version, another model."""
    drawn = random.Random(version)
    fast = profile.kind == "fast"
    window = 32 if fast else 4
    features = len(profile.channels) * (3 + bands if fast else 4)

    def layer(inputs: int, outputs: int) -> Layer:
        weights = bytes(drawn.randrange(256) for _ in range(inputs * outputs))
        bias = [drawn.randrange(-2000, 2000) for _ in range(outputs)]
        return Layer(inputs, outputs, weights, bias, [1 << 30] * outputs, [39] * outputs, 0, -128)

    content = ImageContent(
        version=version,
        kind=1 if fast else 0,
        bands=bands if fast else 0,
        window=window,
        hop=window if fast else 1,
        gap_ns=5_000_000_000,
        profile_digest=profile.digest(),
        sample_rate_millihertz=round(profile.sample_rate_hz * 1000),
        channels=[Scaling(0, 1 << 14, 16) for _ in profile.channels],
        edges=definition.band_edges(window, bands) if fast else [],
        features=[Scaling(100, 1 << 14, 18) for _ in range(features)],
        weights=[drawn.randrange(1, 200) for _ in range(features)],
        layers=[layer(features, hidden), layer(hidden, features)],
        input_multiplier=1 << 30,
        input_shift=32,
        output_multiplier=1 << 30,
        output_shift=28,
        threshold=1 << 16,
    )
    content.golden_features = [drawn.randrange(-300, 300) for _ in range(features)]
    scorer = Scorer(content)
    content.golden_score = scorer.score(content.golden_features)[0]
    content.golden_output = list(scorer.output)
    return content


def signed(content: ImageContent) -> bytes:
    """The image's bytes, signed with `KEY`."""
    unsigned = model_image.encode(content)
    signature = KEY.sign(model_image.signed_message(model_image.seal(unsigned)))
    return model_image.seal(unsigned, ed25519.key_id(PUBLIC_KEY), signature)


def provision_small(folder: Path, profile: DeviceProfile, version: int = 1) -> ImageContent:
    """A device's folder without a recording: slots and the birth."""
    content = small_image(profile, version)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "profile.cbor").write_bytes(codec.encode_birth(birth_of(profile, 0, content)))
    Slots(str(folder)).provision(signed(content))
    return content


def small_rows(profile: DeviceProfile, rows: int, seed: int = 0) -> list[tuple[int, list[int]]]:
    """``(time_ns, counts)`` of `rows` rows at the profile's rate, with a missing count now and then."""
    drawn = random.Random(seed)
    step = round(1e9 / profile.sample_rate_hz)
    first = 1_767_225_600_000_000_000
    return [
        (
            first + row * step,
            [-(2**31) if drawn.random() < 0.02 else drawn.randrange(-9000, 9000) for _ in profile.channels],
        )
        for row in range(rows)
    ]
