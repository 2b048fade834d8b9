"""Who may call the service listener: callers, their roles and scopes.

A role says what kind of caller one is, and which scopes it may have. A scope is what a call needs; an
entry that lists scopes narrows its roles to those.
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
    """What kind of caller one is."""

    ORCHESTRATOR = "orchestrator"
    """Creates checks and reads their verdicts."""
    COMPLIANCE = "compliance"
    """Reads evidence."""


class Scope(StrEnum):
    """What a call needs."""

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
"""What the callers of a role may do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A caller whose credentials are known.

    Attributes:
        name: For logs.
        tenant: Whose checks it may see.
        roles: What kind of caller it is.
        scopes: What it may do.
        sandbox: Whether its checks are sandbox checks.
    """

    name: str
    tenant: str
    roles: frozenset[Role] = frozenset({Role.ORCHESTRATOR})
    scopes: frozenset[Scope] = frozenset(Scope)
    sandbox: bool = False

    @property
    def scope(self) -> str:
        """With whose calls this caller's count together; see ``server.sandbox``."""
        return memory_scope(self.tenant, sandbox=self.sandbox)


def _each_once(values: tuple[StrEnum, ...]) -> tuple[StrEnum, ...]:
    if len(set(values)) != len(values):
        raise ValueError("names one twice; name each once")
    return values


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class CallerEntry(Table):
    """Whose credentials these are: what an API key's entry and a client certificate's have in common."""

    name: Name
    """For logs."""
    tenant: Name
    """Whose checks the caller may see."""
    roles: Annotated[tuple[Role, ...], Field(min_length=1), AfterValidator(_each_once)]
    """``orchestrator`` creates checks and reads their verdicts; ``compliance`` allows no call
    yet: evidence frames come with `FinishCheck`."""
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1), AfterValidator(_each_once)] | None = None
    """What the caller may do: ``checks.create``, ``checks.read``, ``checks.finish``, ``analysis``; by default
    everything that its roles may."""
    sandbox: StrictBool = False
    """Whether its checks are sandbox checks."""

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
