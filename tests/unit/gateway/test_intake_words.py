"""An operator's "this is normal" at a gateway: carried out once, kept over a restart, refused with a sentence."""

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from gateway_partners import HEALTHY, PROFILE, data_message

from gateway.intake import Intake
from gateway.settings import GatewaySettings
from gateway.store import Store
from shared import ed25519, topics
from shared.identity import DeviceProfile
from shared.messages import codec, normality
from shared.messages.codec import Birth
from shared.messages.normality import Normal

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
PUBLIC = KEY.public_key().public_bytes_raw()
ASSET = PROFILE.asset


class Site:
    """An intake on a store, as the service joins them."""

    def __init__(self, folder, **given):
        given = {"healthy_readings": HEALTHY, "release_public_key": PUBLIC.hex(), "checkpoint_messages": 3} | given
        self.folder, self.settings = folder, GatewaySettings(**given)
        self.said = []
        self.open()

    def open(self):
        self.store = Store(self.folder)
        self.intake = Intake(self.settings)
        devices = list(self.store.devices())
        journals = {device.device: self.store.journal(device.device) for device in devices}
        restored = self.intake.restore(
            devices, journals, self.store.assets(), self.store.releases(), self.store.words()
        )
        self.commit(restored)
        self.commit(self.intake.settle(self.store.recent))

    def restart(self):
        self.store.close()
        self.open()

    def commit(self, changes):
        self.said += [(upload.kind, upload.body) for upload in changes.uploads]
        if changes:
            self.store.commit(changes)

    def take(self, topic, payload, settle=True):
        self.commit(self.intake.take([(topic, payload)]).changes)
        if settle:
            self.commit(self.intake.settle(self.store.recent))

    def birth(self, device="pump-1"):
        profile = DeviceProfile(device, ASSET, "slow", 1.0, PROFILE.channels)
        self.take(topics.birth(device), codec.encode_birth(Birth(profile, 0, 1, (), 16, 1)))

    def data(self, first, last, device="pump-1", shift=0.0):
        messages = [
            (topics.data(device), data_message(sequence, device=device, shift=shift))
            for sequence in range(first, last, 16)
        ]
        for begin in range(0, len(messages), 10):
            self.commit(self.intake.take(messages[begin : begin + 10]).changes)
            self.commit(self.intake.settle(self.store.recent))

    def word(self, settle=True, key=KEY, **given):
        given = {
            "identifier": "word-1",
            "asset": ASSET,
            "alarm": "",
            "since_ns": None,
            "asked_ns": 1,
            "by": "K",
        } | given
        command = Normal(**given)
        key_id = ed25519.key_id(key.public_key().public_bytes_raw())
        payload = normality.encode_normal(command, key_id, key.sign(normality.signed_part(command)))
        self.take(topics.normal("gateway-1", command.asset), payload, settle)

    def answers(self):
        found = [normality.decode_answer(body) for kind, body in self.said if kind == "answer"]
        return [(answer.state, answer.sentence) for answer in found]

    def alarms(self):
        return [codec.decode_alarm(body) for kind, body in self.said if kind == "alarm"]

    def drifts(self):
        return [normality.decode_drift(body) for kind, body in self.said if kind == "drift"]

    def scores(self):
        judged = [codec.decode_judged(body)[0] for kind, body in self.said if kind == "readings"]
        return np.concatenate([j.fused_scores for j in judged])


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    made.birth()
    made.data(0, 640)
    yield made
    made.store.close()


def test_an_alarm_stands_until_an_operator_calls_it_normal_and_comes_again_with_a_fault(site):
    site.data(640, 1280, shift=9.0)
    [alarm] = {alarm.identifier for alarm in site.alarms()}
    assert site.alarms()[-1].end_ns is None
    assert (site.drifts()[0].kind, site.drifts()[0].operating_point) == ("none", "not seen while healthy")
    drift = site.drifts()[-1]
    assert (drift.kind, drift.since_ns) == ("sudden", 640 * 10**9)
    assert {moved.channel for moved in drift.channels} == {"flow", "heat"}
    assert "inspect" in drift.sentence
    site.word(alarm=alarm)
    assert site.answers() == [("applied", "pump-1 learned 640 readings as normal.")]
    assert site.alarms()[-1].end_ns is not None
    assert site.drifts()[-1].kind == "none"
    site.data(1280, 2560, shift=9.0)
    assert len({alarm.identifier for alarm in site.alarms()}) == 1  # the new operating point is silent
    assert np.nanmean(site.scores()[-1000:] >= 1.0) < 0.02
    site.data(2560, 2720, shift=18.0)
    assert len({alarm.identifier for alarm in site.alarms()}) == 2


def test_a_word_waits_for_readings_through_restarts_and_is_carried_out_once(site):
    site.data(640, 672, shift=9.0)
    alarm = site.alarms()[-1].identifier
    site.word(alarm=alarm, since_ns=656 * 10**9, settle=False)
    site.restart()  # killed after the word was stored, before it could be carried out
    assert site.answers() == [("waiting", "pump-1 waits for 48 more readings.")]
    site.data(672, 704, shift=9.0)
    site.restart()
    site.data(704, 720, shift=9.0)
    assert site.answers()[-1] == ("applied", "pump-1 learned 64 readings as normal.")
    count = len(site.said)
    site.word(alarm=alarm, since_ns=656 * 10**9)  # the broker brings it again
    site.word(identifier="word-0", asked_ns=0)
    site.restart()
    site.word(alarm=alarm, since_ns=656 * 10**9)
    assert [kind for kind, _ in site.said[count:]] == []


def test_a_restart_after_a_word_continues_to_the_bit(tmp_path):
    found = []
    for name, restarts in (("one", False), ("other", True)):
        (tmp_path / name).mkdir()
        site = Site(tmp_path / name)
        site.birth()
        site.data(0, 640)
        site.data(640, 800, shift=9.0)
        site.word(alarm=site.alarms()[-1].identifier)
        for first in range(800, 960, 16):
            site.data(first, first + 16, shift=9.0)
            if restarts:
                site.restart()
        found.append(site.scores().tobytes())
        site.store.close()
    assert found[0] == found[1]


def test_words_that_do_not_fit_are_refused_with_a_sentence(site):
    site.word(asset="acme/nowhere")
    site.word(identifier="word-2", alarm="0123")
    site.word(identifier="word-3", key=Ed25519PrivateKey.from_private_bytes(b"x" * 32))
    site.data(640, 800, shift=9.0)
    alarm = site.alarms()[-1].identifier
    site.word(identifier="word-4")
    assert [state for state, _ in site.answers()] == ["refused"] * 4
    unknown, ended, forged, late = (sentence for _, sentence in site.answers())
    assert unknown == "No device of asset acme/nowhere is known at this gateway: see its births."
    assert ended == "Alarm 0123 does not stand any more: look at the asset as it is now and say it again."
    assert "unknown key" in forged
    assert late == f"Alarm {alarm} has begun meanwhile: look at it and say it again."
    assert site.alarms()[-1].end_ns is None


def test_a_device_that_was_never_commissioned_is_named(tmp_path):
    site = Site(tmp_path, healthy_readings_of={"pump-2": 0})
    site.birth("pump-2")
    site.word()
    assert site.answers() == [("refused", "Pump-2 was never commissioned: declare its healthy readings first.")]
    site.birth("pump-1")
    site.data(0, 640)
    site.word(identifier="word-5", asked_ns=2)
    state, sentence = site.answers()[-1]
    assert state == "applied"
    assert sentence.startswith("pump-1 learned 640 readings as normal; pump-2 is left out: it was never commissioned")
    site.store.close()


def test_a_device_does_not_learn_while_another_of_its_asset_is_in_alarm(site):
    site.birth("pump-2")
    site.data(0, 640, "pump-2")
    judge = site.intake._devices["pump-2"].judge
    assert judge.learns
    site.data(640, 720, shift=9.0)
    site.data(640, 656, "pump-2")
    assert not judge.learns
    before = site.intake._devices["pump-2"].judge.detector._threshold.readings
    site.data(656, 720, "pump-2")
    site.restart()
    restored = site.intake._devices["pump-2"].judge
    assert not restored.learns
    assert restored.detector._threshold.readings == before
    site.data(720, 1000)
    site.data(720, 800, "pump-2")
    assert site.intake._devices["pump-2"].judge.learns


def test_a_state_that_cannot_be_read_names_its_device_and_stops_no_other(site, capsys):
    site.birth("pump-2")
    site.data(0, 640, "pump-2")
    site.store._connection.execute("UPDATE device SET checkpoint = x'01' WHERE device = 'pump-1'")
    site.restart()
    said = capsys.readouterr().out
    assert "pump-1" in said
    assert "commissioned anew" in said
    site.data(640, 720, "pump-2")
    assert np.isfinite(site.scores()[-80:]).all()
    site.data(640, 640 + HEALTHY)
    assert site.intake._devices["pump-1"].judge.detector is not None


def test_readings_behind_a_checkpoint_are_kept_within_bounds(site):
    site.data(640, 640 + 300 * 16)
    assert len(site.store.recent("pump-1")) == 256
    rows = site.store._connection.execute("SELECT COUNT(*) FROM journal").fetchone()[0]
    assert rows <= 256 + site.settings.checkpoint_messages + 1


def test_a_store_of_the_format_before_is_taken_over(tmp_path):
    site = Site(tmp_path)
    site.birth()
    site.data(0, 640)
    connection = site.store._connection
    connection.execute("DELETE FROM journal WHERE position <= (SELECT covered FROM device)")
    connection.execute("ALTER TABLE device DROP COLUMN covered")
    connection.execute("DROP TABLE word")
    connection.execute("PRAGMA user_version=1")
    site.restart()
    site.data(640, 656)
    assert np.isfinite(site.scores()[-16:]).all()
    site.word()
    assert site.answers()[-1][0] == "waiting"
    site.store.close()
