"""Which kind each sensor of the demo is: a twin in a process of this machine, or the firmware of a board in QEMU.

A twin speaks MQTT; an emulated board is on a serial line, which the gateway reads over TCP. The C core checks no
signature yet, so new models go to twins.
"""

from collections.abc import Mapping

from firmware.host.player import EMULATED, KINDS, TWIN, Player
from shared.errors import UsageError
from shared.identity import FAST
from shared.ports import free_port
from shared.recordings import Recording
from tocsin.demo.prepare import Plan

BOARD = "stm32f405"


def parse_sensors(text: str) -> tuple[str, ...]:
    """The kinds that the option `--sensors` lists, in the order of `KINDS`; UsageError for others.

    >>> parse_sensors("emulated, twin")
    ('twin', 'emulated')
    """
    given = [kind.strip() for kind in text.split(",")]
    for kind in given:
        if kind not in KINDS:
            raise UsageError(f"--sensors {kind!r} is no kind of sensor; there are {' and '.join(KINDS)}")
    return tuple(kind for kind in KINDS if kind in given)


def check_sensors(kinds: tuple[str, ...], recording: Recording | None) -> None:
    """Raise one sentence with the remedy if these kinds cannot play the recording (None: the simulated pumps) here."""
    if EMULATED not in kinds:
        return
    from firmware.build import packaged_compiler
    from firmware.emulator.qemu import find_qemu

    find_qemu()
    packaged_compiler()
    if TWIN not in kinds and (recording is None or recording.kind == FAST):
        raise UsageError(
            "--sensors emulated cannot play vibration, which brings more samples than an emulated board's line takes "
            "in time; write --sensors twin,emulated"
        )


def choose_players(plan: Plan, kinds: tuple[str, ...]) -> dict[str, Player]:
    """The player of each device, written into its folder: with emulated ones, every slow device is one."""
    players = {}
    for name, device in plan.devices.items():
        emulated = EMULATED in kinds and device.profile.kind != FAST
        players[name] = Player(EMULATED, BOARD, free_port()) if emulated else Player()
        players[name].write(plan.fleet / name)
    return players


def lines_of(players: Mapping[str, Player]) -> list[str]:
    """The serial lines that the gateway must read."""
    return [player.address for player in players.values() if player.kind == EMULATED]
