"""Which device of the demo is which kind, what the gateway must read, and who gets new models."""

from pathlib import Path
from typing import Any, cast

import pytest

from firmware.host.player import Player, read_player
from shared.identity import Channel, DeviceProfile
from tocsin.demo.prepare import Plan, Prepared, Truth
from tocsin.demo.retraining import Retraining
from tocsin.demo.sensors import choose_players, lines_of


def _plan(fleet: Path, kinds: dict[str, str]) -> Plan:
    devices = {}
    for name, kind in kinds.items():
        (fleet / name).mkdir()
        profile = DeviceProfile(name, "site/pump-1", kind, 1.0, (Channel("t", "degC", 0.0, 1.0),))
        devices[name] = Prepared(profile, b"", 100, 0, 100, 1000, 4000)
    return Plan(fleet, devices, Truth(None, None, 100, (), True), ())


@pytest.mark.parametrize(
    ("kinds", "emulated"),
    [(("twin",), []), (("twin", "emulated"), ["heat", "flow"]), (("emulated",), ["heat", "flow"])],
)
def test_slow_devices_are_emulated_where_boards_are_asked_for(
    tmp_path: Path, kinds: tuple[str, ...], emulated: list[str]
) -> None:
    plan = _plan(tmp_path, {"vibration": "fast", "heat": "slow", "flow": "slow"})
    players = choose_players(plan, kinds)
    assert [name for name, player in players.items() if player.kind == "emulated"] == emulated
    assert {name: read_player(tmp_path / name) for name in players} == players
    assert lines_of(players) == [players[name].address for name in emulated]
    assert len(set(lines_of(players))) == len(emulated)


@pytest.mark.parametrize(
    ("emulated", "trained"),
    [
        ([], ["vibration"]),
        (["heat"], ["vibration"]),
        (["vibration"], ["heat"]),
        (["vibration", "heat"], []),
    ],
)
def test_new_models_go_to_fast_devices_among_those_that_check_signatures(
    tmp_path: Path, emulated: list[str], trained: list[str]
) -> None:
    plan = _plan(tmp_path, {"vibration": "fast", "heat": "slow"})
    players = {name: Player("emulated", "stm32f405", 1) if name in emulated else Player() for name in plan.devices}
    said: list[str] = []
    retraining = Retraining(plan, players, "mqtt://127.0.0.1", tmp_path, cast(Any, None), said.append)
    assert retraining.devices == trained
    assert len(said) == (not trained)
    assert bool(retraining.missing(cast(Any, None))) == bool(trained)
