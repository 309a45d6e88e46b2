"""The gateway between a real broker, a device and a cloud that are as plain as can be."""

import json
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import cbor2
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from gateway_partners import (
    HEALTHY,
    PROFILE,
    Cloud,
    Device,
    assert_judged_as_alone,
    data_message,
    image_for,
    process,
    running,
)
from waiting import PATIENCE_SECONDS, until

from gateway import service
from gateway.errors import FolderInUseError
from gateway.settings import GatewaySettings
from gateway.store import Store
from shared import topics
from shared.broker import Broker
from shared.messages import codec
from shared.ports import free_port

pytestmark = pytest.mark.services


@pytest.fixture
def broker(tmp_path):
    with Broker(tmp_path / "broker") as broker:
        yield broker


@pytest.fixture
def device(broker):
    partner = Device(broker.url)
    yield partner
    partner.close()


@pytest.fixture
def cloud(broker):
    partner = Cloud(broker.url)
    yield partner
    partner.close()


@pytest.fixture
def settings(broker, tmp_path):
    return GatewaySettings(
        data_folder=tmp_path / "gateway",
        broker_url=broker.url,
        healthy_readings=HEALTHY,
        counters_seconds=0.2,
        repeat_seconds=0.5,
        checkpoint_messages=3,
    )


def test_readings_are_stored_marked_judged_and_passed_on(settings, device, cloud):
    device.birth()
    with running(settings, device):
        for sequence in range(0, 160, 16):
            device.data(sequence)
        until(lambda: device.mark() == (0, 160), "the mark of everything")
        until(lambda: len(cloud.readings()) == 160, "the readings in the cloud")
        until(lambda: cloud.counters() and cloud.counters().stored == 160, "the accounts")
        until(lambda: cloud.of_kind("rescore"), "the scores of the commissioning")
    assert cloud.readings() == [(0, sequence) for sequence in range(160)]
    assert cloud.counters() == codec.Counters("pump-1", 0, 160, 160, 0, 0, 0)
    assert codec.decode_birth(cloud.of_kind("birth")[0]).profile == PROFILE
    judged = [codec.decode_judged(body) for body in cloud.of_kind("readings")]
    assert [j.data for j, _ in judged] == [data_message(sequence) for sequence in range(0, 160, 16)]
    assert all(np.isnan(j.gateway_scores).all() for j, _ in judged[:4])
    assert all(np.isfinite(j.gateway_scores).all() for j, _ in judged[4:])
    [rescore] = [codec.decode_rescore(body) for body in cloud.of_kind("rescore")]
    assert (rescore.boot, rescore.sequence, len(rescore.gateway_scores)) == (0, 0, HEALTHY)
    assert_judged_as_alone(cloud, settings.false_alarms_per_day)


def test_a_fault_becomes_one_alarm_with_a_reason_a_beginning_and_an_end(settings, device, cloud):
    device.birth()
    shifts = [0.0] * 10 + [9.0] * 6 + [0.0] * 12

    def alarms():
        return [codec.decode_alarm(body) for body in cloud.of_kind("alarm")]

    with running(settings, device):
        for number, shift in enumerate(shifts[:14]):
            device.data(16 * number, shift=shift)
        until(alarms, "the alarm")
    with running(settings, device):  # an open alarm outlives a restart
        for number, shift in enumerate(shifts[14:], start=14):
            device.data(16 * number, shift=shift)
        until(lambda: alarms()[-1].end_ns is not None, "the end of the alarm")
    assert len({alarm.identifier for alarm in alarms()}) == 1
    begun, ended = alarms()[0], alarms()[-1]
    assert 160 <= begun.begin_ns // 10**9 < 176
    assert begun.end_ns is None
    assert ended.end_ns // 10**9 >= 16 * 16
    assert begun.asset == PROFILE.asset
    assert begun.reasons[0].channel in ("flow", "heat")
    flags = np.concatenate([codec.decode_judged(body)[0].flags for body in cloud.of_kind("readings")])
    begin, end = (int(time_ns // 10**9) for time_ns in (begun.begin_ns, ended.end_ns))
    assert np.flatnonzero(flags & codec.ALARM).tolist() == list(range(begin, end))


def test_what_comes_twice_is_counted_and_answered(settings, device, cloud):
    device.birth()
    with running(settings, device):
        device.data(0)
        until(lambda: device.mark() == (0, 16), "the mark")
        device.messages.clear()
        device.data(0)
        until(lambda: device.mark() == (0, 16), "the mark once more")
        until(lambda: cloud.counters() and cloud.counters().duplicates == 16, "the account of duplicates")
    assert cloud.readings() == [(0, sequence) for sequence in range(16)]


def test_a_gap_is_left_to_the_sensor_until_it_gives_up(settings, device, cloud):
    device.birth()
    with running(settings, device):
        device.data(0)
        device.data(32)
        until(lambda: device.mark() == (0, 16), "the mark before the gap")
        device.data(16)
        device.data(32)
        until(lambda: device.mark() == (0, 48), "the mark after the repeat")
        device.data(64, oldest=64)
        until(lambda: device.mark() == (0, 80), "the mark after a loss")
        until(lambda: cloud.counters() and cloud.counters().lost == 16, "the account of the loss")
    assert cloud.counters() == codec.Counters("pump-1", 0, 80, 64, 16, 0, 0)


def refused(settings):
    with closing(Store(settings.data_folder, read_only=True)) as store:
        return store.refused


def test_readings_of_an_unknown_device_wait_for_its_birth(settings, device, cloud):
    with running(settings):
        device.data(0)
        device.send(topics.data("pump-1"), b"no message of ours")  # refused after the readings have been looked at
        until(lambda: refused(settings) == 1, "the account of what was refused")
        device.birth(boot=1)
        until(lambda: cloud.of_kind("birth"), "the birth")
        device.data(0, boot=1)
        until(lambda: device.mark() == (1, 16), "the mark")
    assert cloud.readings() == [(1, sequence) for sequence in range(16)]
    assert all(codec.decode_stored(p).boot == 1 for p in device.messages[topics.device_stored("pump-1")])


def test_a_new_boot_begins_again_and_an_old_one_is_dropped(settings, device, cloud):
    device.birth()
    with running(settings, device):
        device.data(0)
        until(lambda: device.mark() == (0, 16), "the first boot")
        device.birth(boot=1)
        until(lambda: len(cloud.of_kind("birth")) == 2, "the second birth")  # it goes another way than the readings
        device.data(0, boot=1)
        until(lambda: device.mark() == (1, 16), "the second boot")
        device.data(16, boot=0)
        until(lambda: cloud.counters(boot=1) and cloud.counters(boot=1).duplicates == 16, "the stale message")
    assert cloud.readings() == [(boot, sequence) for boot in (0, 1) for sequence in range(16)]


def test_poison_is_counted_and_stops_nothing(settings, device, cloud):
    device.birth()
    with running(settings, device):
        device.send(topics.data("pump-1"), b"\xff\x00 no message of ours")
        device.send(topics.data("pump-1"), cbor2.dumps({0: 1, 1: "pump-1"}))
        device.send(topics.data("pump-2"), data_message(0))
        device.send(topics.birth("pump-1"), b"")
        device.send(topics.data("pump-1"), data_message(0, channels=3))
        device.data(0)
        until(lambda: device.mark() == (0, 16), "the mark")
    with running(settings, device):  # refused messages were acknowledged: the session does not bring them again
        device.data(16)
        until(lambda: device.mark() == (0, 32), "the mark")
    assert refused(settings) == 5


def test_a_restart_continues_the_judgement_to_the_bit(settings, device, cloud):
    device.birth()
    for first in range(0, 240, 80):
        with running(settings, device):
            for sequence in range(first, first + 80, 16):
                device.data(sequence)
            until(lambda end=first + 80: device.mark() == (0, end), "the mark of this run")
    with running(settings, device):
        until(lambda: len(cloud.readings()) == 240, "the readings in the cloud")
    assert_judged_as_alone(cloud, settings.false_alarms_per_day)


def test_an_operator_who_declares_fewer_healthy_readings_gets_scores_for_all_that_came(settings, device, cloud):
    def last_rescored():
        rescore = codec.decode_rescore(cloud.of_kind("rescore")[-1])
        return rescore.sequence + len(rescore.gateway_scores) - 1

    device.birth()
    with running(settings.model_copy(update={"healthy_readings": 500}), device):
        for sequence in range(0, 160, 16):
            device.data(sequence)
        until(lambda: len(cloud.readings()) == 160, "the readings in the cloud")
    assert not cloud.of_kind("rescore")
    with running(settings, device):
        until(lambda: cloud.of_kind("rescore") and last_rescored() == 159, "scores of the commissioning and after it")
        device.data(160)
        until(lambda: len(cloud.readings()) == 176, "a reading that is judged at once")
    rescores = [codec.decode_rescore(body) for body in cloud.of_kind("rescore")]
    scored = {r.sequence + i for r in rescores for i in np.flatnonzero(np.isfinite(r.gateway_scores)).tolist()}
    assert max(scored) == 159
    assert scored >= set(range(HEALTHY, 160))
    judged, _ = codec.decode_judged(cloud.of_kind("readings")[-1])
    assert np.isfinite(judged.gateway_scores).all()


def test_what_comes_while_the_gateway_is_away_waits_in_the_broker(settings, device, cloud):
    device.birth()
    with running(settings, device):
        device.data(0)
        until(lambda: device.mark() == (0, 16), "the mark")
    for sequence in range(16, 96, 16):
        device.data(sequence)
    with running(settings, device):
        until(lambda: device.mark() == (0, 96), "the mark of what waited")
        until(lambda: len(cloud.readings()) == 96, "the readings in the cloud")


def test_a_broker_that_dies_loses_nothing(settings, broker, device, cloud):
    device.birth()
    with running(settings, device):
        device.data(0)
        until(lambda: device.mark() == (0, 16), "the mark before")
        broker.kill()
        until(lambda: broker.restarts == 1, "the broker to be back")
        until(device.client.is_connected, "the device to be back")

        def repeat_from_the_mark():
            for sequence in range(device.mark()[1], 96, 16):
                device.data(sequence)
            return device.mark() == (0, 96)

        until(repeat_from_the_mark, "the mark of everything")
        until(lambda: len(cloud.readings()) == 96, "the readings in the cloud")
    assert cloud.readings() == [(0, sequence) for sequence in range(96)]


def test_a_broker_that_is_not_there_is_one_line_and_no_hurry(settings, tmp_path, capsys):
    port = free_port()
    settings = settings.model_copy(update={"broker_url": f"mqtt://127.0.0.1:{port}", "data_folder": tmp_path / "late"})
    stop, ready = threading.Event(), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        work = pool.submit(service.run, settings, stop, ready)
        try:
            until((settings.data_folder / "gateway.sqlite3").exists, "the start")
            with Broker(tmp_path / "late-broker", port=port):
                until(ready.is_set, "the broker that came late")
        finally:
            stop.set()
            work.result(PATIENCE_SECONDS)
    assert capsys.readouterr().out.count("broker is away") <= 2  # once before it came, once when it went


def test_the_outbox_keeps_what_an_absent_cloud_has_not_confirmed(settings, device, cloud):
    cloud.answering = False
    device.birth()
    with running(settings, device):
        for sequence in range(0, 48, 16):
            device.data(sequence)
        until(lambda: device.mark() == (0, 48), "the mark")
    store = Store(settings.data_folder, read_only=True)
    assert store.outbox_readings() == 48
    store.close()
    cloud.answering = True
    with running(settings, device):
        until(lambda: len(cloud.readings()) == 48, "the readings in the cloud")
        until(cloud.counters, "the accounts")
    store = Store(settings.data_folder, read_only=True)
    assert store.outbox_readings() == 0
    store.close()
    assert cloud.readings() == [(0, sequence) for sequence in range(48)]


def test_a_cloud_that_knows_more_than_the_store_begins_a_new_epoch(settings, device, cloud):
    device.birth()
    with running(settings, device):
        device.data(0)
        until(cloud.readings, "the readings")
        [epoch] = cloud.next
        cloud.next[epoch] += 1000
        device.data(16)
        until(lambda: len(cloud.next) == 2, "a new epoch")
        until(lambda: len(cloud.readings()) == 32, "the readings that the cloud had refused")


def test_a_lost_data_folder_begins_a_new_epoch_and_knows_the_devices_again(settings, tmp_path, device, cloud):
    device.birth()
    with running(settings, device):
        for sequence in range(0, 96, 16):
            device.data(sequence)
        until(lambda: len(cloud.readings()) == 96, "the readings in the cloud")
    emptied = settings.model_copy(update={"data_folder": tmp_path / "other"})
    with running(emptied, device):
        until(lambda: device.data(96, oldest=96) or device.mark() == (0, 112), "the mark")
        until(lambda: len(cloud.readings()) == 112, "the readings of the new epoch")
        until(lambda: cloud.counters().lost == 96, "the account of what the new store never saw")
    assert len(cloud.next) == 2


def test_only_good_images_are_passed_on_and_refusals_are_reported(settings, device, cloud):
    key, stranger = Ed25519PrivateKey.from_private_bytes(bytes(32)), Ed25519PrivateKey.from_private_bytes(b"x" * 32)
    settings = settings.model_copy(update={"release_public_key": key.public_key().public_bytes_raw().hex()})
    release = topics.release("gateway-1", "pump-1")
    good = image_for(3, key)
    tampered = bytearray(good)
    tampered[100] ^= 1
    device.birth(version=1)

    def refusals():
        states = [codec.decode_state(body) for body in cloud.of_kind("state")]
        return [(state.judged_version, state.reason) for state in states if state.result == "refused"]

    with running(settings, device):
        cloud.send(release, good, True)
        until(lambda: device.messages[topics.image("pump-1")] == [good], "the image at the device")
        for count, bad in enumerate((bytes(tampered), good[:-10], image_for(4, stranger), image_for(2, key)), start=1):
            cloud.send(release, bad, True)
            until(lambda count=count: len(refusals()) == count, "the report of a refusal")
        better = image_for(4, key)
        cloud.send(release, better, True)
        until(lambda: device.messages[topics.image("pump-1")] == [good, better], "the next image at the device")
    with running(settings, device):  # the retained copy of the release comes again and changes nothing
        device.data(0)
        until(lambda: device.mark() == (0, 16), "the mark")
    assert device.messages[topics.image("pump-1")] == [good, better]
    assert [version for version, _ in refusals()] == [0, 0, 4, 2]
    assert [reason.startswith("gateway: ") for _, reason in refusals()] == [True] * 4


def test_a_second_gateway_on_the_same_folder_is_refused(settings, device):
    with running(settings, device):
        until((settings.data_folder / "gateway.sqlite3").exists, "the first gateway")
        with pytest.raises(FolderInUseError, match="in use by another gateway"):
            service.run(settings, threading.Event())


def test_sigterm_ends_the_process_with_status_0_and_status_tells_what_is_stored(settings, device, cloud):
    device.birth()
    gateway = process(settings, "run", "--broker-url", settings.broker_url, "--healthy", f"pump-1={HEALTHY}")
    try:
        until(lambda: device.data(0) or device.mark() == (0, 16), "the mark")
        gateway.send_signal(signal.SIGTERM)
        _, log = gateway.communicate(timeout=PATIENCE_SECONDS)
    finally:
        gateway.kill()
        gateway.communicate()
    assert gateway.returncode == 0, log
    assert [json.loads(line)["level"] for line in log.splitlines()]
    until(cloud.counters, "the accounts of the end")
    status = process(settings, "status", "--json")
    facts = json.loads(status.communicate(timeout=PATIENCE_SECONDS)[0])
    assert facts["devices"]["pump-1"]["boots"]["0"]["stored"] == 16


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("run", "--broker-url", "http://x"), 2, "broker_url"),
        (("run", "--id", "Gateway One"), 2, "a-z"),
        (("run", "--healthy", "pump-1"), 2, "device=count"),
        (("run", "--healthy-readings", "7"), 2, "at least 40"),
        (("run", "--release-public-key", "abcd"), 2, "32 bytes"),
        (("status",), 1, "no gateway store"),
    ],
)
def test_wrong_use_is_one_sentence(tmp_path, arguments, status, words):
    wrong = process(GatewaySettings(data_folder=tmp_path / "none"), *arguments)
    output, error = wrong.communicate(timeout=PATIENCE_SECONDS)
    assert wrong.returncode == status
    assert words in error
    assert error.count("\n") == 1
    assert not output
    assert "Traceback" not in error
