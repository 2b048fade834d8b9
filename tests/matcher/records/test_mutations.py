"""Every byte flipped, every length stretched: a typed refusal or a valid record, at once."""

import itertools
import struct
import time
from collections.abc import Iterator

import pytest

from matcher.errors import MatcherError, RecordInvalid, TrustedImageRefused
from matcher.records import (
    EyeCentres,
    PoseDegrees,
    QualityBlock,
    RecordMetadata,
    RecordVersion,
    Representations,
    build_record,
    open_trusted_image,
    serialise,
    wrap_in_dg2,
)
from matcher.records.codes import Feature
from matcher.records.contents import MOST_REPRESENTATIONS
from matcher.records.values import MOST_LANDMARKS
from tests.matcher.records.builders import (
    HEIGHT,
    JPEG_2000,
    WIDTH,
    block_2005,
    block_2011,
    header_2005,
    header_2011,
    landmark_bytes,
    opened_or_refused,
)

_POINTS = landmark_bytes(1, 0xC1, 150, 130) + landmark_bytes(1, 0xC2, 90, 130)
_2005 = header_2005(14 + len(block_2005(points=_POINTS))) + block_2005(points=_POINTS)
_2011_BLOCK = block_2011(
    JPEG_2000,
    points=_POINTS,
    qualities=b"\x28\0\1\0\1",
    information=struct.pack(">BBHHBHBB", 1, 1, WIDTH, HEIGHT, 1, 0, 0, 1),
)
_2011 = header_2011(17 + len(_2011_BLOCK)) + _2011_BLOCK
_DG2 = wrap_in_dg2([_2005])
_KNOWN = RecordMetadata(
    eyes=EyeCentres(left=(150, 130), right=(90, 130)),
    pose=PoseDegrees(yaw=-4.0, yaw_uncertainty=3.0),
    features=frozenset({Feature.GLASSES}),
    subject_height=180,
    quality=(QualityBlock(40, 1, 1), QualityBlock(255, 2, 2)),
)
_39794 = serialise(build_record(JPEG_2000, version=RecordVersion.ISO_39794_5, metadata=_KNOWN))
_SOUND = {"2005": _2005, "2011": _2011, "DG2": _DG2, "39794": _39794, "DG2 39794": wrap_in_dg2([_39794])}
_SECONDS = 0.5
"""Processor time of one case; they take a thousandth of that on an idle machine."""


def _flipped(data: bytes) -> Iterator[bytes]:
    for place, mask in itertools.product(range(len(data)), (0x01, 0x80, 0xFF)):
        yield data[:place] + bytes([data[place] ^ mask]) + data[place + 1 :]


def _stretched(data: bytes) -> Iterator[bytes]:
    """Every one, two and four bytes treated as a length, made a little and much longer and shorter."""
    for place, size in itertools.product(range(min(len(data), 140)), (1, 2, 4)):
        value = int.from_bytes(data[place : place + size], "big")
        for other in (
            value + 1,
            value - 1,
            value * 2,
            value + 256,
            0,
            (1 << 8 * size) - 1,
            1 << 8 * size - 1,
        ):
            yield data[:place] + (other % (1 << 8 * size)).to_bytes(size, "big") + data[place + size :]


def _cut(data: bytes) -> Iterator[bytes]:
    for end in range(len(data)):
        yield data[:end]


def _judge(data: bytes) -> None:
    began = time.thread_time()
    content, refusal = opened_or_refused(data, Representations.FIRST)
    if refusal is not None:
        assert len(str(refusal)) < 400
        assert all(isinstance(value, str | int) for value in refusal.details.values())
    if content is not None:
        assert content.image in data
        assert all(len(note) < 400 for note in content.notes)
        if content.record is not None:
            written = serialise(content.record)
            again = open_trusted_image(written, representations=Representations.FIRST)
            assert again.record == content.record
    assert time.thread_time() - began < _SECONDS


@pytest.mark.parametrize("name", _SOUND)
def test_the_sound_ones_are_read(name: str) -> None:
    _judge(_SOUND[name])
    assert open_trusted_image(_SOUND[name]).notes == ()


@pytest.mark.parametrize("name", _SOUND)
def test_every_byte_flipped(name: str) -> None:
    for data in _flipped(_SOUND[name]):
        _judge(data)


@pytest.mark.parametrize("name", _SOUND)
def test_every_length_stretched(name: str) -> None:
    for data in _stretched(_SOUND[name]):
        _judge(data)


@pytest.mark.parametrize("name", _SOUND)
def test_cut_anywhere_it_is_refused(name: str) -> None:
    for data in _cut(_SOUND[name]):
        with pytest.raises(MatcherError):
            open_trusted_image(data)
        _judge(data)


def _best_seconds(data: bytes) -> float:
    times = []
    for _ in range(3):
        began = time.thread_time()
        open_trusted_image(data, representations=Representations.FIRST)
        times.append(time.thread_time() - began)
    return min(times)


def test_time_grows_with_the_length_and_no_faster() -> None:
    """Faces with as many points and image bytes as fit: 16 in 2 MB against 4 in 0.5 MB."""

    def filled(faces: int) -> bytes:
        data = faces * block_2005(bytes(116_000), points=landmark_bytes(1, 1, 1, 1) * MOST_LANDMARKS)
        return header_2005(14 + len(data), faces) + data

    small, large = filled(MOST_REPRESENTATIONS // 4), filled(MOST_REPRESENTATIONS)
    assert 1_900_000 < len(large) < 2_000_000
    assert _best_seconds(large) < 8 * _best_seconds(small)


def test_a_refusal_leaves_the_numbers() -> None:
    with pytest.raises(TrustedImageRefused) as caught:
        open_trusted_image(header_2005(14) + block_2005(length=5_000))
    details = caught.value.details
    assert details == {"format": "ISO/IEC 19794-5:2005", "field": "block length", "offset": 14}
    assert "5000" in str(caught.value)
    assert not isinstance(caught.value, RecordInvalid)
