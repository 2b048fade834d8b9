"""Figures of checks for reports, without personal data."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from server.audit import AuditAction
from server.base.errors import Reason, Refusal
from server.compliance.access import Access, text_field
from server.storage.audit import AuditLog
from server.storage.figures import DayFigures, FiguresRepository

_MOST_DAYS: Final = 400
_USUAL_DAYS: Final = 30
_MOST_CHECKS: Final = 50_000
"""So that SQLite answers in two seconds: it takes 15 s for the times of a million checks."""
_SHORTEST: Final = timedelta(days=1)
_LONGEST_WORD: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class FiguresFilter:
    """Which checks are counted; see ``FiguresRepository.days``. Without times, the last 30 days."""

    since: datetime | None = None
    before: datetime | None = None
    policy: str = ""
    sandbox: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckFigures:
    """Counts checks by day and policy."""

    repository: FiguresRepository
    log: AuditLog

    async def days(self, access: Access, chosen: FiguresFilter) -> tuple[DayFigures, ...]:
        """Return the figures, and log that they were read.

        Raises:
            Refusal: The name of the policy is too long, the time is longer than 400 days, or it has more than
                50,000 checks and is longer than a day (INVALID_FIELD).
        """
        text_field("policy", chosen.policy, longest=_LONGEST_WORD, required=False)
        before = chosen.before or access.now
        since = chosen.since or before - timedelta(days=_USUAL_DAYS)
        if before - since > timedelta(days=_MOST_DAYS):
            raise Refusal(
                Reason.INVALID_FIELD,
                f"decided_since is more than {_MOST_DAYS} days before decided_before; ask for parts",
                details={"field": "decided_since", "maxValue": _MOST_DAYS},
            )
        if before - since > _SHORTEST and await self.repository.has_more(
            access.tenant, _MOST_CHECKS, since=since, before=before
        ):
            raise Refusal(
                Reason.INVALID_FIELD,
                f"more than {_MOST_CHECKS} checks were decided between decided_since and decided_before; ask "
                "for parts that begin and end with a day of UTC",
                details={"field": "decided_since", "maxChecks": _MOST_CHECKS},
            )
        found = await self.repository.days(
            access.tenant,
            since=since,
            before=before,
            now=access.now,
            policy=chosen.policy,
            sandbox=access.sandbox or chosen.sandbox,
        )
        detail = {"decided_since": since.isoformat(), "decided_before": before.isoformat()}
        await self.log.append(access.event(AuditAction.FIGURES_READ, detail=detail), now=access.now)
        return found


def percentile(counts: Counter[int], share: float) -> int:
    """Return the smallest value that at least ``share`` of all reach or stay below; 0 without any."""
    wanted, passed = share * counts.total(), 0
    for value in sorted(counts):
        passed += counts[value]
        if passed >= wanted:
            return value
    return 0
