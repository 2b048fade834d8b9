import pytest

from liveness.dynamic.finding import ChallengeFinding
from liveness.dynamic.judge import FlashResult, judge_flash
from liveness.dynamic.measurement.glare import glare_signal
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


def _score(uneven: float) -> float:
    finding = ShapeFinding(relief=0.3, relief_error=0.1, uneven=uneven, uneven_error=0.1, stretch=1.0)
    score = glare_signal(finding, SETTINGS).score
    assert score is not None
    return score


def test_the_line_scores_a_half_and_an_even_answer_little_more() -> None:
    assert _score(SETTINGS.uneven) == pytest.approx(0.5)
    assert _score(0.0) == _score(0.3) < 0.56
    assert _score(9.0) == _score(1.2) < 0.15


def test_without_an_answer_there_is_nothing_to_be_mirrored() -> None:
    assert not glare_signal(None, SETTINGS).assessed
