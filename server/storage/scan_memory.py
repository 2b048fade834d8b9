"""The scan memory in the database: implements ``device_integrity.stream.ScanMemory``.

The movement of its attempts is sealed, one record for each scan. For look-ups, HMACs under the tenant's key
are stored: of files (32 bytes), of pictures (24 bytes) and of slices of perceptual hashes (8 bytes). Without
the key they reveal nothing, and with the key no more than the record. Subjects are given as hashes
(``MemoryKey.subject_hash``).
"""

import hmac
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, RowMapping, Select, delete, func, insert, or_, select

from device_integrity.stream import (
    FrameMark,
    KeyUse,
    RecalledScan,
    ScanMotion,
    ScanQuery,
    motions_from_bytes,
)
from server.domain.terms import CheckState, SealedKind
from server.keyring.sealing import Context, Sealed, SealError, WrappingKeys, seal, unseal
from server.storage.database import Database, Repository, reads, writes
from server.storage.engine import insert_unless_there
from server.storage.records import values_of
from server.storage.tables import checks, device_key_uses, scan_marks, scan_memories

_BAND_DOMAIN: Final = b"facegate/v1/scan-memory-band"
_BAND_BYTES: Final = 8
_MARK_BYTES: Final = 32
_EXACT_WEIGHT: Final = 1000
_MOST_FRAMES: Final = 16
_MOST_MOTIONS: Final = 4
_MOST_OF_CHECK: Final = 1024
"""Frames of one check that are remembered; a scan of three minutes at the usual rate has as many."""


class DatabaseScanMemory(Repository):
    """Implements ``ScanMemory``. Every method may raise ``StorageUnavailable``."""

    def __init__(
        self,
        database: Database,
        *,
        tenant_key: Callable[[str], bytes],
        wrapping_keys: WrappingKeys,
    ) -> None:
        """Initialise the memory.

        Args:
            wrapping_keys: Wrap the data keys of sealed records.
        """
        super().__init__(database)
        self._tenant_key = tenant_key
        self._wrapping_keys = wrapping_keys

    @reads
    def recall(self, connection: Connection, query: ScanQuery) -> tuple[RecalledScan, ...]:
        """See ``ScanMemory``.

        A scan whose record cannot be unsealed any more has no movement, and is omitted unless a file or a
        picture of it returns.
        """
        key = self._tenant_key(query.tenant)
        wanted = [*query.exact, *(_band(key, band) for band in query.bands)]
        hits = func.count()
        exact = func.max(func.length(scan_marks.c.mark))
        frames = (
            select(scan_marks.c.check_id, hits.label("hits"), exact.label("longest"))
            .where(scan_marks.c.tenant == query.tenant, scan_marks.c.mark.in_(wanted))
            .where(scan_marks.c.check_id != UUID(query.check_id))
            .group_by(scan_marks.c.check_id, scan_marks.c.frame)
            .having(or_(hits >= query.least_bands, exact == _MARK_BYTES))
            .order_by(exact.desc(), hits.desc())
            .limit(query.most * _MOST_FRAMES)
        )

        number = func.count(scan_marks.c.mark.distinct())
        pictures = (
            select(scan_marks.c.check_id, number.label("shown"))
            .where(scan_marks.c.tenant == query.tenant, scan_marks.c.mark.in_(query.pictures))
            .where(scan_marks.c.check_id != UUID(query.check_id))
            .group_by(scan_marks.c.check_id)
            .order_by(number.desc())
            .limit(query.most)
        )

        latest = (
            select(scan_memories.c.check_id)
            .where(scan_memories.c.tenant == query.tenant, scan_memories.c.subject_hash == query.subject)
            .where(scan_memories.c.check_id != UUID(query.check_id))
            .order_by(scan_memories.c.time.desc())
            .limit(query.most)
        )
        repeated: Counter[UUID] = Counter()
        shown = {row.check_id: row.shown for row in connection.execute(pictures)}
        scores = {check_id: _EXACT_WEIGHT * count for check_id, count in shown.items()}
        for row in connection.execute(frames).mappings():
            same = row["longest"] == _MARK_BYTES
            repeated[row["check_id"]] += same
            scores[row["check_id"]] = scores.get(row["check_id"], 0) + (_EXACT_WEIGHT if same else 1)
        best = set(sorted(scores, key=lambda one: -scores[one])[: query.most])
        if query.subject:
            best.update(connection.scalars(latest))
        records = connection.execute(
            select(scan_memories).where(
                scan_memories.c.tenant == query.tenant, scan_memories.c.check_id.in_(best)
            )
        )
        return tuple(
            scan for row in records.mappings() if (scan := self._recalled(row, repeated, shown)) is not None
        )

    @reads
    def key_uses(
        self, connection: Connection, *, tenant: str, key: bytes, since: datetime
    ) -> tuple[KeyUse, ...]:
        """See ``ScanMemory``."""
        query = select(device_key_uses).where(
            device_key_uses.c.tenant == tenant, device_key_uses.c.key == key, device_key_uses.c.time >= since
        )
        return tuple(
            KeyUse(
                key=row["key"], subject=row["subject_hash"], check_id=str(row["check_id"]), time=row["time"]
            )
            for row in connection.execute(query).mappings()
        )

    @writes
    def record(
        self,
        connection: Connection,
        *,
        tenant: str,
        subject: str,
        check_id: str,
        time: datetime,
        marks: Sequence[FrameMark],
        motions: Sequence[ScanMotion] = (),
    ) -> None:
        """See ``ScanMemory``. Does nothing for an erased check, and skips marks that are stored already."""
        key, identifier = self._tenant_key(tenant), UUID(check_id)
        if not connection.execute(_kept(identifier)).scalar_one_or_none():
            return
        of_check = scan_marks.c.check_id == identifier
        known = set(connection.scalars(select(scan_marks.c.mark).where(of_check)))
        new = [mark for mark in marks if mark.exact not in known]
        if not new:
            return
        first: int = connection.execute(
            select(func.coalesce(func.max(scan_marks.c.frame) + 1, 0)).where(of_check)
        ).scalar_one()
        new = new[: max(0, _MOST_OF_CHECK - first)]
        stored = (
            connection.execute(select(scan_memories).where(scan_memories.c.check_id == identifier))
            .mappings()
            .one_or_none()
        )
        earlier = () if stored is None else self._unsealed(stored)
        sealed = seal(
            b"".join(motion.to_bytes() for motion in (*earlier, *motions)[-_MOST_MOTIONS:]),
            wrapping_keys=self._wrapping_keys,
            aad=Context(tenant=tenant, check_id=identifier, kind=SealedKind.SCAN_MEMORY),
        )
        memory = {
            "check_id": identifier,
            "tenant": tenant,
            "subject_hash": subject,
            "time": time,
            **values_of(sealed),
        }
        connection.execute(delete(scan_memories).where(scan_memories.c.check_id == identifier))
        connection.execute(insert(scan_memories).values(memory))
        rows = [
            {"tenant": tenant, "mark": mark, "check_id": identifier, "frame": frame}
            for frame, one in enumerate(new, start=first)
            for mark in {one.exact, one.picture, *(_band(key, band) for band in one.bands)} - {b""}
        ]
        if rows:
            connection.execute(insert(scan_marks), rows)

    @writes
    def record_key_use(self, connection: Connection, *, tenant: str, use: KeyUse) -> None:
        """See ``ScanMemory``. Does nothing if the check was erased meanwhile or the use is stored already."""
        row = {
            "tenant": tenant,
            "key": use.key,
            "check_id": UUID(use.check_id),
            "subject_hash": use.subject,
            "time": use.time,
        }
        if connection.execute(_kept(UUID(use.check_id))).scalar_one_or_none():
            insert_unless_there(connection, device_key_uses, row)

    def _recalled(
        self, row: RowMapping, repeated: Mapping[UUID, int], shown: Mapping[UUID, int]
    ) -> RecalledScan | None:
        check_id: UUID = row["check_id"]
        scan = RecalledScan(
            check_id=str(check_id),
            motions=self._unsealed(row),
            repeated=repeated.get(check_id, 0),
            shown=shown.get(check_id, 0),
        )
        return scan if scan.motions or scan.repeated or scan.shown else None

    def _unsealed(self, row: RowMapping) -> tuple[ScanMotion, ...]:
        sealed = Sealed(row["ciphertext"], row["wrapped_key"], row["key_id"])
        aad = Context(tenant=row["tenant"], check_id=row["check_id"], kind=SealedKind.SCAN_MEMORY)
        try:
            data = unseal(sealed, wrapping_keys=self._wrapping_keys, aad=aad)
        except SealError:
            return ()
        return motions_from_bytes(data)


def _kept(check_id: UUID) -> Select[tuple[UUID]]:
    """Select a check that is not erased, and lock it so that it is not erased during the transaction."""
    return (
        select(checks.c.check_id)
        .where(checks.c.check_id == check_id, checks.c.state != CheckState.ERASED)
        .with_for_update()
    )


def _band(key: bytes, band: bytes) -> bytes:
    return hmac.digest(key, _BAND_DOMAIN + band, "sha256")[:_BAND_BYTES]
