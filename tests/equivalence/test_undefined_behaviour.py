"""The C device under the address and undefined-behaviour sanitizers: extreme samples and images, and not a word."""

import numpy as np
import pytest

from firmware.build import build_host
from firmware.errors import CompilerError
from shared.signal import definition


@pytest.fixture(scope="module")
def sanitized(bench, build_folder):
    """The bench with a program that stops at the first undefined operation."""
    try:
        bench.programs["sanitized"] = build_host(build_folder, sanitize=True)
    except CompilerError as error:
        pytest.skip(f"this machine's compiler has no sanitizers: {error}")
    return bench


@pytest.mark.parametrize("kind", [definition.KIND_SLOW, definition.KIND_FAST])
@pytest.mark.parametrize("seed", range(12))
def test_extremes_are_defined(sanitized, same, seed, kind):
    rng = np.random.default_rng(seed)
    fast = {"kind": kind, "bands": 5, "hop": int(rng.choice([7, 300]))} if kind else {}
    window = int(rng.choice([32, 256, 4096] if kind else [4, 256]))
    image = sanitized.images.random(
        seed, channels=2, window=window, layers=seed % 4 > 0, extreme=seed % 3 > 0, plain=seed % 3 == 0, **fast
    )
    rows = window + 600
    rails = np.array([-(2**31), -(2**31) + 1, -32769, -32768, -1, 0, 32767, 32768, 2**31 - 1])
    counts = rng.choice(rails, (rows, 2)).astype(np.int32)
    times = rng.choice([-(2**63), 2**63 - 1, 0, 1], rows).astype(np.int64) if seed % 2 else np.arange(rows) * 10**7
    clips = rng.random(rows) < 0.001
    checked = sanitized.c(image, times, counts, clips, program="sanitized", boot=2**64 - 1)
    plain = sanitized.c(image, times, counts, clips, boot=2**64 - 1)
    same(checked, plain)
    assert checked.messages == plain.messages
    twin = sanitized.twin(image, times, counts, clips, boot=2**64 - 1)
    same(twin, plain)
    assert twin.messages == plain.messages
