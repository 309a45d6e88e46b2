"""The file that says what plays a device: read back as it was written, refused in one sentence that names it."""

import pytest

from firmware.host.player import Player, read_player
from shared.errors import UsageError


@pytest.mark.parametrize("player", [Player(), Player("emulated", "stm32f405", 4001)])
def test_a_player_is_read_as_it_was_written(tmp_path, player):
    player.write(tmp_path)
    assert read_player(tmp_path) == player


def test_a_device_without_the_file_is_a_twin(tmp_path):
    assert read_player(tmp_path) == Player()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "neither"),
        ("robot", "neither"),
        ("emulated stm32f405", "neither"),
        ("emulated stm32f405 0", "neither"),
        ("emulated stm32f405 65536", "neither"),
        ("emulated abacus 4001", "no board 'abacus'"),
        ("emulated esp32 4001", "which no emulator runs"),
        ("zwölf", "does not say what plays"),
    ],
)
def test_what_plays_nothing_is_one_sentence(tmp_path, text, words):
    (tmp_path / "player").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as refusal:
        read_player(tmp_path)
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)
