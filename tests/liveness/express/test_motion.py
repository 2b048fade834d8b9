import numpy as np
import pytest

from liveness.express.judge import ExpressSignal
from liveness.express.motion import (
    MicroMotion,
    PlanarMotion,
    Stillness,
    Surroundings,
    left_over_ratio,
    motion_steps,
    typical_face_width,
)
from liveness.express.settings import ExpressSettings
from liveness.observation import RegionChange, ScanObservations
from tests.liveness.builders import as_head, as_plane, rendered_scan, scan, segment

_SETTINGS = ExpressSettings()
_LIVELY = RegionChange(eyes=0.01, mouth=0.003, rest=0.002)


def _score(signal: ExpressSignal, seen: ScanObservations) -> float:
    found = signal.assess(seen, _SETTINGS)
    assert found.score is not None, found.detail
    assert found.passed is (found.score >= 0.5)
    return found.score


@pytest.mark.parametrize("size", [0.08, 0.15, 0.3])
def test_a_turning_head_is_no_plane(size: float) -> None:
    seen = scan(motion=[segment(as_head(size), seed=seed) for seed in range(3)])
    assert _score(PlanarMotion(), seen) > 0.8


@pytest.mark.parametrize("size", [0.03, 0.1, 0.4])
def test_a_sheet_is_a_plane_however_it_is_waved(size: float) -> None:
    seen = scan(motion=[segment(as_plane(size), seed=seed) for seed in range(3)])
    assert _score(PlanarMotion(), seen) < 0.2


def test_noise_alone_is_no_depth() -> None:
    still = scan(motion=[segment(lambda _, points: points, noise=0.001, seed=seed) for seed in range(3)])
    found = PlanarMotion().assess(still, _SETTINGS)
    assert found.score is None
    assert "too little" in found.detail
    assert _score(Stillness(), still) < 0.1


def test_strong_noise_over_a_plane_is_no_depth() -> None:
    noisy = scan(
        motion=[segment(as_plane(0.05), noise=0.0015, face_width=80, seed=seed) for seed in range(3)]
    )
    assert _score(PlanarMotion(), noisy) < 0.3


def test_movement_is_no_sign_of_life_and_stillness_a_sign_against() -> None:
    waved = scan(motion=[segment(as_plane(0.2))] * 2)
    assert _score(Stillness(), waved) == 0.5
    swaying = scan(motion=[segment(as_head(0.06))] * 2)
    assert _score(Stillness(), swaying) == 0.5


def test_a_background_that_goes_along_is_a_sheet() -> None:
    sheet = scan(motion=[segment(as_plane(0.1), background=as_plane(0.1))] * 2)
    assert _score(Surroundings(), sheet) < 0.1
    apart = scan(motion=[segment(as_plane(0.1))] * 2)
    assert _score(Surroundings(), apart) == 0.5


def test_eyes_that_change_by_themselves_are_alive() -> None:
    alive = scan(motion=[segment(as_plane(0.02), change=_LIVELY)] * 2)
    assert _score(MicroMotion(), alive) > 0.9
    picture = scan(motion=[segment(as_plane(0.02))] * 2)
    assert _score(MicroMotion(), picture) < 0.3


def test_a_turning_head_hides_its_eyes_and_is_not_blamed_for_it() -> None:
    found = MicroMotion().assess(scan(motion=[segment(as_head(0.3))] * 2), _SETTINGS)
    assert found.score is None
    assert "depth" in found.detail


@pytest.mark.parametrize("signal", [PlanarMotion(), Surroundings(), MicroMotion(), Stillness()])
@pytest.mark.parametrize(
    "seen",
    [
        scan(frames=()),
        scan(),
        scan(motion=[segment(as_head(0.1), steps=5)]),
    ],
    ids=["no frame", "no motion", "too short"],
)
def test_too_little_is_not_assessed(signal: ExpressSignal, seen: ScanObservations) -> None:
    found = signal.assess(seen, _SETTINGS)
    assert (found.name, found.score, found.passed) == (signal.name, None, None)
    assert found.detail


@pytest.mark.parametrize("signal", [PlanarMotion(), Surroundings(), MicroMotion()])
def test_small_faces_are_not_assessed(signal: ExpressSignal) -> None:
    tiny = scan(motion=[segment(as_head(0.1), face_width=45)] * 2)
    assert signal.assess(tiny, _SETTINGS).score is None


def test_steps_separate_shift_and_residual() -> None:
    steps = motion_steps(scan(motion=[segment(lambda phase, points: points + 0.1 * phase, noise=0)]))
    assert steps[-1].moved == pytest.approx(steps[-1].shifted, rel=1e-3)
    assert left_over_ratio(steps) < 1e-3
    assert typical_face_width(scan(motion=[segment(as_plane())])) == 140
    assert typical_face_width(scan()) == 0


def test_rendered_sheet_and_rendered_head() -> None:
    def sheet(time: float, x: object, y: object) -> tuple[object, object]:
        turn = 0.05 * np.sin(4 * time)
        across, down = np.asarray(x) - 240, np.asarray(y) - 300
        depth = 1 + 8e-4 * turn * 20 * across
        return 240 + (across + 12 * turn * down / 12) / depth, 300 + (down - turn * across) / depth

    def head(time: float, x: object, y: object) -> tuple[object, object]:
        across, down = (np.asarray(x) - 240) / 230, (np.asarray(y) - 300) / 230
        radius = across**2 + down**2
        relief = 0.35 * np.sqrt(np.clip(1 - radius / 0.5, 0, None)) + 0.14 * np.exp(-radius / 0.01)
        return np.asarray(x) - 230 * 0.1 * np.sin(4 * time) * relief, y

    assert _score(PlanarMotion(), rendered_scan(sheet, frames=20)) < 0.3
    assert _score(PlanarMotion(), rendered_scan(head, frames=20)) > 0.7
    still = rendered_scan(lambda _, x, y: (x, y), frames=20)
    assert PlanarMotion().assess(still, _SETTINGS).score is None
    assert _score(Stillness(), still) < 0.1
    assert _score(MicroMotion(), still) < 0.4
