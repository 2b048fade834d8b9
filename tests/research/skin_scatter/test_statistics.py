import numpy as np
from numpy.typing import NDArray

from research.skin_scatter.face import softened
from research.skin_scatter.materials import Stuff, exponential
from research.skin_scatter.phone import Lens, draw_lens, film, seen_ideally, through
from research.skin_scatter.statistics import NAMES, Measured, details, finer, measure
from simulator import ToneCurve

SHAPE = (96, 128)
MILLIMETRES = 0.6
SKIN = np.zeros(SHAPE, bool)
SKIN[16:-16, 16:-16] = True
LIGHT = (np.random.default_rng(5).random(SHAPE) * 0.4 + 0.8).astype(np.float32)
OTHER = np.ones(SHAPE, np.float32)


def measured(*distances: float, albedo: NDArray[np.float32] | float = 0.4) -> Measured:
    stuff = Stuff(tuple(exponential(one) for one in distances), gloss=0.0, sharpness=4)
    screen, other = (
        np.asarray(albedo * softened(light, stuff, MILLIMETRES), np.float32) for light in (LIGHT, OTHER)
    )
    return measure(seen_ideally(screen, other), predicted=LIGHT, skin=SKIN, millimetres=MILLIMETRES)


def test_equal_bands_differ_in_nothing() -> None:
    for distance in (0.0, 1.0):
        found = measured(distance, distance, distance)
        assert len(found.values) == len(NAMES)
        np.testing.assert_allclose(found.values, 0.0, atol=1e-4)
        np.testing.assert_allclose(found.apart_over, 0.0, atol=1e-4)


def test_blue_is_finer_where_red_goes_farther() -> None:
    some, more = measured(0.2, 0.4, 0.6), measured(0.2, 0.7, 1.5)
    assert all(0.0 < a < b for a, b in zip(some.values[:9], more.values[:9], strict=True))


def test_colours_of_the_surface_cancel_out_of_the_ratio_to_other_light() -> None:
    spots = np.random.default_rng(6).random((*SHAPE, 3)).astype(np.float32) * 0.2 + 0.4
    found = measured(0.0, 0.0, 0.0, albedo=spots)
    assert max(found.apart) > 0.01
    np.testing.assert_allclose(found.values[3:6], 0.0, atol=1e-4)
    np.testing.assert_allclose(found.apart_over, 0.0, atol=1e-4)


def test_details_do_not_depend_on_the_light_s_strength_nor_on_what_is_beside_the_skin() -> None:
    picture = LIGHT[..., None]
    found = details(picture, SKIN, (1.5, 3.0))
    beside = np.where(SKIN[..., None], 3 * picture, 50.0).astype(np.float32)
    np.testing.assert_allclose(details(beside, SKIN, (1.5, 3.0)), found, atol=1e-5)


def test_noise_alone_is_not_finer() -> None:
    noise = np.random.default_rng(7).standard_normal((2, 40_000, 3))
    noise[..., 0] *= 5
    signal = np.random.default_rng(8).standard_normal((40_000, 1))
    assert abs(finer(signal * 3 + noise)) < 0.1


def test_a_phone_separates_the_screen_s_light_from_other_light() -> None:
    screen = np.full((96, 480, 3), 0.02, np.float32)
    screen[:, 240:] = 0.04
    other = np.full_like(screen, 6.0)
    lens = Lens((0.5, 0.5, 0.5), (0.0, 0.0), ToneCurve.SRGB)
    found = film(screen, other, lens, luminance=300.0, rng=np.random.default_rng(2))
    assert set(found) == {"raw", "sent"}
    for answer in found.values():
        means = answer.screen[:, 20:-20].mean(axis=(0, 1))
        left, right = means[60:200].mean(axis=0), means[280:420].mean(axis=0)
        np.testing.assert_allclose(right / left, 2.0, rtol=0.05)
        np.testing.assert_allclose(answer.other[:, 20:-20, 60:200].mean(axis=(0, 1, 2)) / left, 1.0, rtol=0.1)


def test_a_lens_softens_and_keeps_the_light() -> None:
    lens = draw_lens(held_out=True, rng=np.random.default_rng(3))
    picture = np.repeat(LIGHT[..., None], 3, axis=2)
    seen = through(picture, lens)
    assert (seen.std(axis=(0, 1)) < picture.std(axis=(0, 1))).all()
    np.testing.assert_allclose(seen.mean(axis=(0, 1)), picture.mean(axis=(0, 1)), rtol=0.01)
    assert lens.tone is ToneCurve.CONTRAST
