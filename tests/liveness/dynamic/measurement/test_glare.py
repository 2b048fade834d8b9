import numpy as np
import pytest
from numpy.typing import NDArray

from liveness.dynamic.finding import ChallengeFinding
from liveness.dynamic.judge import FlashResult, judge_flash
from liveness.dynamic.measurement.cells import FaceCells
from liveness.dynamic.measurement.drift import Drift
from liveness.dynamic.measurement.glare import GlareFinding, glare_signal, measure_glare
from liveness.dynamic.measurement.shape import ShapeFinding
from liveness.dynamic.model import load_flash_model
from liveness.signal import Signal
from liveness.verdict import VerdictReason
from tests.liveness.dynamic.flash_scans import judged
from tests.liveness.dynamic.synthetic import RenderedKind, Scene, run_scan
from tests.sampling import some_fast

SETTINGS = load_flash_model().glare
_OVERHEAD = (0.0, -1.0, 0.1)
_WINDOWS = [(1.0, 0.0, 0.1), (-1.0, -0.3, 0.3)]


def _judged(scene: Scene) -> FlashResult:
    scan = run_scan(scene)
    return judge_flash(samples=scan.samples, revealed=scan.sent, model=load_flash_model())


def _signal(result: FlashResult) -> Signal:
    (signal,) = (one for one in result.signals if one.name == "flash_glare")
    return signal


@pytest.mark.parametrize("tilt", some_fast([(0.2, -0.4), (0.0, 0.3), (-0.5, -0.2), (0.0, -0.8)], step=2))
@pytest.mark.parametrize("nits", some_fast([15.0, 120.0, 300.0], step=2))
def test_a_screen_that_is_mirrored_in_glass_is_no_face(nits: float, tilt: tuple[float, float]) -> None:
    """Every colour comes back, in time, and not from a sheet; it comes from one spot only."""
    result = _judged(Scene(kind=RenderedKind.GLASS, display_nits=nits, tilt=tilt))
    assert result.verified_bits >= 12
    assert result.finding is ChallengeFinding.NOT_MEASURABLE, "and no proof of an attack either"
    assert result.reason is VerdictReason.CHALLENGE_NOT_MEASURABLE
    assert _signal(result).passed is False
    assert "all over the face" in result.detail


@pytest.mark.parametrize("lux", some_fast([5.0, 60.0, 150.0, 400.0], step=2))
def test_light_on_a_head_is_not_mirrored(lux: float) -> None:
    assert _signal(judged(RenderedKind.GENUINE, lux)).passed


@pytest.mark.parametrize("ambient_from", some_fast([*_WINDOWS, _OVERHEAD], step=2))
def test_nor_is_it_where_other_light_leaves_one_side_dark(ambient_from: tuple[float, float, float]) -> None:
    result = _judged(Scene(ambient_from=ambient_from, seed=1))
    assert result.finding is ChallengeFinding.RIGHT
    assert _signal(result).passed


def _score(uneven: float, spot: float | None) -> float:
    score = glare_signal(GlareFinding(uneven, spot), SETTINGS).score
    assert score is not None
    return score


def test_the_lines_score_a_half_and_an_even_answer_little_more() -> None:
    assert _score(SETTINGS.uneven, 9.0) == pytest.approx(0.5)
    assert _score(9.0, SETTINGS.spot) == pytest.approx(0.5)
    assert _score(0.0, 9.0) == _score(0.3, 9.0) == _score(9.0, 1.0) == _score(9.0, -1.0) < 0.56
    assert _score(9.0, 9.0) == _score(1.2, 4.0) < 0.15


def test_where_no_spot_can_be_measured_unevenness_suffices() -> None:
    assert _score(0.8, None) == _score(0.8, 9.0) < 0.5


def test_without_an_answer_there_is_nothing_to_be_mirrored() -> None:
    assert not glare_signal(None, SETTINGS).assessed


_STEPS, _FRAMES, _ROWS, _COLUMNS = 6, 10, 14, 10
_SHAPE = ShapeFinding(relief=0.3, relief_error=0.1, uneven=0.9, uneven_error=0.1, stretch=1.0)


def _cells(shares: NDArray[np.float64], *, turned: float = 0.0, steps: int = _STEPS) -> FaceCells:
    """Cells of a grey face that follow the screen by ``shares``; ``turned`` is an error as long as a step."""
    rng = np.random.default_rng(7)
    numbers = np.repeat(np.arange(steps, dtype=np.intp), _FRAMES)
    screen = rng.normal(0, 0.3, (steps, 3))[numbers]
    screen -= screen.mean(axis=0)
    turns = turned * rng.normal(size=(steps, shares.size))[numbers]
    light = 0.2 * np.exp(0.05 * (screen[:, None, :] * shares.ravel()[None, :, None] + turns[..., None]))
    count = len(numbers)
    return FaceCells(
        drift=Drift(rows=np.arange(count), basis=np.zeros((count, 1)), gain=np.zeros((count, 3))),
        screen=screen,
        steps=numbers,
        light=light,
        answers=np.log(light) - np.log(light).mean(axis=0),
        places=np.argwhere(np.ones(shares.shape, bool)),
    )


def _spot(cells: FaceCells) -> float:
    found = measure_glare(cells, _SHAPE)
    assert found.uneven == _SHAPE.uneven
    assert found.spot is not None
    return found.spot


def test_a_spot_is_measured_wherever_it_is() -> None:
    assert _spot(_cells(np.ones((_ROWS, _COLUMNS)))) == pytest.approx(1.0, abs=0.01)
    for row, column in ((0, 0), (5, 3), (9, 5)):
        shares = np.zeros((_ROWS, _COLUMNS))
        shares[row : row + 5, column : column + 5] = 1.0
        assert _spot(_cells(shares)) == pytest.approx(_ROWS * _COLUMNS / 25, rel=0.02)


def test_parts_that_respond_in_many_places_are_no_spot() -> None:
    rng = np.random.default_rng(1)
    shares = np.where(rng.random((_ROWS, _COLUMNS)) < 0.25, 1.0, 0.1)
    assert shares.std() / shares.mean() > SETTINGS.uneven
    assert _spot(_cells(shares)) < SETTINGS.spot


def test_errors_that_differ_from_step_to_step_are_no_spot() -> None:
    """The cells that responded most over all steps would seem to be one."""
    assert _spot(_cells(np.ones((_ROWS, _COLUMNS)), turned=1.0)) < 1.4


def test_two_steps_show_no_spot() -> None:
    assert measure_glare(_cells(np.ones((_ROWS, _COLUMNS)), steps=2), _SHAPE).spot is None


def test_a_face_of_which_too_little_was_measured_has_no_spot() -> None:
    whole = _cells(np.ones((_ROWS, _COLUMNS)))
    some = np.flatnonzero((whole.places.sum(axis=1) % 2) == 0)
    cells = FaceCells(
        drift=whole.drift,
        screen=whole.screen,
        steps=whole.steps,
        light=whole.light[:, some],
        answers=whole.answers[:, some],
        places=whole.places[some],
    )
    assert measure_glare(cells, _SHAPE) == GlareFinding(uneven=_SHAPE.uneven, spot=None)
