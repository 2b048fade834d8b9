import pytest

from liveness.dynamic.judge import judge_flash
from liveness.dynamic.measurement.background import BackgroundFinding
from liveness.dynamic.measurement.overlay import OverlayFinding, overlay_signal
from liveness.dynamic.model import load_flash_model
from liveness.signal import Signal
from tests.liveness.dynamic.flash_scans import judged
from tests.liveness.dynamic.synthetic import RenderedKind, Scene, run_scan

SETTINGS = load_flash_model().overlay


def _signal(kind: RenderedKind, lux: float = 150.0) -> Signal:
    (signal,) = (signal for signal in judged(kind, lux).signals if signal.name == "flash_overlay")
    return signal


@pytest.mark.parametrize("lux", [150.0, 400.0])
def test_light_on_a_head_lies_over_nothing(lux: float) -> None:
    assert _signal(RenderedKind.GENUINE, lux).passed


@pytest.mark.slow
def test_a_head_in_front_of_a_near_wall_is_none_either() -> None:
    for seed in range(4):
        scan = run_scan(Scene(kind=RenderedKind.GENUINE, wall=0.45, seed=seed))
        found = judge_flash(samples=scan.samples, revealed=scan.sent, model=load_flash_model())
        (signal,) = (one for one in found.signals if one.name == "flash_overlay")
        assert signal.passed is not False, signal.detail


def _found(
    uneven: float, least: float, background: float | None, error: float, *, most: float | None = None
) -> OverlayFinding:
    return OverlayFinding(uneven, least, uneven if most is None else most, background, error)


def _score(uneven: float, background: float | None, error: float = 0.02, least: float = 0.0) -> float:
    signal = overlay_signal(_found(uneven, least, background, error), 0.3, SETTINGS)
    assert signal.score is not None
    return signal.score


def test_an_even_answer_is_a_tint_the_more_so_where_the_background_gives_it_too() -> None:
    assert _score(0.1, 0.2) < 0.1
    assert _score(0.25, 0.2) > 0.5
    assert _score(0.25, 0.98) < 0.3
    assert _score(0.35, 0.98) < 0.5 < _score(0.35, 0.98, least=0.3), "unevenness beyond its error"
    assert _score(0.25, 0.98, error=0.4) > 0.5, "a background that is not known says nothing"
    assert _score(0.25, None) > 0.5
    assert _score(0.0, 1.0) < SETTINGS.sure


@pytest.mark.parametrize("rise", [0.1, 1.0])
def test_an_even_answer_that_may_be_noise_is_a_doubt_but_no_attack(rise: float) -> None:
    """As of a genuine person before a noisy camera: the variance is 0, its standard error that of 0.8."""
    signal = overlay_signal(_found(0.0, 0.0, rise, 0.02, most=0.8), 0.3, SETTINGS)
    assert signal.passed is False
    assert signal.score == SETTINGS.sure
    certain = overlay_signal(_found(0.0, 0.0, rise, 0.02, most=0.1), 0.3, SETTINGS)
    assert certain.score is not None
    assert certain.score < SETTINGS.sure


def test_an_uneven_answer_proves_little() -> None:
    assert _score(0.9, 0.1) == _score(0.5, 1.0) < 0.75


@pytest.mark.parametrize("rise", [0.3, 0.92, None])
def test_before_a_near_wall_the_unevenness_must_exceed_its_error_and_else_there_is_a_doubt(
    rise: float | None,
) -> None:
    def score(uneven: float, least: float, behind: BackgroundFinding | None) -> float:
        signal = overlay_signal(_found(uneven, least, rise, 0.02), 0.3, SETTINGS, behind=behind)
        assert signal.score is not None
        return signal.score

    wall, room = BackgroundFinding(0.8, 0.03), BackgroundFinding(0.3, 0.03)
    assert score(0.46, 0.2, wall) < 0.5 < score(0.46, 0.2, room)
    assert score(0.46, 0.2, BackgroundFinding(0.8, 0.3)) == score(0.46, 0.2, None), "known too roughly"
    assert score(0.35, 0.3, wall) > 0.5
    # The other line decides on an attack.
    assert score(0.46, 0.0, wall) == SETTINGS.sure
    assert score(0.05, 0.0, wall) == score(0.05, 0.0, room) < SETTINGS.sure


def test_a_bright_screen_lights_the_background_too() -> None:
    """If it is most of the light, a wall that answers as the face does is no evidence."""
    found = _found(0.25, 0.0, 0.98, 0.02)
    alike, dim = (overlay_signal(found, strength, SETTINGS).score for strength in (0.5, 0.7))
    assert alike is not None
    assert dim is not None
    assert alike < 0.3
    assert dim > 0.5


def test_in_the_dark_nothing_is_measured() -> None:
    assert overlay_signal(_found(0.1, 0.1, 1.0, 0.0), 0.7, SETTINGS).passed is False
    assert not overlay_signal(_found(0.1, 0.1, 1.0, 0.0), 0.95, SETTINGS).assessed
    assert not overlay_signal(None, 0.3, SETTINGS).assessed
