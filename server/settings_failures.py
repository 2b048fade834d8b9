"""Settings of the limits on failed checks of one subject, portrait or device."""

from datetime import timedelta
from typing import Self

from pydantic import Field, model_validator

from server.domain.tries import TryRules, TrySetting
from server.settings_base import Table

__all__ = ["FailureLimits", "FailureSettings", "SandboxFailureLimits"]

_DAY = 86_400


class FailureLimits(Table):
    """When failed checks of one subject, portrait or device bring a lock, and locks a block."""

    maximum: int = Field(default=5, ge=1, le=1_000_000)
    """Failed checks within ``window_seconds`` that bring a lock. Scans that run count until
    they are decided. A check that was left early, or failed by conditions alone, counts a quarter."""
    window_seconds: int = Field(default=180, ge=1, le=_DAY)
    """Failed checks within so many seconds count together."""
    lock_seconds: int = Field(default=1_800, ge=1, le=_DAY)
    """How long a lock lasts."""
    block_maximum: int = Field(default=20, ge=1, le=10_000_000)
    """Failed checks within ``block_seconds``, however they are spread, that bring a block.
    At least ``maximum``."""
    block_seconds: int = Field(default=_DAY, ge=1, le=30 * _DAY)
    """Within which failures count for a block, and how long it lasts. At least ``lock_seconds``."""

    @model_validator(mode="after")
    def _blocks_longer_than_it_locks(self) -> Self:
        if self.block_seconds < self.lock_seconds:
            raise ValueError(
                f"block_seconds ({self.block_seconds}) must be at least lock_seconds ({self.lock_seconds})"
            )
        if self.block_maximum < self.maximum:
            raise ValueError(
                f"block_maximum ({self.block_maximum}) must be at least maximum ({self.maximum}): set it, too"
            )
        return self

    def as_rules(self) -> TryRules:
        """The same for ``server.domain.tries``."""
        return TryRules(
            maximum=self.maximum,
            window=timedelta(seconds=self.window_seconds),
            lock=timedelta(seconds=self.lock_seconds),
            block_maximum=self.block_maximum,
            block=timedelta(seconds=self.block_seconds),
        )


class SandboxFailureLimits(FailureLimits):
    """The same for sandbox checks, which fail by the dozen in tests of an integration."""

    maximum: int = Field(default=1_000, ge=1, le=1_000_000)
    """Failed checks within ``window_seconds`` that bring a lock."""
    lock_seconds: int = Field(default=60, ge=1, le=_DAY)
    """How long a lock lasts."""
    block_maximum: int = Field(default=4_000, ge=1, le=10_000_000)
    """Failed checks within ``block_seconds``, however they are spread, that bring a block.
    At least ``maximum``."""
    block_seconds: int = Field(default=60, ge=1, le=30 * _DAY)
    """Within which failures count for a block, and how long it lasts. At least ``lock_seconds``."""


class FailureSettings(FailureLimits):
    """Limits on failed checks of one subject, portrait or device; sandbox checks have their own."""

    remember_days: int = Field(default=30, ge=1, le=400)
    """How long a failed check is remembered, by keyed hashes: for these limits, and for the signals that tell
    of earlier attacks. At least twice ``block_seconds``."""
    sandbox: SandboxFailureLimits = SandboxFailureLimits()

    @model_validator(mode="after")
    def _remembers(self) -> Self:
        longest = max(self.block_seconds, self.sandbox.block_seconds)
        if self.remember_days * _DAY < 2 * longest:
            raise ValueError(
                f"remember_days ({self.remember_days}) must be at least twice block_seconds ({longest}): "
                "else blocks are forgotten before they end"
            )
        return self

    def as_setting(self) -> TrySetting:
        """The same for ``server.domain.tries``."""
        return TrySetting(
            real=self.as_rules(),
            sandbox=self.sandbox.as_rules(),
            remembered=timedelta(days=self.remember_days),
        )
