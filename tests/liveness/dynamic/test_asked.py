from liveness.dynamic.actions import HintCode
from liveness.dynamic.asked import AskedSign


def test_a_sign_is_awaited_from_the_request_until_it_is_seen_or_patience_ends() -> None:
    blink = AskedSign(HintCode.BLINK, patience_seconds=3)
    blink.see(False)
    pending = [blink.pending]
    assert blink.wait_until(10.0) == blink.wait_until(12.9) == 13
    pending.append(blink.pending)
    blink.see(True)
    pending.append(blink.pending)
    assert blink.wait_until(12.9) is None
    # What looked like one was none.
    blink.see(False)
    pending.append(blink.pending)
    assert blink.wait_until(12.9) == 13
    assert blink.wait_until(13.0) is None
    assert pending == [False, True, False, True]


def test_nobody_is_asked_before_it_is_known_what_they_have_shown() -> None:
    depth = AskedSign(HintCode.TURN_HEAD_SLIGHTLY, patience_seconds=3)
    assert depth.wait_until(10.0) == 13
    asked = []
    # What is not measured in a frame is as it was.
    for shown in (None, False, None):
        depth.see(shown)
        assert depth.pending
        asked.append(depth.asks)
    assert asked == [None, HintCode.TURN_HEAD_SLIGHTLY, HintCode.TURN_HEAD_SLIGHTLY]
    depth.see(True)
    assert depth.wait_until(11.0) is None


def test_what_was_waited_for_matters_to_the_end() -> None:
    depth = AskedSign(HintCode.TURN_HEAD_SLIGHTLY, patience_seconds=3)
    matters = [depth.matters]
    depth.wait_until(10.0)
    matters.append(depth.matters)
    depth.see(True)
    matters.append(depth.matters)
    assert matters == [False, True, True]


def test_what_was_shown_before_is_not_waited_for() -> None:
    blink = AskedSign(HintCode.BLINK, patience_seconds=3)
    blink.see(True)
    assert blink.wait_until(10.0) is None
    assert not blink.pending
