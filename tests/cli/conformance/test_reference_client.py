"""The reference client passes every scenario."""

import pytest

from tests.cli.conformance.playing import BY_NAME, SLOW, failures, played_at_once

_QUICK = [name for name in BY_NAME if name not in SLOW]


async def test_the_reference_client_passes_the_quick_scenarios() -> None:
    outcomes = await played_at_once(_QUICK, servers=4)
    assert failures(outcomes) == {}
    assert outcomes.keys() == set(_QUICK)


@pytest.mark.slow
async def test_the_reference_client_passes_the_slow_scenarios() -> None:
    outcomes = await played_at_once(SLOW, servers=len(SLOW))
    assert failures(outcomes) == {}
    assert outcomes.keys() == set(SLOW)
