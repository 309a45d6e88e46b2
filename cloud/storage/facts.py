"""Facts that gateways report: births, alarms, states, counters. Writing one twice changes nothing."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from cloud.errors import UnknownDevice
from cloud.storage.normality import DriftRow, write_answer
from cloud.storage.relational import (
    AlarmDetailsRow,
    AlarmRow,
    Base,
    CountersRow,
    DeviceRow,
    Relations,
    Reported,
    StateRow,
)
from shared.messages.codec import Alarm, Birth, Counters, Data, State
from shared.messages.normality import Answer, Drift


@dataclass(frozen=True, slots=True)
class Source:
    """The upload that reported a fact."""

    gateway: str
    epoch: int
    upload: int


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that a gateway reported. `Data` stands for "this device sends readings"; only its heading is used."""

    source: Source
    what: Birth | Alarm | State | Counters | Data | Answer | Drift
    received_ns: int


class FactStore:
    """Facts in the relational part."""

    def __init__(self, relations: Relations) -> None:
        self._relations = relations
        self._sending: set[str] = set()

    def apply(self, facts: list[Fact]) -> None:
        """Write facts in their order, in one transaction."""
        new = [fact for fact in facts if not isinstance(fact.what, Data) or fact.what.device not in self._sending]
        if new:
            with self._relations.transaction() as session:
                for fact in new:
                    _write(session, fact)
            self._sending.update(fact.what.device for fact in new if isinstance(fact.what, Data))

    def devices(self) -> list[DeviceRow]:
        """All devices, by name."""
        with self._relations.transaction() as session:
            return list(session.scalars(select(DeviceRow).order_by(DeviceRow.device)))

    def device(self, device: str) -> DeviceRow:
        """One device; `UnknownDevice` if nothing ever came from it."""
        with self._relations.transaction() as session:
            row = session.get(DeviceRow, device)
        if row is None:
            raise UnknownDevice(device)
        return row

    def alarms(self, active: bool | None = None, asset: str | None = None, newest: int = 1000) -> list[AlarmRow]:
        """Alarms, the newest first."""
        query = select(AlarmRow).order_by(AlarmRow.begin_ns.desc(), AlarmRow.identifier).limit(newest)
        if active is not None:
            query = query.where(AlarmRow.end_ns.is_(None) if active else AlarmRow.end_ns.is_not(None))
        if asset is not None:
            query = query.where(AlarmRow.asset == asset)
        with self._relations.transaction() as session:
            return list(session.scalars(query))

    def alarms_concerning(self, device: str, asset: str) -> list[AlarmRow]:
        """Every alarm of an asset, and those that a device began while it stood in another one."""
        query = select(AlarmRow).where(or_(AlarmRow.asset == asset, AlarmRow.device == device))
        with self._relations.transaction() as session:
            return list(session.scalars(query))

    def states(self) -> dict[str, StateRow]:
        """The last state of each device that reported one."""
        with self._relations.transaction() as session:
            return {row.device: row for row in session.scalars(select(StateRow))}

    def counters(self) -> list[CountersRow]:
        """The gateways' loss accounting, by device and boot."""
        with self._relations.transaction() as session:
            return list(session.scalars(select(CountersRow).order_by(CountersRow.device, CountersRow.boot)))


def _write(session: Session, fact: Fact) -> None:
    what = fact.what
    if isinstance(what, Birth):
        profile = what.profile
        _put(
            session, DeviceRow, {"device": profile.device}, fact.source,
            asset=profile.asset, kind=profile.kind, sample_rate_hz=profile.sample_rate_hz,
            channels=[[c.name, c.unit, c.offset, c.step] for c in profile.channels],
            feature_names=list(what.feature_names), window=what.window, hop=what.hop, boot=what.boot,
            model_version=what.model_version,
        )  # fmt: skip
    elif isinstance(what, Data):
        if session.get(DeviceRow, what.device) is None:
            _put(
                session, DeviceRow, {"device": what.device}, fact.source,
                asset=what.device, kind="", sample_rate_hz=0.0, channels=[], feature_names=[], window=0, hop=0,
                boot=what.boot, model_version=what.model_version,
            )  # fmt: skip
    elif isinstance(what, Alarm):
        known = session.get(AlarmRow, what.identifier)
        _put(
            session, AlarmRow, {"identifier": what.identifier}, fact.source,
            asset=what.asset, device=what.device, begin_ns=what.begin_ns, end_ns=what.end_ns,
            peak_score=what.peak_score, provisional=what.provisional,
            reasons=[[r.channel, r.feature, r.distance, r.sentence] for r in what.reasons],
            received_ns=fact.received_ns if known is None else known.received_ns,
        )  # fmt: skip
        like = what.like
        _put(
            session, AlarmDetailsRow, {"identifier": what.identifier}, fact.source,
            since_ns=what.since_ns, detectors=list(what.detectors),
            lines=[[x.name, x.hertz, x.channel, x.feature, x.sentence] for x in what.lines],
            like=[] if like is None else [like.identifier, like.begin_ns, like.likeness],
        )  # fmt: skip
    elif isinstance(what, Answer):
        write_answer(session, fact.source.gateway, what, fact.received_ns)
    elif isinstance(what, Drift):
        _put(
            session, DriftRow, {"device": what.device}, fact.source,
            asset=what.asset, kind=what.kind, pattern=what.pattern, since_ns=what.since_ns, time_ns=what.time_ns,
            channels=[[m.channel, m.deviations, m.change, m.unit] for m in what.channels],
            operating_point=what.operating_point, sentence=what.sentence, received_ns=fact.received_ns,
        )  # fmt: skip
    elif isinstance(what, State):
        _put(
            session, StateRow, {"device": what.device}, fact.source,
            boot=what.boot, model_version=what.model_version, result=what.result,
            judged_version=what.judged_version, reason=what.reason,
        )  # fmt: skip
    else:
        _put(
            session, CountersRow, {"device": what.device, "boot": what.boot}, fact.source,
            produced=what.produced, stored=what.stored, lost=what.lost, duplicates=what.duplicates, late=what.late,
        )  # fmt: skip


def _put(session: Session, table: type[Base], key: dict[str, Any], source: Source, **values: Any) -> None:
    """Insert or overwrite, unless what is there came from a later upload of the same epoch."""
    row = session.get(table, tuple(key.values()))
    if row is None:
        row = table(**key)
        session.add(row)
    assert isinstance(row, Reported)
    known = row.epoch == source.epoch and row.gateway == source.gateway and row.upload > source.upload
    if not known:
        row.gateway, row.epoch, row.upload = source.gateway, source.epoch, source.upload
        for name, value in values.items():
            setattr(row, name, value)
