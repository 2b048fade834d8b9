"""Settings of the limits on failed checks of one subject, portrait or device."""

from datetime import timedelta
from typing import Self

from pydantic import Field, model_validator

from server.base.table import Table
from server.domain.tries import TryRules, TrySetting

__all__ = ["FailureLimits", "FailureSettings", "SandboxFailureLimits"]

_DAY = 86_400


class FailureLimits(Table):
    """Limits on failed checks of one subject, portrait or device, which cause a lock and then a block."""

    maximum: int = Field(default=5, ge=1, le=1_000_000)
    """Number of failed checks within ``window_seconds`` that causes a lock. A running scan counts until it is
    decided. A check that the person left early, or that failed only because of the conditions, counts as a
    quarter."""
    window_seconds: int = Field(default=180, ge=1, le=_DAY)
    """Period within which failed checks are counted for a lock."""
    lock_seconds: int = Field(default=1_800, ge=1, le=_DAY)
    """How long a lock lasts."""
    block_maximum: int = Field(default=20, ge=1, le=10_000_000)
    """Number of failed checks within ``block_seconds``, at any intervals, that causes a block. At least
    ``maximum``."""
    block_seconds: int = Field(default=_DAY, ge=1, le=30 * _DAY)
    """Period within which failed checks are counted for a block, and duration of the block. At least
    ``lock_seconds``."""

    @model_validator(mode="after")
    def _blocks_longer_than_it_locks(self) -> Self:
        if self.block_seconds < self.lock_seconds:
            raise ValueError(
                f"block_seconds ({self.block_seconds}) must be at least lock_seconds ({self.lock_seconds})"
            )
        if self.block_maximum < self.maximum:
            raise ValueError(
                f"block_maximum ({self.block_maximum}) must be at least maximum ({self.maximum}); set both"
            )
        return self

    def as_rules(self) -> TryRules:
        """Returns the limits in the form of ``server.domain.tries``."""
        return TryRules(
            maximum=self.maximum,
            window=timedelta(seconds=self.window_seconds),
            lock=timedelta(seconds=self.lock_seconds),
            block_maximum=self.block_maximum,
            block=timedelta(seconds=self.block_seconds),
        )


class SandboxFailureLimits(FailureLimits):
    """The limits for sandbox checks, many of which fail in tests of an integration."""

    maximum: int = Field(default=1_000, ge=1, le=1_000_000)
    """Number of failed checks within ``window_seconds`` that causes a lock."""
    lock_seconds: int = Field(default=60, ge=1, le=_DAY)
    """How long a lock lasts."""
    block_maximum: int = Field(default=4_000, ge=1, le=10_000_000)
    """Number of failed checks within ``block_seconds``, at any intervals, that causes a block. At least
    ``maximum``."""
    block_seconds: int = Field(default=60, ge=1, le=30 * _DAY)
    """Period within which failed checks are counted for a block, and duration of the block. At least
    ``lock_seconds``."""


class FailureSettings(FailureLimits):
    """Limits on failed checks of one subject, portrait or device; sandbox checks have their own."""

    remember_days: int = Field(default=30, ge=1, le=400)
    """How long keyed hashes of a failed check are stored, for these limits and for the signals that report
    earlier attacks. At least twice ``block_seconds``."""
    sandbox: SandboxFailureLimits = SandboxFailureLimits()

    @model_validator(mode="after")
    def _remembers(self) -> Self:
        longest = max(self.block_seconds, self.sandbox.block_seconds)
        if self.remember_days * _DAY < 2 * longest:
            raise ValueError(
                f"remember_days ({self.remember_days}) must be at least twice block_seconds ({longest}): "
                "otherwise blocks are erased before they end"
            )
        return self

    def as_setting(self) -> TrySetting:
        """Returns the limits in the form of ``server.domain.tries``."""
        return TrySetting(
            real=self.as_rules(),
            sandbox=self.sandbox.as_rules(),
            remembered=timedelta(days=self.remember_days),
        )
