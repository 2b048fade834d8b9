import numpy as np

from device_integrity.stream.thumbnails import (
    HASH_BITS,
    THUMBNAIL,
    difference_hash,
    hash_distances,
    thumbnail_of,
)
from tests.device_integrity.stream.streams import decode, encode, frames


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
    near, far = hash_distances(first, np.frombuffer(again + foreign, np.uint8).reshape(2, -1))
    assert near <= 10
    assert far > 60


def test_distances_count_bits() -> None:
    others = np.zeros((2, 32), np.uint8)
    others[1, 5] = 0b1011
    assert hash_distances(bytes(32), others).tolist() == [0, 3]
