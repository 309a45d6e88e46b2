"""An imported model on an emulated STM32F405: its scores are those of NumPy, which are LiteRT's."""

import importlib.util

import numpy as np
import pytest
from emulated_boards import Bench, require_emulator
from small_autoencoders import window_autoencoder

from firmware.board_build import build_board, read_board_device
from firmware.boards.registry import board_named
from firmware.importing.command import import_model
from firmware.importing.request import ImportRequest
from shared.messages import codec
from shared.quantized import arrays
from shared.quantized.sample_arrays import sample_inputs
from shared.serial import framing
from shared.signal.arrays import clamp16, scale

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("tflite") is None, reason="tflite is not installed: pip install 'tocsin[dev]'"
)

ROWS = 700


def scores_of(bench):
    """The score of each reading that came, by its number; a message may come more than once."""
    found = {}
    for body in bench.of(framing.DATA):
        message = codec.decode_data(body)
        found |= dict(enumerate(message.scores_q12.tolist(), message.sequence))
    return found


@pytest.mark.parametrize("round_once", [False, True])
def test_windows_on_the_board(tmp_path, round_once):
    """Convolutions that round twice run in plain loops there, those that round once in the kernel."""
    require_emulator()
    (tmp_path / "drawn.tflite").write_bytes(window_autoencoder())
    import_model(
        ImportRequest(
            tmp_path / "drawn.tflite",
            tmp_path / "model.tcsn",
            provision=tmp_path / "device",
            threshold=2.0,
            sample_rate_hz=400.0,
            hop=20,
            round_once=round_once,
        ),
        lambda _line: None,
    )
    device = read_board_device(tmp_path / "device")
    content = device.content
    counts = np.rint(np.random.default_rng(5).normal(0, 2500, (ROWS, 2))).astype(np.int32)
    ends = np.arange(content.window - 1, ROWS, content.hop)
    parts = (
        np.array([getattr(scaling, name) for scaling in content.channels], np.int64)
        for name in ("centre", "multiplier", "shift")
    )
    scaled = clamp16(scale(counts, *parts))
    expected, _ = arrays.scores(content, sample_inputs(content.kind, scaled, ends, content.window))
    assert len(set(expected.tolist())) > 20

    firmware = build_board(board_named("stm32f405"), tmp_path / "firmware", device=device)
    assert [bool(layer.packed) for layer in firmware.model.content.layers] == [round_once, False, True, True]
    with Bench(firmware) as bench:
        assert any("golden vector right" in text for text in bench.texts())
        bench.push(np.arange(ROWS, dtype=np.int64) * 2_500_000, counts, np.zeros(ROWS, bool))
        whole = len(ends) // 16 * 16  # messages are sent when they hold sixteen readings
        bench.wait(lambda: len(scores_of(bench)) >= whole)
        found = scores_of(bench)
    assert [found[sequence] for sequence in range(whole)] == expected[:whole].tolist()
