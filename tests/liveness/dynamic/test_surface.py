import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from liveness.dynamic.judge import FlashResult, judge_flash
from liveness.dynamic.measurement.lag import LagFinding, measure_lag
from liveness.dynamic.measurement.response import Response, fit_response
from liveness.dynamic.measurement.surface import (
    BackgroundFinding,
    FaceCells,
    GlareFinding,
    OverlayFinding,
    ShapeFinding,
    Surface,
    background_signal,
    glare_signal,
    may_be_noise,
    measure_background,
    measure_glare,
    measure_surface,
    overlay_signal,
    shape_signal,
)
from liveness.dynamic.measurement.track import Appearance, Drift, FlashTrack, Sent, TrackView, appearances
from liveness.dynamic.model import load_flash_model
from liveness.dynamic.policy import ChallengeFinding
from liveness.verdict import Signal, VerdictReason, assessed, not_assessed
from tests.liveness.dynamic.light_scan import LAG, light_scan, seen
from tests.liveness.dynamic.synthetic import RenderedKind, Scene, judged, rendered, run_scan
from tests.sampling import some_fast

MODEL = load_flash_model()
SETTINGS = MODEL.background


def _judged(scene: Scene) -> FlashResult:
    scan = run_scan(scene)
    return judge_flash(samples=scan.samples, revealed=scan.sent, model=MODEL)


def _signal(result: FlashResult, name: str) -> Signal:
    (signal,) = (one for one in result.signals if one.name == name)
    return signal


def _score_of(signal: Signal) -> float:
    assert signal.score is not None
    return signal.score


def _measured(track: TrackView, shown: tuple[Appearance, ...]) -> tuple[BackgroundFinding | None, Response]:
    response = fit_response(track, shown, lag=LAG, settings=MODEL.response)
    assert response is not None
    return measure_background(track, shown, response, lag=LAG), response


@pytest.mark.parametrize("room", [0.0, 0.1, 0.5, 1.0])
def test_the_rooms_share_is_found(room: float) -> None:
    finding, response = _measured(*seen(light_scan(3, room=room)))
    assert finding is not None
    assert finding.share == pytest.approx(room, abs=0.12)
    assert finding.error < 0.05
    assert background_signal(finding, response.strength, SETTINGS).passed is (room < 0.6)


@pytest.mark.slow
def test_the_error_is_that_of_the_share() -> None:
    rng = np.random.default_rng(7)
    found = []
    for _ in range(60):
        track, shown = seen(light_scan(3, room=0.3))
        track.background[:] += rng.normal(0, 0.05, track.background.shape)
        finding, _ = _measured(track, shown)
        assert finding is not None
        found.append(finding)
    spread = float(np.std([one.share for one in found]))
    assert float(np.median([one.error for one in found])) == pytest.approx(spread, rel=0.4)


def test_a_camera_that_pulls_against_the_flash_hides_no_answer() -> None:
    track, shown = seen(light_scan(3, room=1.0))
    gain = -0.8 * track.face.mean(axis=1)[:, None]
    track.face[:] += gain
    track.background[:] += gain
    finding, _ = _measured(track, shown)
    assert finding is not None
    assert finding.share == pytest.approx(1.0, abs=0.2)


def test_a_background_lost_in_noise_is_not_measured() -> None:
    track, shown = seen(light_scan(3, room=1.0, strength=0.05))
    track.background[:] += np.random.default_rng(1).normal(0, 0.3, track.background.shape)
    finding, response = _measured(track, shown)
    assert finding is not None
    assert finding.error > 0.2
    assert not background_signal(finding, response.strength, SETTINGS).assessed


def test_a_face_that_fills_the_frame_has_no_background() -> None:
    track, shown = seen(light_scan(3))
    track.background[:] = np.nan
    finding, response = _measured(track, shown)
    assert finding is None
    assert not background_signal(finding, response.strength, SETTINGS).assessed


def test_in_the_dark_nothing_is_measured() -> None:
    assert not background_signal(BackgroundFinding(0.9, 0.01), 1.5, SETTINGS).assessed


SHAPE_SETTINGS = MODEL.shape


def _score(kind: RenderedKind, lux: float = 150.0) -> float:
    return _score_of(_signal(judged(kind, lux), "flash_shape"))


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
    result = _judged(Scene(kind=RenderedKind.PRINT, distance=near, seed=2))
    assert _score_of(_signal(result, "flash_shape")) < 0.2


def test_a_generic_shape_has_less_relief_than_a_face() -> None:
    """Software that renders a smooth head's light is closer to a face than a sheet is, but not one."""
    assert _score(RenderedKind.TINT_FACE) < _score(RenderedKind.RELIT) < _score(RenderedKind.GENUINE)
    assert judged(RenderedKind.RELIT).finding in {ChallengeFinding.RIGHT, ChallengeFinding.WRONG}


def _finding(
    *, relief: float = 0.3, uneven: float = 0.5, error: float = 0.01, stretch: float = 1.0
) -> ShapeFinding:
    return ShapeFinding(relief=relief, relief_error=error, uneven=uneven, uneven_error=error, stretch=stretch)


def _of(finding: ShapeFinding) -> float:
    return _score_of(shape_signal(finding, 0.3, SHAPE_SETTINGS))


def test_noise_has_no_relief() -> None:
    assert not shape_signal(_finding(error=0.6), 0.3, SHAPE_SETTINGS).assessed
    assert not shape_signal(_finding(error=0.4, stretch=1.5), 0.3, SHAPE_SETTINGS).assessed
    assert not shape_signal(None, 0.3, SHAPE_SETTINGS).assessed


def test_in_the_dark_nothing_is_measured_of_shape() -> None:
    assert shape_signal(_finding(relief=0.0), 1.0, SHAPE_SETTINGS).assessed
    assert not shape_signal(_finding(relief=0.0), 1.4, SHAPE_SETTINGS).assessed


@pytest.mark.parametrize("flat", [_finding(relief=0.0), _finding(uneven=0.0)])
def test_a_face_is_both_uneven_and_not_smooth(flat: ShapeFinding) -> None:
    assert _of(_finding()) > 0.8
    assert _of(flat) < SHAPE_SETTINGS.sure


@pytest.mark.parametrize("part", ["relief", "uneven"])
def test_a_smooth_answer_in_noise_is_a_doubt_and_no_more(part: str) -> None:
    line = SHAPE_SETTINGS.even if part == "uneven" else SHAPE_SETTINGS.relief
    sure = _of(replace(_finding(error=0.4 * line), **{part: 0.0}))
    doubtful = _of(replace(_finding(error=1.1 * line), **{part: 0.0}))
    assert sure < 0.1
    assert 0.4 < doubtful < 0.5


@pytest.mark.parametrize("part", ["relief", "uneven"])
def test_the_line_scores_a_half(part: str) -> None:
    line: float = getattr(SHAPE_SETTINGS, part)
    at = {"relief": 9.0, "uneven": 9.0, part: line}
    assert _of(_finding(relief=at["relief"], uneven=at["uneven"])) == pytest.approx(0.5)
    halved = _finding(relief=at["relief"] / 2, uneven=at["uneven"] / 2, stretch=2.0)
    assert _of(halved) == pytest.approx(0.5), "what the screen's own light compresses is stretched again"


@pytest.mark.parametrize(
    ("part", "line"), [("relief", SHAPE_SETTINGS.relief), ("uneven", SHAPE_SETTINGS.even)]
)
def test_below_its_line_it_is_against_a_face(part: str, line: float) -> None:
    assert shape_signal(replace(_finding(), **{part: 0.99 * line}), 0.3, SHAPE_SETTINGS).passed is False


@pytest.mark.parametrize("uneven", [1.01 * SHAPE_SETTINGS.even, 0.99 * SHAPE_SETTINGS.uneven])
def test_even_light_on_a_head_counts_for_neither_side(uneven: float) -> None:
    assert _of(_finding(uneven=uneven)) == 0.5
    assert _of(_finding(uneven=uneven, relief=0.9 * SHAPE_SETTINGS.relief)) < 0.5


OVERLAY_SETTINGS = MODEL.overlay


@pytest.mark.parametrize("lux", [150.0, 400.0])
def test_light_on_a_head_lies_over_nothing(lux: float) -> None:
    assert _signal(judged(RenderedKind.GENUINE, lux), "flash_overlay").passed


@pytest.mark.slow
def test_a_head_in_front_of_a_near_wall_is_none_either() -> None:
    for seed in range(4):
        signal = _signal(_judged(Scene(wall=0.45, seed=seed)), "flash_overlay")
        assert signal.passed is not False, signal.detail


def _found(
    uneven: float, least: float, background: float | None, error: float, *, most: float | None = None
) -> OverlayFinding:
    return OverlayFinding(uneven, least, uneven if most is None else most, background, error)


def _overlay_score(uneven: float, background: float | None, error: float = 0.02, least: float = 0.0) -> float:
    return _score_of(overlay_signal(_found(uneven, least, background, error), 0.3, OVERLAY_SETTINGS))


def test_an_even_answer_is_a_tint_the_more_so_where_the_background_gives_it_too() -> None:
    assert _overlay_score(0.1, 0.2) < 0.1
    assert _overlay_score(0.25, 0.2) > 0.5
    assert _overlay_score(0.25, 0.98) < 0.3
    assert _overlay_score(0.35, 0.98) < 0.5 < _overlay_score(0.35, 0.98, least=0.3), (
        "unevenness beyond its error"
    )
    assert _overlay_score(0.25, 0.98, error=0.4) > 0.5, "a background that is not known says nothing"
    assert _overlay_score(0.25, None) > 0.5
    assert _overlay_score(0.0, 1.0) < OVERLAY_SETTINGS.sure


@pytest.mark.parametrize("rise", [0.1, 1.0])
def test_an_even_answer_that_may_be_noise_is_a_doubt_but_no_attack(rise: float) -> None:
    """As of a genuine person before a noisy camera: the variance is 0, its standard error that of 0.8."""
    signal = overlay_signal(_found(0.0, 0.0, rise, 0.02, most=0.8), 0.3, OVERLAY_SETTINGS)
    assert signal.passed is False
    assert signal.score == OVERLAY_SETTINGS.sure
    certain = overlay_signal(_found(0.0, 0.0, rise, 0.02, most=0.1), 0.3, OVERLAY_SETTINGS)
    assert _score_of(certain) < OVERLAY_SETTINGS.sure


def test_an_uneven_answer_proves_little() -> None:
    assert _overlay_score(0.9, 0.1) == _overlay_score(0.5, 1.0) < 0.75


@pytest.mark.parametrize("rise", [0.3, 0.92, None])
def test_before_a_near_wall_the_unevenness_must_exceed_its_error_and_else_there_is_a_doubt(
    rise: float | None,
) -> None:
    def score(uneven: float, least: float, behind: BackgroundFinding | None) -> float:
        found = _found(uneven, least, rise, 0.02)
        return _score_of(overlay_signal(found, 0.3, OVERLAY_SETTINGS, behind=behind))

    wall, room = BackgroundFinding(0.8, 0.03), BackgroundFinding(0.3, 0.03)
    assert score(0.46, 0.2, wall) < 0.5 < score(0.46, 0.2, room)
    assert score(0.46, 0.2, BackgroundFinding(0.8, 0.3)) == score(0.46, 0.2, None), "known too roughly"
    assert score(0.35, 0.3, wall) > 0.5
    # The other line decides on an attack.
    assert score(0.46, 0.0, wall) == OVERLAY_SETTINGS.sure
    assert score(0.05, 0.0, wall) == score(0.05, 0.0, room) < OVERLAY_SETTINGS.sure


def test_a_bright_screen_lights_the_background_too() -> None:
    """If it is most of the light, a wall that answers as the face does is no evidence."""
    found = _found(0.25, 0.0, 0.98, 0.02)
    alike, dim = (_score_of(overlay_signal(found, strength, OVERLAY_SETTINGS)) for strength in (0.5, 0.7))
    assert alike < 0.3
    assert dim > 0.5


def test_in_the_dark_nothing_is_measured_of_overlay() -> None:
    assert overlay_signal(_found(0.1, 0.1, 1.0, 0.0), 0.7, OVERLAY_SETTINGS).passed is False
    assert not overlay_signal(_found(0.1, 0.1, 1.0, 0.0), 0.95, OVERLAY_SETTINGS).assessed
    assert not overlay_signal(None, 0.3, OVERLAY_SETTINGS).assessed


GLARE_SETTINGS = MODEL.glare
_OVERHEAD = (0.0, -1.0, 0.1)
_WINDOWS = [(1.0, 0.0, 0.1), (-1.0, -0.3, 0.3)]


@pytest.mark.parametrize("tilt", some_fast([(0.2, -0.4), (0.0, 0.3), (-0.5, -0.2), (0.0, -0.8)], step=2))
@pytest.mark.parametrize("nits", some_fast([15.0, 120.0, 300.0], step=2))
def test_a_screen_that_is_mirrored_in_glass_is_no_face(nits: float, tilt: tuple[float, float]) -> None:
    """Every colour comes back, in time, and not from a sheet; it comes from one spot only."""
    result = _judged(Scene(kind=RenderedKind.GLASS, display_nits=nits, tilt=tilt))
    assert result.verified_bits >= 12
    assert result.finding is ChallengeFinding.NOT_MEASURABLE, "and no proof of an attack either"
    assert result.reason is VerdictReason.CHALLENGE_NOT_MEASURABLE
    assert _signal(result, "flash_glare").passed is False
    assert "all over the face" in result.detail


@pytest.mark.parametrize("lux", some_fast([5.0, 60.0, 150.0, 400.0], step=2))
def test_light_on_a_head_is_not_mirrored(lux: float) -> None:
    assert _signal(judged(RenderedKind.GENUINE, lux), "flash_glare").passed


@pytest.mark.parametrize("ambient_from", some_fast([*_WINDOWS, _OVERHEAD], step=2))
def test_nor_is_it_where_other_light_leaves_one_side_dark(ambient_from: tuple[float, float, float]) -> None:
    result = _judged(Scene(ambient_from=ambient_from, seed=1))
    assert result.finding is ChallengeFinding.RIGHT
    assert _signal(result, "flash_glare").passed


def _glare_score(uneven: float, spot: float | None) -> float:
    return _score_of(glare_signal(GlareFinding(uneven, spot), GLARE_SETTINGS))


def test_the_lines_score_a_half_and_an_even_answer_little_more() -> None:
    assert _glare_score(GLARE_SETTINGS.uneven, 9.0) == pytest.approx(0.5)
    assert _glare_score(9.0, GLARE_SETTINGS.spot) == pytest.approx(0.5)
    assert (
        _glare_score(0.0, 9.0)
        == _glare_score(0.3, 9.0)
        == _glare_score(9.0, 1.0)
        == _glare_score(9.0, -1.0)
        < 0.56
    )
    assert _glare_score(9.0, 9.0) == _glare_score(1.2, 4.0) < 0.15
    assert _glare_score(0.8, None) == _glare_score(0.8, 9.0) < 0.5, "where no spot can be measured"
    assert not glare_signal(None, GLARE_SETTINGS).assessed


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
    assert shares.std() / shares.mean() > GLARE_SETTINGS.uneven
    assert _spot(_cells(shares)) < GLARE_SETTINGS.spot


def test_errors_that_differ_from_step_to_step_are_no_spot() -> None:
    """The cells that responded most over all steps would seem to be one."""
    assert _spot(_cells(np.ones((_ROWS, _COLUMNS)), turned=1.0)) < 1.4


def test_two_steps_show_no_spot() -> None:
    assert measure_glare(_cells(np.ones((_ROWS, _COLUMNS)), steps=2), _SHAPE).spot is None


def test_a_face_of_which_too_little_was_measured_has_no_spot() -> None:
    whole = _cells(np.ones((_ROWS, _COLUMNS)))
    some = np.flatnonzero((whole.places.sum(axis=1) % 2) == 0)
    cells = replace(
        whole, light=whole.light[:, some], answers=whole.answers[:, some], places=whole.places[some]
    )
    assert measure_glare(cells, _SHAPE) == GlareFinding(uneven=_SHAPE.uneven, spot=None)


def _surface_measured(kind: RenderedKind, *, answered: bool = True) -> Surface:
    scan, model, track = rendered(kind), load_flash_model(), FlashTrack()
    closed = scan.sent[-1].at
    waiting, sent, taken = list(scan.sent), [], []
    for sample in scan.samples:
        if sample.arrival_time > closed:
            break
        while waiting and sample.arrival_time > waiting[0].at:
            one = waiting.pop(0)
            sent.append(Sent(one.step, one.at, track.latest_capture))
        if track.append_sample(sample):
            taken.append(sample)
    sent.extend(Sent(one.step, one.at, track.latest_capture) for one in waiting)
    view = track.view()
    shown = appearances(view, sent)
    lag, _ = measure_lag(view, shown)
    response = fit_response(view, shown, lag=lag or math.nan, settings=model.response)
    return measure_surface(
        taken, view, shown, response if answered else None, lag=lag, settings=model.surface
    )


@pytest.mark.parametrize(
    "kind", some_fast([RenderedKind.GENUINE, RenderedKind.PRINT, RenderedKind.GLASS], step=3)
)
def test_the_surface_equals_that_of_the_judge(kind: RenderedKind) -> None:
    surface = _surface_measured(kind)
    seen = {signal.name: signal.score for signal in judged(kind).signals}
    for signal in (surface.shape, surface.overlay, surface.glare, surface.background):
        assert signal.score == seen[signal.name]


def test_without_an_answer_no_surface_is_measured() -> None:
    surface = _surface_measured(RenderedKind.GENUINE, answered=False)
    assert not any(
        one.assessed for one in (surface.shape, surface.overlay, surface.glare, surface.background)
    )


_STEADY = LagFinding(0.06, 0.9, 0.01, None)


def _doubt_signal(score: float | None) -> Signal:
    if score is None:
        return not_assessed(name="any", label="Any", reason="too few")
    return assessed(name="any", label="Any", score=score, detail="")


@pytest.mark.parametrize(
    ("shape", "overlay", "glare", "background", "tells"),
    [
        (0.9, 0.3, 0.55, None, True),
        (0.9, 0.7, 0.3, 0.9, True),
        # In the dark every part answers equally, and no shape is measured.
        (None, 0.1, 0.55, None, True),
        # A sheet's shape stays that of a sheet.
        (0.45, 0.1, 0.3, None, False),
        # A wall right behind the head does not move away.
        (0.9, 0.7, 0.55, 0.01, False),
        (0.9, None, None, None, False),
    ],
)
def test_a_noisy_measurement_of_few_steps_asks_for_more(
    shape: float | None, overlay: float | None, glare: float | None, background: float | None, tells: bool
) -> None:
    surface = Surface(*map(_doubt_signal, (shape, overlay, glare, background)))
    assert may_be_noise(surface, _STEADY) is tells


@pytest.mark.parametrize(("shape", "tells"), [(0.9, True), (None, True), (0.45, False)])
def test_faint_answers_have_to_show_when_they_come(shape: float | None, tells: bool) -> None:
    surface = Surface(*map(_doubt_signal, (shape, 0.7, 0.55, None)))
    assert not may_be_noise(surface, _STEADY)
    assert may_be_noise(surface, LagFinding(0.06, 0.2, None, None)) is tells
