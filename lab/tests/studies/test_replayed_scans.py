"""The study of recordings that are sent again."""

import numpy as np
import pytest

from device_integrity.stream import ScanMotion
from lab.studies.replayed_scans import Disguise, Doubts, disguised
from vision.face import BgrImage

_BARE = Disguise(wobble=0.0, zoom=0.0, noise=0.0, stretch=0.0)


def _film(number: int = 40) -> list[tuple[float, BgrImage]]:
    rng = np.random.default_rng(1)
    return [(2.0 + at / 10, rng.integers(0, 255, (48, 64, 3)).astype(np.uint8)) for at in range(number)]


def test_a_bare_copy_only_begins_later() -> None:
    film = _film()
    copy = list(disguised(film, _BARE, seed=1))
    begun = len(film) - len(copy)
    assert 0 <= begun <= 3
    for (time, shown), (first, original) in zip(copy, film[begun:], strict=True):
        assert time == pytest.approx(first - film[0][0], abs=0.3)
        assert np.array_equal(shown, original)


@pytest.mark.parametrize("part", [{"wobble": 0.02}, {"zoom": 0.05}, {"noise": 3.0}])
def test_each_disguise_changes_the_picture(part: dict[str, float]) -> None:
    film = _film()
    bare = [shown for _, shown in disguised(film, _BARE, seed=1)]
    how = Disguise(**{"wobble": 0.0, "zoom": 0.0, "noise": 0.0, "stretch": 0.0, **part})
    changed = [shown for _, shown in disguised(film, how, seed=1)]
    assert all(not np.array_equal(one, other) for one, other in zip(changed, bare, strict=True))
    again = [shown for _, shown in disguised(film, how, seed=1)]
    assert all(np.array_equal(one, other) for one, other in zip(changed, again, strict=True))


def test_a_stretched_copy_takes_longer() -> None:
    bare, longer = (
        [time for time, _ in disguised(_film(), how, seed=1)]
        for how in (_BARE, Disguise(wobble=0.0, zoom=0.0, noise=0.0, stretch=0.04))
    )
    assert longer == pytest.approx([1.04 * time for time in bare])


def test_doubts_are_counted_with_and_without_taking_out_shaking() -> None:
    rng = np.random.default_rng(2)
    earlier = ScanMotion(rng.integers(-50, 50, (20, 36)).astype(np.int8))
    shaken = np.linalg.qr(rng.normal(size=(36, 4)))[0].astype(np.float32)
    shaking = rng.normal(0, 60, (20, 4)) @ shaken.T
    held = earlier.samples @ (np.eye(36) - shaken @ shaken.T)
    copy = ScanMotion(np.clip(np.rint(shaking + held / 4), -127, 127).astype(np.int8), shaken)
    doubts = Doubts("copies")
    for scan in (earlier, copy, None):
        doubts.compare(scan, earlier)
    expected = "copies: 2 of 3 [9.4, 99.2 %] doubted; 1 of 3 [0.8, 90.6 %] if shaking is not taken out"
    assert str(doubts) == expected
