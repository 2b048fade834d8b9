import pytest

from liveness.express.blink import Blink
from liveness.express.settings import ExpressSettings
from tests.liveness.builders import observation, scan

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
