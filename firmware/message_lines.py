"""Messages of a device as lines for people, or as JSON.

Data are shown with one mark per reading: a bar whose full height is the threshold, ``!`` above it, ``.`` for no score.

>>> bars([None, 0.0, 0.5, 0.99, 1.0])
'.▁▅█!'
"""

import json
import math
import time
from datetime import UTC, datetime
from typing import Any

import numpy as np

from shared.errors import MessageError
from shared.messages import codec, compact
from shared.messages.codec import Birth, Data, State
from shared.serial import framing

_LEVELS = "▁▂▃▄▅▆▇█"
#: Garbage is said at most so often.
GARBAGE_SECONDS = 10.0
_NAMES = {
    framing.BIRTH: "birth",
    framing.DATA: "data",
    framing.STATE: "state",
    framing.LOG: "log",
    framing.IMAGE_PROGRESS: "image",
    framing.TAKEN: "taken",
}


def bars(scores: list[float | None]) -> str:
    """One mark per score; 1 is the threshold."""
    marks = []
    for score in scores:
        if score is None or math.isnan(score):
            marks.append(".")
        else:
            marks.append("!" if score >= 1.0 else _LEVELS[int(max(score, 0.0) * len(_LEVELS))])
    return "".join(marks)


class MessageLines:
    """Shows each message once: what a device sends again is counted, not shown (in JSON it is marked ``again``)."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self.counts: dict[str, int] = {}
        #: Whether the frame shown last could be decoded.
        self.readable = True
        self._births: dict[str, Birth] = {}
        self._next: dict[tuple[str, int], int] = {}
        self._last: dict[tuple[int, str], bytes] = {}
        self._refused = 0
        self._refused_before = 0
        self._garbage_said = -math.inf

    def _count(self, name: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1

    def notice(self, text: str) -> str:
        """A line of our own."""
        return json.dumps({"kind": "notice", "text": text}) if self.as_json else f"-- {text}"

    def summary(self) -> str:
        """What has come in all, in words."""
        parts = [f"{count} {name}" for name, count in self.counts.items()]
        return f"{', '.join(parts) or 'nothing came'}; {self._refused_before + self._refused} pieces were no frames"

    def garbage(self, refused: int) -> str | None:
        """A line when the count of a decoder's refused pieces has grown, at most every ten seconds."""
        if refused < self._refused:  # a new decoder, after the line was gone
            self._refused_before += self._refused
        grown = refused != self._refused
        self._refused = refused
        now = time.monotonic()
        if not grown or now - self._garbage_said < GARBAGE_SECONDS:
            return None
        self._garbage_said = now
        total = self._refused_before + refused
        return self.notice(f"{total} pieces of what came were no frames (noise, another speed, or no board of Tocsin)")

    def show(self, kind: int, body: bytes) -> str | None:
        """The line for a frame; None when there is nothing new in it."""
        name = _NAMES.get(kind, f"kind {kind}")
        self.readable = True
        try:
            facts, text = self._told(kind, body)
        except MessageError as error:
            self.readable = False
            self._count("unreadable")
            return self.notice(f"a {name} message cannot be read ({error})")
        again = bool(facts.pop("again", False))
        self._count(f"{name} again" if again else name)
        if self.as_json:
            return json.dumps({"kind": name, **facts, **({"again": True} if again else {})})
        return None if again else f"{name:<6} {text}"

    def _told(self, kind: int, body: bytes) -> tuple[dict[str, Any], str]:
        if kind == framing.BIRTH:
            return self._birth(body)
        if kind == framing.DATA:
            return self._data(codec.decode_data(body))
        if kind == framing.STATE:
            return self._state(body)
        if kind == framing.LOG:
            text = body.decode("utf-8", "replace")
            return {"text": text}, "".join(character if character.isprintable() else "?" for character in text)
        if kind in (framing.IMAGE_PROGRESS, framing.TAKEN) and len(body) == 4:
            count = int.from_bytes(body, "little")
            return {"count": count}, f"{count} {'rows taken' if kind == framing.TAKEN else 'bytes have arrived'}"
        return {"bytes": body.hex()}, f"{len(body)} bytes"

    def _repeated(self, kind: int, device: str, body: bytes) -> bool:
        same = self._last.get((kind, device)) == body
        self._last[kind, device] = body
        return same

    def _birth(self, body: bytes) -> tuple[dict[str, Any], str]:
        birth = codec.decode_birth(body)
        profile = birth.profile
        self._births[profile.device] = birth
        channels = [
            f"{channel.name} ({channel.unit})" if channel.unit else channel.name for channel in profile.channels
        ]
        facts = {
            "device": profile.device,
            "boot": birth.boot,
            "model_version": birth.model_version,
            "asset": profile.asset,
            "device_kind": profile.kind,
            "sample_rate_hz": profile.sample_rate_hz,
            "channels": [channel.name for channel in profile.channels],
            "features": list(birth.feature_names),
            "again": self._repeated(framing.BIRTH, profile.device, body),
        }
        text = f"{profile.device}, boot {birth.boot}, {_model(birth.model_version)}, {profile.kind} at "
        return facts, text + f"{profile.sample_rate_hz:g} Hz, asset {profile.asset}; channels: {', '.join(channels)}"

    def _state(self, body: bytes) -> tuple[dict[str, Any], str]:
        state: State = codec.decode_state(body)
        facts = {
            "device": state.device,
            "boot": state.boot,
            "model_version": state.model_version,
            "result": state.result,
            "judged_version": state.judged_version,
            "reason": state.reason,
            "again": self._repeated(framing.STATE, state.device, body),
        }
        judged = f" version {state.judged_version}" if state.result != "started" else ""
        reason = f": {state.reason}" if state.reason else ""
        return facts, f"{state.device}, {_model(state.model_version)}, {state.result}{judged}{reason}"

    def _data(self, data: Data) -> tuple[dict[str, Any], str]:
        end = data.sequence + len(data)
        place = (data.device, data.boot)
        expected = self._next.get(place)
        again = expected is not None and end <= expected
        missing = data.sequence - expected if expected is not None and data.sequence > expected else 0
        self._next[place] = max(end, expected or 0)
        scores = [None if math.isnan(score) else float(score) for score in data.scores()]
        facts = {
            "device": data.device,
            "boot": data.boot,
            "sequence": data.sequence,
            "oldest": data.oldest,
            "stretch": data.stretch,
            "model_version": data.model_version,
            "clipped": data.clipped,
            "times_ns": data.times_ns.tolist(),
            "scores": scores,
            "tops": [None if top == compact.NO_FEATURE else int(top) for top in data.tops],
            "again": again,
        }
        if data.counts is not None:
            facts["counts"] = data.counts.tolist()
        if data.features is not None:
            facts["features"] = data.features.tolist()
        text = f"{data.device} {data.sequence}-{end - 1}  {_moment(int(data.times_ns[0]))}  {bars(scores)}"
        known = [score for score in scores if score is not None]
        if known:
            worst = int(np.nanargmax(data.scores()))
            text += f"  highest {max(known):.2f}{self._named(data, int(data.tops[worst]))}"
            flagged = sum(score >= 1.0 for score in known)
            text += f", {flagged} flagged" if flagged else ""
        for what, count in (("missing before", missing), ("clipped since boot", data.clipped)):
            text += f", {count} {what}" if count else ""
        return facts, text

    def _named(self, data: Data, top: int) -> str:
        birth = self._births.get(data.device)
        if birth is None or top >= len(birth.feature_names):
            return ""
        return f" by {birth.feature_names[top]}"


def _model(version: int) -> str:
    return f"model version {version}" if version else "no model"


def _moment(time_ns: int) -> str:
    """UTC, to the second.

    >>> _moment(1_767_225_600_500_000_000), _moment(1 << 62)
    ('2026-01-01 00:00:00', '2116-02-20 23:53:38')
    """
    try:
        return f"{datetime.fromtimestamp(time_ns // 1_000_000_000, UTC):%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError, OSError):
        return f"{time_ns} ns"
