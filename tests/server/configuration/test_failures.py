"""The settings of the limits on failed checks."""

import pytest
from pydantic import ValidationError

from server.configuration.failures import FailureLimits, FailureSettings, SandboxFailureLimits


def test_a_block_is_not_shorter_than_a_lock() -> None:
    assert FailureLimits(lock_seconds=60, block_seconds=60).as_rules().block.total_seconds() == 60
    with pytest.raises(ValidationError, match="lock_seconds"):
        FailureLimits(lock_seconds=61, block_seconds=60)
    with pytest.raises(ValidationError, match="lock_seconds"):
        FailureSettings(lock_seconds=61, block_seconds=60)


def test_a_block_takes_no_fewer_failures_than_a_lock() -> None:
    with pytest.raises(ValidationError, match="block_maximum"):
        FailureLimits(maximum=21)


def test_failures_are_remembered_for_two_blocks() -> None:
    assert FailureSettings(remember_days=2).as_setting().remembered.days == 2
    with pytest.raises(ValidationError, match="remember_days"):
        FailureSettings(remember_days=1)
    with pytest.raises(ValidationError, match="remember_days"):
        FailureSettings(remember_days=2, sandbox=SandboxFailureLimits(block_seconds=90_000))


def test_a_single_limit_of_the_sandbox_leaves_its_others() -> None:
    settings = FailureSettings.model_validate({"sandbox": {"window_seconds": 60}})
    assert settings.sandbox.maximum == 1_000
    assert settings.sandbox.lock_seconds == 60
