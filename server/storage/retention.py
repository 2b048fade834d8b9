"""Results whose retention ended, and their erasure."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from server.domain.state import CLOSED_WITH_RESULT, CheckState
from server.storage import rows, statements
from server.storage.database import Database
from server.storage.devices import forget_check
from server.storage.records import CheckRecord, EvidenceEntry
from server.storage.uncancelled import uncancelled

__all__ = ["RetentionRepository"]


class RetentionRepository:
    """Erases checks; the rules of ``server.storage.repository`` hold here, too.

    Every method may raise ``StorageUnavailable``, and ``erase`` ``CheckNotFound``.
    """

    def __init__(self, database: Database) -> None:
        """Works over ``database``."""
        self._database = database
        # A server that was killed between an erasure and this left it to the next one.
        self._erased_is_in_log = True

    @uncancelled
    async def expired_results(self, now: datetime, limit: int) -> list[CheckRecord]:
        """Decided checks whose retention ended, longest ended first: they are to be erased."""
        return await self._database.read(
            statements.expired_checks, states=CLOSED_WITH_RESULT, now=now, limit=limit
        )

    @uncancelled
    async def erase(self, check_id: UUID, now: datetime) -> tuple[EvidenceEntry, ...]:
        """Destroys result, references, evidence keys and what is known of the device.

        A tombstone stays, and the status with it.

        Returns:
            The entries that were removed, so that their objects can be deleted; what a crash leaves
            behind can no longer be opened, and ``EvidenceStore.sweep_orphans`` removes it.

        Raises:
            Conflict: The check is still open.
        """

        def work(connection: Connection) -> tuple[EvidenceEntry, ...] | None:
            record = statements.expect(
                connection, check_id, states=CLOSED_WITH_RESULT | {CheckState.ERASED}, epoch=None
            )
            if record.state is CheckState.ERASED:
                return None
            removed = statements.remove_evidence(connection, check_id)
            statements.forget_judgements(connection, check_id)
            forget_check(connection, check_id)
            statements.forget_payload(connection, check_id)
            statements.set_values(connection, check_id, rows.tombstone(now))
            return removed

        removed = await self._database.write(work)
        if removed is None:
            return ()
        self._erased_is_in_log = True
        await self.forget_erased()
        return removed

    @uncancelled
    async def forget_erased(self) -> bool:
        """Removes what the database's log still holds of what was erased, if anything.

        Returns:
            Whether nothing is left of it; a running backup can keep it, and then this has to be asked again.
        """
        if self._erased_is_in_log:
            self._erased_is_in_log = not await self._database.forget_overwritten()
        return not self._erased_is_in_log
