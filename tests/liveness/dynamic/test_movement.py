"""The movement challenge: the approach, the ovals, and their judgement."""

import weakref
from dataclasses import replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lab.simulator.photo import Photo, builtin_photos
from liveness.dynamic.challenge.actions import Complete, EndReason, Hint, MoveOval, Wait
from liveness.dynamic.challenge.ovals import OvalScript, OvalStep
from liveness.dynamic.movement import challenge as challenge_module
from liveness.dynamic.movement.challenge import HeldOval, MovementChallenge, MovementRecord, ShownOval
from liveness.dynamic.movement.judge import judge_movement, measure_zoom
from liveness.dynamic.movement.perspective import ApproachTracker, PerspectiveFinding
from liveness.dynamic.policy import ChallengeFinding
from liveness.guidance import HintCode, Oval
from liveness.observation import FrameObservation
from liveness.observe import observe_frame
from tests.liveness.builders import HEIGHT, WIDTH, face_at, observation, scan, segment
from tests.liveness.dynamic.approach_scan import follow_ovals
from tests.liveness.dynamic.flash_device import seeded
from tests.liveness.dynamic.perspectives import FILM, FLAT, HEAD, NOTHING_FOLLOWED, SETTINGS, SHEET
from tests.liveness.express.portrait import portrait
from tests.packs import real_pack, shared_pack
from vision.packs.interfaces import FaceDetector

_FAR = 190.0


def _frame(index: int, growth: float, *, shift: float = 0.0) -> FrameObservation:
    """The drawn portrait, ``growth`` times as large around its face."""
    zoom = np.array([[growth, 0, (1 - growth) * 240 + shift], [0, growth, (1 - growth) * 300]])
    picture = cv2.warpAffine(
        portrait(), zoom, (480, 640), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE
    )
    noise = np.random.default_rng(index).normal(0, 1.5, picture.shape)
    noisy = np.clip(picture + noise, 0, 255).astype(np.uint8)
    return observe_frame(
        noisy, index=index, capture_time=index / 15, faces=[face_at(240 + shift, 300, _FAR * growth)]
    )


def _growths() -> list[float]:
    return [float(growth) for growth in np.geomspace(1.03, 1.7, 12)]


def test_a_picture_that_grows_is_followed_without_left_over() -> None:
    tracker = ApproachTracker()
    assert tracker.begin(_frame(0, 1.0))
    for index, growth in enumerate(_growths(), start=1):
        tracker.track_frame(_frame(index, growth, shift=2.0 * index))
    parallax = tracker.parallax()
    assert parallax is not None
    assert parallax.closeups[-1].growth > 1.55
    for closeup in parallax.closeups:
        assert closeup.growth == pytest.approx(_growths()[closeup.frame - 1], rel=0.02)
        left_over = closeup.left_over[np.isfinite(closeup.left_over[:, 0])]
        assert np.median(np.abs(left_over)) < 0.004
    assert parallax.places.shape == parallax.closeups[0].left_over.shape
    assert parallax.face_pixels == pytest.approx(_FAR * 0.6, rel=0.05)


def test_a_leap_loses_the_face() -> None:
    tracker = ApproachTracker()
    tracker.begin(_frame(0, 1.0))
    tracker.track_frame(_frame(1, 1.02))
    tracker.track_frame(_frame(2, 1.7))
    tracker.track_frame(_frame(3, 1.02))
    parallax = tracker.parallax()
    assert parallax is not None
    assert [closeup.frame for closeup in parallax.closeups] == [1]


def test_a_frame_of_another_size_loses_the_face() -> None:
    tracker = ApproachTracker()
    tracker.begin(_frame(0, 1.0))
    tracker.track_frame(replace(_frame(1, 1.0), width=960))
    tracker.track_frame(_frame(2, 1.02))
    parallax = tracker.parallax()
    assert parallax is not None
    assert parallax.closeups == ()


@pytest.mark.parametrize("changes", [{"view": None}, {"face": None, "faces": 0}, {"faces": 2}])
def test_only_one_face_with_its_view_can_be_followed(changes: dict[str, object]) -> None:
    tracker = ApproachTracker()
    assert not tracker.begin(replace(_frame(0, 1.0), **changes))  # type: ignore[arg-type]
    tracker.track_frame(_frame(1, 1.0))
    assert tracker.parallax() is None


def _in_oval(
    index: int, oval: Oval, *, size: float = 1.0, aside: float = 0.0, **changes: object
) -> FrameObservation:
    wide = oval.width * WIDTH
    face = face_at(oval.centre_x * WIDTH + aside * wide, oval.centre_y * HEIGHT, size * wide)
    return observation(index, face=face, **changes)


def _start(*, blink: bool = False) -> tuple[MovementChallenge, MoveOval]:
    challenge = MovementChallenge(OvalScript(seeded(4), rest=Oval()), SETTINGS, blink=blink)
    first = challenge.next_action(now=0.0)
    assert isinstance(first, MoveOval)
    assert first.number == 1
    return challenge, first


def _hold(
    challenge: MovementChallenge, oval: Oval, start: float, *, index: int = 0, blinked: bool = False
) -> tuple[object, float]:
    """Fill ``oval`` from ``start`` on until the challenge continues; return its action and time."""
    time = start
    for step in range(60):
        challenge.add_movement_frame(_in_oval(index + step, oval), blinked=blinked)
        action = challenge.next_action(now=time)
        if not isinstance(action, Wait):
            return action, time
        time += 1 / 15
    raise AssertionError("the oval was never held")


def _showing(
    monkeypatch: pytest.MonkeyPatch, *seen: PerspectiveFinding | None, face_pixels: float = 200.0
) -> None:
    """Make successive approaches give these measurements, and then none, whatever the frames."""
    parallax = replace(NOTHING_FOLLOWED, face_pixels=face_pixels)
    findings = iter(seen)
    monkeypatch.setattr(ApproachTracker, "parallax", lambda _: parallax)
    monkeypatch.setattr(challenge_module, "measure_perspective", lambda *_: next(findings, None))


def _play(
    challenge: MovementChallenge, first: MoveOval, *, late: float = 0.0, blinked: bool = False
) -> tuple[int, Complete]:
    """Fill every oval; return their number and the end of the challenge.

    Args:
        late: Seconds that the person takes for each oval before they fill it.
        blinked: Whether the person has blinked.
    """
    oval, time, index = first, 0.2, 0
    while True:
        action, time = _hold(challenge, oval.oval, time + late, index=index, blinked=blinked)
        index += 100
        if isinstance(action, Complete):
            return oval.number, action
        assert isinstance(action, MoveOval)
        assert action.number == oval.number + 1
        oval = action


def test_two_ovals_are_held_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    _showing(monkeypatch, HEAD)
    challenge, first = _start()
    assert isinstance(challenge.next_action(now=0.1), Wait)
    action, time = _hold(challenge, first.oval, 0.2)
    assert time >= first.transition_seconds + 0.3, "the oval has to be in its place, and held"
    assert isinstance(action, MoveOval)
    assert action.oval.width > first.oval.width
    assert challenge.progress == 0.5
    end, _ = _hold(challenge, action.oval, time, index=100)
    assert end == Complete(EndReason.PROVEN)
    assert challenge.next_action(now=99) == end
    record = challenge.record
    assert record.followed
    assert record.shown == 2
    assert record.verified_bits == pytest.approx(4.17 + 2, abs=0.01)
    assert all(len(held.frames) >= 4 for held in record.held)


def test_without_texture_the_depth_is_not_measurable() -> None:
    challenge, first = _start()
    assert _play(challenge, first) == (6, Complete(EndReason.PROVEN))
    result = judge_movement(challenge.record, scan(), SETTINGS)
    assert result.finding is ChallengeFinding.NOT_MEASURABLE
    assert [signal.name for signal in result.signals] == [
        "ovals_followed",
        "approach_relief",
        "approach_curvature",
        "perspective_depth",
        "surroundings_stay",
    ]
    assert [signal.assessed for signal in result.signals] == [True, False, False, False, False]


def test_not_following_is_reported_and_then_ends_the_challenge() -> None:
    challenge, first = _start()
    hints, time, index = [], 0.0, 0
    while True:
        challenge.add_movement_frame(_in_oval(index, first.oval, size=1.6))
        action = challenge.next_action(now=time)
        if isinstance(action, Hint):
            hints.append(action.code)
        if isinstance(action, Complete):
            break
        time, index = time + 1 / 15, index + 1
    assert action == Complete(EndReason.NOT_FOLLOWED)
    assert set(hints) == {HintCode.MOVE_BACK}
    assert 3 <= len(hints) <= 6
    assert time < 8
    result = judge_movement(challenge.record, scan(), SETTINGS)
    assert result.finding is ChallengeFinding.ABSENT
    assert result.verified_bits == 0


def test_a_capture_clock_that_creeps_fills_no_memory() -> None:
    """A device that claims a microsecond between frames never holds the oval, and its frames are released."""
    challenge, first = _start()
    challenge.next_action(now=2.0)
    view = np.zeros((HEIGHT, WIDTH), np.uint8)
    alive: list[weakref.ref[NDArray[np.uint8]]] = []
    action: object = None
    for index in range(400):
        frame = _in_oval(index, first.oval)
        frame = replace(frame, capture_time=1.0 + index * 1e-6, view=view.copy(), view_scale=1.0)
        assert frame.view is not None
        alive.append(weakref.ref(frame.view))
        challenge.add_movement_frame(frame)
        del frame
        assert sum(one() is not None for one in alive[-20:]) <= 1
        action = challenge.next_action(now=2.0 + index / 60)
        if isinstance(action, Complete):
            break
    assert action == Complete(EndReason.NOT_FOLLOWED)
    assert sum(one() is not None for one in alive) <= 1


def test_filling_another_oval_better_is_not_following() -> None:
    script = OvalScript(seeded(4), rest=Oval())
    step: OvalStep = script.draw()
    challenge, first = _start()
    assert first.oval == step.oval
    challenge.next_action(now=2.0)
    for index in range(40):
        challenge.add_movement_frame(_in_oval(index, step.others[index % len(step.others)]))
        assert not isinstance(challenge.next_action(now=2.0 + index / 15), MoveOval)


def test_the_challenge_ends_by_itself_without_frames() -> None:
    challenge, _ = _start()
    action: object = None
    for tick in range(100):
        action = challenge.next_action(now=tick / 5)
        if isinstance(action, Complete):
            break
    assert action == Complete(EndReason.NOT_FOLLOWED)


_UNSURE = replace(HEAD, error=0.4)


def test_an_approach_that_leaves_it_unsure_is_followed_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    _showing(monkeypatch, _UNSURE, _UNSURE)
    challenge, first = _start()
    assert _play(challenge, first) == (4, Complete(EndReason.PROVEN))
    record = challenge.record
    assert record.followed
    assert (record.shown, record.measured) == (4, (_UNSURE, _UNSURE))
    assert record.verified_bits == pytest.approx(2 * (4.17 + 2), abs=0.02)
    assert judge_movement(record, scan(), SETTINGS).finding is ChallengeFinding.RIGHT


def _ask_to_blink(monkeypatch: pytest.MonkeyPatch) -> tuple[MovementChallenge, MoveOval, float]:
    """Return a challenge whose ovals a head has filled without a blink, the last oval, and the time."""
    _showing(monkeypatch, HEAD)
    challenge, far = _start(blink=True)
    near, time = _hold(challenge, far.oval, 0.2)
    assert isinstance(near, MoveOval)
    awaited = [challenge.awaits_blink]
    action, time = _hold(challenge, near.oval, time, index=100)
    awaited.append(challenge.awaits_blink)
    assert action == Hint(HintCode.BLINK)
    assert awaited == [False, True]
    return challenge, near, time


def test_a_head_without_the_required_blink_is_asked_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    challenge, near, time = _ask_to_blink(monkeypatch)
    assert isinstance(challenge.next_action(now=time + 0.1), Wait)
    challenge.add_movement_frame(_in_oval(200, near.oval), blinked=True)
    assert challenge.next_action(now=time + 0.2) == Complete(EndReason.PROVEN)
    assert not challenge.unproven
    assert challenge.record.followed


def test_the_wait_for_a_blink_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    challenge, near, time = _ask_to_blink(monkeypatch)
    actions: list[object] = []
    while not isinstance(action := challenge.next_action(now=time + len(actions) / 15), Complete):
        actions.append(action)
        challenge.add_movement_frame(_in_oval(200 + len(actions), near.oval))
    assert action == Complete(EndReason.PROVEN)
    assert challenge.unproven
    assert 2 <= actions.count(Hint(HintCode.BLINK)) <= 3
    assert len(actions) / 15 == pytest.approx(5, abs=0.1)


@pytest.mark.parametrize("faces", [0, 2])
def test_a_face_that_is_lost_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, faces: int) -> None:
    challenge, near, time = _ask_to_blink(monkeypatch)
    challenge.add_movement_frame(replace(_in_oval(200, near.oval), faces=faces))
    challenge.add_movement_frame(_in_oval(201, near.oval))
    assert challenge.next_action(now=time + 0.2) == Complete(EndReason.PROVEN)
    assert challenge.unproven


def test_who_blinked_before_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    _showing(monkeypatch, HEAD)
    challenge, first = _start(blink=True)
    challenge.add_movement_frame(_in_oval(0, first.oval), blinked=True)
    assert _play(challenge, first, blinked=True) == (2, Complete(EndReason.PROVEN))
    assert not challenge.unproven


def test_a_picture_is_asked_neither_to_come_again_nor_to_blink(monkeypatch: pytest.MonkeyPatch) -> None:
    _showing(monkeypatch, FILM)
    challenge, first = _start(blink=True)
    assert _play(challenge, first) == (2, Complete(EndReason.PROVEN))


def test_pictures_that_are_too_small_are_not_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    _showing(monkeypatch, None, face_pixels=100.0)
    challenge, first = _start()
    assert _play(challenge, first) == (2, Complete(EndReason.PROVEN))


def test_no_new_approach_starts_near_the_end_of_the_attempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _showing(monkeypatch, _UNSURE)
    challenge, first = _start()
    assert _play(challenge, first, late=5.2) == (2, Complete(EndReason.PROVEN))


def test_an_approach_that_was_cut_short_counts_with_those_before(monkeypatch: pytest.MonkeyPatch) -> None:
    _showing(monkeypatch, _UNSURE, None)
    challenge, first = _start()
    oval, time = first, 0.2
    for index in range(3):
        action, time = _hold(challenge, oval.oval, time, index=100 * index)
        assert isinstance(action, MoveOval)
        oval = action
    record = challenge.record
    assert record.unfinished is not None
    assert not record.followed
    assert record.seen(SETTINGS.perspective) == _UNSURE
    result = judge_movement(record, scan(), SETTINGS)
    assert result.finding is ChallengeFinding.ABSENT
    assert "3 of 4 ovals" in result.detail


@given(
    seen=st.lists(
        st.sampled_from([None, HEAD, _UNSURE, replace(HEAD, depth=0.0, error=0.3)]), min_size=3, max_size=3
    )
)
@settings(max_examples=20, deadline=None)
def test_progress_never_falls(seen: list[PerspectiveFinding | None]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        _showing(patch, *seen)
        challenge, first = _start()
        progress, oval, time = [0.0], first, 0.2
        for index in range(6):
            action, time = _hold(challenge, oval.oval, time, index=100 * index)
            progress.append(challenge.progress)
            if isinstance(action, Complete):
                break
            assert isinstance(action, MoveOval)
            assert challenge.progress < 1
            oval = action
    assert progress == sorted(progress)
    assert progress[-1] == 1


_STEP = OvalScript(seeded(4), rest=Oval()).draw()


def test_an_oval_is_held_after_four_frames_and_its_time() -> None:
    shown = ShownOval(_STEP, moved_at=2.0)
    assert shown.arrives == 2.0 + _STEP.transition_seconds
    held = []
    for index in range(5):
        shown.follow_oval(_in_oval(index, _STEP.oval, capture_time=index / 10))
        held.append(shown.held)
    assert held == [False, False, False, False, True]
    assert [frame.index for frame in shown.run] == [0, 1, 2, 3, 4]
    assert shown.hint is None
    assert all(frame.view is None for frame in shown.run[:-1])
    shown.discard()
    assert (shown.run, shown.held) == ((), False)


@pytest.mark.parametrize(
    ("frame", "hint"),
    [
        (_in_oval(5, _STEP.oval, size=0.7), HintCode.MOVE_CLOSER),
        (_in_oval(5, _STEP.oval, size=1.4), HintCode.MOVE_BACK),
        (_in_oval(5, _STEP.oval, aside=0.3), HintCode.CENTER_FACE),
        (_in_oval(5, _STEP.oval, faces=2), HintCode.MULTIPLE_FACES),
        (observation(5, face=None), HintCode.NO_FACE),
    ],
)
def test_leaving_the_oval_ends_the_run_with_a_hint(frame: FrameObservation, hint: HintCode) -> None:
    shown = ShownOval(_STEP, moved_at=0.0)
    for index in range(4):
        shown.follow_oval(_in_oval(index, _STEP.oval))
    shown.follow_oval(frame)
    assert (shown.run, shown.hint) == ((), hint)


@pytest.mark.parametrize(("around", "share"), [(1.0, 0.0), (1.3, 1.0), (1.14, 0.5)])
def test_the_share_of_the_face_s_growth(around: float, share: float) -> None:
    part = segment(
        lambda phase, points: points * (1 + 0.3 * phase),
        background=lambda phase, points: points * (1 + (around - 1) * phase),
    )
    found = measure_zoom(scan(motion=[part, part]))
    assert found is not None
    assert found.share == pytest.approx(share, abs=0.02)
    assert found.growth == pytest.approx(1.3**2, rel=0.02)


def test_a_face_that_does_not_come_closer_is_not_measured() -> None:
    part = segment(lambda phase, points: points * (1 + 0.05 * phase))
    back = segment(lambda phase, points: points * (1 - 0.3 * phase))
    assert measure_zoom(scan(motion=[part, back])) is None
    assert measure_zoom(scan()) is None


def test_lost_surroundings_are_not_measured() -> None:
    part = segment(lambda phase, points: points * (1 + 0.3 * phase))
    part.positions[1:, 70:] = np.nan
    assert measure_zoom(scan(motion=[part])) is None


def _record(*seen: PerspectiveFinding | None, filled: int | None = None) -> MovementRecord:
    script = OvalScript(seeded(4), rest=Oval())
    shown = 2 * len(seen)
    steps = [script.draw() for _ in range(shown)][: shown if filled is None else filled]
    held = tuple(HeldOval(step, (0, 1, 2, 3)) for step in steps)
    return MovementRecord(held=held, shown=shown, measured=seen, unfinished=None)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ((HEAD,), ChallengeFinding.RIGHT),
        ((FLAT,), ChallengeFinding.WRONG),
        ((SHEET,), ChallengeFinding.WRONG),
        ((FILM,), ChallengeFinding.WRONG),
        ((replace(HEAD, error=0.4),), ChallengeFinding.NOT_MEASURABLE),
        ((replace(HEAD, error=0.4), replace(HEAD, error=0.4)), ChallengeFinding.RIGHT),
        ((None, HEAD), ChallengeFinding.RIGHT),
        ((HEAD, FILM), ChallengeFinding.NOT_MEASURABLE),
        ((replace(FILM, depth=0.05, error=0.2), HEAD), ChallengeFinding.NOT_MEASURABLE),
        ((replace(HEAD, depth=0.6, error=0.3),) * 3, ChallengeFinding.NOT_MEASURABLE),
        ((None,), ChallengeFinding.NOT_MEASURABLE),
    ],
    ids=[
        "head",
        "flat",
        "bent sheet",
        "film of a head",
        "unsure",
        "twice unsure",
        "lost, then a head",
        "head, then a film",
        "perhaps a film, then a head",
        "three times unsure",
        "nothing",
    ],
)
def test_the_finding_follows_from_all_approaches(
    seen: tuple[PerspectiveFinding | None, ...], expected: ChallengeFinding
) -> None:
    record = _record(*seen)
    result = judge_movement(record, scan(), SETTINGS)
    assert result.finding is expected
    assert result.verified_bits == record.verified_bits
    assert result.signals[0].passed
    if expected in {ChallengeFinding.RIGHT, ChallengeFinding.NOT_MEASURABLE}:
        passed = [signal.passed for signal in result.signals[1:4]]
        assert (passed == [True, True, True]) == (expected is ChallengeFinding.RIGHT)


@pytest.mark.parametrize(
    ("record", "filled"),
    [
        (_record(HEAD, HEAD, filled=0), "0 of 4"),
        (_record(HEAD, HEAD, filled=3), "3 of 4"),
        (_record(), "0 of 2"),
    ],
)
def test_not_following_proves_nothing(record: MovementRecord, filled: str) -> None:
    result = judge_movement(record, scan(), SETTINGS)
    assert (result.finding, result.detail) == (ChallengeFinding.ABSENT, f"The face filled {filled} ovals.")
    assert not result.signals[0].passed


# The movement challenge with people and prints that the simulator renders.

_SHOWN: Final[tuple[tuple[str, float | None, int], ...]] = (
    ("person", None, 0),
    ("person", None, 1),
    ("flat", 0.0, 0),
    ("bent", 0.06, 0),
)
"""The object that comes closer, the bend of a sheet, and the number of its scan."""


@pytest.fixture(scope="module")
def detector(assets: Path) -> FaceDetector:
    return shared_pack(f"insightface:{assets / 'models'}").detector


@pytest.fixture(scope="module")
def photos() -> dict[str, Photo]:
    pack = real_pack()
    return builtin_photos(detector=pack.detector, landmarker=pack.landmarker)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(1800)
def test_people_are_distinguished_from_prints_that_follow_as_well(
    photos: dict[str, Photo], detector: FaceDetector
) -> None:
    found: dict[str, list[ChallengeFinding]] = {"person": [], "flat": [], "bent": []}
    reasons: list[EndReason] = []
    for number, photo in enumerate(photos.values()):
        for kind, bend, turn in _SHOWN:
            seed, lens = 40 + number + 20 * turn, (48.0, 62.0)[number % 2]
            played = follow_ovals(photo, detector, bend=bend, seed=seed, field_of_view=lens)
            reasons.append(played.end.reason)
            assert played.seconds < 18
            result = judge_movement(played.challenge.record, played.scan, SETTINGS)
            found[kind].append(result.finding)
    assert reasons == [EndReason.PROVEN] * len(reasons)
    assert found["person"].count(ChallengeFinding.RIGHT) >= 4, "the others are asked to try again"
    assert ChallengeFinding.WRONG not in found["person"]
    assert ChallengeFinding.RIGHT not in found["flat"] + found["bent"]
    assert (found["flat"] + found["bent"]).count(ChallengeFinding.WRONG) >= 5


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_person_before_the_camera_of_a_laptop_is_measured(
    photos: dict[str, Photo], detector: FaceDetector
) -> None:
    frame, lens = (1066, 600), 70.0
    found = []
    for seed in (40, 42):
        played = follow_ovals(
            photos["astronaut"], detector, bend=None, seed=seed, field_of_view=lens, frame=frame
        )
        assert played.end.reason is EndReason.PROVEN
        result = judge_movement(played.challenge.record, played.scan, SETTINGS)
        found.append(result.finding)
    assert ChallengeFinding.RIGHT in found
    assert ChallengeFinding.WRONG not in found
    flat = follow_ovals(photos["astronaut"], detector, bend=0.0, seed=40, field_of_view=lens, frame=frame)
    assert judge_movement(flat.challenge.record, flat.scan, SETTINGS).finding is ChallengeFinding.WRONG


@pytest.mark.slow
def test_a_still_person_has_not_followed(photos: dict[str, Photo], detector: FaceDetector) -> None:
    played = follow_ovals(photos["astronaut"], detector, bend=0.0, seed=3, follows=False)
    assert played.end.reason is EndReason.NOT_FOLLOWED
    assert 2 <= played.hints <= 8
    assert judge_movement(played.challenge.record, played.scan, SETTINGS).finding is ChallengeFinding.ABSENT
