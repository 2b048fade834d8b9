import pytest

from liveness.express.face import Blink, EyesOpen, FaceArea, HeadPoseSignal, Sharpness
from liveness.express.judge import ExpressSignal
from liveness.express.settings import ExpressSettings
from tests.liveness.builders import face_at, observation, observations, scan
from vision.face import HeadPose

_SETTINGS = ExpressSettings()
_OPEN = 0.30


def _score(openness: list[float | None]) -> float | None:
    frames = [
        observation(index, eyes=None if value is None else (value, value + 0.01))
        for index, value in enumerate(openness)
    ]
    return Blink().assess(scan(frames), _SETTINGS).score


def _with_dip(*values: float) -> list[float | None]:
    return [*[_OPEN] * 15, *values, *[_OPEN] * 15]


@pytest.mark.parametrize("dip", [(0.15,), (0.22, 0.1, 0.2), (0.2, 0.1, 0.1, 0.12, 0.24)])
def test_a_dip_that_comes_back_is_a_blink(dip: tuple[float, ...]) -> None:
    score = _score(_with_dip(*dip))
    assert score is not None
    assert score > 0.9


@pytest.mark.parametrize(
    "openness",
    [
        [_OPEN] * 40,
        _with_dip(0.25),
        _with_dip(*[0.1] * 12),
        [_OPEN] * 30 + [0.1] * 5,
        [0.1] * 5 + [_OPEN] * 30,
        [0.1] * 30,
        [None] * 30,
        [_OPEN] * 5,
        [0.3, 0.21] * 15,
        [0.3, 0.3, 0.2, 0.2] * 10,
        [0.3, 0.3, 0.3, 0.3, 0.3, 0.15] * 8,
    ],
    ids=[
        *("none", "shallow", "long", "no end", "no begin", "shut", "no landmarks", "few", "jitter"),
        *("jitter of values that stay", "jitter now and then"),
    ],
)
def test_all_else_proves_nothing(openness: list[float | None]) -> None:
    assert _score(openness) is None


@pytest.mark.parametrize("level", [0.11, 0.13, 0.2])
def test_narrow_eyes_blink(level: float) -> None:
    """A scan of narrow eyes, or of one, as of a person who squints."""
    for wide in (level, _OPEN):
        dip = [observation(at, eyes=(level, wide)) for at in range(15)]
        dip += [observation(at, eyes=(0.4 * level, 0.4 * wide)) for at in (15, 16)]
        dip += [observation(at, eyes=(level, wide)) for at in range(17, 32)]
        assert Blink().assess(scan(dip), _SETTINGS).passed


def test_shut_eyes_do_not_blink() -> None:
    openness = [*[0.08] * 15, 0.03, 0.03, *[0.08] * 15]
    frames = [observation(at, eyes=(value, value)) for at, value in enumerate(openness)]
    assert Blink().assess(scan(frames), _SETTINGS).score is None


def test_a_wink_of_one_eye_is_no_blink() -> None:
    frames = [observation(index, eyes=(0.1 if index in {15, 16} else 0.3, 0.3)) for index in range(30)]
    assert Blink().assess(scan(frames), _SETTINGS).score is None


def test_blinks_are_counted() -> None:
    twice = [*_with_dip(0.1), *_with_dip(0.1)]
    frames = [observation(index, eyes=(value or 0, value or 0)) for index, value in enumerate(twice)]
    assert Blink().assess(scan(frames), _SETTINGS).detail.startswith("2 blinks")


@pytest.mark.parametrize(
    ("signal", "good", "bad"),
    [
        (Sharpness(), {"sharpness": 200.0}, {"sharpness": 8.0}),
        (HeadPoseSignal(), {"pose": HeadPose(3, -4, 0)}, {"pose": HeadPose(-40, 0, 0)}),
        (HeadPoseSignal(), {"pose": HeadPose(0, 0, 20)}, {"pose": HeadPose(0, 35, 0)}),
        (EyesOpen(), {"eyes": (0.3, 0.3)}, {"eyes": (0.05, 0.06)}),
        (FaceArea(), {"face": face_at(width=230)}, {"face": face_at(width=50)}),
        (FaceArea(), {"face": face_at(width=160)}, {"face": face_at(width=600)}),
    ],
)
def test_good_passes_and_bad_does_not(
    signal: ExpressSignal, good: dict[str, object], bad: dict[str, object]
) -> None:
    better, worse = (signal.assess(scan(observations(20, **change)), _SETTINGS) for change in (good, bad))
    assert (better.passed, worse.passed) == (True, False)
    assert better.score is not None
    assert worse.score is not None
    assert better.score > 0.7
    assert worse.score < 0.45


@pytest.mark.parametrize("signal", [Sharpness(), HeadPoseSignal(), EyesOpen(), FaceArea()])
def test_without_a_face_there_is_nothing_to_assess(signal: ExpressSignal) -> None:
    blank = scan(observations(20, face=None, faces=0, sharpness=None, pose=None, eyes=None, luminance=None))
    found = signal.assess(blank, _SETTINGS)
    assert (found.name, found.label, found.score) == (signal.name, signal.label, None)
    assert signal.assess(scan(()), _SETTINGS).score is None
