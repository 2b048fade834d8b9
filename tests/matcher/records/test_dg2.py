"""The wrapping of a passport's face."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.der import encode
from matcher.errors import RecordInvalid, RefusalReason, TrustedImageRefused
from matcher.records import Dg2, open_trusted_image, wrap_in_dg2
from matcher.records.dg2 import BiometricBlock, modality_of_group, parse_dg2, serialise_dg2
from tests.matcher.records.builders import block_2005, header_2005

_RECORD = header_2005(14 + len(block_2005())) + block_2005()
_HEADER = bytes.fromhex("a10e8101028201008702010188020008")


def test_a_wrapped_record_has_the_form_of_a_passports() -> None:
    # The header, data object by data object, as a real passport has it.
    template = encode(0x7F60, _HEADER + encode(0x5F2E, _RECORD))
    assert wrap_in_dg2([_RECORD]) == encode(0x75, encode(0x7F61, b"\x02\x01\x01" + template))


def test_the_header_is_read() -> None:
    (block,) = parse_dg2(wrap_in_dg2([_RECORD])).blocks
    assert block.record == block.content == _RECORD
    assert (block.biometric_type, block.format_owner, block.format_type) == (0x02, 0x0101, 0x0008)
    assert ("biometric type", "02") in block.header_words
    assert block.header_value(0x83) is None


def test_a_header_as_long_as_it_likes_is_reported_in_short() -> None:
    block = BiometricBlock(((0x81, bytes(100_000)), (0xC1, b"\1" * 33), (0x88, b"")), b"")
    assert block.biometric_type is None
    assert block.format_type is None
    assert [name for name, _ in block.header_words] == ["biometric type", "data object C1", "format type"]
    assert all(len(value) < 100 for _, value in block.header_words)
    assert block.header_words[1][1] == "01" * 32 + "... (33 bytes)"


def test_all_header_objects_are_kept() -> None:
    header = bytes.fromhex(
        "80020101810102820100830721240105112345850821240105212901058604010300018702010188020008"
    )
    data = encode(0x7F61, b"\x02\x01\x01" + encode(0x7F60, encode(0xA1, header) + encode(0x7F2E, _RECORD)))
    dg2 = parse_dg2(data)
    names = [name for name, _ in dg2.blocks[0].header_words]
    assert names == [
        "header version",
        "biometric type",
        "biometric subtype",
        "creation date",
        "validity period",
        "creator",
        "format owner",
        "format type",
    ]
    assert dg2.outermost == 0x7F61
    assert dg2.blocks[0].tag == 0x7F2E
    assert serialise_dg2(dg2) == data


def test_a_plain_object_within_a_constructed_one_is_opened() -> None:
    block = BiometricBlock((), encode(0x5F2E, _RECORD), 0x7F2E)
    assert block.content == _RECORD


def test_a_bare_template_is_read() -> None:
    data = encode(0x7F60, _HEADER + encode(0x5F2E, _RECORD))
    dg2 = parse_dg2(data + b"behind")
    assert (dg2.outermost, dg2.declared_count, dg2.trailing) == (0x7F60, None, b"behind")
    assert serialise_dg2(dg2) == data + b"behind"


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (encode(0x75, encode(0x02, b"\1")), "7F61"),
        (encode(0x75, b""), "7F61"),
        (encode(0x63, encode(0x7F61, b"")), "tag"),
        (encode(0x7F61, b"\x02\x01\x00"), "7F60"),
        (encode(0x7F60, _HEADER), "5F2E"),
        (wrap_in_dg2([_RECORD])[:-1], "length of 75"),
        (encode(0x7F61, b"\x02\x00" * 65), "data objects"),
        (encode(0x7F60, encode(0xA1, b"\x81\x02a") + encode(0x5F2E, _RECORD)), "length of 81"),
    ],
)
def test_inconsistent_dg2_data_are_refused(data: bytes, field: str) -> None:
    with pytest.raises(TrustedImageRefused) as caught:
        parse_dg2(data)
    assert caught.value.reason is RefusalReason.RECORD_MALFORMED
    assert caught.value.details["field"] == field


@pytest.mark.parametrize(
    ("group", "field"),
    [
        (encode(0x7F61, encode(0x7F60, _HEADER + 2 * encode(0x5F2E, _RECORD))), "5F2E"),
        (encode(0x7F61, encode(0x7F60, _HEADER + encode(0x7F2E, 2 * encode(0x5F2E, _RECORD)))), "5F2E"),
        (2 * encode(0x7F61, encode(0x7F60, _HEADER + encode(0x5F2E, _RECORD))), "7F61"),
    ],
)
def test_a_second_record_where_one_belongs_is_not_passed_over(group: bytes, field: str) -> None:
    # Otherwise this reader would use the first face, and another one the second.
    with pytest.raises(TrustedImageRefused, match="twice") as refused:
        open_trusted_image(encode(0x75, group))
    assert refused.value.reason is RefusalReason.RECORD_MALFORMED
    assert refused.value.details["field"] == field


def test_an_inner_object_that_does_not_fit_is_refused() -> None:
    with pytest.raises(TrustedImageRefused, match="5F2E"):
        _ = BiometricBlock((), b"\x5f\x2e\x82\xff\xffa", 0x7F2E).content


def test_only_2005_records_go_into_a_dg2() -> None:
    with pytest.raises(RecordInvalid, match="2005"):
        wrap_in_dg2([b"FAC\x00030\x00"])
    for records in ([], [_RECORD] * 64):
        with pytest.raises(RecordInvalid, match="1 to 63"):
            wrap_in_dg2(records)
    with pytest.raises(RecordInvalid, match="one record"):
        serialise_dg2(Dg2((BiometricBlock((), b"a"),) * 2, outermost=0x7F60))


_HEADERS = st.lists(
    st.tuples(st.sampled_from([0x80, 0x81, 0x82, 0x83, 0x87, 0x88]), st.binary(max_size=9)), max_size=8
)
_BLOCKS = st.builds(
    BiometricBlock, _HEADERS.map(tuple), st.binary(max_size=200), st.sampled_from([0x5F2E, 0x7F2E])
)


@given(
    st.builds(
        Dg2,
        st.lists(_BLOCKS, min_size=1, max_size=3).map(tuple),
        st.none() | st.integers(0, 2**32 - 1),
        st.sampled_from([0x75, 0x7F61]),
        st.binary(max_size=10),
    )
)
def test_any_dg2_comes_back_as_it_was(dg2: Dg2) -> None:
    assert parse_dg2(serialise_dg2(dg2)) == dg2


@pytest.mark.parametrize(
    ("data", "modality"),
    [
        (wrap_in_dg2([_RECORD]), "face"),
        (encode(0x7F61, b""), "face"),
        (encode(0x7F60, b""), "face"),
        (encode(0x75, encode(0x7F61, b"")), "face"),
        (encode(0x63, encode(0x7F61, bytes(300))), "finger"),
        (encode(0x76, encode(0x7F61, b"")), "iris"),
        (b"", None),
        (b"u", None),
        (b"unknown text", None),
        (b"victory", None),
        (b"\x75\xff\x7f\x61", None),
        (b"\x75\x02\x7f", None),
    ],
)
def test_groups_are_reported_by_their_first_bytes(data: bytes, modality: str | None) -> None:
    assert modality_of_group(data) == modality
