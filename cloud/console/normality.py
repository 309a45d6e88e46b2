"""The part of the page on what changed for good: drift, what operators said about it, and the button to say it."""

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from nicegui import run, ui

from cloud.api.access import ensure_token
from cloud.api.alarms import Alarm
from cloud.api.normality import Drift, Word, drift_of, word_of
from cloud.console import words
from cloud.tier import CloudTier
from shared.errors import TocsinError

Done = Callable[[], Awaitable[None]]
#: Words shown of an asset, the newest.
WORDS_SHOWN = 2


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be said of one asset: its open alarm ("" for none), lasting drift, and the last words on it."""

    asset: str
    alarm: str
    provisional: bool
    drifts: list[Drift]
    words: list[Word]

    @property
    def open(self) -> bool:
        """Whether an operator has something to decide that nobody has decided yet."""
        waits = any(word.state in ("asked", "waiting") for word in self.words)
        changed = any(drift.kind != "none" for drift in self.drifts)
        return (bool(self.alarm) or changed) and not waits


def gather_changes(tier: CloudTier, alarms: list[Alarm]) -> list[Change]:
    """Assets with an open alarm, a lasting change or a word on them, by path."""
    drifts, said = list(map(drift_of, tier.words.drifts())), list(map(word_of, tier.words.words()))
    opened = {alarm.asset: alarm for alarm in reversed(alarms) if alarm.active}
    changed = {drift.asset for drift in drifts if drift.kind != "none"}
    return [
        Change(
            asset,
            opened[asset].id if asset in opened else "",
            asset in opened and opened[asset].provisional,
            [drift for drift in drifts if drift.asset == asset and (drift.kind != "none" or asset in opened)],
            [word for word in said if word.asset == asset][:WORDS_SHOWN],
        )
        for asset in sorted(opened.keys() | changed | {word.asset for word in said})
    ]


def show_changes(tier: CloudTier, changes: list[Change], done: Done) -> None:
    """An entry per asset; the button opens a dialog that wants a name and the access token."""
    if not changes:
        ui.label("Every device is as it was told normal.").classes("t-soft")
    for change in changes:
        with ui.element("div").classes("t-alarm-entry" + (" t-active" if change.open else "")):
            ui.label(change.asset.rsplit("/", 1)[-1]).classes("t-title")
            for drift in change.drifts:
                _show_drift(drift)
            if change.alarm and not change.drifts:
                ui.label("An alarm stands; no lasting change has been found so far.").classes("t-sentence")
            if change.provisional:
                ui.label("Judged on little healthy data: provisional.").classes("t-soft")
            for word in change.words:
                _show_word(word)
            if change.open:
                ui.button("This is normal", on_click=_dialog(tier, change, done)).props("dense no-caps outline")


def _show_drift(drift: Drift) -> None:
    if drift.kind == "none":
        ui.label(drift.sentence).classes("t-sentence")
        return
    ui.label(drift.sentence).classes("t-sentence")
    since = f"changed since {words.moment(drift.since_ns)} UTC"
    ui.label(f"{since} · operating point: {drift.operating_point}").classes("t-soft")


def _show_word(word: Word) -> None:
    asked = f"{word.by} called it normal at {words.moment(word.asked_ns)} UTC"
    if word.answered_ns is None:
        ui.label(f"{asked} · {word.gateway} has not answered yet").classes("t-soft")
    else:
        at = words.moment(word.answered_ns)
        ui.label(f"{asked} · {word.state} at {at} UTC: {word.sentence}").classes("t-soft")


def _dialog(tier: CloudTier, change: Change, done: Done) -> Callable[[], None]:
    def show() -> None:
        with ui.dialog() as dialog, ui.card():
            ui.label(f"Is {change.asset} normal as it is now?").classes("t-title")
            ui.label("Its alarm ends; its devices take what they read since the change as normal.").classes("t-soft")
            by = ui.input("Your name").props("dense outlined")
            token = ui.input("Access token", password=True).props("dense outlined")
            trouble = ui.label("").classes("t-trouble")

            async def confirm() -> None:
                complaint = await run.io_bound(_ask, tier, change, by.value or "", token.value or "")
                if complaint:
                    trouble.set_text(complaint)
                else:
                    dialog.close()
                    await done()

            with ui.element("div").classes("t-row"):
                ui.button("Confirm as normal", on_click=confirm).props("dense no-caps")
                ui.button("Not now", on_click=dialog.close).props("dense no-caps flat")
        dialog.open()

    return show


def _ask(tier: CloudTier, change: Change, by: str, token: str) -> str:
    """Ask; what stands against it, empty if nothing does."""
    expected = ensure_token(tier.settings.data_folder, tier.settings.api_token_file)
    if not hmac.compare_digest(token.strip().encode(), expected.encode()):
        return "That is not the access token of this cloud."
    try:
        tier.words.ask(change.asset, by, change.alarm)
    except TocsinError as error:
        return str(error)
    return ""
