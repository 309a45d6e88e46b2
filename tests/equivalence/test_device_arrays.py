"""What an evaluation computes at once is what the twin sends, reading by reading."""

import numpy as np
import pytest

from shared.recordings import Recording
from tocsin.evaluation.device_arrays import data_of
from tocsin.provisioning import provision
from tocsin.score import messages_of

STEP_NS = {"slow": 10**9, "fast": 5_000_000}


def recording(kind: str, healthy: int) -> Recording:
    draw = np.random.default_rng(7)
    rows = 900 if kind == "slow" else 12_000
    values = draw.normal(size=(rows, 3)).cumsum(axis=0) * 0.1 + draw.normal(size=(rows, 3))
    values[rows // 2 : rows // 2 + 3, 1] = np.nan
    values[-40:, 2] *= 1e4
    times = 1_700_000_000 * 10**9 + np.arange(rows, dtype=np.int64) * STEP_NS[kind]
    times[rows * 2 // 3 :] += 3600 * 10**9
    clips = np.array([0, rows * 3 // 4])
    return Recording(times, values, ("a", "b", "c"), ("",) * 3, 1e9 / STEP_NS[kind], clips, healthy)


@pytest.mark.parametrize("kind", ["slow", "fast"])
@pytest.mark.parametrize("model", [True, False])
def test_a_recording_computed_at_once_is_what_the_twin_sends(kind, model):
    healthy = 400 if kind == "slow" else 6000
    provisioned = provision(recording(kind, healthy), "press-1", "acme/north/press", healthy, model=model)
    twin, arrays = list(messages_of(provisioned)), list(data_of(provisioned))
    assert sum(map(len, twin)) == sum(map(len, arrays)) > 0
    for name in ("times_ns", "scores_q12", "tops", "counts", "features"):
        parts = [[getattr(message, name) for message in messages] for messages in (twin, arrays)]
        if parts[0][0] is None:
            assert all(part is None for part in parts[1])
            continue
        sent, computed = (np.concatenate(part) for part in parts)
        assert sent.dtype == computed.dtype
        np.testing.assert_array_equal(sent, computed)
    borders = [np.concatenate([np.full(len(m), m.stretch) for m in messages]) for messages in (twin, arrays)]
    np.testing.assert_array_equal(*(np.diff(border) != 0 for border in borders))
    assert {message.model_version for message in arrays} == {message.model_version for message in twin}
