from liveness.dynamic.challenge.actions import Hint, HintCode
from liveness.dynamic.challenge.hint_pacing import HintPacing


def test_the_first_hint_is_reported() -> None:
    assert HintPacing().paced(HintCode.BLINK, now=5.0) == Hint(HintCode.BLINK)


def test_the_same_is_reported_again_after_two_seconds() -> None:
    hints = HintPacing()
    given = [hints.paced(HintCode.BLINK, now=now / 4) is not None for now in range(20)]
    assert [index / 4 for index, one in enumerate(given) if one] == [0.0, 2.0, 4.0]


def test_something_else_is_reported_after_half_a_second() -> None:
    hints = HintPacing()
    assert hints.paced(HintCode.BLINK, now=0.0) is not None
    assert hints.paced(HintCode.HOLD_STILL, now=0.4) is None
    assert hints.paced(HintCode.HOLD_STILL, now=0.5) == Hint(HintCode.HOLD_STILL)
    assert hints.paced(HintCode.BLINK, now=0.9) is None
    assert hints.paced(HintCode.BLINK, now=1.0) == Hint(HintCode.BLINK)
