"""An image on its way down a line: one part at a time, repeated, begun anew, ended by a verdict and by nothing else."""

import struct

import pytest
from gateway_partners import PROFILE

from gateway.inputs.image_transfer import (
    BEGINNINGS_MAX,
    REPEAT_SECONDS,
    SPARE_PARTS,
    VERDICT_SECONDS,
    ImageTransfer,
)
from shared.messages.codec import Birth, State
from shared.serial.framing import IMAGE_PART_BYTES

IMAGE = bytes(range(256)) * 5
PARTS = -(-len(IMAGE) // IMAGE_PART_BYTES)


def offset_of(part):
    return None if part is None else struct.unpack("<II", part[:8])[0]


def wanted(offset):
    return struct.pack("<I", offset)


def state(result, judged, version=1, reason=""):
    return State("pump-1", 1, version, result, judged, reason)


def birth(boot, version=1):
    return Birth(PROFILE, boot, version, (), 16, 1)


def hand_over(transfer, now=0.0):
    """Every part with its answer; the bytes that the device has then."""
    content = b""
    while (part := transfer.due(now)) is not None:
        assert struct.unpack("<II", part[:8]) == (len(content), len(IMAGE))
        content += part[8:]
        transfer.take_progress(wanted(len(content)), now)
    return content


def test_every_part_follows_the_answer_to_the_one_before():
    transfer = ImageTransfer(3, IMAGE)
    assert offset_of(transfer.due(0.0)) == 0
    assert transfer.due(0.1) is None
    transfer.take_progress(wanted(512), 0.2)
    assert offset_of(transfer.due(0.2)) == 512
    transfer.begin()
    assert hand_over(transfer) == IMAGE
    assert transfer.outcome == ""
    transfer.take_state(state("accepted", 3, version=3))
    assert transfer.outcome == "accepted"


def test_a_part_without_an_answer_is_sent_again_and_a_second_answer_sends_nothing():
    transfer = ImageTransfer(3, IMAGE)
    transfer.due(0.0)
    assert transfer.due(REPEAT_SECONDS - 0.01) is None
    assert offset_of(transfer.due(REPEAT_SECONDS)) == 0
    transfer.take_progress(wanted(512), 2.1)
    assert offset_of(transfer.due(2.1)) == 512
    transfer.take_progress(wanted(512), 2.2)
    assert transfer.due(2.2) is None


@pytest.mark.parametrize("body", [b"", b"\x00\x02", wanted(len(IMAGE) + 1)])
def test_an_answer_that_is_none_changes_nothing(body):
    transfer = ImageTransfer(3, IMAGE)
    transfer.due(0.0)
    transfer.take_progress(body, 0.1)
    assert transfer.due(0.1) is None


def test_an_answer_before_the_first_part_was_sent_belongs_to_an_earlier_one():
    transfer = ImageTransfer(3, IMAGE)
    transfer.take_progress(wanted(512), 0.0)
    assert offset_of(transfer.due(0.0)) == 0


def test_a_refusal_ends_it_with_its_reason():
    for judged in (3, 0):
        transfer = ImageTransfer(3, IMAGE)
        transfer.due(0.0)
        transfer.take_state(state("refused", judged, reason="no key"))
        assert (transfer.outcome, transfer.reason) == ("refused", "no key")
        assert transfer.due(100.0) is None


def test_a_state_about_another_image_ends_nothing():
    transfer = ImageTransfer(3, IMAGE)
    old = state("refused", 0, reason="an earlier image was cut short")
    transfer.take_state(old)
    transfer.due(0.0)
    transfer.take_progress(wanted(512), 0.0)
    transfer.due(0.0)
    for repeated in (old, state("refused", 2), state("accepted", 2, version=2), state("started", 0)):
        transfer.take_state(repeated)
        assert transfer.outcome == ""
    transfer.take_state(state("refused", 0, reason="this image was cut short"))
    assert transfer.outcome == "refused"


def test_a_device_that_runs_it_already_ends_it_before_the_first_part():
    for tell in (
        lambda transfer: transfer.take_birth(birth(1, version=3)),
        lambda transfer: transfer.take_state(state("started", 0, version=4)),
    ):
        transfer = ImageTransfer(3, IMAGE)
        tell(transfer)
        assert (transfer.outcome, transfer.due(0.0)) == ("running", None)


def test_a_new_boot_begins_anew_and_a_repeated_birth_does_not():
    transfer = ImageTransfer(3, IMAGE)
    transfer.take_birth(birth(1))
    transfer.due(0.0)
    transfer.take_progress(wanted(512), 0.0)
    transfer.take_birth(birth(1))
    assert offset_of(transfer.due(0.0)) == 512
    transfer.take_birth(birth(2))
    assert offset_of(transfer.due(0.0)) == 0


def test_what_a_device_lost_again_it_gets_again_but_not_what_it_refused():
    transfer = ImageTransfer(3, IMAGE)
    transfer.take_birth(birth(1))
    hand_over(transfer)
    transfer.take_state(state("accepted", 3, version=3))
    transfer.take_birth(birth(2, version=3))
    assert transfer.outcome == "accepted"
    transfer.take_birth(birth(3, version=1))
    assert (transfer.outcome, hand_over(transfer)) == ("", IMAGE)
    transfer.take_state(state("refused", 3))
    transfer.take_birth(birth(4, version=1))
    assert (transfer.outcome, transfer.due(100.0)) == ("refused", None)


def test_a_device_that_never_answers_costs_a_bounded_number_of_parts():
    transfer = ImageTransfer(3, IMAGE)
    sent = sum(transfer.due(now * REPEAT_SECONDS) is not None for now in range(500))
    assert sent == 2 * PARTS + SPARE_PARTS
    transfer.begin()
    assert offset_of(transfer.due(5000.0)) == 0


def test_a_device_that_goes_back_and_forth_costs_a_bounded_number_of_parts():
    transfer = ImageTransfer(3, IMAGE)
    sent = 0
    while transfer.due(0.0) is not None:
        sent += 1
        transfer.take_progress(wanted(512 if sent % 2 else 0), 0.0)
    assert sent == 2 * PARTS + SPARE_PARTS


def test_an_image_without_a_verdict_is_handed_over_again_and_then_given_up():
    transfer = ImageTransfer(3, IMAGE)
    times = 0
    while not transfer.outcome:
        assert hand_over(transfer, times * VERDICT_SECONDS) == (IMAGE if times < BEGINNINGS_MAX + 1 else b"")
        times += 1
    assert (transfer.outcome, times) == ("given up", BEGINNINGS_MAX + 2)
