"""The structure of a 39794-5 record has to hold; its values need not."""

import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats.der import encode
from matcher.errors import RecordInvalid, RefusalReason, TrustedImageRefused
from matcher.records import Container, Record39794, Representations, open_trusted_image, serialise
from matcher.records.dg2 import FORMAT_DG2
from matcher.records.discrepancies import DiscrepancyKind
from matcher.records.iso_39794.blocks import Gender39794, LandmarkKind, ScoreOrError
from matcher.records.iso_39794.record import (
    Recognised,
    excluded_values,
    parse_39794,
    recognise_39794,
    serialise_39794,
)
from matcher.records.values import MOST_LANDMARKS
from tests.matcher.records.builders import JPEG, opened_or_refused
from tests.matcher.records.iso_39794.samples import (
    VERSION,
    image_representation,
    record_bytes,
    records_39794,
    representation,
)

_FORMAT = encode(0xA0, b"\x80\x01\x02")


def _identity(*fields: bytes) -> bytes:
    return record_bytes(representation(encode(0xA8, b"".join(fields))))


def _gender(code: bytes, behind: bytes = b"") -> bytes:
    return encode(0xA0, encode(0xA1, encode(0x80, code) + behind))


def _landmark(kind: bytes, behind: bytes = b"") -> bytes:
    return record_bytes(representation(encode(0xA9, encode(0x30, encode(0xA0, kind) + behind))))


def _record(data: bytes) -> Record39794:
    record = open_trusted_image(data).record
    assert isinstance(record, Record39794)
    return record


def _refused(data: bytes) -> TrustedImageRefused:
    _, refusal = opened_or_refused(data)
    _, under_another_policy = opened_or_refused(data, Representations.FIRST)
    assert refusal is not None
    assert under_another_policy is not None
    assert len(str(refusal)) < 400
    assert under_another_policy.reason is refusal.reason
    return refusal


@pytest.mark.parametrize("wrapping", ["bare", "A1", "DG2"])
def test_it_is_opened_bare_wrapped_and_in_a_dg2(wrapping: str) -> None:
    data = record_bytes()
    if wrapping == "bare":
        data = data[2:] if data[1] < 0x80 else data[2 + (data[1] & 0x7F) :]
    elif wrapping == "DG2":
        data = encode(0x75, encode(0x7F61, encode(0x7F60, encode(0x7F2E, data))))
    content = open_trusted_image(data)
    assert content.container is Container.ISO_39794_5
    assert content.in_dg2 == (wrapping == "DG2")
    assert content.image == JPEG
    assert content.notes == ()
    assert isinstance(content.record, Record39794)
    assert content.record.wrapped == (wrapping != "bare")
    if wrapping != "DG2":
        assert serialise(content.record) == data


@pytest.mark.parametrize("count", [0, 2, 3, 64])
def test_exactly_one_representation_under_every_policy(count: int) -> None:
    data = encode(0x65, VERSION + encode(0xA1, representation() * count))
    error = _refused(data)
    assert error.reason is RefusalReason.RECORD_NOT_ONE_FACE
    assert error.details == {"representations": count, "required_representations": 1}


def test_more_representations_than_are_counted() -> None:
    assert _refused(encode(0x65, VERSION + encode(0xA1, b"\x30\x00" * 65))).details["field"] == (
        "representations"
    )


@pytest.mark.parametrize(
    ("data", "field"),
    [
        # What is missing.
        (encode(0x65, VERSION), "representations"),
        (record_bytes(version=encode(0xA0, b"\x80\x01\x03")), "year"),
        (record_bytes(encode(0x30, image_representation())), "representation id"),
        (record_bytes(encode(0x30, b"\x80\x01\x00")), "image representation"),
        (record_bytes(representation(image=encode(0xA1, b""))), "image representation"),
        (record_bytes(representation(image=encode(0xA1, encode(0xA0, b"")))), "image representation"),
        (record_bytes(representation(image=image_representation(b""))), "representation data"),
        (record_bytes(representation(image=image_representation(information=b""))), "image data format"),
        (_identity(encode(0xA0, b"")), "gender"),
        (_identity(encode(0xA0, encode(0xA1, b""))), "gender"),
        (_landmark(b""), "landmark kind"),
        (record_bytes(representation(encode(0xA2, b"\x81\x01\x01"))), "year"),
        # What is repeated, or out of order: two readers could read two different values.
        (record_bytes(representation(b"\x85\x01\x01\x85\x01\x02")), "session id"),
        (record_bytes(representation(b"\x86\x01\x01\x85\x01\x02")), "session id"),
        (record_bytes(representation(image_representation())), "image representation"),
        (record_bytes(representation(b"\x90\x00" + b"\x85\x01\x01")), "session id"),
        (record_bytes(behind=encode(0xA1, representation())), "representations"),
        (_identity(encode(0xA0, encode(0xA1, b"\x80\x01\x02\x80\x01\x03"))), "gender"),
        (_identity(encode(0xA0, 2 * encode(0xA1, b"\x80\x01\x02"))), "gender"),
        (
            record_bytes(representation(image=encode(0xA1, 2 * encode(0xA0, encode(0xA0, b""))))),
            "image representation",
        ),
        # What has another type.
        (record_bytes(representation(number=b"\xa0\x03\x02\x01\x00")), "representation id"),
        (record_bytes(representation(b"\xa5\x03\x02\x01\x00")), "session id"),
        (record_bytes(representation(b"\x84\x00")), "pad data"),
        (record_bytes(b"\x31" + representation()[1:]), "representations"),
        (_identity(encode(0xA0, encode(0xA2, b"\x80\x01\x02"))), "gender"),
        (_landmark(encode(0xA2, b"")), "landmark kind"),
        (_landmark(encode(0xA0, encode(0xA2, b""))), "landmark kind"),
        # What a SEQUENCE without extensions holds besides.
        (record_bytes(representation(encode(0xA2, b"\x80\x01\x01\x87\x01\x01"))), "capture date time"),
        (
            record_bytes(representation(encode(0xA7, encode(0xA0, b"\x80\x01\x01\x81\x01\x01\x82\0")))),
            "model id",
        ),
        # What is BER, and not DER.
        (record_bytes(representation(b"\x85\x02\x00\x01")), "session id"),
        (record_bytes(representation(b"\x85\x00")), "session id"),
        (record_bytes(representation(b"\x85\x81\x01\x01")), "length"),
        (record_bytes(representation(b"\x9f\x05\x01\x01")), "tag"),
        (_identity(encode(0xA4, b"\x80\x01\x01")), "glasses"),
        (_identity(encode(0xA4, b"\x80\x02\xff\xff")), "glasses"),
        # What is longer than is read.
        (record_bytes(representation(encode(0x85, b"\x01" + bytes(16)))), "session id"),
        (record_bytes(representation(encode(0xA9, b"\x30\x00" * (MOST_LANDMARKS + 1)))), None),
        (record_bytes(representation(encode(0xA3, b"\x30\x00" * 257))), None),
        (record_bytes(representation(b"\x9f\x7f\x00" * 75)), "representations"),
        (_identity(_gender(b"\x02", b"\x81\x00" * 65)), "gender"),
    ],
)
def test_a_structure_that_does_not_hold(data: bytes, field: str | None) -> None:
    error = _refused(data)
    assert error.reason is RefusalReason.RECORD_MALFORMED
    assert error.details["format"] == "ISO/IEC 39794-5"
    if field is not None:
        assert error.details["field"] == field


def test_as_many_landmarks_as_are_read() -> None:
    point = encode(0x30, encode(0xA0, encode(0xA0, encode(0xA0, encode(0xA1, b"\x80\x01\x54")))))
    landmarks = _record(
        record_bytes(representation(encode(0xA9, point * MOST_LANDMARKS)))
    ).representation.landmarks
    assert landmarks is not None
    assert len(landmarks) == MOST_LANDMARKS
    assert landmarks[0].landmark_kind == LandmarkKind(mpeg4_feature_point=84)


def test_a_record_that_is_cut_off_is_malformed() -> None:
    data = record_bytes()
    for end in range(20, len(data)):
        error = _refused(data[:end])
        assert error.reason is RefusalReason.RECORD_MALFORMED


def test_something_else_in_its_place_in_a_dg2() -> None:
    data = encode(0x75, encode(0x7F61, encode(0x7F60, encode(0x7F2E, encode(0xA1, encode(0x30, b""))))))
    error = _refused(data)
    assert (error.reason, error.details["format"]) == (RefusalReason.RECORD_MALFORMED, FORMAT_DG2)


@pytest.mark.parametrize(
    "data",
    [
        record_bytes(representation(b"\x8a\x03abc")),
        record_bytes(representation(b"\xbf\x20\x02\x30\x00")),
        record_bytes(behind=b"\x04\x03abc"),
        record_bytes(version=encode(0xA0, b"\x80\x01\x03\x81\x02\x07\xe3\x82\x01\x05")),
        _identity(_gender(b"\x02", b"\x81\x03abc")),
        _landmark(encode(0xA1, b"\x80\x03abc")),
        _landmark(encode(0xA0, encode(0xA1, encode(0xA1, b"\x80\x03abc")))),
        record_bytes(
            representation(image=image_representation(information=encode(0xA0, encode(0xA1, b"abc"))))
        ),
    ],
)
def test_extensions_are_ignored_and_counted(data: bytes) -> None:
    record = _record(data)
    assert record.ignored_extensions == 1
    assert open_trusted_image(data).image == JPEG
    # They are not written, and nothing else is lost.
    written = serialise(record)
    assert _record(written) == record
    assert b"abc" not in written


def test_an_extension_of_ten_thousand_levels_is_not_entered() -> None:
    deep = b""
    for _ in range(10_000):
        deep = encode(0xAF, deep)
    began = time.thread_time()
    assert _record(record_bytes(behind=deep)).ignored_extensions == 1
    assert time.thread_time() - began < 0.5


def test_a_code_that_is_no_extension_is_read_and_written_as_the_profile_does() -> None:
    data = _identity(encode(0xA0, b"\x80\x01\x02"))
    record = _record(data)
    identity = record.representation.identity_metadata
    assert identity is not None
    assert identity.gender is Gender39794.MALE
    assert serialise(record) == _identity(_gender(b"\x02"))


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (_identity(_gender(b"\x00")), "gender 0"),
        (_identity(_gender(b"\x09")), "gender 9"),
        (_identity(b"\x83\x01\x00"), "subject height 0"),
        (_identity(encode(0xA6, encode(0xA0, b"\x80\x02\x00\xb5"))), "angle value 181"),
        (record_bytes(representation(encode(0xA2, b"\x80\x02\x07\xe8\x81\x01\x0d"))), "month 13"),
        (record_bytes(representation(number=b"\x80\x01\xff")), "representation id -1"),
        (record_bytes(version=encode(0xA0, b"\x80\x01\x02\x81\x02\x07\xe2")), "generation 2, year 2018"),
        (
            record_bytes(
                representation(encode(0xA2, b"\x80\x01\x00" + b"\x81\x01\x00\x82\x01\x00\x83\x01\x18"))
            ),
            "month 0, day 0, hour 24",
        ),
    ],
)
def test_values_that_the_standard_excludes_are_kept_and_reported(data: bytes, found: str) -> None:
    content = open_trusted_image(data)
    (discrepancy,) = content.discrepancies
    assert (discrepancy.kind, discrepancy.found) == (DiscrepancyKind.RESERVED_VALUE, found)
    assert content.record is not None
    assert serialise(content.record) == data


def test_of_many_excluded_values_a_few_are_named() -> None:
    scores = encode(0x30, encode(0xA0, b"\x80\x01\x00\x81\x01\x00") + encode(0xA1, b"\x80\x01\x65"))
    data = record_bytes(representation(encode(0xA3, scores * 100)))
    assert len(excluded_values(_record(data))) == 300
    (discrepancy,) = open_trusted_image(data).discrepancies
    assert discrepancy.found == "organization 0, id 0, score 101, organization 0, id 0, and 295 more"


def test_a_size_that_is_not_stated_is_no_disagreement() -> None:
    assert open_trusted_image(record_bytes()).notes == ()
    stated = image_representation(information=_FORMAT + encode(0xA7, b"\x80\x01\x05\x81\x01\x06"))
    content = open_trusted_image(record_bytes(representation(image=stated)))
    (discrepancy,) = content.discrepancies
    assert (discrepancy.kind, discrepancy.declared) == (DiscrepancyKind.SIZE, "5 x 6")


def test_trailing_bytes_are_kept_and_reported() -> None:
    data = record_bytes() + b"abc"
    content = open_trusted_image(data)
    assert [one.kind for one in content.discrepancies] == [DiscrepancyKind.TRAILING_BYTES]
    assert content.record is not None
    assert serialise(content.record) == data


def test_bytes_behind_the_data_block_within_its_context_tag() -> None:
    data = record_bytes()
    inner = data[2 + (data[1] & 0x7F if data[1] & 0x80 else 0) :]
    assert _refused(encode(0xA1, inner + b"abc")).reason is RefusalReason.RECORD_MALFORMED


@pytest.mark.parametrize(
    "data",
    [
        b'<?xml version="1.0"?><fa:faceImageData xmlns:fa="http://standards.iso.org/iso-iec/39794/-5">',
        # The image representation is an extension, such as of a later edition.
        record_bytes(representation(image=encode(0xA1, encode(0xA1, b"")))),
    ],
)
def test_what_is_recognised_and_not_read_has_a_reason_of_its_own(data: bytes) -> None:
    error = _refused(data)
    assert error.reason is RefusalReason.ISO_39794_NOT_SUPPORTED
    assert error.details == {"format": "ISO/IEC 39794-5"}


def test_a_record_that_cannot_be_written() -> None:
    record = _record(record_bytes())
    block = record.representation
    assert block.image_representation is not None
    empty = replace(block.image_representation, representation_data=b"")
    with pytest.raises(RecordInvalid):
        serialise(replace(record, representation=replace(block, image_representation=empty)))
    with pytest.raises(RecordInvalid):
        serialise(replace(record, representation=replace(block, image_representation=None)))
    unscored = _record(
        record_bytes(
            representation(
                encode(
                    0xA3,
                    encode(0x30, encode(0xA0, b"\x80\x01\x01\x81\x01\x01") + encode(0xA1, b"\x80\x01\x09")),
                )
            )
        )
    )
    (score,) = unscored.representation.quality or ()
    for wrong in (ScoreOrError(), ScoreOrError(score=1, error=0)):
        block = replace(unscored.representation, quality=(replace(score, score_or_error=wrong),))
        with pytest.raises(RecordInvalid):
            serialise(replace(unscored, representation=block))


@settings(max_examples=60, deadline=None)
@given(records_39794)
def test_any_record_is_read_as_it_was_written(record: Record39794) -> None:
    written = serialise_39794(record)
    again = parse_39794(written)
    assert serialise_39794(again) == written
    assert excluded_values(again) == excluded_values(record)
    assert all(len(note) < 400 for note in open_trusted_image(written).notes)
    assert again == record


@settings(max_examples=60, deadline=None)
@given(records_39794, st.data())
def test_any_record_with_changed_bytes_is_read_or_refused(record: Record39794, data: st.DataObject) -> None:
    changed = bytearray(serialise_39794(record))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(changed) - 1))
        match data.draw(st.sampled_from(["set", "cut", "put", "double"])):
            case "set":
                changed[place] = data.draw(st.integers(0, 255))
            case "cut":
                del changed[place : place + data.draw(st.integers(1, 8))]
            case "put":
                changed[place:place] = data.draw(st.binary(min_size=1, max_size=8))
            case _:
                changed[place:place] = changed[place : place + data.draw(st.integers(1, 40))]
        if not changed:
            break
    content, refusal = opened_or_refused(bytes(changed))
    if refusal is not None:
        assert len(str(refusal)) < 400
    elif content is not None and content.record is not None:
        assert content.image in bytes(changed)
        written = serialise(content.record)
        assert open_trusted_image(written).record == content.record


def _block(part: int, version: bytes = VERSION, size: int = 20) -> bytes:
    return encode(0x60 | part, version + encode(0xA1, bytes(size)))


@pytest.mark.parametrize(
    ("part", "format_", "modality"),
    [
        (4, "ISO/IEC 39794-4", "finger image"),
        (5, "ISO/IEC 39794-5", "face"),
        (6, "ISO/IEC 39794-6", "iris image"),
    ],
)
@pytest.mark.parametrize("size", [20, 200, 300, 70_000])
def test_a_data_block_is_found_bare_and_wrapped(part: int, format_: str, modality: str, size: int) -> None:
    for data in (_block(part, size=size), encode(0xA1, _block(part, size=size))):
        assert recognise_39794(data) == Recognised(format_, modality)
        # What is cut off behind its head is still known for what it is.
        assert recognise_39794(data[:24]) == Recognised(format_, modality)


def test_its_xml_form_is_found() -> None:
    data = b'<?xml version="1.0"?><fa:faceImageData xmlns:fa="http://standards.iso.org/iso-iec/39794/-5">'
    assert recognise_39794(data) == Recognised("ISO/IEC 39794-5", "face", xml=True)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"e",
        b"\xa1",
        b"\xa1\x82",
        b"<html>",
        b"<" + bytes(2000) + b"39794",
        _block(7),
        _block(5, b""),
        _block(5, encode(0xA1, b"")),
        _block(5, encode(0xA0, b"\x81\x01\x03\x80\x02\x07\xe3")),
        encode(0xA1, encode(0x30, _block(5))),
        encode(0x30, _block(5)),
    ],
)
def test_the_first_bytes_alone_make_no_39794_record(data: bytes) -> None:
    assert recognise_39794(data) is None


@given(st.sampled_from([b"\xa1", b"\x65", b"<", b"\x64"]), st.binary(max_size=30))
def test_any_bytes_are_classified(first: bytes, rest: bytes) -> None:
    found = recognise_39794(first + rest)
    assert found is None or found.format.startswith("ISO/IEC 39794-")
