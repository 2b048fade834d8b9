from collections.abc import Sequence

import numpy as np
import pytest

from liveness.dynamic.measurement.freshness import Leaps, find_leaps
from liveness.dynamic.measurement.track import Appearance, TrackView
from liveness.dynamic.model import load_flash_model
from tests.liveness.dynamic.flash_scans import rendered
from tests.liveness.dynamic.light_scan import LAG, LightScan, guessing, light_scan, seen
from tests.liveness.dynamic.synthetic import RenderedKind
from tests.sampling import some_fast

LINES = load_flash_model()


def _leaps(track: TrackView, shown: Sequence[Appearance], *, lag: float = LINES.lag.usual) -> Leaps:
    return find_leaps(track, shown, lag=lag, settings=LINES.leaps)


@pytest.mark.parametrize("seed", range(4))
def test_a_face_leaps_with_the_screen(seed: int) -> None:
    leaps = _leaps(*seen(light_scan(seed)), lag=LAG)
    assert leaps.all >= 4
    assert leaps.foreign <= 1


def test_a_late_leap_is_not_foreign() -> None:
    late = seen(light_scan(2, lag=0.8))
    assert _leaps(*late, lag=0.8).foreign <= 1
    assert _leaps(*late).foreign > 1


def test_other_colours_are_foreign() -> None:
    found = [_leaps(*seen(light_scan(seed, answer=guessing))) for seed in range(4)]
    assert sum(one.foreign for one in found) >= 0.3 * sum(one.all for one in found) > 0


def test_a_room_that_is_lit_as_well_does_not_count() -> None:
    assert _leaps(*seen(light_scan(1, room=1.0)), lag=LAG) == Leaps(0, 0, room_seen=True)


@pytest.mark.parametrize("lux", some_fast([30000.0, 100000.0], step=2))
def test_daylight_does_not_leap(lux: float) -> None:
    scan = rendered(RenderedKind.GENUINE, lux)
    assert _leaps(*seen(LightScan(tuple(scan.samples), tuple(scan.sent)))).foreign == 0


def test_brightness_is_not_colour() -> None:
    scan = light_scan(1, strength=0.0, gain=lambda time: 0.5 * (int(time * 2) % 2))
    assert _leaps(*seen(scan)) == Leaps(0, 0, room_seen=True)


def test_a_part_of_the_face_is_not_the_face() -> None:
    """Landmark noise moves a region to other skin, a beard or glasses."""
    track, shown = seen(light_scan(1, strength=0.0))
    track.skin[np.arange(len(track.times)) // 8 % 2 == 0, 2] += (0.3, 0.0, -0.3)
    assert _leaps(track, shown) == Leaps(0, 0, room_seen=True)


def _television(room_seen: slice) -> Leaps:
    """A face and a room that a television lights; the room is visible in some frames."""
    track, shown = seen(light_scan(1, strength=0.0))
    count = len(track.times)
    cuts = (np.arange(count) * 8 // count % 2)[:, None] * np.array((0.12, 0.0, -0.12))
    track.skin[:] += cuts[:, None]
    room = track.background + cuts
    track.background[:] = np.nan
    track.background[room_seen] = room[room_seen]
    return _leaps(track, shown)


@pytest.mark.parametrize("room_seen", [slice(None), slice(0, 60)])
def test_a_television_lights_the_room_as_well(room_seen: slice) -> None:
    """If the room is not visible, its leaps do not count either."""
    assert _television(room_seen) == Leaps(0, 0, room_seen=True)


@pytest.mark.parametrize("room_seen", [slice(0, 0), slice(0, 12), slice(0, None, 2)])
def test_a_room_that_is_rarely_visible_is_not_measured(room_seen: slice) -> None:
    leaps = _television(room_seen)
    assert leaps.foreign >= 3
    assert not leaps.room_seen


def test_a_few_frames_are_not_measured() -> None:
    track, shown = seen(light_scan(1))
    track.clean[:] = np.arange(len(track.clean)) < 8
    assert _leaps(track, shown) == Leaps(0, 0, room_seen=False)
