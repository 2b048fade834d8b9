"""Callers of the service listener, their roles and scopes.

A role is a kind of caller, with the scopes that it may have. A call requires a scope. An entry that lists
scopes narrows its roles to those.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, StrictBool, model_validator

from server.sandbox import LONGEST_TENANT, memory_scope
from server.settings_base import Table

__all__ = ["Caller", "CallerEntry", "Name", "Role", "Scope"]


class Role(StrEnum):
    """A kind of caller."""

    ORCHESTRATOR = "orchestrator"
    """Creates checks and reads their results."""
    COMPLIANCE = "compliance"
    """Reads evidence."""


class Scope(StrEnum):
    """A permission that calls require."""

    CREATE_CHECKS = "checks.create"
    """UploadTrustedImage."""
    READ_CHECKS = "checks.read"
    """GetCheck and WatchCheck."""
    FINISH_CHECKS = "checks.finish"
    """FinishCheck and CancelCheck."""
    ANALYZE = "analysis"
    """AnalyzeImage and AnalyzeVideo."""


SCOPES: Final[Mapping[Role, frozenset[Scope]]] = {
    Role.ORCHESTRATOR: frozenset(Scope),
    Role.COMPLIANCE: frozenset(),
}
"""The scopes that the callers of a role may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A caller with known credentials.

    Attributes:
        name: The name of the caller in logs.
        tenant: The tenant whose checks the caller can access.
        roles: The roles of the caller.
        scopes: The scopes of the caller.
        sandbox: Whether the checks of the caller are sandbox checks.
    """

    name: str
    tenant: str
    roles: frozenset[Role] = frozenset({Role.ORCHESTRATOR})
    scopes: frozenset[Scope] = frozenset(Scope)
    sandbox: bool = False

    @property
    def scope(self) -> str:
        """The party with which the calls of this caller are counted; see ``server.sandbox``."""
        return memory_scope(self.tenant, sandbox=self.sandbox)


def _each_once(values: tuple[StrEnum, ...]) -> tuple[StrEnum, ...]:
    if len(set(values)) != len(values):
        raise ValueError("one value is listed twice; list each once")
    return values


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class CallerEntry(Table):
    """The holder of credentials: the common fields of entries for API keys and client certificates."""

    name: Name
    """Name of the caller in logs."""
    tenant: Name
    """Tenant whose checks the caller can access."""
    roles: Annotated[tuple[Role, ...], Field(min_length=1), AfterValidator(_each_once)]
    """``orchestrator`` creates checks and reads their results; ``compliance`` allows no call yet, because
    ``FinishCheck`` returns evidence frames."""
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1), AfterValidator(_each_once)] | None = None
    """Scopes of the caller: ``checks.create``, ``checks.read``, ``checks.finish``, ``analysis``; by default
    all scopes of its roles."""
    sandbox: StrictBool = False
    """Whether the checks of the caller are sandbox checks."""

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if self.sandbox and set(self.roles) != {Role.ORCHESTRATOR}:
            raise ValueError("sandbox = true is only for the role orchestrator; leave it out")
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

    @property
    def caller(self) -> Caller:
        """The caller."""
        allowed = _scopes_of(self.roles)
        return Caller(
            name=self.name,
            tenant=self.tenant,
            roles=frozenset(self.roles),
            scopes=allowed if self.scopes is None else allowed & frozenset(self.scopes),
            sandbox=self.sandbox,
        )


def _scopes_of(roles: Collection[Role]) -> frozenset[Scope]:
    return frozenset(scope for role in roles for scope in SCOPES[role])
