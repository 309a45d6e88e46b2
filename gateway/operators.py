"""The words of operators at a gateway: taken once, carried out device by device, answered. No disk, no network."""

from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from gateway.changes import Changes, NewUpload
from gateway.errors import GatewayError
from gateway.words import Word, complaint_about
from shared.messages.normality import Answer, Normal, encode_answer

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Standing:
    """How an asset stands: its devices here, those commissioned, the open alarm ("" for none) and since when."""

    asset: str
    devices: list[str]
    commissioned: set[str]
    alarm: str
    since_ns: int | None


class Operators:
    """The last word on each asset.

    Parameters
    ----------
    public_key
        Ed25519 key of this site's releases, 32 bytes; empty believes nobody.
    """

    def __init__(self, public_key: bytes) -> None:
        self._public_key = public_key
        self._words: dict[str, Word] = {}
        self._heard: set[str] = set()

    def restore(self, words: Mapping[str, bytes]) -> None:
        """Take up what the store has; what was being carried out goes on."""
        for asset, content in words.items():
            try:
                word = self._words[asset] = Word.from_state(content)
            except GatewayError as error:
                _log.error("an operator's word cannot be restored: say it again", asset=asset, reason=str(error))
                continue
            self._heard.update(word.waiting)

    def take(self, command: Normal, key_id: bytes, signature: bytes, standing: Standing, changes: Changes) -> None:
        """Judge a word (see `gateway.words`); one that counts is stored, one that does not is answered at once."""
        known = self._words.get(command.asset)
        if known is not None and (command.identifier == known.identifier or command.asked_ns <= known.asked_ns):
            return
        refusal = complaint_about(command, key_id, signature, self._public_key) or _unfitting(command, standing)
        if refusal:
            _log.warning("an operator's word is refused", asset=command.asset, by=command.by, reason=refusal)
            answer = Answer(command.identifier, command.asset, "refused", f"{refusal[0].upper()}{refusal[1:]}.", None)
            changes.uploads.append(_upload(answer))
            return
        _log.info("an operator says that an asset is normal", asset=command.asset, by=command.by, alarm=command.alarm)
        word = Word(command.identifier, command.asset, command.alarm, command.since_ns, command.asked_ns)
        word.changed_ns = standing.since_ns
        for device in standing.devices:
            if device in standing.commissioned:
                word.waiting.append(device)
            else:
                word.left_out[device] = "it was never commissioned: declare its healthy readings first"
        self._words[command.asset] = word
        self._heard.update(word.waiting)
        changes.words[command.asset] = word.state()

    def heard(self, device: str) -> None:
        """Readings of a device came: a word that waits for them can go on."""
        if self._words:
            self._heard.add(device)

    def due(self) -> list[Word]:
        """The words that wait for a device that was heard since the last call."""
        if not self._heard:
            return []
        heard, self._heard = self._heard, set()
        return [word for word in self._words.values() if not heard.isdisjoint(word.waiting)]

    def tell(self, word: Word, missing: dict[str, int], changes: Changes) -> None:
        """Store how far a word is carried out, and answer it where there is news."""
        state = "waiting" if word.waiting else "applied"
        if not word.learned and not word.waiting:
            state = "refused"
        heading = (state, tuple(word.learned), tuple(word.waiting))
        if word.told == heading:
            return
        word.told = heading
        answer = Answer(word.identifier, word.asset, state, word.sentence(missing), word.newest_ns)
        _log.info("what an operator called normal", asset=word.asset, state=state, said=answer.sentence)
        changes.words[word.asset] = word.state()
        changes.uploads.append(_upload(answer))


def _unfitting(command: Normal, standing: Standing) -> str:
    """Why a word does not fit how the asset stands; empty if it does."""
    if not standing.devices:
        return f"no device of asset {command.asset} is known at this gateway: see its births"
    if not standing.commissioned:
        names = ", ".join(standing.devices)
        return f"{names} was never commissioned: declare its healthy readings first"
    if command.alarm and standing.alarm != command.alarm:
        return f"alarm {command.alarm} does not stand any more: look at the asset as it is now and say it again"
    if standing.alarm and not command.alarm:
        return f"alarm {standing.alarm} has begun meanwhile: look at it and say it again"
    return ""


def _upload(answer: Answer) -> NewUpload:
    return NewUpload("answer", encode_answer(answer), key=f"answer:{answer.identifier}")
