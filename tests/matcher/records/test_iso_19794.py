"""Records of both editions: every field, lengths, and refusals."""

import struct
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import pytest
from hypothesis import given

from matcher.errors import RecordInvalid, RefusalReason, TrustedImageRefused
from matcher.records import Landmark, Record2011
from matcher.records.iso_19794 import (
    EDITION_2005,
    EDITION_2011,
    Edition,
    Record2005,
    Representation2005,
    Representation2011,
)
from matcher.records.values import CaptureTime, PoseCode, QualityBlock
from tests.matcher.records.builders import (
    HEIGHT,
    JPEG,
    WIDTH,
    block_2005,
    block_2011,
    header_2005,
    header_2011,
    landmark_bytes,
    records_2005,
    records_2011,
)

Build: TypeAlias = Callable[..., bytes]

_FACIAL_2005 = struct.pack(">BBB3sH6B", 2, 7, 9, b"\x01\x02\x04", 0x8001, 1, 92, 181, 3, 4, 5)
_POINTS_2005 = landmark_bytes(1, 0xC1, 150, 130, 7) + landmark_bytes(1, 0xC2, 90, 130)
_INFORMATION_2005 = struct.pack(">BBHHBBHH", 2, 1, 449, 598, 200, 6, 0xABCD, 50)
_QUALITIES = struct.pack(">BHH", 40, 1, 2) + struct.pack(">BHH", 255, 0xFFFF, 3)
_FACIAL_2011 = struct.pack(">BBBB3sH6B", 255, 3, 4, 180, b"\x00\x04\x01", 0x0003, 1, 92, 181, 3, 4, 5)
_POINTS_2011 = landmark_bytes(1, 0xC1, 150, 130) + landmark_bytes(3, 0x11, 1, 2, 3)
_INFORMATION_2011 = struct.pack(">BBHHBHBB", 0x81, 3, 413, 531, 7, 0x0402, 1, 4)


def _field(edition: Edition, data: bytes) -> object:
    """The field for which the bytes are refused."""
    with pytest.raises(TrustedImageRefused) as caught:
        edition.parse(data)
    assert caught.value.reason is RefusalReason.RECORD_MALFORMED
    assert caught.value.details["format"] == edition.name
    return caught.value.details["field"]


@pytest.mark.parametrize(
    ("edition", "header", "block"),
    [(EDITION_2005, header_2005, block_2005), (EDITION_2011, header_2011, block_2011)],
)
class TestEveryVersion:
    def test_several_faces_stand_one_behind_the_other(
        self, edition: Edition, header: Build, block: Build
    ) -> None:
        blocks = block() + block(b"\xff\xd8\xffother", points=_POINTS_2005)
        data = header(len(header(0)) + len(blocks), 2) + blocks
        record = edition.parse(data)
        assert [face.image for face in record.representations] == [JPEG, b"\xff\xd8\xffother"]
        assert edition.count(data) == 2
        assert edition.serialise(record) == data

    def test_bytes_behind_the_last_face_are_kept(self, edition: Edition, header: Build, block: Build) -> None:
        whole = len(header(0)) + len(block())
        for length in (whole, whole + 3):
            record = edition.parse(header(length) + block() + b"abc")
            assert (record.trailing, record.declared_length) == (b"abc", length)
            assert edition.serialise(record) == header(whole) + block() + b"abc"

    def test_a_length_that_is_too_small_in_the_header_is_tolerated(
        self, edition: Edition, header: Build, block: Build
    ) -> None:
        whole = len(header(0)) + len(block())
        for length in (0, len(block())):
            record = edition.parse(header(length) + block())
            assert record.representations[0].image == JPEG
            assert (record.declared_length, record.length) == (length, whole)
            # After writing, it states the correct length.
            assert edition.serialise(record) == header(whole) + block()

    def test_a_header_that_is_cut_off(self, edition: Edition, header: Build, block: Build) -> None:
        for size in (0, 4, 8, len(header(0)) - 1):
            assert _field(edition, header(20)[:size]) in {"header", "general header"}, block


class TestVersion2005:
    """The layout of 2005, against bytes that were put together field by field."""

    def test_every_field_is_where_the_standard_puts_it(self) -> None:
        block = block_2005(facial=_FACIAL_2005, points=_POINTS_2005, information=_INFORMATION_2005)
        data = header_2005(14 + len(block)) + block
        assert data[46 + 8 * 2 :] == JPEG
        record = EDITION_2005.parse(data)
        assert record == Record2005(
            representations=(
                Representation2005(
                    image=JPEG,
                    width=449,
                    height=598,
                    face_image_type=2,
                    image_data_type=1,
                    colour_space=200,
                    source=6,
                    device_type=0xABCD,
                    quality=50,
                    gender=2,
                    eye_colour=7,
                    hair_colour=9,
                    features=0x010204,
                    expression=0x8001,
                    pose=PoseCode(1, 92, 181, 3, 4, 5),
                    landmarks=(Landmark(1, 0xC1, 150, 130, 7), Landmark(1, 0xC2, 90, 130)),
                ),
            )
        )
        assert record.declared_length == record.length == len(data)
        assert EDITION_2005.serialise(record) == data

    @pytest.mark.parametrize(
        ("data", "field"),
        [
            (header_2005(10_000) + block_2005(), "record length"),
            (header_2005(14 + 100) + block_2005(), "record length"),
            (header_2005(14) + block_2005()[:31], "facial information"),
            (header_2005(14) + block_2005(length=33 + len(JPEG)), "block length"),
            (header_2005(14) + block_2005(length=0xFFFFFFFF), "block length"),
            (header_2005(14) + block_2005(length=0), "feature points"),
            (header_2005(14) + block_2005(length=32), "feature points"),
            (header_2005(14) + block_2005(b""), "feature points"),
            (header_2005(14) + block_2005(JPEG[:8], count=1), "feature points"),
            (header_2005(14) + block_2005(count=0xFFFF), "feature points"),
            (header_2005(14, 2) + block_2005(), "facial information"),
        ],
    )
    def test_overlong_blocks_are_refused(self, data: bytes, field: str) -> None:
        assert _field(EDITION_2005, data) == field

    @pytest.mark.parametrize(
        ("change", "what"),
        [
            ({"width": 0x10000}, "image information"),
            ({"gender": 256}, "facial information"),
            ({"gender": -1}, "facial information"),
            ({"features": 1 << 24}, "24 bits"),
            ({"image": b""}, "image"),
            ({"landmarks": (Landmark(1, 1, 0x10000, 0),)}, "feature points"),
            ({"landmarks": (Landmark(1, 1, 0, 0),) * 1025}, "1024"),
            ({"pose": PoseCode(256)}, "facial information"),
        ],
    )
    def test_a_value_that_does_not_fit_is_named(self, change: dict[str, object], what: str) -> None:
        face = Representation2005(image=JPEG, width=WIDTH, height=HEIGHT)
        with pytest.raises(RecordInvalid, match=what):
            EDITION_2005.serialise(Record2005(representations=(replace(face, **change),)))  # type: ignore[arg-type]

    @given(records_2005)
    def test_any_record_comes_back_as_it_was(self, record: Record2005) -> None:
        data = EDITION_2005.serialise(record)
        assert EDITION_2005.parse(data) == record
        assert EDITION_2005.serialise(EDITION_2005.parse(data)) == data


class TestVersion2011:
    """The layout of 2011, against bytes that were put together field by field."""

    def test_every_field_is_where_the_standard_puts_it(self) -> None:
        block = block_2011(
            qualities=_QUALITIES,
            facial=_FACIAL_2011,
            points=_POINTS_2011,
            information=_INFORMATION_2011,
            behind=b"3-D data",
        )
        data = header_2011(17 + len(block), certification=1, semantics=40) + block
        assert data[68 + 5 * 2 + 8 * 2 :].startswith(JPEG)
        record = EDITION_2011.parse(data)
        assert record == Record2011(
            representations=(
                Representation2011(
                    image=JPEG,
                    width=413,
                    height=531,
                    face_image_type=0x81,
                    image_data_type=3,
                    sampling_rate_level=7,
                    post_acquisition=0x0402,
                    cross_reference=1,
                    colour_space=4,
                    capture_time=CaptureTime(2022, 12, 28, 20, 51, 16, 542),
                    source=2,
                    device_vendor=0x1234,
                    device_type=0x5678,
                    quality=(QualityBlock(40, 1, 2), QualityBlock(255, 0xFFFF, 3)),
                    gender=255,
                    eye_colour=3,
                    hair_colour=4,
                    subject_height=180,
                    features=0x000401,
                    expression=3,
                    pose=PoseCode(1, 92, 181, 3, 4, 5),
                    landmarks=(Landmark(1, 0xC1, 150, 130), Landmark(3, 0x11, 1, 2, 3)),
                    three_d=b"3-D data",
                ),
            ),
            certification=1,
            temporal_semantics=40,
        )
        assert record.declared_length == record.length == len(data)
        assert EDITION_2011.serialise(record) == data

    def test_bytes_behind_an_image_are_3_d_data_of_its_own_face(self) -> None:
        # Readers that treat all bytes behind the first image as 3-D data lose the second.
        blocks = block_2011(behind=b"3-D") + block_2011(b"\xff\xd8\xffother")
        record = EDITION_2011.parse(header_2011(17 + len(blocks), 2) + blocks)
        assert isinstance(record, Record2011)
        assert [face.three_d for face in record.representations] == [b"3-D", b""]

    @pytest.mark.parametrize(
        ("data", "field"),
        [
            (header_2011(100_000) + block_2011(), "record length"),
            (header_2011(17) + block_2011()[:50], "representation"),
            (header_2011(17) + block_2011(length=52 + len(JPEG)), "representation length"),
            (header_2011(17) + block_2011(length=0xFFFFFFFF), "representation length"),
            (header_2011(17) + block_2011(length=0), "facial information"),
            (header_2011(17) + block_2011(length=35), "facial information"),
            (header_2011(17) + block_2011(length=40), "image information"),
            (header_2011(17) + block_2011(length=50), "image information"),
            (header_2011(17) + block_2011(length=51), "picture"),
            (header_2011(17) + block_2011(quality_count=255), "facial information"),
            (header_2011(17) + block_2011(count=0xFFFF), "landmarks"),
            (header_2011(17) + block_2011(count=1024), "image information"),
            (header_2011(17) + block_2011(image_length=len(JPEG) + 1), "picture"),
            (header_2011(17) + block_2011(image_length=0xFFFFFFFF), "picture"),
            (header_2011(17) + block_2011(image_length=0), "image length"),
            (header_2011(17, 2) + block_2011(), "representation"),
        ],
    )
    def test_overlong_blocks_are_refused(self, data: bytes, field: str) -> None:
        assert _field(EDITION_2011, data) == field

    @pytest.mark.parametrize(
        ("change", "what"),
        [
            ({"height": 0x10000}, "image information"),
            ({"subject_height": 256}, "facial information"),
            ({"features": -1}, "24 bits"),
            ({"image": b""}, "image"),
            ({"landmarks": (Landmark(1, 1, 0, 0, 0x10000),)}, "landmarks"),
            ({"quality": (QualityBlock(1, 1, 1),) * 256}, "representation header"),
            ({"landmarks": (Landmark(1, 1, 0, 0),) * 1025}, "1024"),
            ({"quality": (QualityBlock(256, 1, 1),)}, "quality blocks"),
            ({"capture_time": CaptureTime(70_000)}, "representation header"),
        ],
    )
    def test_a_value_that_does_not_fit_is_named(self, change: dict[str, object], what: str) -> None:
        face = Representation2011(image=JPEG, width=WIDTH, height=HEIGHT)
        with pytest.raises(RecordInvalid, match=what):
            EDITION_2011.serialise(Record2011(representations=(replace(face, **change),)))  # type: ignore[arg-type]

    @given(records_2011)
    def test_any_record_comes_back_as_it_was(self, record: Record2011) -> None:
        data = EDITION_2011.serialise(record)
        assert EDITION_2011.parse(data) == record
        assert EDITION_2011.serialise(EDITION_2011.parse(data)) == data


def test_a_record_without_a_face_is_not_written() -> None:
    with pytest.raises(RecordInvalid, match="at least one face"):
        EDITION_2005.serialise(Record2005(representations=()))
    with pytest.raises(RecordInvalid, match="at least one face"):
        EDITION_2011.serialise(Record2011(representations=()))


def test_the_repr_contains_no_pixels() -> None:
    old = Representation2005(image=b"pixels", width=1, height=1)
    assert "pixels" not in repr(Record2005(representations=(old,), trailing=b"pixels"))
    new = Representation2011(image=b"pixels", width=1, height=1, three_d=b"pixels")
    assert "pixels" not in repr(Record2011(representations=(new,), trailing=b"pixels"))
