"""The erasure of results whose retention has ended."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from server.domain.state import CLOSED_WITH_RESULT, CheckState
from server.storage import rows, statements
from server.storage.database import Database
from server.storage.devices import erase_device_rows
from server.storage.records import CheckRecord, EvidenceEntry
from server.storage.uncancelled import uncancelled

__all__ = ["RetentionRepository"]


class RetentionRepository:
    """Erases checks, by the rules of ``server.storage.repository``.

    Every method may raise ``StorageUnavailable``, and ``erase`` may raise ``CheckNotFound``.
    """

    def __init__(self, database: Database) -> None:
        """Initialises the repository over ``database``."""
        self._database = database
        # An earlier process may have been killed between an erasure and the cleaning of the log.
        self._erased_is_in_log = True

    @uncancelled
    async def expired_results(self, now: datetime, limit: int) -> list[CheckRecord]:
        """Returns closed checks whose retention has ended, the longest overdue first."""
        return await self._database.read(
            statements.expired_checks, states=CLOSED_WITH_RESULT, now=now, limit=limit
        )

    @uncancelled
    async def erase(self, check_id: UUID, now: datetime) -> tuple[EvidenceEntry, ...]:
        """Erases the result, the references, the evidence keys and all rows about the device.

        A tombstone with the status stays.

        Returns:
            The removed entries, whose objects the caller deletes. Objects that a crash leaves behind cannot
            be unsealed any more, and ``EvidenceStore.sweep_orphans`` deletes them.

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
            statements.erase_judgements(connection, check_id)
            erase_device_rows(connection, check_id)
            statements.erase_payload(connection, check_id)
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
        """Removes erased data from the database's log, if there may be any.

        Returns:
            Whether the log holds no erased data any more. A running backup can keep the log; then this must
            be called again.
        """
        if self._erased_is_in_log:
            self._erased_is_in_log = not await self._database.forget_overwritten()
        return not self._erased_is_in_log
