"""The layout of 2005, against bytes that were put together field by field."""

import struct
from dataclasses import replace

import pytest
from hypothesis import given

from matcher.errors import RecordInvalid, RefusalReason, TrustedImageRefused
from matcher.records import Landmark, PoseCode, Record2005, Representation2005
from matcher.records.version_2005 import count_2005, parse_2005, serialise_2005
from tests.matcher.records.builders import (
    HEIGHT,
    JPEG,
    WIDTH,
    block_2005,
    header_2005,
    landmark_bytes,
    records_2005,
)

_FACIAL = struct.pack(">BBB3sH6B", 2, 7, 9, b"\x01\x02\x04", 0x8001, 1, 92, 181, 3, 4, 5)
_POINTS = landmark_bytes(1, 0xC1, 150, 130, 7) + landmark_bytes(1, 0xC2, 90, 130)
_INFORMATION = struct.pack(">BBHHBBHH", 2, 1, 449, 598, 200, 6, 0xABCD, 50)


def _refused(data: bytes) -> TrustedImageRefused:
    with pytest.raises(TrustedImageRefused) as caught:
        parse_2005(data)
    assert caught.value.reason is RefusalReason.RECORD_MALFORMED
    assert caught.value.details["format"] == "ISO/IEC 19794-5:2005"
    return caught.value


def test_every_field_is_where_the_standard_puts_it() -> None:
    block = block_2005(facial=_FACIAL, points=_POINTS, information=_INFORMATION)
    data = header_2005(14 + len(block)) + block
    assert data[46 + 8 * 2 :] == JPEG
    record = parse_2005(data)
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
    assert serialise_2005(record) == data


def test_several_faces_stand_one_behind_the_other() -> None:
    blocks = block_2005() + block_2005(b"\xff\xd8\xffother", points=_POINTS)
    data = header_2005(14 + len(blocks), 2) + blocks
    record = parse_2005(data)
    assert [face.image for face in record.representations] == [JPEG, b"\xff\xd8\xffother"]
    assert count_2005(data) == 2
    assert serialise_2005(record) == data


def test_bytes_behind_the_last_face_are_kept() -> None:
    block = block_2005()
    for length in (14 + len(block), 14 + len(block) + 3):
        record = parse_2005(header_2005(length) + block + b"abc")
        assert record.trailing == b"abc"
        assert record.declared_length == length


def test_a_length_that_is_too_small_in_the_header_is_tolerated() -> None:
    block = block_2005()
    record = parse_2005(header_2005(len(block)) + block)
    assert record.representations[0].image == JPEG
    assert (record.declared_length, record.length) == (len(block), 14 + len(block))
    # After writing, it states the correct length.
    assert serialise_2005(record) == header_2005(14 + len(block)) + block


@pytest.mark.parametrize("size", [0, 4, 8, 13])
def test_a_header_that_is_cut_off(size: int) -> None:
    error = _refused(header_2005(14)[:size])
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
def test_overlong_blocks_are_refused(data: bytes, field: str) -> None:
    assert _refused(data).details["field"] == field


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
def test_a_value_that_does_not_fit_is_named(change: dict[str, object], what: str) -> None:
    face = Representation2005(image=JPEG, width=WIDTH, height=HEIGHT)
    with pytest.raises(RecordInvalid, match=what):
        serialise_2005(Record2005(representations=(replace(face, **change),)))  # type: ignore[arg-type]


def test_a_record_without_a_face_is_not_written() -> None:
    with pytest.raises(RecordInvalid, match="at least one face"):
        serialise_2005(Record2005(representations=()))


@given(records_2005)
def test_any_record_comes_back_as_it_was(record: Record2005) -> None:
    data = serialise_2005(record)
    assert parse_2005(data) == record
    assert serialise_2005(parse_2005(data)) == data


def test_the_repr_contains_no_pixels() -> None:
    face = Representation2005(image=b"pixels", width=1, height=1)
    assert "pixels" not in repr(Record2005(representations=(face,), trailing=b"pixels"))
