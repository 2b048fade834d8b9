import numpy as np
import pytest

from device_integrity.stream.thumbnails import (
    HASH_BITS,
    THUMBNAIL,
    difference_hash,
    picture_hash,
    thumbnail_of,
)
from tests.device_integrity.stream.streams import blocks, decode, encode, frames


def test_a_thumbnail_is_the_picture_in_small() -> None:
    halves = np.zeros((480, 640), np.uint8)
    halves[:, 320:] = 200
    small = thumbnail_of(halves).reshape(THUMBNAIL)
    assert np.all(small[:, :15] == 0)
    assert np.all(small[:, 17:] == 200)


def test_odd_and_tiny_sizes_have_one_too() -> None:
    for shape in ((8, 8), (17, 23), (1, 1), (1080, 1920)):
        assert thumbnail_of(np.zeros(shape, np.uint8)).shape == (THUMBNAIL[0] * THUMBNAIL[1],)


def test_a_hash_survives_encoding_and_distinguishes_scenes() -> None:
    one, other = frames(1, seed=1)[0], frames(1, seed=2)[0]
    first = difference_hash(thumbnail_of(one))
    again = difference_hash(thumbnail_of(decode(encode(one, quality=60))))
    foreign = difference_hash(thumbnail_of(other))
    assert len(first) * 8 == HASH_BITS
    assert _distance(first, again) <= 10
    assert _distance(first, foreign) > 60


def _distance(one: bytes, other: bytes) -> int:
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_count()


def test_a_picture_is_the_same_in_another_file_and_another_with_other_noise() -> None:
    one, other = frames(2, moves=False)
    jpeg = encode(one)
    shown = picture_hash(blocks(jpeg))
    assert len(shown) == 32
    commented = jpeg[:2] + b"\xff\xfe\x00\x07again" + jpeg[2:] + b"more"
    assert picture_hash(blocks(commented)) == shown
    assert picture_hash(blocks(encode(other))) != shown
    assert picture_hash(blocks(encode(one, quality=84))) != shown


@pytest.mark.parametrize("shape", [(30, 40), (40, 30), (32, 32)])
def test_every_orientation_of_a_picture_is_the_same(shape: tuple[int, int]) -> None:
    grid = np.random.default_rng(3).integers(30, 220, shape).astype(np.uint8)
    turned = [np.rot90(one, turns) for one in (grid, grid[:, ::-1]) for turns in range(4)]
    assert len({picture_hash(np.ascontiguousarray(one)) for one in turned}) == (1 if shape != (32, 32) else 2)


def test_a_picture_without_texture_has_no_hash() -> None:
    dark = np.random.default_rng(3).integers(0, 16, (60, 80)).astype(np.uint8)
    drawn = np.full((60, 80), 90, np.uint8)
    drawn[20:40, 30:50] = 200
    for blank in (dark, 255 - dark, drawn, np.full((60, 80), 128, np.uint8)):
        assert picture_hash(blank) == b""
