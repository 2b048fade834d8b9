import pytest

from liveness.dynamic.challenge.actions import Complete, EndReason, FallBack, HintCode
from liveness.dynamic.challenge.flash import LightWatch, Pauses, Presence
from liveness.dynamic.challenge.proof import Light
from liveness.dynamic.policy import DynamicPolicy
from liveness.guidance import GuidanceCode


def test_frames_in_place_are_counted_in_a_row() -> None:
    presence = Presence()
    for at in range(3):
        presence.record_placement(face=True, guidance=None, at=float(at))
    assert (presence.frames_in_place, presence.away_since) == (3, None)
    presence.record_placement(face=True, guidance=GuidanceCode.MOVE_BACK, at=3.0)
    presence.record_placement(face=True, guidance=GuidanceCode.CENTER_FACE, at=4.0)
    assert (presence.frames_in_place, presence.away_since) == (0, 3.0)
    assert presence.code is HintCode.CENTER_FACE, "the newest hint helps most"
    presence.record_placement(face=True, guidance=GuidanceCode.OK, at=5.0)
    assert (presence.frames_in_place, presence.away_since) == (1, None)


def test_a_missing_face_is_absent_whatever_the_guidance_shows() -> None:
    presence = Presence()
    presence.record_placement(face=False, guidance=GuidanceCode.OK, at=1.0)
    assert (presence.away_since, presence.code) == (1.0, HintCode.NO_FACE)


@pytest.mark.parametrize(
    "code",
    [GuidanceCode.TOO_DARK, GuidanceCode.TOO_BRIGHT, GuidanceCode.HOLD_STILL, GuidanceCode.EYES_CLOSED],
)
def test_only_guidance_about_position_interrupts(code: GuidanceCode) -> None:
    presence = Presence()
    presence.record_placement(face=True, guidance=code, at=1.0)
    assert presence.frames_in_place == 1


def test_after_a_pause_the_face_has_to_show_again() -> None:
    presence = Presence()
    presence.record_placement(face=True, guidance=None, at=1.0)
    presence.reset(5.0)
    assert (presence.frames_in_place, presence.away_since, presence.unseen_since) == (0, None, 5.0)
    presence.record_placement(face=True, guidance=None, at=5.8)
    assert (presence.frames_in_place, presence.away_since, presence.unseen_since) == (1, None, None)


def test_after_a_pause_a_face_is_away_from_the_first_frame_on_that_shows_it_so() -> None:
    presence = Presence()
    presence.record_placement(face=False, guidance=None, at=1.0)
    presence.reset(5.0)
    presence.record_placement(face=False, guidance=None, at=5.8)
    assert (presence.away_since, presence.unseen_since) == (5.8, None)


def test_a_face_that_is_away_again_and_again_pauses_nothing_any_more() -> None:
    pauses = Pauses()
    for at in range(5):
        assert pauses.begin(10.0 * at)
        assert pauses.until == 10.0 * at + 1.0
    assert not pauses.begin(50.0)
    assert pauses.until == 41.0


def test_light_is_blamed_only_after_two_colours() -> None:
    watch = LightWatch(DynamicPolicy(falls_back=True, light_patience_seconds=0))
    assert watch.follow_light(Light.TOO_BRIGHT, coloured=1, verified=0, now=0.0) is None
    assert watch.follow_light(Light.TOO_BRIGHT, coloured=2, verified=0, now=1.0) == FallBack(
        HintCode.TOO_BRIGHT
    )


def test_patience_begins_anew_when_a_colour_is_verified() -> None:
    watch = LightWatch(DynamicPolicy(light_patience_seconds=3))
    assert watch.follow_light(Light.WEAK, coloured=2, verified=1, now=0.0) is HintCode.RAISE_SCREEN_BRIGHTNESS
    assert watch.follow_light(Light.OK, coloured=3, verified=2, now=2.0) is None
    assert watch.follow_light(Light.WEAK, coloured=3, verified=2, now=6.0) is HintCode.RAISE_SCREEN_BRIGHTNESS
    assert watch.follow_light(Light.TOO_BRIGHT, coloured=4, verified=3, now=8.0) is HintCode.TOO_BRIGHT
    assert watch.follow_light(Light.TOO_BRIGHT, coloured=5, verified=3, now=10.9) is HintCode.TOO_BRIGHT
    assert watch.follow_light(Light.TOO_BRIGHT, coloured=5, verified=3, now=11.0) == Complete(EndReason.LIGHT)


@pytest.mark.parametrize("falls_back", [False, True])
def test_light_that_seems_good_between_without_a_right_answer_does_not_prolong_it(falls_back: bool) -> None:
    watch = LightWatch(DynamicPolicy(light_patience_seconds=3, falls_back=falls_back))
    assert watch.follow_light(Light.TOO_BRIGHT, coloured=2, verified=1, now=4.0) is HintCode.TOO_BRIGHT
    assert watch.follow_light(Light.OK, coloured=3, verified=1, now=5.0) is None
    end = FallBack(HintCode.TOO_BRIGHT) if falls_back else Complete(EndReason.LIGHT)
    assert watch.follow_light(Light.TOO_BRIGHT, coloured=4, verified=1, now=7.0) == end


def test_darkness_is_reported_and_ends_nothing() -> None:
    watch = LightWatch(DynamicPolicy(falls_back=True))
    for now in (0.0, 50.0):
        told = watch.follow_light(Light.TOO_DARK_TO_SEE_FACE, coloured=9, verified=0, now=now)
        assert told is HintCode.TOO_DARK
