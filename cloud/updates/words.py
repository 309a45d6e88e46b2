"""An operator's "this is normal", from being asked until the gateways have answered.

The word is stored before anything is sent, signed with the key of model images, and due on its gateway's topic over
every connection until that gateway answers; then it is taken from the broker. A word about an asset that waits for an
answer is not asked a second time; one that waits for readings gives way to a newer one.
"""

import logging
import secrets
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from sqlalchemy import select

from cloud.errors import CloudError, NotFound
from cloud.storage.facts import Fact, FactStore
from cloud.storage.normality import ENDED, DriftRow, WordRow
from cloud.storage.relational import Relations
from shared import ed25519, topics
from shared.errors import UsageError
from shared.messages.normality import NAME_LIMIT, Answer, Normal, encode_normal, signed_part

_log = logging.getLogger(__name__)


class OperatorWords:
    """The words of operators, and the drift that they are about.

    Parameters
    ----------
    signing_key
        PEM file of the Ed25519 key that gateways know the public half of.
    """

    def __init__(self, relations: Relations, facts: FactStore, signing_key: Path) -> None:
        self._relations = relations
        self._facts = facts
        self._signing_key = signing_key
        self._sent: set[tuple[str, str]] = set()
        self._answered: set[tuple[str, str]] = set()
        self._news = threading.Event()
        self._news.set()

    def ask(self, asset: str, by: str, alarm: str | None = None, since_ns: int | None = None) -> list[WordRow]:
        """Say that `asset` is normal, in the name of `by`; a row for each gateway of its devices.

        Parameters
        ----------
        alarm
            The alarm that the operator saw: the gateway refuses the word if another one stands by then. None takes the
            one that stands now.
        since_ns
            Since when it is normal; None leaves that to what the gateway found.

        Raises
        ------
        NotFound
            Nothing is known of the asset.
        UsageError
            Nobody is named.
        """
        by = by.strip()
        if not by or len(by) > NAME_LIMIT:
            raise UsageError(f"Say who calls it normal: a name of 1 to {NAME_LIMIT} characters.")
        gateways = sorted({row.gateway for row in self._facts.devices() if row.asset == asset})
        if not gateways:
            raise NotFound(f"No asset {asset} is known here: see /api/assets for those that are.")
        standing = {row.gateway: row.identifier for row in reversed(self._facts.alarms(active=True, asset=asset))}
        with self._relations.transaction() as session:
            query = select(WordRow).where(WordRow.asset == asset, WordRow.state.not_in(ENDED))
            unfinished = list(session.scalars(query))
            if any(row.state == "asked" for row in unfinished):
                return unfinished
            for row in unfinished:  # a device that it waits for may be silent for good
                row.state, row.sentence = "refused", f"Given up for a newer word. {row.sentence}"
            identifier, asked_ns = secrets.token_hex(8), time.time_ns()
            rows = [
                WordRow(
                    identifier=identifier, gateway=gateway, asset=asset,
                    alarm=standing.get(gateway, "") if alarm is None else alarm,
                    since_ns=since_ns, asked_ns=asked_ns, by=by, state="asked", sentence="", answered_ns=None,
                    time_ns=None,
                )
                for gateway in gateways
            ]  # fmt: skip
            session.add_all(rows)
        _log.info("%s says that %s is normal", by, asset)
        self._news.set()
        return rows

    def words(self, asset: str | None = None, newest: int = 100) -> list[WordRow]:
        """Words, the newest first; of one asset or of all."""
        query = select(WordRow).order_by(WordRow.asked_ns.desc(), WordRow.gateway).limit(newest)
        if asset is not None:
            query = query.where(WordRow.asset == asset)
        with self._relations.transaction() as session:
            return list(session.scalars(query))

    def drifts(self, asset: str | None = None) -> list[DriftRow]:
        """How each device stands to what was told normal, by name."""
        query = select(DriftRow).order_by(DriftRow.device)
        if asset is not None:
            query = query.where(DriftRow.asset == asset)
        with self._relations.transaction() as session:
            return list(session.scalars(query))

    def observe(self, facts: list[Fact]) -> None:
        """Answers that came: their words are taken from the broker."""
        for fact in facts:
            if isinstance(fact.what, Answer) and fact.what.state in ENDED:
                self._answered.add((fact.source.gateway, fact.what.asset))
                self._news.set()

    def forget(self) -> None:
        """See `cloud.ingest.ingest.ReleaseSource`."""
        self._sent.clear()
        self._news.set()

    def due(self) -> Iterator[tuple[str, bytes]]:
        """See `cloud.ingest.ingest.ReleaseSource`."""
        if not self._news.is_set():
            return
        self._news.clear()
        answered, self._answered = self._answered, set()
        with self._relations.transaction() as session:
            rows = list(session.scalars(select(WordRow).where(WordRow.state.not_in(ENDED)).order_by(WordRow.asked_ns)))
        for gateway, asset in answered - {(row.gateway, row.asset) for row in rows}:
            yield topics.normal(gateway, asset), b""
        for row in rows:
            if (row.identifier, row.gateway) in self._sent:
                continue
            self._sent.add((row.identifier, row.gateway))
            try:
                payload = self._signed(row)
            except CloudError as error:
                _log.error("the word about asset %s is not sent: %s", row.asset, error)
                continue
            yield topics.normal(row.gateway, row.asset), payload

    def _signed(self, row: WordRow) -> bytes:
        command = Normal(row.identifier, row.asset, row.alarm, row.since_ns, row.asked_ns, row.by)
        try:
            key = load_pem_private_key(self._signing_key.read_bytes(), None)
        except (OSError, ValueError) as error:
            raise CloudError(f"The signing key {self._signing_key} cannot be read ({error}).") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise CloudError(f"The signing key {self._signing_key} is no Ed25519 key.")
        public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return encode_normal(command, ed25519.key_id(public), key.sign(signed_part(command)))
