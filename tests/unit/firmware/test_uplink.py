"""What a healthy vibration sensor sends, against what its raw samples would cost."""

import numpy as np

from cloud.training.recipe import recipe_for
from cloud.training.train import recipe_image
from firmware.micropython.device import Device
from shared import model_image
from shared.identity import Channel, DeviceProfile
from shared.messages import compact

RATE_HZ = 3200
SECONDS = 120


def test_a_healthy_three_axis_sensor_sends_at_most_a_two_hundredth_of_its_raw_bytes() -> None:
    channels = tuple(Channel(name, "g", 0.0, 16 / 32768) for name in "xyz")
    profile = DeviceProfile("pump-1-vibration", "plant/site/area/line/pump-1", "fast", float(RATE_HZ), channels)
    counts = np.random.default_rng(1).normal(0.0, 300.0, (RATE_HZ * SECONDS, 3)).astype(np.int32)
    recipe = recipe_for(profile, RATE_HZ * 600)
    content = model_image.read(model_image.seal(recipe_image(profile, recipe, counts)))
    sent: list[bytes] = []
    readings: list[int] = []

    def take(_sequence: int, count: int, head: bytes, tail: bytes) -> None:
        sent.append(head + compact.data_oldest(0) + tail)
        readings.append(count)

    device = Device(profile.device, 1, content, take)
    period_ns = 1_000_000_000 // RATE_HZ
    for begin in range(0, len(counts), RATE_HZ):
        part = counts[begin : begin + RATE_HZ]
        times = [(begin + index) * period_ns for index in range(len(part))]
        device.push_run(times, [part[:, axis].tolist() for axis in range(3)])
    device.close_message()
    assert sum(readings) == SECONDS // 2
    raw_bytes = counts.size * 2  # int16, as the accelerometer gives them
    assert sum(map(len, sent)) * 200 <= raw_bytes
