"""Which doubts more colours may settle."""

import pytest

from liveness.dynamic.doubt import more_may_tell
from liveness.dynamic.finding import Finding
from liveness.dynamic.judge import FlashResult
from liveness.signal import assessed, not_assessed
from liveness.verdict import Reason


def _result(finding: Finding, scores: dict[str, float | None]) -> FlashResult:
    return FlashResult(
        finding=finding,
        reason=None if finding is Finding.RIGHT else Reason.CHALLENGE_NOT_MEASURABLE,
        verified_bits=13.0,
        odds=1.0,
        lag=0.1,
        steps=(),
        signals=tuple(
            not_assessed(name=name, label=name, reason="too few")
            if score is None
            else assessed(name=name, label=name, score=score, detail="")
            for name, score in scores.items()
        ),
        detail="",
    )


@pytest.mark.parametrize(
    ("scores", "tells"),
    [
        ({"flash_shape": 0.9, "flash_overlay": 0.3, "flash_glare": 0.55}, True),
        ({"flash_shape": 0.9, "flash_overlay": 0.7, "flash_glare": 0.3}, True),
        # In the dark every part answers alike, and no shape shows.
        ({"flash_shape": None, "flash_overlay": 0.1, "flash_glare": 0.55}, True),
        # A sheet's shape stays one.
        ({"flash_shape": 0.45, "flash_overlay": 0.1, "flash_glare": 0.3}, False),
        # A wall right behind the head does not move away.
        ({"flash_shape": 0.9, "flash_overlay": 0.7, "flash_background": 0.01}, False),
        ({"flash_shape": 0.9, "flash_overlay": None, "flash_glare": None}, False),
    ],
)
def test_what_a_few_steps_measure_with_much_noise_is_waited_for(
    scores: dict[str, float | None], tells: bool
) -> None:
    assert more_may_tell(_result(Finding.NOT_MEASURABLE, scores)) is tells


@pytest.mark.parametrize("finding", [Finding.RIGHT, Finding.WRONG, Finding.ABSENT])
def test_what_is_decided_is_not_doubted(finding: Finding) -> None:
    assert not more_may_tell(_result(finding, {"flash_shape": 0.9, "flash_overlay": 0.3}))
