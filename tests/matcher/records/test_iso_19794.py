"""Records of both editions: every field, lengths, and refusals."""

import struct
from dataclasses import replace

import pytest
from hypothesis import given

from matcher.errors import RecordInvalid, RefusalReason, TrustedImageRefused
from matcher.records import Landmark, Record2011
from matcher.records.iso_19794 import (
    EDITION_2005,
    EDITION_2011,
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

_FACIAL_2005 = struct.pack(">BBB3sH6B", 2, 7, 9, b"\x01\x02\x04", 0x8001, 1, 92, 181, 3, 4, 5)


_POINTS_2005 = landmark_bytes(1, 0xC1, 150, 130, 7) + landmark_bytes(1, 0xC2, 90, 130)


_INFORMATION_2005 = struct.pack(">BBHHBBHH", 2, 1, 449, 598, 200, 6, 0xABCD, 50)


def _refused_2005(data: bytes) -> TrustedImageRefused:
    with pytest.raises(TrustedImageRefused) as caught:
        EDITION_2005.parse(data)
    assert caught.value.reason is RefusalReason.RECORD_MALFORMED
    assert caught.value.details["format"] == "ISO/IEC 19794-5:2005"
    return caught.value


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

    def test_several_faces_stand_one_behind_the_other(self) -> None:
        blocks = block_2005() + block_2005(b"\xff\xd8\xffother", points=_POINTS_2005)
        data = header_2005(14 + len(blocks), 2) + blocks
        record = EDITION_2005.parse(data)
        assert [face.image for face in record.representations] == [JPEG, b"\xff\xd8\xffother"]
        assert EDITION_2005.count(data) == 2
        assert EDITION_2005.serialise(record) == data

    def test_bytes_behind_the_last_face_are_kept(self) -> None:
        block = block_2005()
        for length in (14 + len(block), 14 + len(block) + 3):
            record = EDITION_2005.parse(header_2005(length) + block + b"abc")
            assert record.trailing == b"abc"
            assert record.declared_length == length

    def test_a_length_that_is_too_small_in_the_header_is_tolerated(self) -> None:
        block = block_2005()
        record = EDITION_2005.parse(header_2005(len(block)) + block)
        assert record.representations[0].image == JPEG
        assert (record.declared_length, record.length) == (len(block), 14 + len(block))
        # After writing, it states the correct length.
        assert EDITION_2005.serialise(record) == header_2005(14 + len(block)) + block

    @pytest.mark.parametrize("size", [0, 4, 8, 13])
    def test_a_header_that_is_cut_off(self, size: int) -> None:
        error = _refused_2005(header_2005(14)[:size])
        assert error.details["field"] == "header"

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
        assert _refused_2005(data).details["field"] == field

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

    def test_a_record_without_a_face_is_not_written(self) -> None:
        with pytest.raises(RecordInvalid, match="at least one face"):
            EDITION_2005.serialise(Record2005(representations=()))

    @given(records_2005)
    def test_any_record_comes_back_as_it_was(self, record: Record2005) -> None:
        data = EDITION_2005.serialise(record)
        assert EDITION_2005.parse(data) == record
        assert EDITION_2005.serialise(EDITION_2005.parse(data)) == data

    def test_the_repr_contains_no_pixels(self) -> None:
        face = Representation2005(image=b"pixels", width=1, height=1)
        assert "pixels" not in repr(Record2005(representations=(face,), trailing=b"pixels"))


_QUALITIES = struct.pack(">BHH", 40, 1, 2) + struct.pack(">BHH", 255, 0xFFFF, 3)


_FACIAL_2011 = struct.pack(">BBBB3sH6B", 255, 3, 4, 180, b"\x00\x04\x01", 0x0003, 1, 92, 181, 3, 4, 5)


_POINTS_2011 = landmark_bytes(1, 0xC1, 150, 130) + landmark_bytes(3, 0x11, 1, 2, 3)


_INFORMATION_2011 = struct.pack(">BBHHBHBB", 0x81, 3, 413, 531, 7, 0x0402, 1, 4)


def _refused_2011(data: bytes) -> TrustedImageRefused:
    with pytest.raises(TrustedImageRefused) as caught:
        EDITION_2011.parse(data)
    assert caught.value.reason is RefusalReason.RECORD_MALFORMED
    assert caught.value.details["format"] == "ISO/IEC 19794-5:2011"
    return caught.value


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

    def test_several_representations_stand_one_behind_the_other(self) -> None:
        # Readers that treat all bytes behind the first image as 3-D data lose the second.
        blocks = block_2011(behind=b"3-D") + block_2011(b"\xff\xd8\xffother")
        data = header_2011(17 + len(blocks), 2) + blocks
        record = EDITION_2011.parse(data)
        assert isinstance(record, Record2011)
        assert [face.image for face in record.representations] == [JPEG, b"\xff\xd8\xffother"]
        assert [face.three_d for face in record.representations] == [b"3-D", b""]
        assert EDITION_2011.count(data) == 2

    def test_bytes_behind_the_last_representation_are_kept(self) -> None:
        block = block_2011()
        for length in (17 + len(block), 17 + len(block) + 3):
            record = EDITION_2011.parse(header_2011(length) + block + b"abc")
            assert record.trailing == b"abc"
            assert EDITION_2011.serialise(record) == header_2011(17 + len(block)) + block + b"abc"

    def test_a_length_that_is_too_small_in_the_header_is_tolerated(self) -> None:
        block = block_2011()
        record = EDITION_2011.parse(header_2011(0) + block)
        assert (record.declared_length, record.length) == (0, 17 + len(block))

    @pytest.mark.parametrize("size", [0, 8, 16])
    def test_a_header_that_is_cut_off(self, size: int) -> None:
        assert _refused_2011(header_2011(17)[:size]).details["field"] == "general header"

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
        assert _refused_2011(data).details["field"] == field

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

    def test_a_record_without_a_face_is_not_written(self) -> None:
        with pytest.raises(RecordInvalid, match="at least one face"):
            EDITION_2011.serialise(Record2011(representations=()))

    @given(records_2011)
    def test_any_record_comes_back_as_it_was(self, record: Record2011) -> None:
        data = EDITION_2011.serialise(record)
        assert EDITION_2011.parse(data) == record
        assert EDITION_2011.serialise(EDITION_2011.parse(data)) == data

    def test_the_repr_contains_no_pixels(self) -> None:
        face = Representation2011(image=b"pixels", width=1, height=1, three_d=b"pixels")
        assert "pixels" not in repr(Record2011(representations=(face,), trailing=b"pixels"))
