"""The real records of the test data: every field, and byte for byte through reading and writing."""

import itertools
import struct
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from formats.errors import ImageFault
from matcher.errors import MatcherError, RecordInvalid, RefusalReason, TrustedImageRefused
from matcher.records import (
    Container,
    EyeCentres,
    Record2011,
    RecordMetadata,
    RecordVersion,
    Representations,
    TrustedImageContent,
    build_record,
    open_trusted_image,
    serialise,
    wrap_in_dg2,
)
from matcher.records.codes import CaptureSource, Feature, Gender
from matcher.records.contents import MOST_REPRESENTATIONS
from matcher.records.dg2 import serialise_dg2
from matcher.records.discrepancies import DiscrepancyKind
from matcher.records.iso_19794 import Record2005
from matcher.records.values import MOST_LANDMARKS, PoseDegrees, QualityBlock
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
from tests.matcher.records.iso_39794.samples import real_file

_PASSPORT = "E3V3A__abandoned__passporthostapi-test__samples__loes2006__ef0102.bin"
_MOSIP = "mosip__test__BiometricInfo__Face__info_face_auth.iso"
_GMRTD = "gmrtd__document__iso19794__test_data__ISO19794_Test1_Data.bin"
_BROKEN = "gmrtd__document__iso19794__test_data__ISO19794_Test2_Data_InvalidImage.bin"


@dataclass(frozen=True)
class _Expected:
    """The fields of a record; the image's own size and place were read with other tools (manifest.csv)."""

    container: Container
    in_dg2: bool
    bytes: int
    offset: int
    image_bytes: int
    size: tuple[int, int]
    media_type: str | None
    codes: tuple[int, int, int, int]
    """Face image type, image data type, colour space, source."""
    gender: int
    discrepancies: frozenset[DiscrepancyKind]


_TABLE: Mapping[str, _Expected] = {
    _PASSPORT: _Expected(
        Container.ISO_19794_5_2005,
        in_dg2=True,
        bytes=13_785,
        offset=84,
        image_bytes=13_701,
        size=(449, 598),
        media_type="image/jp2",
        codes=(1, 1, 1, 0),
        gender=0,
        discrepancies=frozenset(),
    ),
    _MOSIP: _Expected(
        Container.ISO_19794_5_2011,
        in_dg2=False,
        bytes=18_492,
        offset=73,
        image_bytes=18_419,
        size=(240, 320),
        media_type="image/jp2",
        codes=(1, 1, 1, CaptureSource.VIDEO_FRAME_ANALOGUE),
        gender=Gender.UNKNOWN,
        discrepancies=frozenset(),
    ),
    # Declares JPEG 2000 and contains a JPEG.
    _GMRTD: _Expected(
        Container.ISO_19794_5_2005,
        in_dg2=False,
        bytes=5_145,
        offset=46,
        image_bytes=5_099,
        size=(148, 70),
        media_type="image/jpeg",
        codes=(2, 1, 0, 0),
        gender=0,
        discrepancies=frozenset({DiscrepancyKind.MEDIA_TYPE}),
    ),
    _BROKEN: _Expected(
        Container.ISO_19794_5_2005,
        in_dg2=False,
        bytes=5_145,
        offset=46,
        image_bytes=5_099,
        size=(148, 70),
        media_type=None,
        codes=(2, 1, 0, 0),
        gender=0,
        discrepancies=frozenset({DiscrepancyKind.MEDIA_TYPE, DiscrepancyKind.PICTURE_HEADER}),
    ),
}

_REFUSED: Mapping[str, RefusalReason | ImageFault] = {
    "usnistgov__Sampledata__fingerminutia__ISO-19794-2_2005__Appendix-C2_Example.raw": (
        RefusalReason.RECORD_WRONG_MODALITY
    ),
    "usnistgov__irisimage2011__src__test__iris01.iso2011": RefusalReason.RECORD_WRONG_MODALITY,
    "manifest.csv": ImageFault.UNSUPPORTED_FORMAT,
}


def _open(assets: Path, name: str) -> TrustedImageContent:
    return open_trusted_image(real_file(assets, name))


@pytest.mark.parametrize("name", _TABLE)
def test_every_field_of_a_real_record_is_parsed(assets: Path, name: str) -> None:
    data, content, expected = real_file(assets, name), _open(assets, name), _TABLE[name]
    assert len(data) == expected.bytes
    assert (content.container, content.in_dg2) == (expected.container, expected.in_dg2)
    assert content.image == data[expected.offset : expected.offset + expected.image_bytes]
    assert content.media_type == expected.media_type
    view, record = content.representation, content.record
    assert view is not None
    assert isinstance(record, Record2005 | Record2011)
    assert (view.width, view.height) == expected.size
    codes = (view.face_image_type, view.image_data_type, view.colour_space, view.source)
    assert codes == expected.codes
    assert view.gender == expected.gender
    assert (view.eye_colour, view.hair_colour) == (0, 0)
    assert (view.features, view.expressions, view.eye_centres, view.subject_height) == (None,) * 4
    assert view.landmarks == ()
    assert not view.pose.given
    assert record.declared_length == record.length
    assert record.trailing == b""
    assert {one.kind for one in content.discrepancies} == expected.discrepancies
    if content.header is not None:
        assert (content.header.width, content.header.height) == expected.size


def test_fields_of_a_real_2011_record_are_parsed(assets: Path) -> None:
    view = _open(assets, _MOSIP).representation
    assert view is not None
    assert view.capture_time is not None
    assert view.capture_time.utc is not None
    assert view.capture_time.utc.isoformat() == "2022-12-28T20:51:16.542000+00:00"
    (quality,) = view.quality
    assert (quality.score, quality.algorithm_vendor, quality.algorithm) == (40, 1, 1)
    assert (view.sampling_rate_level, view.post_acquisition, view.cross_reference) == (0, None, None)


@pytest.mark.parametrize("name", _TABLE)
def test_a_real_record_is_written_again_byte_for_byte(assets: Path, name: str) -> None:
    data, content = real_file(assets, name), _open(assets, name)
    assert content.record is not None
    record = serialise(content.record)
    if content.dg2 is None:
        assert record == data
        return
    assert record == content.dg2.blocks[0].record
    assert serialise_dg2(content.dg2) == data
    # The header that is written for a new DG2 is the one of this passport.
    assert wrap_in_dg2([record]) == data


@pytest.mark.parametrize("name", _REFUSED)
def test_real_broken_records_are_refused_with_a_reason(assets: Path, name: str) -> None:
    with pytest.raises(TrustedImageRefused) as caught:
        _open(assets, name)
    assert caught.value.reason is _REFUSED[name]


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
        others = (value + 1, value - 1, value * 2, value + 256, 0, (1 << 8 * size) - 1, 1 << 8 * size - 1)
        for other in {other % (1 << 8 * size) for other in others} - {value}:
            yield data[:place] + other.to_bytes(size, "big") + data[place + size :]


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
