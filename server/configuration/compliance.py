"""The settings of compliance: actions that need two people."""

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from server.base.table import Table

__all__ = ["ComplianceSettings", "TwoPeople"]


class TwoPeople(StrEnum):
    """An action that may need two people."""

    DELETE = "delete"
    """DeleteEvidence."""
    ERASE = "erase"
    """EraseSubject."""
    RELEASE_HOLD = "release_hold"
    """ReleaseHold."""
    DESTROY_KEY = "destroy_key"
    """The destruction of a key."""


def _each_once(values: tuple[TwoPeople, ...]) -> tuple[TwoPeople, ...]:
    if len(set(values)) != len(values):
        raise ValueError("one action is listed twice; list each once")
    return values


class ComplianceSettings(Table):
    """Compliance."""

    two_people: Annotated[tuple[TwoPeople, ...], AfterValidator(_each_once)] = Field(default=(), strict=False)
    """The actions that a second person has to confirm: ``delete`` (the evidence of a check), ``erase`` (a
    person), ``release_hold``, ``destroy_key``. The first call records a request; the same call by a caller of
    another name performs the action."""
    approval_hours: int = Field(default=24, ge=1, le=720)
    """How long a second person may confirm a request."""
