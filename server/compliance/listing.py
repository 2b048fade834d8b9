"""Lists decided checks and the audit log, in pages, and counts checks for reports, without personal data.

Checks are found by indexed terms, without their sealed records.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

import structlog

from liveness import AttackType
from server.audit import AuditAction, AuditEntry
from server.base.errors import Reason, Refusal
from server.base.page_tokens import Page, PageTokens
from server.compliance.access import Access, reference_field, text_field
from server.domain.terms import ALL, HOLD, CheckStatus, FailureReason, pair_terms, reference_term, term
from server.storage.audit import AuditLog
from server.storage.audit_reader import AuditExport, AuditFilter, AuditReader
from server.storage.evidence_records import EvidenceRecordRepository, ListedCheck
from server.storage.figures import DayFigures, FiguresRepository
from server.storage.records import Place

_log = structlog.get_logger(__name__)
_LONGEST_REFERENCE = 256
_LONGEST_WORD = 64
_SEQUENCE_BYTES: Final = 8
_MOST_DAYS: Final = 400
_USUAL_DAYS: Final = 30
_MOST_CHECKS: Final = 50_000
"""So that SQLite answers in two seconds: it takes 15 s for the times of a million checks."""
_SHORTEST: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckFilter:
    """The conditions of a list; every one that is set must hold.

    Attributes:
        since: Decided at this time or later.
        before: Decided earlier.
        sign: A suspected sign of manipulation.
    """

    since: datetime | None = None
    before: datetime | None = None
    subject_reference: str = field(default="", repr=False)
    consent_reference: str = field(default="", repr=False)
    status: CheckStatus | None = None
    reason: FailureReason | None = None
    attack: AttackType | None = None
    policy: str = ""
    sign: str = ""
    sandbox: bool | None = None
    on_hold: bool = False

    def terms(self, tenant_keys: Sequence[bytes]) -> tuple[tuple[str, ...], ...]:
        """Return the conditions as terms: those of references, of a hold, and of words, two by two.

        Args:
            tenant_keys: The keys that the tenant has and had, with which references may be hashed.
        """
        found = [
            tuple(reference_term(name, reference, tenant_key=key) for key in tenant_keys)
            for name, reference in (("subject", self.subject_reference), ("consent", self.consent_reference))
            if reference
        ]
        found += [(HOLD,)] if self.on_hold else []
        chosen = (
            ("sign", self.sign),
            ("attack", self.attack and self.attack.value),
            ("reason", self.reason and self.reason.value),
            ("status", self.status and self.status.value),
            ("sandbox", None if self.sandbox is None else "yes" if self.sandbox else "no"),
            ("policy", self.policy),
        )
        words = [(name, word) for name, word in chosen if word]
        found += [(one,) for one in pair_terms(words) or (term(name, word) for name, word in words)]
        return tuple(found) or ((ALL,),)

    @property
    def words(self) -> dict[str, str]:
        """The conditions for the audit log, without any reference."""
        named = {
            "decided_since": self.since and self.since.isoformat(),
            "decided_before": self.before and self.before.isoformat(),
            "by": ", ".join(
                name
                for name, set_ in (
                    ("subject_reference", self.subject_reference),
                    ("consent_reference", self.consent_reference),
                )
                if set_
            ),
            "status": self.status and self.status.value,
            "reason": self.reason and self.reason.value,
            "attack_type": self.attack and self.attack.value,
            "policy": self.policy,
            "device_sign": self.sign,
            "sandbox": None if self.sandbox is None else str(self.sandbox).lower(),
            "on_hold": "true" if self.on_hold else None,
        }
        return {name: word for name, word in named.items() if word}


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckListing:
    """Lists checks.

    Attributes:
        tenant_keys: Returns the keys that a tenant has and had, newest first.
    """

    records: EvidenceRecordRepository
    log: AuditLog
    tenant_keys: Callable[[str], tuple[bytes, ...]] = field(repr=False)
    tokens: PageTokens

    async def page(
        self, access: Access, chosen: CheckFilter, *, size: int, page_token: str
    ) -> Page[ListedCheck]:
        """Return a page, and log that it was read.

        Args:
            size: The maximum number of checks, 1 or more.
            page_token: The token of the page; empty for the first.

        Raises:
            Refusal: A condition is too long, or the token is not one of this list (INVALID_FIELD).
        """
        if access.sandbox:
            chosen = replace(chosen, sandbox=True)
        for name, value, longest in (
            ("subject_reference", chosen.subject_reference, _LONGEST_REFERENCE),
            ("consent_reference", chosen.consent_reference, _LONGEST_REFERENCE),
            ("policy", chosen.policy, _LONGEST_WORD),
            ("device_sign", chosen.sign, _LONGEST_WORD),
        ):
            field = reference_field if name.endswith("_reference") else text_field
            field(name, value, longest=longest, required=False)
        terms = chosen.terms(self.tenant_keys(access.tenant))
        bound = [
            "checks",
            repr((chosen.since, chosen.before)),
            *(word for condition in terms for word in condition),
        ]
        after = self.tokens.open(page_token, Place.from_bytes, tenant=access.tenant, conditions=bound)
        found = await self.records.list(
            access.tenant, terms, since=chosen.since, before=chosen.before, after=after, limit=size + 1
        )
        page = self.tokens.page(
            found, size, place=lambda one: one.place.to_bytes(), tenant=access.tenant, conditions=bound
        )
        for line in page.entries:
            columns = {"status": line.status, "reasons": line.reasons}
            unreadable = tuple(name for name, value in columns.items() if value is None)
            if unreadable:
                _log.error("evidence_index_altered", check_id=str(line.check_id), facts=unreadable)
        event = access.event(
            AuditAction.CHECKS_LISTED, detail={**chosen.words, "checks": str(len(page.entries))}
        )
        await self.log.append(event, now=access.now)
        return page


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditListing:
    """Lists entries of the audit log; each page is an entry itself."""

    reader: AuditReader
    log: AuditLog
    tokens: PageTokens

    async def page(
        self,
        access: Access,
        chosen: AuditFilter,
        *,
        subjects: Sequence[bytes],
        size: int,
        page_token: str,
    ) -> Page[AuditEntry]:
        """Return a page, and log that it was read.

        Args:
            subjects: The person whose entries are wanted, as ``server.audit.subject_hashes``; empty for all.
            size: The maximum number of entries, 1 or more.
            page_token: The token of the page; empty for the first.

        Raises:
            Refusal: The token is not one of this list (INVALID_FIELD).
        """
        bound = ["audit", repr(chosen), *(subject.hex() for subject in subjects)]
        before = self.tokens.open(page_token, int.from_bytes, tenant=access.tenant, conditions=bound) or 0
        found, following = await self.reader.page(
            access.tenant, chosen=chosen, subjects=subjects, before=before, limit=size
        )
        detail = {"entries": str(len(found))}
        event = access.event(AuditAction.AUDIT_READ, subject=next(iter(subjects), None), detail=detail)
        await self.log.append(event, now=access.now)
        place = following.to_bytes(_SEQUENCE_BYTES, "big") if following else b""
        return Page(found, self.tokens.make(place, tenant=access.tenant, conditions=bound))

    async def export(self, access: Access, since: datetime | None) -> AsyncIterator[str]:
        """Yield the lines of an export of the log, after an entry that it was read.

        Args:
            since: Entries of this time or later; ``None`` for all.
        """
        await self.log.append(access.event(AuditAction.AUDIT_READ, detail={"form": "export"}), now=access.now)
        export = AuditExport(self.reader, access.tenant)
        async for line in export.lines(since):
            yield line


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
