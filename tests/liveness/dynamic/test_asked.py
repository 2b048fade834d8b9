import pytest

from liveness.dynamic.actions import HintCode
from liveness.dynamic.asked import AskedSign, AskedSigns, Missing
from liveness.dynamic.policy import DynamicPolicy


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


def _signs(*, depth: bool, blink: bool) -> AskedSigns:
    policy = DynamicPolicy(depth=depth, depth_patience_seconds=5.0, blink=blink, blink_patience_seconds=3.0)
    return AskedSigns(policy, depth_line=3.0)


def test_depth_is_waited_for_before_a_blink() -> None:
    signs = _signs(depth=True, blink=True)
    told = []
    for now, depth, blinked in ((10.0, 2.9, False), (11.0, 3.0, False), (12.0, 3.0, True), (13.0, 2.9, True)):
        signs.see(blinked=blinked, depth=depth)
        told.append(signs.missing(now, shape_shows=True))
    # Depth that became less while the blink was waited for is waited for again, as long as its time lasts.
    turn, blink = Missing(15.0, HintCode.TURN_HEAD_SLIGHTLY), Missing(14.0, HintCode.BLINK)
    assert told == [turn, blink, None, turn]
    assert signs.awaits_depth
    assert not signs.awaits_blink


@pytest.mark.parametrize(
    ("depth", "blink", "shape_shows", "waits"),
    [
        (False, False, True, False),
        (True, False, True, True),
        (False, True, True, True),
        (False, False, False, True),
    ],
)
def test_only_what_is_taken_is_waited_for(depth: bool, blink: bool, shape_shows: bool, waits: bool) -> None:
    signs = _signs(depth=depth, blink=blink)
    signs.see(blinked=False, depth=0.0)
    assert (signs.missing(10.0, shape_shows=shape_shows) is not None) is waits
    assert signs.awaits_depth is (depth or not shape_shows)
    assert signs.awaits_blink is blink
