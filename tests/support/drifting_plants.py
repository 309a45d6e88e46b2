"""Synthetic plants that change: a load that all channels follow, noise of their own, and one kind of change each."""

import numpy as np

from shared.identity import Channel, DeviceProfile
from shared.messages.codec import Birth

HEALTHY, AFTER, CHANGE_AT = 1500, 3000, 500
CHANNELS = 6
SECOND_NS = 10**9
TIMES = np.arange(HEALTHY + AFTER) * SECOND_NS
#: What each channel makes of the load.
GAINS = np.linspace(1.0, 2.0, CHANNELS) * np.where(np.arange(CHANNELS) % 3 == 2, -1.0, 1.0)
KINDS = ("none", "load step", "load ramp", "night and day", "one channel step", "one channel ramp", "unrelated steps")


def birth(channels=CHANNELS):
    """A slow device at 1 Hz."""
    named = tuple(Channel(f"channel-{number}", "bar", 0.0, 1.0) for number in range(channels))
    return Birth(DeviceProfile("plant-1", "acme/plant", "slow", 1.0, named), 0, 1, (), 16, 1)


def correlated(generator, rows, correlation):
    """Noise of deviation 1 in which each row keeps `correlation` of the one before."""
    noise = generator.normal(size=rows)
    for row in range(1, len(noise)):
        noise[row] = correlation * noise[row - 1] + np.sqrt(1.0 - correlation**2) * noise[row]
    return noise


def plant(kind, size, seed):
    """Values (HEALTHY + AFTER, CHANNELS) of a plant that changes `CHANGE_AT` readings after its healthy part.

    `size` is in deviations: of the load, or of the channel that changes.
    """
    generator = np.random.default_rng(seed)
    rows = HEALTHY + AFTER
    after = np.arange(rows) - HEALTHY
    step, ramp = after >= CHANGE_AT, np.clip((after - CHANGE_AT) / 2000.0, 0.0, 1.0)
    load = correlated(generator, rows, 1.0 - 1.0 / 30.0)
    noise = 0.5 * correlated(generator, (rows, CHANNELS), 0.7)
    if kind == "load step":
        load = load + size * step
    elif kind == "load ramp":
        load = load + size * ramp
    elif kind == "night and day":
        load = load + size * ((after > 0) & (after // 400 % 2 == 1))
    values = load[:, None] * GAINS + noise
    deviation = values[:HEALTHY].std(axis=0)
    if kind == "one channel step":
        values[:, 1] += size * deviation[1] * step
    elif kind == "one channel ramp":
        values[:, 1] += size * deviation[1] * ramp
    elif kind == "unrelated steps":
        values += size * step[:, None] * deviation * generator.choice([-1.0, 1.0], CHANNELS)
    return values
