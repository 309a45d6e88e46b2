"""What a batch of messages means: pure from messages and memory to `Changes`, marks and images to pass on.

Nothing here touches disk or network. The service commits the changes, then acknowledges, then sends the marks; until
then the memory of this object is ahead of the store, which is why a batch that could not be written is tried again and
never dropped.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from gateway.alarms.asset_alarm import AssetAlarms
from gateway.changes import Changes, NewUpload, Release, StoredDevice
from gateway.early import Early
from gateway.errors import GatewayError
from gateway.inbox import Cursor, advance, close, place
from gateway.judgement import DeviceJudge, Verdict, rescore_of
from gateway.operators import Operators, Standing
from gateway.settings import GatewaySettings
from gateway.updates import Releases
from shared import topics
from shared.errors import MessageError, UsageError
from shared.identity import SLOW
from shared.messages import codec, normality
from shared.messages.codec import Birth, Data, State, Stored

_log = structlog.get_logger()
#: Topics whose refused messages are counted one by one; a flood of invented ones must not fill the memory.
_REFUSED_TOPICS = 1000
#: Entries of the journal that are no messages: from here on the device learns, or does not, as its asset stands.
_LEARNS, _LEARNS_NOT = b"\x01", b"\x00"


@dataclass(frozen=True, slots=True)
class Result:
    """What a batch leads to: changes to commit, then marks to send."""

    changes: Changes
    marks: list[Stored]


@dataclass(slots=True)
class _Device:
    """What the intake remembers of a device."""

    cursor: Cursor
    birth_payload: bytes | None = None
    birth: Birth | None = None
    state_payload: bytes | None = None
    state: State | None = None
    judge: DeviceJudge | None = None
    since_checkpoint: int = 0
    told: set[str] = field(default_factory=set)


class Intake:
    """The gateway's judgement of everything that arrives.

    Build it empty, give it what the store has by `restore`, then `take` batches.
    """

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._devices: dict[str, _Device] = {}
        self._alarms: dict[str, AssetAlarms] = {}
        self.releases = Releases(bytes.fromhex(settings.release_public_key), {})
        self._early_releases = Early()
        self._early_states = Early()
        self._refusals: Counter[str] = Counter()
        self._operators = Operators(self.releases.public_key)

    def restore(
        self,
        devices: Iterable[StoredDevice],
        journals: dict[str, list[bytes]],
        assets: dict[str, bytes],
        releases: dict[str, Release],
        words: Mapping[str, bytes] | None = None,
    ) -> Changes:
        """Take up where the store stands.

        `journals` holds the data messages of each device since its checkpoint; they are judged again, which gives the
        same bits, and nothing of it is sent a second time. The changes returned are what different settings lead to:
        a commissioning that is now complete.
        """
        self.releases = Releases(self.releases.public_key, releases)
        self._operators.restore(words or {})
        changes = Changes()
        for asset, state in assets.items():
            try:
                self._alarms[asset] = AssetAlarms.from_state(state)
            except GatewayError as error:
                _log.error("an asset's open alarm cannot be restored", asset=asset, reason=str(error))
        for stored in devices:
            device = self._devices[stored.device] = _Device(stored.cursor, stored.birth, state_payload=stored.state)
            if stored.state is not None:
                device.state = codec.decode_state(stored.state)
            if stored.birth is None:
                continue
            device.birth = codec.decode_birth(stored.birth)
            device.judge = self._judge(device.birth)
            try:
                self._replay(device, device.judge, stored.checkpoint, journals.get(stored.device, []), changes)
            except (GatewayError, MessageError) as error:
                _log.error(
                    "a device's judgement cannot be restored: it is commissioned anew on its next readings, see that "
                    "they are healthy",
                    device=stored.device,
                    readings=self._settings.healthy_readings_for(stored.device),
                    reason=str(error),
                )
                self._begin_again(device, changes)
        return changes

    def take(self, messages: Sequence[tuple[str, bytes]]) -> Result:
        """Judge `messages` (topic, payload) in their order."""
        changes = Changes()
        marks: dict[str, Stored] = {}
        for topic, payload in messages:
            try:
                self._take_one(topic, payload, changes, marks)
            except MessageError as error:
                self._refuse(topic, str(error), changes)
        for name in marks:
            device = self._devices[name]
            if device.since_checkpoint >= self._settings.checkpoint_messages and _has_detector(device):
                self._write_checkpoint(device, changes)
        return Result(changes, [mark for mark in marks.values() if mark.boot >= 0])

    def image_for(self, name: str) -> Release | None:
        """The image that a device on a line should get, by what it says it runs."""
        device = self._devices.get(name)
        if device is None or device.birth is None:
            return None
        state, birth = device.state, device.birth
        running = birth.model_version if state is None or state.boot < birth.boot else state.model_version
        return self.releases.wanted(name, running)

    def checkpoint_all(self) -> Changes:
        """Checkpoints of every device, so that the next start judges nothing again."""
        changes = Changes()
        for device in self._devices.values():
            if device.since_checkpoint and _has_detector(device):
                self._write_checkpoint(device, changes)
        return changes

    def _replay(
        self, device: _Device, judge: DeviceJudge, checkpoint: bytes | None, journal: list[bytes], changes: Changes
    ) -> None:
        """Bring a judge to where the store stands."""
        if checkpoint is not None:
            judge.restore(checkpoint)
        commissioned_now = False
        for payload in journal:
            if payload in (_LEARNS, _LEARNS_NOT):
                judge.learns = payload == _LEARNS
                continue
            data = codec.decode_data(payload)
            verdict = judge.take(data)
            device.since_checkpoint += 1
            if commissioned_now or verdict.commissioned:
                # The operator declares fewer healthy readings than before: all these went up without a score.
                commissioned_now = True
                verdict.rescores.insert(0, rescore_of(data, verdict))
                self._spread(device, data, verdict, changes)
        if commissioned_now:
            self._write_checkpoint(device, changes)

    def _take_one(self, topic: str, payload: bytes, changes: Changes, marks: dict[str, Stored]) -> None:
        kind = topic.rsplit("/", 1)[-1]
        if topic.startswith(f"{topics.ROOT}/gateway/") and topic.split("/")[4] == "normal":
            self._take_word(payload, changes)
        elif topic.startswith(f"{topics.ROOT}/gateway/"):
            self._take_release(topics.device_of(topic), payload, changes)
        elif kind == "data":
            self._take_data(_named(codec.decode_data(payload), topic), payload, changes, marks)
        elif kind == "birth":
            birth = codec.decode_birth(payload)
            self._take_birth(_named_birth(birth, topic), payload, changes, marks)
        elif kind == "state":
            self._take_state(_named(codec.decode_state(payload), topic), payload, changes)
        else:
            raise MessageError("a topic that this gateway does not read")

    def _take_birth(self, birth: Birth, payload: bytes, changes: Changes, marks: dict[str, Stored]) -> None:
        name = birth.profile.device
        device = self._devices.setdefault(name, _Device(Cursor(name)))
        known = device.birth
        if known is not None and birth.boot < known.boot:
            self._tell_once(device, "birth of an earlier boot is ignored", boot=birth.boot, newest=known.boot)
            return
        marks[name] = Stored(name, device.cursor.boot, device.cursor.next_sequence)
        if payload == device.birth_payload:
            return
        device.birth, device.birth_payload = birth, payload
        changes.births[name] = payload
        changes.uploads.append(NewUpload("birth", payload, key=f"birth:{name}", device=name))
        if known is not None and known.profile.asset != birth.profile.asset:
            self._release(known, device.cursor, changes)
        if known is None or device.judge is None:
            device.judge = self._judge(birth)
            _log.info("a device is known", device=name, asset=birth.profile.asset, kind=birth.profile.kind)
        elif not device.judge.fits(birth):
            _log.warning("a device has other channels or features now and is commissioned anew", device=name)
            self._begin_again(device, changes)
        else:
            device.judge.rename(birth)
        state = self._early_states.take(name)
        if state is not None:
            self._take_state(codec.decode_state(state), state, changes)
        image = self._early_releases.take(name)
        if image is not None:
            self._take_release(name, image, changes)

    def _take_state(self, state: State, payload: bytes, changes: Changes) -> None:
        device = self._devices.get(state.device)
        if device is None or device.birth is None:
            self._early_states.put(state.device, payload)
            return
        if payload == device.state_payload:
            return
        if device.state is not None and state.boot < device.state.boot:
            newest = device.state.boot
            self._tell_once(device, "state of an earlier boot is ignored", boot=state.boot, newest=newest)
            return
        device.state, device.state_payload = state, payload
        changes.states[state.device] = payload
        changes.uploads.append(NewUpload("state", payload, key=f"state:{state.device}", device=state.device))

    def _take_data(self, data: Data, payload: bytes, changes: Changes, marks: dict[str, Stored]) -> None:
        device = self._devices.get(data.device)
        if device is None or device.birth is None or device.judge is None or device.birth.boot < data.boot:
            # The birth is retained and on its way; the sensor repeats. Without a mark it keeps everything.
            return
        _check_shape(data, device.birth)
        before = device.cursor
        placement = place(before, data.boot, data.sequence, len(data), data.oldest)
        if placement.verdict == "stale":
            self._tell_once(
                device,
                "readings of an earlier boot are dropped: restore the device's boot counter or give it a new id",
                boot=data.boot,
                newest=before.boot,
            )
        if placement.verdict == "take" and data.boot > before.boot >= 0:
            changes.set_cursor(close(before))
        device.cursor = advance(before, placement, data.boot, data.sequence, data.times_ns.tolist())
        changes.set_cursor(device.cursor)
        marks[data.device] = Stored(data.device, device.cursor.boot, device.cursor.next_sequence)
        if placement.verdict != "take":
            return
        if placement.skip:
            data = _from(data, placement.skip)
            payload = codec.encode_data(data)
        self._gate(device.judge, data.device, changes)
        verdict = device.judge.take(data)
        self._operators.heard(data.device)
        if device.judge.complaint:
            self._tell_once(device, "a commissioning needs more healthy readings", reason=device.judge.complaint)
        if device.judge.remembers:
            changes.journal.append((data.device, payload))
            device.since_checkpoint += 1
        judged = codec.Judged(
            payload, verdict.gateway_scores, verdict.fused_scores, verdict.flags, verdict.top_channels
        )
        changes.uploads.append(
            NewUpload("readings", codec.encode_judged(judged), device=data.device, boot=data.boot, readings=len(data))
        )
        self._spread(device, data, verdict, changes)
        if verdict.commissioned:
            self._write_checkpoint(device, changes)

    def _gate(self, judge: DeviceJudge, name: str, changes: Changes) -> None:
        """A device learns only while no other device of its asset is in alarm; kept in the journal, for the replay."""
        alarms = self._alarms.get(judge.birth.profile.asset)
        learns = alarms is None or not alarms.speaking - {name}
        if learns != judge.learns:
            judge.learns = learns
            if judge.remembers:
                changes.journal.append((name, _LEARNS if learns else _LEARNS_NOT))

    def _take_word(self, payload: bytes, changes: Changes) -> None:
        """An operator's "this is normal", or the empty message that takes it from the broker."""
        if payload:
            command, key_id, signature = normality.decode_normal(payload)
            self._operators.take(command, key_id, signature, self._standing(command.asset), changes)

    def settle(self, recent: Callable[[str], list[bytes]]) -> Changes:
        """Carry out what operators said, as far as the readings allow.

        Call it when the changes of the batch before are stored; `recent` gives the last messages of a device from the
        store, in order.
        """
        changes = Changes()
        for word in self._operators.due():
            missing: dict[str, int] = {}
            for name in list(word.waiting):
                device = self._devices[name]
                if device.judge is None or device.judge.detector is None:
                    word.leave_out(name, "it was never commissioned: declare its healthy readings first")
                    continue
                messages = [codec.decode_data(payload) for payload in recent(name) if len(payload) > 1]
                since_ns = word.since_ns if word.since_ns is not None else device.judge.changed_ns(word.changed_ns)
                try:
                    readings, lacking = device.judge.relearn(messages, since_ns)
                except UsageError as error:
                    word.leave_out(name, str(error))
                    continue
                if lacking:
                    missing[name] = lacking
                    continue
                word.learn(name, readings, device.cursor.newest_ns)
                self._write_checkpoint(device, changes)
                if device.birth is not None:
                    self._release(device.birth, device.cursor, changes)
                for drift in device.judge.drifts():
                    changes.uploads.append(_drift_upload(drift))
            self._operators.tell(word, missing, changes)
        return changes

    def _standing(self, asset: str) -> Standing:
        """How an asset stands: its devices, and the alarm that an operator can see."""
        devices = [
            name for name, device in self._devices.items() if device.birth and device.birth.profile.asset == asset
        ]
        commissioned = {name for name in devices if _has_detector(self._devices[name])}
        alarms = self._alarms.get(asset)
        opened = None if alarms is None else alarms.open
        if opened is None:
            return Standing(asset, devices, commissioned, "", None)
        since_ns = opened.begin_ns if opened.since_ns is None else opened.since_ns
        return Standing(asset, devices, commissioned, opened.identifier, since_ns)

    def _take_release(self, name: str, image: bytes, changes: Changes) -> None:
        device = self._devices.get(name)
        if device is None or device.birth is None:
            self._early_releases.put(name, image)
            return
        report = self.releases.take(image, device.birth, device.state, changes)
        if report is not None:
            changes.uploads.append(NewUpload("state", codec.encode_state(report), key=f"state:{name}", device=name))

    def _spread(self, device: _Device, data: Data, verdict: Verdict, changes: Changes) -> None:
        """Rescores and alarms of a verdict."""
        for rescore in verdict.rescores:
            changes.uploads.append(NewUpload("rescore", codec.encode_rescore(rescore), device=rescore.device))
        changes.uploads += map(_drift_upload, verdict.drifts)
        judge, judged = device.judge, verdict.judged
        if judge is None or judge.detector is None or judged is None:
            return
        detector, asset = judge.detector, judge.birth.profile.asset
        alarms = self._alarms.setdefault(asset, AssetAlarms(asset))
        if alarms.open is None and not judged.alarm.any():
            return
        times_ns = data.times_ns[len(data) - len(judged.scores) :]
        stood = alarms.open is not None
        told = alarms.update(
            data.device,
            times_ns,
            judged,
            lambda index: detector.explain(judged, index, self._settings.geometry_of.get(data.device)),
            detector.provisional,
        )
        self._tell(alarms, told, changes)
        if told and not stood and not verdict.drifts:
            # With an alarm: the operating point that the device is in, or that it is in none that is known.
            changes.uploads += map(_drift_upload, judge.drifts())

    def _tell(self, alarms: AssetAlarms, told: list[codec.Alarm], changes: Changes) -> None:
        """Send alarms up and keep what their asset remembers."""
        changes.assets[alarms.asset] = alarms.state()
        for alarm in told:
            changes.uploads.append(NewUpload("alarm", codec.encode_alarm(alarm), key=f"alarm:{alarm.identifier}"))
            why = alarm.reasons[0].sentence if alarm.reasons else ""
            what = "alarm" if alarm.end_ns is None else "alarm ends"
            _log.warning(what, asset=alarm.asset, alarm=alarm.identifier, peak=round(alarm.peak_score, 2), why=why)

    def _release(self, birth: Birth, cursor: Cursor, changes: Changes) -> None:
        """The device speaks no more in its asset's alarm: it is judged anew or stands in another asset."""
        alarms = self._alarms.get(birth.profile.asset)
        if alarms is not None and alarms.open is not None:
            self._tell(alarms, alarms.release(birth.profile.device, cursor.newest_ns or alarms.open.begin_ns), changes)

    def _judge(self, birth: Birth) -> DeviceJudge:
        settings = self._settings
        return DeviceJudge(
            birth,
            settings.healthy_readings_for(birth.profile.device),
            false_alarms_per_day=settings.false_alarms_per_day,
        )

    def _begin_again(self, device: _Device, changes: Changes) -> None:
        """Forget the judgement of a device; its readings from now on commission it."""
        if device.birth is not None:
            self._release(device.birth, device.cursor, changes)
            device.judge = self._judge(device.birth)
            device.since_checkpoint = 0
            changes.set_checkpoint(device.birth.profile.device, None)

    def _write_checkpoint(self, device: _Device, changes: Changes) -> None:
        if device.judge is not None and device.birth is not None:
            changes.set_checkpoint(device.birth.profile.device, device.judge.state())
            device.since_checkpoint = 0

    def _refuse(self, topic: str, reason: str, changes: Changes) -> None:
        """Count what cannot be understood; it is acknowledged, or it would come back for ever."""
        changes.refused += 1
        if len(self._refusals) >= _REFUSED_TOPICS:
            self._refusals.clear()
        self._refusals[topic] += 1
        count = self._refusals[topic]
        if count <= 10 or count % 100 == 0:
            _log.warning("message refused", topic=topic, reason=reason, refused_on_topic=count)

    def _tell_once(self, device: _Device, what: str, **context: Any) -> None:
        if what not in device.told:
            device.told.add(what)
            _log.warning(what, device=device.cursor.device, **context)


def _has_detector(device: _Device) -> bool:
    return device.judge is not None and device.judge.detector is not None


def _drift_upload(drift: normality.Drift) -> NewUpload:
    return NewUpload("drift", normality.encode_drift(drift), key=f"drift:{drift.device}", device=drift.device)


def _named(message: Any, topic: str) -> Any:
    if message.device != topics.device_of(topic):
        raise MessageError(f"names device {message.device} on the topic of {topics.device_of(topic)}")
    return message


def _named_birth(birth: Birth, topic: str) -> Birth:
    if birth.profile.device != topics.device_of(topic):
        raise MessageError(f"birth message: names device {birth.profile.device} on the topic of another")
    return birth


def _check_shape(data: Data, birth: Birth) -> None:
    slow = birth.profile.kind == SLOW
    values = data.counts if slow else data.features
    expected = len(birth.profile.channels) if slow else len(birth.feature_names)
    if expected % len(birth.profile.channels):
        raise MessageError(
            f"data message: its birth announced {expected} features for {len(birth.profile.channels)} channels, which "
            "must share them out evenly"
        )
    if values is None:
        raise MessageError(f"data message: a {birth.profile.kind} device sends {'counts' if slow else 'features'}")
    if values.shape[1] != expected:
        raise MessageError(f"data message: {values.shape[1]} values per reading, its birth announced {expected}")


def _from(data: Data, skip: int) -> Data:
    """The readings from `skip` on as a message of their own."""
    return Data(
        data.device,
        data.boot,
        data.sequence + skip,
        data.oldest,
        data.stretch,
        data.model_version,
        data.clipped,
        data.times_ns[skip:],
        data.scores_q12[skip:],
        data.tops[skip:],
        None if data.counts is None else data.counts[skip:],
        None if data.features is None else data.features[skip:],
    )
