import numpy as np
import pytest

from liveness.dynamic.leaps import Leaps, find_leaps
from tests.liveness.dynamic.flash_scans import rendered
from tests.liveness.dynamic.light_scan import LightScan, guessing, light_scan, seen
from tests.liveness.dynamic.synthetic import Kind


@pytest.mark.parametrize("seed", range(4))
def test_a_face_leaps_with_the_screen(seed: int) -> None:
    leaps = find_leaps(*seen(light_scan(seed)))
    assert leaps.all >= 4
    assert leaps.foreign <= 1


def test_other_colours_are_foreign() -> None:
    found = [find_leaps(*seen(light_scan(seed, answer=guessing))) for seed in range(4)]
    assert sum(one.foreign for one in found) >= 0.3 * sum(one.all for one in found) > 0


def test_a_room_that_is_lit_as_well_does_not_count() -> None:
    assert find_leaps(*seen(light_scan(1, room=1.0))) == Leaps(0, 0)


@pytest.mark.parametrize("lux", [30000.0, 100000.0])
def test_daylight_does_not_leap(lux: float) -> None:
    scan = rendered(Kind.GENUINE, lux)
    assert find_leaps(*seen(LightScan(tuple(scan.samples), tuple(scan.sent)))).foreign == 0


def test_brightness_is_not_colour() -> None:
    scan = light_scan(1, strength=0.0, gain=lambda time: 0.5 * (int(time * 2) % 2))
    assert find_leaps(*seen(scan)) == Leaps(0, 0)


def test_a_part_of_the_face_is_not_the_face() -> None:
    """Landmarks that tremble bring other skin, a beard or glasses under one region."""
    track, shown = seen(light_scan(1, strength=0.0))
    track.skin[np.arange(len(track.times)) // 8 % 2 == 0, 2] += (0.3, 0.0, -0.3)
    assert find_leaps(track, shown) == Leaps(0, 0)


def test_a_few_frames_tell_nothing() -> None:
    track, shown = seen(light_scan(1))
    track.clean[:] = np.arange(len(track.clean)) < 8
    assert find_leaps(track, shown) == Leaps(0, 0)
