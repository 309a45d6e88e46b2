"""The tables of what is said about normality: the words of operators, and how each device stands to what was normal."""

from typing import Any

from sqlalchemy.orm import Mapped, Session, mapped_column

from cloud.storage.relational import Base, Reported
from shared.messages.normality import Answer

#: States of a word that nothing follows.
ENDED = ("applied", "refused")


class WordRow(Base):
    """An operator's word that an asset is normal, to one of the gateways of its devices.

    `state`: "asked" until the gateway answers, then what it answers. `answered_ns` by this machine's clock, `time_ns`
    of the newest reading learned.
    """

    __tablename__ = "words"
    identifier: Mapped[str] = mapped_column(primary_key=True)
    gateway: Mapped[str] = mapped_column(primary_key=True)
    asset: Mapped[str] = mapped_column(index=True)
    alarm: Mapped[str]
    since_ns: Mapped[int | None]
    asked_ns: Mapped[int]
    by: Mapped[str]
    state: Mapped[str]
    sentence: Mapped[str]
    answered_ns: Mapped[int | None]
    time_ns: Mapped[int | None]


class DriftRow(Reported, Base):
    """See `shared.messages.normality.Drift`; `channels` as it is encoded there."""

    __tablename__ = "drifts"
    device: Mapped[str] = mapped_column(primary_key=True)
    asset: Mapped[str] = mapped_column(index=True)
    kind: Mapped[str]
    pattern: Mapped[str]
    since_ns: Mapped[int]
    time_ns: Mapped[int]
    channels: Mapped[list[Any]]
    operating_point: Mapped[str]
    sentence: Mapped[str]
    received_ns: Mapped[int]


def write_answer(session: Session, gateway: str, answer: Answer, received_ns: int) -> None:
    """Note what a gateway answered; a word that nobody here asked, or that has ended, stays as it is."""
    row = session.get(WordRow, (answer.identifier, gateway))
    if row is not None and row.state not in ENDED:
        row.state, row.sentence = answer.state, answer.sentence
        row.time_ns, row.answered_ns = answer.time_ns, received_ns
