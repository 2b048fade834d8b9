from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from hashlib import sha256

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_integrity.device_test import DeviceFinding, DeviceTest, Manipulation
from device_integrity.policy import mark_decisive
from device_integrity.stream import (
    FrameMark,
    KeyUse,
    RecalledScan,
    ScanMotion,
    check_attestation_key,
    check_device_subjects,
    check_frames_before,
    check_session_key,
    check_similarity,
    frame_layout,
    frame_marks,
    key_mark,
    mirrored_bands,
    motions_from_bytes,
    picture_hash,
    scan_motion,
)
from tests.device_integrity.stream.streams import Pixels, blocks, camera_stream, encode, frames, measured

_KEY, _OTHER_KEY = bytes(32), bytes([1] * 32)
_NOW = datetime(2026, 11, 20, tzinfo=UTC)


def _marks(jpegs: list[bytes], key: bytes = _KEY) -> tuple[FrameMark, ...]:
    images = [sha256(jpeg).digest() for jpeg in jpegs]
    pictures = {image: picture_hash(blocks(jpeg)) for image, jpeg in zip(images, jpegs, strict=True)}
    return frame_marks(measured(jpegs).frames, images=images, pictures=pictures, tenant_key=key)


def _recalled(earlier: Sequence[FrameMark], marks: Sequence[FrameMark]) -> RecalledScan:
    """What the server's store finds of an earlier scan of the same tenant."""
    exact, pictures = {mark.exact for mark in earlier}, {mark.picture for mark in earlier if mark.picture}
    return RecalledScan(
        check_id="old",
        repeated=len(exact.intersection(mark.exact for mark in marks)),
        shown=len(pictures.intersection(mark.picture for mark in marks)),
    )


def test_a_repeated_scan_is_recognised() -> None:
    marks = _marks(camera_stream())
    check = check_frames_before(marks, [_recalled(marks, marks)])
    assert (check.outcome, check.reason, check.soft) == (DeviceFinding.FAIL, "FRAMES_SEEN_BEFORE", False)


def test_re_encoded_frames_share_bands_but_are_not_the_same_pictures() -> None:
    shown = frames(48)
    marks, again = (_marks([encode(luma, quality=quality) for luma in shown]) for quality in (90, 75))
    recalled = _recalled(marks, again)
    assert (recalled.repeated, recalled.shown) == (0, 0)
    bands = {band for mark in again for band in mark.bands}
    assert all(len(bands.intersection(mark.bands)) >= 6 for mark in marks if mark.bands)
    assert check_frames_before(again, [recalled]).outcome is DeviceFinding.PASS


def test_a_mirrored_scan_has_the_bands_of_mirrored_frames() -> None:
    shown = frames(16)
    mirrored = measured([encode(np.ascontiguousarray(luma[:, ::-1])) for luma in shown]).frames
    bands = mirrored_bands(mirrored)
    assert all(len(bands.intersection(mark.bands)) >= 6 for mark in _marks([encode(luma) for luma in shown]))


def _motion(jpegs: list[bytes], *, step_us: int = 100_000) -> ScanMotion | None:
    return scan_motion([(at * step_us, frame_layout(blocks(jpeg))) for at, jpeg in enumerate(jpegs)])


def _similarity(motion: ScanMotion | None, *earlier: ScanMotion | None) -> DeviceTest:
    known = tuple(one for one in earlier if one is not None)
    return check_similarity(motion, [RecalledScan(check_id="old", motions=known)])


@pytest.mark.parametrize(
    "change",
    [
        lambda luma: luma,
        lambda luma: luma[:, ::-1],
        lambda luma: cv2.resize(luma, None, fx=0.97, fy=0.97, interpolation=cv2.INTER_AREA),
        lambda luma: luma[8:-8, 8:-8],
        lambda luma: luma[:, : -luma.shape[1] // 10],
    ],
    ids=["quality", "mirrored", "smaller", "without a margin", "without one side"],
)
def test_a_copy_of_a_scan_moves_like_it(change: Callable[[Pixels], Pixels]) -> None:
    shown = frames(48)
    earlier = _motion([encode(luma) for luma in shown])
    copy = [np.ascontiguousarray(change(luma)) for luma in shown[3:]]
    check = _similarity(_motion([encode(luma, quality=84) for luma in copy]), earlier)
    assert (check.outcome, check.reason) == (DeviceFinding.FAIL, "SIMILAR_TO_EARLIER_SCAN")
    assert check.soft
    (marked,) = mark_decisive([check])
    assert not marked.decisive


@pytest.mark.parametrize("speed", [0.8, 0.9, 1.05, 1.25])
@pytest.mark.parametrize("backwards", [False, True])
def test_a_copy_at_another_speed_or_backwards_moves_like_it(speed: float, backwards: bool) -> None:
    shown = frames(60)
    earlier = _motion([encode(luma) for luma in shown])
    copy = [encode(luma, quality=84) for luma in (shown[::-1] if backwards else shown)]
    check = _similarity(_motion(copy, step_us=round(100_000 / speed)), earlier)
    assert check.reason == "SIMILAR_TO_EARLIER_SCAN"


def _person(*, movement: int, shaking: float) -> list[Pixels]:
    """A head that moves before a wall; the camera shakes by about this many pixels."""
    moves, shakes = np.random.default_rng(movement), np.random.default_rng(movement + 1_000)
    wall = frames(1, noise=0.0, moves=False)[0]
    tall, wide = wall.shape
    head, camera = (rng.uniform(0, 2 * np.pi, (2, 3)) for rng in (moves, shakes))
    paces = moves.uniform(2, 9, (2, 3))
    shown = []
    for at in range(48):
        picture = wall.copy()
        aside, below = np.sin(at / paces + head).sum(axis=1) * (0.04 * wide, 0.03 * tall)
        middle = (round(0.5 * wide + aside), round(0.5 * tall + below))
        cv2.ellipse(picture, middle, (wide // 5, tall // 4), 0, 0, 360, 190, -1)
        across, down = shaking * np.sin(at / np.array([1.9, 2.7, 4.4]) + camera).sum(axis=1)
        shift = np.array([[1, 0, across], [0, 1, down]], np.float32)
        moved = cv2.warpAffine(picture, shift, (wide, tall), borderMode=cv2.BORDER_REFLECT)
        noisy = moved + shakes.normal(0, 2, moved.shape)
        shown.append(np.asarray(np.clip(np.rint(noisy), 0, 255), np.uint8))
    return shown


@pytest.mark.parametrize("movement", [1, 2, 3])
def test_a_shaken_copy_moves_like_its_scan_and_another_shaken_scan_does_not(movement: int) -> None:
    still = _motion([encode(luma) for luma in _person(movement=movement, shaking=0)])
    copy, other = (
        _motion([encode(luma) for luma in _person(movement=one, shaking=4)[2:]])
        for one in (movement, movement + 10)
    )
    assert _similarity(copy, still).reason == "SIMILAR_TO_EARLIER_SCAN"
    assert _similarity(other, still).reason == "MOVES_ANEW"


def test_another_movement_in_the_same_place_is_new() -> None:
    across = frames(48)
    earlier = _motion([encode(luma) for luma in across])
    # The same scene and camera, at the same places in another order.
    check = _similarity(_motion([encode(across[at * 7 % 48]) for at in range(48)]), earlier)
    assert (check.outcome, check.reason) == (DeviceFinding.PASS, "MOVES_ANEW")


def test_nothing_that_moves_is_no_similarity() -> None:
    still = _motion(camera_stream(48, moves=False))
    assert still is None
    assert _similarity(still).reason == "NOTHING_TO_COMPARE"
    assert _motion(camera_stream(9)) is None
    assert scan_motion([]) is None


def test_a_movement_is_stored_in_few_bytes() -> None:
    motions = [_motion(camera_stream(48, seed=seed)) for seed in (1, 2)]
    stored = b"".join(one.to_bytes() for one in motions if one is not None)
    assert len(stored) < 2_000
    for read, made in zip(motions_from_bytes(stored), motions, strict=True):
        assert made is not None
        assert np.array_equal(read.samples, made.samples)
    longest = _motion(camera_stream(40), step_us=1_000_000)
    assert longest is not None
    assert len(longest.to_bytes()) < 5_500


@given(st.binary(max_size=200), st.booleans())
def test_bytes_of_another_form_hold_no_movement(data: bytes, marked: bool) -> None:
    for motion in motions_from_bytes(b"mot1" * marked + data):
        assert motion.samples.shape[1] == 36
    assert motions_from_bytes(b"v0" + data) == ()


@pytest.mark.parametrize(
    ("returning", "reason"), [(48, "FRAMES_SHOWN_BEFORE"), (3, "FRAMES_SHOWN_BEFORE"), (2, "FRAMES_NEW")]
)
def test_pictures_that_return_in_other_files_are_decisive(returning: int, reason: str) -> None:
    earlier = camera_stream()
    marks = _marks([jpeg + b"more" for jpeg in earlier[:returning]] + camera_stream(seed=5)[returning:])
    check = check_frames_before(marks, [_recalled(_marks(earlier), marks)])
    assert (check.reason, check.soft) == (reason, False)
    (marked,) = mark_decisive([check])
    assert marked.decisive is (returning > 2)
    assert mark_decisive([check], tolerated=["memory.frames"])[0].tolerated is (returning > 2)


def test_one_picture_that_a_blocked_camera_shows_each_time_proves_nothing() -> None:
    # The same picture in 48 files, as an encoder that adds a counter writes it.
    (drawn,) = camera_stream(1)
    first, second = (_marks([drawn + bytes([run, at]) for at in range(48)]) for run in (0, 1))
    assert len({mark.picture for mark in first}) == 1
    check = check_frames_before(second, [_recalled(first, second)])
    assert check.outcome is DeviceFinding.PASS


def test_marks_of_two_tenants_have_nothing_in_common() -> None:
    jpegs = camera_stream(8)
    one, other = _marks(jpegs), _marks(jpegs, _OTHER_KEY)
    assert not {mark.exact for mark in one} & {mark.exact for mark in other}
    assert not {mark.picture for mark in one} & {mark.picture for mark in other}
    assert all(len(mark.picture) == 24 for mark in one)
    assert key_mark(b"key", tenant_key=_KEY) != key_mark(b"key", tenant_key=_OTHER_KEY)


def test_hashes_that_differ_little_share_a_band() -> None:
    one = FrameMark(exact=b"", perceptual=bytes(32))
    flipped = bytearray(32)
    for at in range(15):
        flipped[2 * at] = 1
    near = FrameMark(exact=b"", perceptual=bytes(flipped))
    assert len(set(one.bands) & set(near.bands)) == 1
    assert all(len(band) == 3 for band in one.bands)


def test_nothing_to_see_leaves_no_marks() -> None:
    assert _marks([]) == ()
    assert check_frames_before((), []).outcome is DeviceFinding.UNAVAILABLE


@pytest.mark.parametrize(
    ("others", "outcome"),
    [(0, DeviceFinding.PASS), (4, DeviceFinding.PASS), (5, DeviceFinding.FAIL), (40, DeviceFinding.FAIL)],
)
def test_one_device_may_serve_a_family(others: int, outcome: DeviceFinding) -> None:
    uses = [KeyUse(key=b"k", subject=f"p{at}", check_id=f"c{at}", time=_NOW) for at in range(others)]
    check = check_device_subjects(uses, subject="me")
    assert check.outcome is outcome
    assert check.soft is (outcome is DeviceFinding.FAIL)


def test_subjects_that_are_not_named_cannot_be_counted() -> None:
    use = KeyUse(key=b"k", subject="", check_id="c", time=_NOW)
    assert check_device_subjects([use] * 9, subject="").outcome is DeviceFinding.NOT_EVALUATED


@pytest.mark.parametrize("check_key", [check_session_key, check_attestation_key])
def test_a_key_made_for_one_scan_serves_no_other(check_key: Callable[..., DeviceTest]) -> None:
    own = KeyUse(key=b"k", subject="p", check_id="c1", time=_NOW)
    other = KeyUse(key=b"k", subject="p", check_id="c2", time=_NOW)
    assert check_key([own], check_id="c1").outcome is DeviceFinding.PASS
    check = check_key([own, other], check_id="c1")
    assert (check.outcome, check.soft) == (DeviceFinding.FAIL, False)
    assert check.sign_of is Manipulation.MAN_IN_THE_MIDDLE
