import numpy as np
import pytest

from liveness.express.halftone import Halftone
from liveness.express.settings import ExpressSettings
from research.frame_cues.dots import photographed, printed
from tests.liveness.builders import HEIGHT, WIDTH, face_at, scan
from tests.liveness.express.portrait import FACE, cues_of, measured, portrait, small

_LINES = ExpressSettings().halftone


@pytest.mark.parametrize("seed", range(3))
def test_a_person_shows_no_dots(seed: int) -> None:
    rng = np.random.default_rng(seed)
    value = measured(photographed(portrait(seed), rng=rng), FACE, "halftone")
    assert value is not None
    assert value < _LINES.line


@pytest.mark.parametrize(("pitch", "roll"), [(2.8, 3.0), (4.5, -6.0)])
def test_the_dots_of_four_inks_stand_out(pitch: float, roll: float) -> None:
    rng = np.random.default_rng(1)
    photo = portrait()[180:420, 140:340]
    value = measured(
        printed(photo, pitch=pitch, roll=roll, rng=rng), face_at(100.0, 120.0, 200.0), "halftone"
    )
    assert value is not None
    assert value > 3 * _LINES.line


def test_one_family_of_stripes_is_a_screens_not_a_prints() -> None:
    across, down = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    stripes = (1 + 0.06 * np.cos(2 * np.pi * (across + down) / 5.0))[..., None]
    value = measured(np.clip(portrait() * stripes, 0, 255).astype(np.uint8), FACE, "halftone")
    assert value is not None
    assert value < 1.3 * _LINES.line


def test_a_small_face_is_not_measured() -> None:
    image, face = small(portrait(), 0.35)
    assert measured(image, face, "halftone") is None


def test_the_signal_falls_with_the_dots() -> None:
    settings = ExpressSettings()
    clear = Halftone(cues_of("halftone", [_LINES.live])).assess(scan(), settings)
    assert clear.score == pytest.approx(0.8)
    assert "1 frame," in clear.detail
    dots = Halftone(cues_of("halftone", [9.0, 8.0])).assess(scan(), settings)
    assert dots.score is not None
    assert dots.score < 0.05
    assert Halftone(()).assess(scan(), settings).passed is None
