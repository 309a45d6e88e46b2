"""Readings that do not fit what their birth announced are refused and counted; the gateway goes on."""

import numpy as np
import pytest

from gateway.intake import Intake
from gateway.settings import GatewaySettings
from shared import topics
from shared.identity import FAST, Channel, DeviceProfile
from shared.messages import codec

CHANNELS = (Channel("axial", "g", 0.0, 1.0), Channel("radial", "g", 0.0, 1.0))


@pytest.mark.parametrize(("names", "refused"), [("abcd", 0), ("abcde", 1)])
def test_features_must_share_out_evenly_over_the_channels(names: str, refused: int) -> None:
    intake = Intake(GatewaySettings(healthy_readings=48))
    birth = codec.Birth(DeviceProfile("pump-1", "plant/pump-1", FAST, 100.0, CHANNELS), 1, 0, tuple(names), 64, 64)
    count = 60
    values = np.random.default_rng(1).normal(0.0, 64.0, (count, len(names))).astype(np.int16)
    data = codec.Data(
        "pump-1", 1, 0, 0, 0, 0, 0, np.arange(count) * 1_000_000_000, np.full(count, 0xFFFFFFFF, np.uint32),
        np.full(count, 0xFFFF, np.uint16), None, values,
    )  # fmt: skip
    found = intake.take(
        [(topics.birth("pump-1"), codec.encode_birth(birth)), (topics.data("pump-1"), codec.encode_data(data))]
    )
    assert found.changes.refused == refused
    assert len(found.marks) == 1 - refused
