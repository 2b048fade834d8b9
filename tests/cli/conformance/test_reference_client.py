"""The reference client passes every scenario."""

import pytest

from cli.conformance.conductor import Outcome, Verdict
from tests.cli.conformance.playing import BY_NAME, SLOW, played, played_at_once

_QUICK = [name for name in BY_NAME if name not in SLOW]


def _failures(outcomes: dict[str, Outcome]) -> dict[str, str]:
    return {
        name: f"{outcome.rule}: {outcome.detail}"
        for name, outcome in outcomes.items()
        if outcome.verdict is not Verdict.PASSED
    }


async def test_the_reference_client_passes_the_quick_scenarios() -> None:
    outcomes = await played_at_once(_QUICK, runs=4)
    assert _failures(outcomes) == {}
    assert outcomes.keys() == set(_QUICK)


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
async def test_the_reference_client_passes_the_slow_scenarios(name: str) -> None:
    assert _failures(await played([name])) == {}
