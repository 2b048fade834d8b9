import math

import numpy as np
import pytest
from scipy.special import j0

from research.skin_scatter.face import softened
from research.skin_scatter.materials import (
    Kind,
    Stuff,
    Transfer,
    absorption_of,
    dipole,
    draw_stuff,
    exponential,
    gaussians,
)

FREQUENCIES = np.linspace(0.0, 6.0, 13)
COLOUR = np.array([0.15, 0.25, 0.45])


def stuff_with(*distances: float) -> Stuff:
    return Stuff(tuple(exponential(one) for one in distances), gloss=0.0, sharpness=4)


@pytest.mark.parametrize(
    "transfer", [dipole(0.74, 0.032), gaussians((0.01, 2.0), (0.4, 0.6)), exponential(0.2)]
)
def test_no_light_is_lost_and_finer_details_keep_less(transfer: Transfer) -> None:
    left = transfer(FREQUENCIES)
    assert left[0] == pytest.approx(1.0)
    assert (np.diff(left) < 0).all()
    assert left[-1] > 0


def test_an_opaque_surface_keeps_everything() -> None:
    np.testing.assert_array_equal(exponential(0.0)(FREQUENCIES), np.ones_like(FREQUENCIES))


def test_a_dipole_agrees_with_the_published_profile() -> None:
    # Equation 4 of Jensen et al. 2001, integrated over rings around the entry.
    scatter, absorb, index = 0.88, 0.17, 1.4
    total = scatter + absorb
    inward = -1.440 / index**2 + 0.710 / index + 0.668 + 0.0636 * index
    below = 1 / total
    above = below * (1 + 4 / 3 * (1 + inward) / (1 - inward))
    decay = math.sqrt(3 * absorb * total)
    radius = np.linspace(0.0, 40.0, 200_001)
    profile = np.zeros_like(radius)
    for depth in (below, above):
        away = np.hypot(radius, depth)
        profile += depth * (decay * away + 1) * np.exp(-decay * away) / away**3
    rings = profile * radius
    for frequency in (0.3, 1.0, 2.0):
        expected = np.trapezoid(rings * j0(frequency * radius), radius) / np.trapezoid(rings, radius)
        assert dipole(scatter, absorb)(np.array([frequency]))[0] == pytest.approx(expected, rel=2e-3)


def test_light_goes_farther_where_less_is_absorbed_or_scattered() -> None:
    some = dipole(1.0, 0.1)(FREQUENCIES[1:])
    assert (dipole(1.0, 0.02)(FREQUENCIES[1:]) < some).all()
    assert (dipole(0.5, 0.05)(FREQUENCIES[1:]) < some).all()


def test_absorption_gives_the_albedo_that_is_asked_for() -> None:
    darker, lighter = absorption_of(0.2, 1.0), absorption_of(0.6, 1.0)
    assert 0 < lighter < darker
    assert absorption_of(0.2, 3.0) == pytest.approx(3 * darker)


@pytest.mark.parametrize("held_out", [False, True])
def test_red_goes_farther_than_blue_in_skin_and_in_what_has_its_colour(held_out: bool) -> None:
    rng = np.random.default_rng(4)
    for kind in (Kind.SKIN, Kind.SILICONE, Kind.LATEX):
        for _ in range(5):
            blue, _, red = draw_stuff(kind, held_out=held_out, colour=COLOUR, rng=rng).transfers
            assert (red(FREQUENCIES[1:4]) < blue(FREQUENCIES[1:4])).all()


def test_colours_of_paint_paper_and_clear_resin_go_equally_far() -> None:
    rng = np.random.default_rng(4)
    for kind in (Kind.PAINT, Kind.PAPER, Kind.RESIN):
        blue, _, red = draw_stuff(kind, held_out=False, colour=COLOUR, rng=rng).transfers
        np.testing.assert_array_equal(red(FREQUENCIES), blue(FREQUENCIES))


def test_a_wider_profile_softens_an_edge_more_and_keeps_the_light() -> None:
    edge = np.zeros((48, 96), np.float32)
    edge[:, 48:] = 1.0
    light = softened(edge, stuff_with(0.0, 0.5, 2.0), 0.5)
    steepest = np.diff(light[24], axis=0).max(axis=0)
    assert steepest[0] == pytest.approx(1.0, abs=1e-5)
    assert steepest[0] > steepest[1] > steepest[2]
    np.testing.assert_allclose(light.mean(axis=(0, 1)), 0.5, atol=1e-3)
