from dataclasses import replace

import pytest

from liveness.dynamic.finding import ChallengeFinding
from liveness.dynamic.judge import judge_flash
from liveness.dynamic.measurement.shape import ShapeFinding, shape_signal
from liveness.dynamic.model import load_flash_model
from tests.liveness.dynamic.flash_scans import judged
from tests.liveness.dynamic.synthetic import RenderedKind, Scene, run_scan
from tests.sampling import some_fast

SETTINGS = load_flash_model().shape


def _score(kind: RenderedKind, lux: float = 150.0) -> float:
    (signal,) = (signal for signal in judged(kind, lux).signals if signal.name == "flash_shape")
    assert signal.score is not None
    return signal.score


@pytest.mark.parametrize("lux", [60.0, 150.0, 400.0])
def test_a_head_has_relief(lux: float) -> None:
    assert _score(RenderedKind.GENUINE, lux) > 0.65


@pytest.mark.parametrize(
    "kind", some_fast([RenderedKind.PRINT, RenderedKind.TINT_FACE, RenderedKind.TINT_FRAME], step=3)
)
def test_a_flat_surface_has_no_relief(kind: RenderedKind) -> None:
    assert _score(kind) < 0.2


@pytest.mark.parametrize("near", some_fast([0.12, 0.18], step=2))
def test_a_sheet_is_smooth_however_near_it_is_held(near: float) -> None:
    """Its upper part, away from the screen, receives much less light than its lower part."""
    scan = run_scan(Scene(kind=RenderedKind.PRINT, distance=near, seed=2))
    (signal,) = (
        signal
        for signal in judge_flash(samples=scan.samples, revealed=scan.sent, model=load_flash_model()).signals
        if signal.name == "flash_shape"
    )
    assert signal.score is not None
    assert signal.score < 0.2


def test_a_generic_shape_has_less_relief_than_a_face() -> None:
    """Software that renders a smooth head's light is closer to a face than a sheet is, but not one."""
    assert _score(RenderedKind.TINT_FACE) < _score(RenderedKind.RELIT) < _score(RenderedKind.GENUINE)
    assert judged(RenderedKind.RELIT).finding in {ChallengeFinding.RIGHT, ChallengeFinding.WRONG}


def _finding(
    *, relief: float = 0.3, uneven: float = 0.5, error: float = 0.01, stretch: float = 1.0
) -> ShapeFinding:
    return ShapeFinding(relief=relief, relief_error=error, uneven=uneven, uneven_error=error, stretch=stretch)


def _of(finding: ShapeFinding) -> float:
    score = shape_signal(finding, 0.3, SETTINGS).score
    assert score is not None
    return score


def test_noise_has_no_relief() -> None:
    assert not shape_signal(_finding(error=0.6), 0.3, SETTINGS).assessed
    assert not shape_signal(_finding(error=0.4, stretch=1.5), 0.3, SETTINGS).assessed
    assert not shape_signal(None, 0.3, SETTINGS).assessed


def test_in_the_dark_nothing_is_measured() -> None:
    assert shape_signal(_finding(relief=0.0), 1.0, SETTINGS).assessed
    assert not shape_signal(_finding(relief=0.0), 1.4, SETTINGS).assessed


@pytest.mark.parametrize("flat", [_finding(relief=0.0), _finding(uneven=0.0)])
def test_a_face_is_both_uneven_and_not_smooth(flat: ShapeFinding) -> None:
    assert _of(_finding()) > 0.8
    assert _of(flat) < SETTINGS.sure


@pytest.mark.parametrize("part", ["relief", "uneven"])
def test_a_smooth_answer_in_noise_is_a_doubt_and_no_more(part: str) -> None:
    line = SETTINGS.even if part == "uneven" else SETTINGS.relief
    sure = _of(replace(_finding(error=0.4 * line), **{part: 0.0}))
    doubtful = _of(replace(_finding(error=1.1 * line), **{part: 0.0}))
    assert sure < 0.1
    assert 0.4 < doubtful < 0.5


@pytest.mark.parametrize("part", ["relief", "uneven"])
def test_the_line_scores_a_half(part: str) -> None:
    line: float = getattr(SETTINGS, part)
    at = {"relief": 9.0, "uneven": 9.0, part: line}
    assert _of(_finding(relief=at["relief"], uneven=at["uneven"])) == pytest.approx(0.5)
    halved = _finding(relief=at["relief"] / 2, uneven=at["uneven"] / 2, stretch=2.0)
    assert _of(halved) == pytest.approx(0.5), "what the screen's own light compresses is stretched again"


@pytest.mark.parametrize(("part", "line"), [("relief", SETTINGS.relief), ("uneven", SETTINGS.even)])
def test_below_its_line_it_is_against_a_face(part: str, line: float) -> None:
    assert shape_signal(replace(_finding(), **{part: 0.99 * line}), 0.3, SETTINGS).passed is False


@pytest.mark.parametrize("uneven", [1.01 * SETTINGS.even, 0.99 * SETTINGS.uneven])
def test_even_light_on_a_head_counts_for_neither_side(uneven: float) -> None:
    assert _of(_finding(uneven=uneven)) == 0.5
    assert _of(_finding(uneven=uneven, relief=0.9 * SETTINGS.relief)) < 0.5
