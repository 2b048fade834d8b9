import math

import pytest

from liveness.dynamic.finding import Finding
from liveness.dynamic.judge import judge_flash
from liveness.dynamic.model import load_flash_model
from liveness.dynamic.shape import ShapeFinding, ShapeSettings, shape_signal
from tests.liveness.dynamic.flash_scans import judged
from tests.liveness.dynamic.synthetic import Kind, Scene, run_scan

SETTINGS = ShapeSettings()


def _score(kind: Kind, lux: float = 150.0) -> float:
    (signal,) = (signal for signal in judged(kind, lux).signals if signal.name == "flash_shape")
    assert signal.score is not None
    return signal.score


@pytest.mark.parametrize("lux", [60.0, 150.0, 400.0])
def test_a_head_stands_out(lux: float) -> None:
    assert _score(Kind.GENUINE, lux) > 0.65


@pytest.mark.parametrize("kind", [Kind.PRINT, Kind.TINT_FACE, Kind.TINT_FRAME])
def test_what_is_flat_does_not(kind: Kind) -> None:
    assert _score(kind) < 0.2


@pytest.mark.parametrize("near", [0.12, 0.18])
def test_a_sheet_is_smooth_however_near_it_is_held(near: float) -> None:
    """Its upper part, away from the screen, gets much less light than its lower."""
    scan = run_scan(Scene(kind=Kind.PRINT, distance=near, seed=2))
    (signal,) = (
        signal
        for signal in judge_flash(samples=scan.samples, revealed=scan.sent, model=load_flash_model()).signals
        if signal.name == "flash_shape"
    )
    assert signal.score is not None
    assert signal.score < 0.2


def test_a_generic_shape_stands_out_less_than_a_face() -> None:
    """Software that puts a smooth head's light on is nearer to a face than a sheet is, and not one."""
    assert _score(Kind.TINT_FACE) < _score(Kind.RELIT) < _score(Kind.GENUINE)
    assert judged(Kind.RELIT).finding in {Finding.RIGHT, Finding.WRONG}


def test_noise_tells_nothing() -> None:
    assert not shape_signal(ShapeFinding(0.5, 0.6), 0.3, SETTINGS).assessed
    assert not shape_signal(None, 0.3, SETTINGS).assessed


def test_in_the_dark_nothing_is_told() -> None:
    assert shape_signal(ShapeFinding(0.0, 0.01), 1.0, SETTINGS).assessed
    assert not shape_signal(ShapeFinding(0.0, 0.01), 1.4, SETTINGS).assessed


def test_a_smooth_answer_in_noise_is_a_doubt_and_no_more() -> None:
    sure, doubtful = (shape_signal(ShapeFinding(0.0, noise), 0.3, SETTINGS) for noise in (0.1, 0.2))
    assert sure.score is not None
    assert doubtful.score is not None
    assert sure.score < 0.1
    assert 0.3 < doubtful.score < 0.5


def test_the_line_is_a_half() -> None:
    signal = shape_signal(ShapeFinding(SETTINGS.relief, 0.01), 0.3, SETTINGS)
    assert signal.score == pytest.approx(0.5)
    none = shape_signal(ShapeFinding(0.0, 0.01), 0.3, SETTINGS)
    assert none.score is not None
    assert math.isfinite(none.score)
    assert none.passed is False
