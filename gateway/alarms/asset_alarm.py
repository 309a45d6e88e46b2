"""One alarm of an asset, whichever of its devices speak up: begin, growth, end, and why."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from gateway.detectors import portable
from gateway.detectors.judgement import NEVER, Judgement
from gateway.errors import GatewayError
from gateway.explanation.explanation import Explanation, Signature
from gateway.explanation.past import PastAlarms
from shared.messages.codec import Alarm, Line, Reason, decode_alarm, encode_alarm

#: An open alarm is told again when its peak has grown by this factor: a handful of times, however long it lasts.
TOLD_AGAIN_AT = 1.5
#: Reasons of an alarm, over all of its devices.
REASONS_MAX = 6
#: Lines of bearings and shafts, over all of its devices.
LINES_MAX = 4
_VOICE_FIELDS = 6
_STATE = "alarms of an asset"


def alarm_identifier(asset: str, device: str, begin_ns: int) -> str:
    """Sixteen hexadecimal digits: the same for the same begin, in every replay.

    >>> alarm_identifier("acme/north/water/line-1/pump-1", "pump-1-vibration", 1_700_000_000_000_000_000)
    'cdc4541ee3f26fad'
    """
    return hashlib.sha256(f"{asset}\n{device}\n{begin_ns}".encode()).hexdigest()[:16]


@dataclass(slots=True)
class _Voice:
    """A device that is in alarm: its highest score so far and the explanation at that reading; `since_ns` is that of
    the reading with which it joined, `lost` the most channels that were without values."""

    peak: float
    why: Explanation
    since_ns: int | None
    lost: int


class AssetAlarms:
    """Joins the devices of one asset into one alarm at a time.

    The first device in alarm begins it and names it; devices that join add their reasons and raise its peak; it ends
    when none is in alarm any more.
    """

    def __init__(self, asset: str) -> None:
        self.asset = asset
        #: The alarm as it was told last; None while there is none.
        self.open: Alarm | None = None
        self._voices: dict[str, _Voice] = {}
        self._past = PastAlarms()

    @property
    def speaking(self) -> set[str]:
        """The devices that are in alarm."""
        return set(self._voices)

    def update(
        self,
        device: str,
        times_ns: np.ndarray[Any, np.dtype[np.int64]],
        judgement: Judgement,
        explain: Callable[[int], Explanation],
        provisional: bool,
    ) -> list[Alarm]:
        """Take in judged readings of a device; the alarm each time that it began, grew, was joined or ended.

        Parameters
        ----------
        times_ns
            int64 (m,), one per reading of `judgement`.
        explain
            Gives the explanation of one reading, by its index in `judgement`.
        provisional
            The device was commissioned on little healthy data.
        """
        told: list[Alarm] = []
        if device not in self._voices and not judgement.alarm.any():
            return told
        # The loudest reading so far; it is explained only when that is told, or when no more readings are at hand.
        loudest: int | None = None
        lost_channels = (judgement.lost_since_ns != NEVER).sum(axis=1).tolist()
        for index, (time_ns, alarm, loudness, lost) in enumerate(
            zip(times_ns.tolist(), judgement.alarm.tolist(), judgement.loudness.tolist(), lost_channels, strict=True)
        ):
            voice = self._voices.get(device)
            if alarm and voice is None:
                why = explain(index)
                self._voices[device] = _Voice(loudness, why, why.since_ns, lost)
                told.append(self._join(device, time_ns, provisional))
            elif alarm and voice is not None and lost > voice.lost:
                voice.peak, voice.lost = max(voice.peak, loudness), lost
                voice.why, loudest = explain(index), None
                told += [] if self.open is None else [self._tell(self.open)]
            elif alarm and voice is not None and loudness > voice.peak:
                voice.peak, loudest = loudness, index
                if self.open is not None and loudness >= TOLD_AGAIN_AT * self.open.peak_score:
                    voice.why, loudest = explain(index), None
                    told.append(self._tell(self.open))
            elif not alarm and voice is not None:
                if loudest is not None:
                    voice.why, loudest = explain(loudest), None
                told += self.release(device, time_ns)
        if loudest is not None:
            self._voices[device].why = explain(loudest)
        return told

    def release(self, device: str, time_ns: int) -> list[Alarm]:
        """The device is in alarm no more (or commissioned anew); the ended alarm, if that ended it."""
        if len(self._voices) > 1 or device not in self._voices:
            self._voices.pop(device, None)
            return []
        ended = [] if self.open is None else [replace(self._tell(self.open), end_ns=max(time_ns, self.open.begin_ns))]
        for alarm in ended:
            self._past.remember(alarm.identifier, alarm.begin_ns, self._signature())
        self._voices.clear()
        self.open = None
        return ended

    def _join(self, device: str, time_ns: int, provisional: bool) -> Alarm:
        if self.open is None:
            identifier = alarm_identifier(self.asset, device, time_ns)
            return self._tell(Alarm(identifier, self.asset, device, time_ns, None, 0.0, provisional, ()))
        return self._tell(replace(self.open, provisional=self.open.provisional and provisional))

    def _tell(self, alarm: Alarm) -> Alarm:
        """The alarm with what its devices say now."""
        loudest_first = sorted(self._voices.items(), key=lambda item: (item[0] != alarm.device, -item[1].peak, item[0]))
        voices = [voice for _, voice in loudest_first]
        reasons = tuple(reason for voice in voices for reason in voice.why.reasons)[:REASONS_MAX]
        peak = max([alarm.peak_score, *(voice.peak for voice in voices)])
        known = [since for since in (alarm.since_ns, *(voice.since_ns for voice in voices)) if since is not None]
        detectors = dict.fromkeys((*alarm.detectors, *(word for voice in voices for word in voice.why.detectors)))
        self.open = replace(
            alarm,
            peak_score=peak,
            reasons=reasons,
            since_ns=min([*known, alarm.begin_ns]) if known else None,
            detectors=tuple(detectors),
            lines=tuple(line for voice in voices for line in voice.why.lines)[:LINES_MAX] or alarm.lines,
            like=self._past.nearest(self._signature()),
        )
        return self.open

    def _signature(self) -> Signature:
        return {name: weight for voice in self._voices.values() for name, weight in voice.why.signature}

    def state(self) -> bytes:
        """Everything that later alarms depend on, for `from_state`."""
        voices = [[device, voice.peak, _fields(voice)] for device, voice in self._voices.items()]
        opened = None if self.open is None else encode_alarm(self.open)
        fields: dict[str, Any] = {"asset": self.asset, "open": opened, "voices": voices, "past": self._past.fields()}
        return portable.pack(_STATE, fields)

    @classmethod
    def from_state(cls, content: bytes) -> Self:
        """The alarms whose `state` this is.

        Raises
        ------
        GatewayError
            The bytes are no such state.
        """
        fields = portable.unpack(content, _STATE)
        try:
            restored = cls(fields["asset"])
            if fields["open"] is not None:
                restored.open = decode_alarm(fields["open"])
            for device, peak, voice in fields["voices"]:
                restored._voices[device] = _voice(peak, voice)
            restored._past = PastAlarms.from_fields(fields.get("past", []))
        except (KeyError, TypeError, ValueError) as error:
            raise GatewayError(f"stored alarms: not a state that this version reads ({error})") from error
        return restored


def _fields(voice: _Voice) -> list[Any]:
    why = voice.why
    return [
        [[r.channel, r.feature, r.distance, r.sentence] for r in why.reasons],
        voice.since_ns,
        voice.lost,
        list(why.detectors),
        [list(way) for way in why.signature],
        [[x.name, x.hertz, x.channel, x.feature, x.sentence] for x in why.lines],
    ]


def _voice(peak: float, fields: list[Any]) -> _Voice:
    """A voice from its `_fields`, or from the bare reasons of a state that an earlier version wrote."""
    if len(fields) != _VOICE_FIELDS or not isinstance(fields[2], int):
        return _Voice(peak, Explanation(tuple(Reason(*reason) for reason in fields)), None, 0)
    reasons, since_ns, lost, detectors, signature, lines = fields
    why = Explanation(
        tuple(Reason(*reason) for reason in reasons),
        since_ns,
        tuple(detectors),
        tuple((name, weight) for name, weight in signature),
        tuple(Line(*line) for line in lines),
    )
    return _Voice(peak, why, since_ns, lost)
