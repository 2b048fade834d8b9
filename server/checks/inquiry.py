"""GetCheck and WatchCheck: read the progress of a check. Nothing in this module changes a check."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Final
from uuid import UUID

import structlog

from server.checks.progress import CheckProgress, progress_of
from server.domain.state import CheckState
from server.errors import Reason, Refusal
from server.evidence.records import RecordVault
from server.policies import Policy, parse_policy
from server.sealing import SealError
from server.storage.evidence_records import EvidenceRecordRepository
from server.storage.records import CheckRecord
from server.storage.repository import CheckRepository
from server.verdict.record import RecordUnreadable

__all__ = ["CheckInquiry"]

_POLL_SECONDS: Final = 0.5
_RECONNECT_SECONDS: Final = 1.0
_log = structlog.get_logger(__name__)


class CheckInquiry:
    """Reports the progress of checks to orchestrators.

    The state is in the database only, so every replica can report it, regardless of which one serves the
    scan.
    """

    def __init__(
        self,
        *,
        repository: CheckRepository,
        records: EvidenceRecordRepository,
        vault: RecordVault,
        now: Callable[[], datetime],
        draining: asyncio.Event,
    ) -> None:
        """Sets the stores, the clock and the event that is set when the server shuts down."""
        self._repository = repository
        self._records = records
        self._vault = vault
        self._now = now
        self._draining = draining

    async def progress(self, check_id: UUID, *, tenant: str, sandbox: bool) -> CheckProgress:
        """Returns the progress of a check.

        Args:
            check_id: The check.
            tenant: The tenant of the caller.
            sandbox: Whether the caller is a sandbox caller, which can access sandbox checks only.

        Raises:
            Refusal: CHECK_NOT_FOUND or RESULT_EXPIRED.
        """
        record = await self._repository.get(check_id, tenant)
        if record is None or (sandbox and not record.sandbox):
            raise Refusal(Reason.CHECK_NOT_FOUND, "no check has this identifier")
        if record.state is CheckState.ERASED:
            raise Refusal(Reason.RESULT_EXPIRED, "the deadline for fetching this check's result has passed")
        if record.reasons is None:
            record = await self._with_sealed_reasons(record)
        return progress_of(
            record,
            await self._repository.attempts(check_id),
            policy=_policy(record.policy_source),
            now=self._now(),
        )

    async def _with_sealed_reasons(self, record: CheckRecord) -> CheckRecord:
        """Returns a check with the reasons of its evidence record, because those outside were altered."""
        _log.error("evidence_index_altered", check_id=str(record.check_id), facts=("reasons",))
        stored = await self._records.find(record.check_id)
        if stored is None:
            return record
        try:
            sealed = self._vault.open(stored)
        except (SealError, RecordUnreadable) as error:
            _log.error("evidence_record_unreadable", check_id=str(record.check_id), exc_info=error)
            return record
        return replace(record, reasons=tuple(sealed.outcome.verdict.reasons))

    async def changes(
        self, check_id: UUID, *, tenant: str, sandbox: bool, admit: Callable[[], None]
    ) -> AsyncGenerator[CheckProgress, None]:
        """Yields the progress of a check now and after each change, until no scan can change it any more.

        Args:
            check_id: The check.
            tenant: The tenant of the caller.
            sandbox: Whether the caller is a sandbox caller, which can access sandbox checks only.
            admit: Raises if the caller may no longer call; called before each read.

        Raises:
            Refusal: CHECK_NOT_FOUND, RESULT_EXPIRED, a refusal of ``admit``, or NOT_SERVING as soon as the
                server shuts down.
        """
        sent: CheckProgress | None = None
        while True:
            if self._draining.is_set():
                raise Refusal(
                    Reason.NOT_SERVING,
                    "the server is shutting down; watch the check again",
                    retry_after=_RECONNECT_SECONDS,
                )
            admit()
            progress = await self.progress(check_id, tenant=tenant, sandbox=sandbox)
            if progress != sent:
                yield progress
                sent = progress
            if progress.over:
                return
            await self._pause()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(_POLL_SECONDS):
                await self._draining.wait()
        except TimeoutError:
            pass


@lru_cache(maxsize=64)
def _policy(source: bytes) -> Policy:
    """Parses a frozen policy; cached, because watched checks share a few policies."""
    return parse_policy(source, origin="the policy of a check").policy
