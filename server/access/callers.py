"""Callers of the service listener, their roles and scopes.

A role is a kind of caller, with the scopes that it may have. A call requires a scope. An entry that lists
scopes narrows its roles to those.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Self

import structlog
from pydantic import AfterValidator, Field, StrictBool, model_validator

from server.base.sandbox import LONGEST_TENANT, memory_scope
from server.base.table import Table

_log = structlog.get_logger(__name__)


class Role(StrEnum):
    """A kind of caller."""

    ORCHESTRATOR = "orchestrator"
    """Creates checks and reads their results."""
    COMPLIANCE_READER = "compliance_reader"
    """Reads and exports evidence, and reads the audit log."""
    COMPLIANCE_ADMIN = "compliance_admin"
    """Also deletes evidence, places and releases holds, and erases people."""
    OPERATOR = "operator"
    """Follows the progress of checks, without any result or evidence."""
    REVIEWER = "reviewer"
    """Reviews the checks that a policy sends to people, with their records and images."""


COMPLIANCE_ROLES: Final = frozenset({Role.COMPLIANCE_READER, Role.COMPLIANCE_ADMIN, Role.REVIEWER})
"""The roles whose refused calls are all logged in the audit log."""


SANDBOX_ROLES: Final = frozenset({Role.ORCHESTRATOR, Role.REVIEWER})
"""The roles of which a caller may be marked sandbox: it then reaches sandbox checks alone."""


class Scope(StrEnum):
    """A permission that calls require."""

    CREATE_CHECKS = "checks.create"
    """UploadTrustedImage."""
    READ_CHECKS = "checks.read"
    """GetCheck and WatchCheck."""
    LIST_CHECKS = "checks.list"
    """FindChecks."""
    FINISH_CHECKS = "checks.finish"
    """FinishCheck and CancelCheck."""
    ANALYZE = "analysis"
    """AnalyzeImage and AnalyzeVideo."""
    READ_EVIDENCE = "evidence.read"
    """ListChecks, GetFigures and GetEvidence."""
    READ_IMAGES = "evidence.images"
    """GetEvidenceImage."""
    EXPORT_EVIDENCE = "evidence.export"
    """ExportEvidence and ExportSubject."""
    HOLD_EVIDENCE = "evidence.hold"
    """PlaceHold and ReleaseHold."""
    DELETE_EVIDENCE = "evidence.delete"
    """DeleteEvidence."""
    ERASE_SUBJECTS = "evidence.erase"
    """EraseSubject."""
    READ_AUDIT = "audit.read"
    """ListAuditEvents, ExportAuditLog."""
    READ_REVIEWS = "reviews.read"
    """ListReviews and GetReview."""
    DECIDE_REVIEWS = "reviews.decide"
    """ClaimReview, ReleaseReview and DecideReview."""
    READ_EVENTS = "events.read"
    """ListEvents and ListEndpoints."""
    REPLAY_EVENTS = "events.replay"
    """ReplayEvents."""


_ORCHESTRATION: Final = frozenset(
    {
        Scope.CREATE_CHECKS,
        Scope.READ_CHECKS,
        Scope.LIST_CHECKS,
        Scope.FINISH_CHECKS,
        Scope.ANALYZE,
        Scope.READ_EVENTS,
        Scope.REPLAY_EVENTS,
    }
)
_READING: Final = frozenset({Scope.READ_EVIDENCE, Scope.READ_IMAGES, Scope.EXPORT_EVIDENCE, Scope.READ_AUDIT})

SCOPES: Final[Mapping[Role, frozenset[Scope]]] = {
    Role.ORCHESTRATOR: _ORCHESTRATION,
    Role.COMPLIANCE_READER: _READING,
    Role.COMPLIANCE_ADMIN: _READING
    | {Scope.HOLD_EVIDENCE, Scope.DELETE_EVIDENCE, Scope.ERASE_SUBJECTS, Scope.READ_REVIEWS},
    Role.OPERATOR: frozenset({Scope.READ_CHECKS, Scope.READ_EVENTS}),
    Role.REVIEWER: frozenset(
        {Scope.READ_REVIEWS, Scope.DECIDE_REVIEWS, Scope.READ_EVIDENCE, Scope.READ_IMAGES}
    ),
}
"""The scopes that the callers of a role may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A caller with known credentials.

    Attributes:
        tenant: The tenant whose checks the caller can access.
        sandbox: Whether the checks of the caller are sandbox checks.
        expires: When the credentials of this call expire, which ends its stream; ``None`` for never.
    """

    name: str
    tenant: str
    roles: frozenset[Role] = frozenset({Role.ORCHESTRATOR})
    scopes: frozenset[Scope] = _ORCHESTRATION
    sandbox: bool = False
    expires: datetime | None = field(default=None, compare=False)

    @property
    def described(self) -> str:
        """The caller in words, for the audit log."""
        kind = "sandbox caller" if self.sandbox else "caller"
        roles, scopes = (", ".join(sorted(words)) for words in (self.roles, self.scopes))
        return f"{kind} {self.name} of {self.tenant}; roles {roles}; scopes {scopes}"

    @property
    def scope(self) -> str:
        """The party with which the calls of this caller are counted; see ``server.base.sandbox``."""
        return memory_scope(self.tenant, sandbox=self.sandbox)


def each_once(values: tuple[StrEnum, ...]) -> tuple[StrEnum, ...]:
    """Validate a list of the settings in which nothing may be listed twice."""
    if len(set(values)) != len(values):
        raise ValueError("one value is listed twice; list each once")
    return values


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class Rights(Table):
    """What a caller may do, and for whom: the common fields of every entry that admits one."""

    tenant: Name
    """Tenant whose checks the caller can access."""
    roles: Annotated[tuple[Role, ...], Field(min_length=1), AfterValidator(each_once)]
    """What it may do; ``docs/reference/roles.md`` has the calls of each role. ``compliance``, an earlier
    name, means ``compliance_reader``."""
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1), AfterValidator(each_once)] | None = None
    """Scopes of the caller; by default all scopes of its roles."""
    sandbox: StrictBool = False
    """Whether the checks that the caller makes, or reviews, are sandbox checks."""

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if self.sandbox and not set(self.roles) <= SANDBOX_ROLES:
            raise ValueError(
                f"sandbox = true is for the roles {' and '.join(sorted(SANDBOX_ROLES))} only; leave it out"
            )
        if self.sandbox and len(self.tenant) > LONGEST_TENANT:
            raise ValueError(
                f"the tenant of a sandbox caller has at most {LONGEST_TENANT} characters, "
                f"not {len(self.tenant)}"
            )
        beyond = set(self.scopes or ()) - _scopes_of(self.roles)
        if beyond:
            raise ValueError(
                f"the scopes {', '.join(sorted(beyond))} belong to none of {', '.join(self.roles)}; "
                "leave them out, or add the role"
            )
        return self

    def of_caller(self, name: str) -> Caller:
        """Return a caller with these rights."""
        allowed = _scopes_of(self.roles)
        return Caller(
            name=name,
            tenant=self.tenant,
            roles=frozenset(self.roles),
            scopes=allowed if self.scopes is None else allowed & frozenset(self.scopes),
            sandbox=self.sandbox,
        )


class CallerEntry(Rights):
    """The holder of credentials: the common fields of entries for API keys and client certificates."""

    name: Name
    """Name of the caller in logs."""

    @property
    def caller(self) -> Caller:
        """The caller."""
        return self.of_caller(self.name)


def _scopes_of(roles: Collection[Role]) -> frozenset[Scope]:
    return frozenset(scope for role in roles for scope in SCOPES[role])
