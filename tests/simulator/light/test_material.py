import numpy as np
import pytest

from simulator import Diffuse
from simulator.light.surface import Material, diffuse_answer, gloss_answer

_UP = np.array([0.0, 0.0, 1.0], np.float32)


def _tilted(degrees: float) -> np.typing.NDArray[np.float32]:
    angle = np.deg2rad(degrees)
    return np.array([np.sin(angle), 0.0, np.cos(angle)], np.float32).reshape(3, 1, 1)


def _from_front(lux: float = 10.0) -> np.typing.NDArray[np.float32]:
    return (lux * _UP).reshape(1, 3, 1, 1).astype(np.float32)


def test_lambert_is_the_cosine() -> None:
    for degrees in (0.0, 30.0, 60.0, 89.0):
        answer = diffuse_answer(Diffuse.LAMBERT, _from_front(), _tilted(degrees))
        assert float(answer[0, 0, 0]) == pytest.approx(10 * np.cos(np.deg2rad(degrees)), abs=1e-4)


def test_surfaces_facing_away_are_dark() -> None:
    assert diffuse_answer(Diffuse.LAMBERT, _from_front(), _tilted(120.0)).max() == 0
    assert diffuse_answer(Diffuse.WRAPPED, _from_front(), _tilted(120.0)).max() == 0
    assert diffuse_answer(Diffuse.WRAPPED, _from_front(), _tilted(95.0)).max() > 0


def test_wrapped_is_flatter_and_no_brighter_in_front() -> None:
    front = float(diffuse_answer(Diffuse.WRAPPED, _from_front(), _tilted(0.0))[0, 0, 0])
    aslant = float(diffuse_answer(Diffuse.WRAPPED, _from_front(), _tilted(60.0))[0, 0, 0])
    assert front == pytest.approx(10.0, rel=1e-3)
    assert aslant > 10 * np.cos(np.deg2rad(60.0))


def test_a_film_darkens_oblique_surfaces() -> None:
    front = float(diffuse_answer(Diffuse.COATED, _from_front(), _tilted(0.0))[0, 0, 0])
    assert front == pytest.approx(10.0, rel=1e-3)
    answers = [
        float(diffuse_answer(Diffuse.COATED, _from_front(), _tilted(d))[0, 0, 0]) for d in (30.0, 60.0)
    ]
    matt = [10 * np.cos(np.deg2rad(degrees)) for degrees in (30.0, 60.0)]
    shares = [answer / plain for answer, plain in zip(answers, matt, strict=True)]
    assert 1 > shares[0] > shares[1]
    # (1 - (1 - cos/2)^5) for light and camera, relative to the value in front (Ashikhmin and Shirley 2000).
    assert shares[1] == pytest.approx(((1 - 0.75**5) / (1 - 0.5**5)) ** 2, rel=1e-3)
    assert diffuse_answer(Diffuse.COATED, _from_front(), _tilted(120.0)).max() == 0


def test_gloss_shines_only_where_the_mirror_points() -> None:
    material = Material(gloss=0.04, sharpness=5)
    halfway = np.tile(_UP.reshape(1, 3, 1, 1), (1, 1, 1, 1))
    mirror = gloss_answer(material, _from_front(), halfway, _tilted(0.0)).max()
    aside = gloss_answer(material, _from_front(), halfway, _tilted(40.0)).max()
    assert mirror == pytest.approx(0.04 * (32 + 8) / 8 * 10)
    assert aside < 0.01 * mirror
