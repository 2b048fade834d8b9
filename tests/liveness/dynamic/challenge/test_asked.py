import pytest

from liveness.dynamic.challenge.actions import AskedSign, AskedSigns, HintCode, Missing
from liveness.dynamic.policy import DynamicPolicy


def test_a_sign_is_awaited_from_the_request_until_it_is_seen_or_patience_ends() -> None:
    blink = AskedSign(HintCode.BLINK, patience_seconds=3)
    blink.record_sign(False)
    pending = [blink.pending]
    assert blink.wait_until(10.0) == blink.wait_until(12.9) == 13
    pending.append(blink.pending)
    blink.record_sign(True)
    pending.append(blink.pending)
    assert blink.wait_until(12.9) is None
    # The apparent blink was none.
    blink.record_sign(False)
    pending.append(blink.pending)
    assert blink.wait_until(12.9) == 13
    assert blink.wait_until(13.0) is None
    assert pending == [False, True, False, True]


def test_no_request_before_the_movement_so_far_is_measured() -> None:
    depth = AskedSign(HintCode.TURN_HEAD_SLIGHTLY, patience_seconds=3)
    assert depth.wait_until(10.0) == 13
    asked = []
    # A value that is not measured in a frame keeps its last value.
    for shown in (None, False, None):
        depth.record_sign(shown)
        assert depth.pending
        asked.append(depth.asks)
    assert asked == [None, HintCode.TURN_HEAD_SLIGHTLY, HintCode.TURN_HEAD_SLIGHTLY]
    depth.record_sign(True)
    assert depth.wait_until(11.0) is None


def test_a_movement_that_was_awaited_is_measured_to_the_end() -> None:
    depth = AskedSign(HintCode.TURN_HEAD_SLIGHTLY, patience_seconds=3)
    matters = [depth.matters]
    depth.wait_until(10.0)
    matters.append(depth.matters)
    depth.record_sign(True)
    matters.append(depth.matters)
    assert matters == [False, True, True]


def test_an_earlier_movement_is_not_awaited() -> None:
    blink = AskedSign(HintCode.BLINK, patience_seconds=3)
    blink.record_sign(True)
    assert blink.wait_until(10.0) is None
    assert not blink.pending


def _signs(*, depth: bool, blink: bool) -> AskedSigns:
    policy = DynamicPolicy(depth=depth, depth_patience_seconds=5.0, blink=blink, blink_patience_seconds=3.0)
    return AskedSigns(policy, depth_line=3.0)


def test_depth_is_waited_for_before_a_blink() -> None:
    signs = _signs(depth=True, blink=True)
    wanted = []
    for now, depth, blinked in ((10.0, 2.9, False), (11.0, 3.0, False), (12.0, 3.0, True), (13.0, 2.9, True)):
        signs.record_signs(blinked=blinked, depth=depth, at=now)
        wanted.append(signs.missing(now, shape_shows=True))
    # If depth decreases during the wait for the blink, the challenge waits for it again, within its time.
    turn, blink = Missing(15.0, HintCode.TURN_HEAD_SLIGHTLY), Missing(14.0, HintCode.BLINK)
    assert wanted == [turn, blink, None, turn]
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
def test_only_received_frames_are_awaited(depth: bool, blink: bool, shape_shows: bool, waits: bool) -> None:
    signs = _signs(depth=depth, blink=blink)
    signs.record_signs(blinked=False, depth=0.0, at=10.0)
    assert (signs.missing(10.0, shape_shows=shape_shows) is not None) is waits
    assert signs.awaits_depth is (depth or not shape_shows)
    assert signs.awaits_blink is blink


_TURN, _BLINK = HintCode.TURN_HEAD_SLIGHTLY, HintCode.BLINK


def test_a_blink_is_requested_at_the_middle_of_the_colours() -> None:
    signs = _signs(depth=True, blink=True)
    wanted = []
    for share, blinked in ((0.0, False), (0.49, False), (0.5, False), (0.75, False), (0.75, True)):
        signs.prepare(share=share, last=False, shape_shows=True)
        signs.record_signs(blinked=blinked, depth=None, at=10.0)
        wanted.append((signs.ahead(0.1), signs.awaits_blink))
    assert wanted == [(None, False), (None, False), (_BLINK, True), (_BLINK, True), (None, False)]
    assert not signs.awaits_depth


def test_the_head_is_asked_for_as_the_last_colour_nears_its_end() -> None:
    signs = _signs(depth=True, blink=True)
    signs.record_signs(blinked=False, depth=0.0, at=9.0)
    signs.prepare(share=0.75, last=True, shape_shows=True)
    signs.record_signs(blinked=False, depth=2.9, at=10.0)
    # A person asked sooner would move in that colour; until then there is time for a blink.
    assert [signs.ahead(seconds) for seconds in (0.7, 0.41, 0.4, -0.1)] == [_BLINK, _BLINK, _TURN, _TURN]
    awaits = [signs.awaits_blink]
    signs.record_signs(blinked=False, depth=3.0, at=10.2)
    assert signs.ahead(0.1) == _BLINK
    awaits.append(signs.awaits_blink)
    assert awaits == [False, True], "landmarks of a head that turns are not looked at for it"
    signs.record_signs(blinked=False, depth=2.0, at=10.4)
    assert signs.missing(11.0, shape_shows=True) == Missing(16.0, _TURN), "its time begins here"


def test_no_turn_is_requested_before_depth_was_measured() -> None:
    signs = _signs(depth=True, blink=False)
    signs.prepare(share=0.75, last=True, shape_shows=True)
    assert signs.awaits_depth
    assert signs.ahead(0.1) is None


@pytest.mark.parametrize(
    ("depth", "shape_shows", "expected"), [(False, True, False), (True, True, True), (False, False, True)]
)
def test_depth_is_looked_for_in_the_last_colour_where_it_is_taken(
    depth: bool, shape_shows: bool, expected: bool
) -> None:
    signs = _signs(depth=depth, blink=False)
    signs.prepare(share=0.9, last=False, shape_shows=shape_shows)
    assert not signs.awaits_depth
    signs.prepare(share=0.9, last=True, shape_shows=shape_shows)
    assert signs.awaits_depth is expected
    assert signs.ahead(-1.0) is None


def test_without_a_wait_there_is_no_early_request() -> None:
    policy = DynamicPolicy(depth=True, depth_patience_seconds=0.0, blink=True, blink_patience_seconds=0.0)
    signs = AskedSigns(policy, depth_line=3.0)
    signs.prepare(share=1.0, last=True, shape_shows=False)
    signs.record_signs(blinked=False, depth=0.0, at=10.0)
    assert signs.ahead(0.0) is None
    assert not signs.awaits_depth
    assert not signs.awaits_blink


def test_depth_is_measured_a_few_times_a_second_and_with_the_frame_that_decides() -> None:
    signs = _signs(depth=True, blink=False)
    assert not signs.depth_due(10.0, decides=True), "it is not looked for"
    signs.prepare(share=1.0, last=True, shape_shows=True)
    assert signs.depth_due(10.0, decides=False), "it never was measured"
    signs.record_signs(blinked=False, depth=5.0, at=10.0)
    signs.record_signs(blinked=False, depth=None, at=10.1)
    due = [
        signs.depth_due(now, decides=decides)
        for now, decides in ((10.2, False), (10.2, True), (10.25, False))
    ]
    assert due == [False, True, True]
