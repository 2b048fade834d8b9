"""The chunks that a PNG decoder gets, and those that it never gets."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.errors import ImageFault, ImageUnreadable
from formats.image_header import picture_chunks
from tests.formats.samples import exif, png, png_chunk

ROWS = bytes(4 * 13)
PLAIN = png(4, 4, rows=ROWS)
START = PLAIN[:33]


def test_a_plain_file_stays_as_it_is() -> None:
    assert picture_chunks(PLAIN) == PLAIN


@pytest.mark.parametrize("kind", [b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"eXIf", b"gAMA", b"acTL", b"abCd"])
def test_ancillary_chunks_are_left_out(kind: bytes) -> None:
    assert picture_chunks(png(4, 4, rows=ROWS, extra=png_chunk(kind, exif(6)) * 3)) == PLAIN


@pytest.mark.parametrize("kind", [b"PLTE", b"tRNS"])
def test_palette_and_transparency_stay(kind: bytes) -> None:
    data = png(4, 4, colour=3, rows=bytes(20), extra=png_chunk(kind, bytes(3)))
    assert picture_chunks(data) == data


def test_bytes_after_the_end_are_left_out() -> None:
    assert picture_chunks(PLAIN + b"<script>") == PLAIN


@pytest.mark.parametrize("length", [1, 1000, 2**31 - 1, 2**31, 2**32 - 1])
@pytest.mark.parametrize("kind", [b"IDAT", b"tEXt", b"IEND"])
def test_a_chunk_longer_than_the_file_is_refused(length: int, kind: bytes) -> None:
    with pytest.raises(ImageUnreadable) as caught:
        picture_chunks(START + struct.pack(">I4s", length, kind) + bytes(4))
    assert caught.value.reason is ImageFault.MALFORMED


@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n",
        START,
        PLAIN[:-1],
        PLAIN[:-12],
        png(4, 4, rows=ROWS, extra=png_chunk(b"ABCD", b"")),
        png(4, 4, rows=ROWS, extra=png_chunk(b"IDAT", b"") * 20_000),
    ],
)
def test_refuses(data: bytes) -> None:
    with pytest.raises(ImageUnreadable) as caught:
        picture_chunks(data)
    assert caught.value.reason is ImageFault.MALFORMED


@given(
    st.lists(
        st.tuples(st.sampled_from([b"IDAT", b"tEXt", b"PLTE", b"XXXX"]), st.binary(max_size=9)), max_size=9
    )
)
def test_cleaning_twice_changes_nothing(chunks: list[tuple[bytes, bytes]]) -> None:
    data = START + b"".join(png_chunk(kind, content) for kind, content in chunks) + png_chunk(b"IEND", b"")
    try:
        once = picture_chunks(data)
    except ImageUnreadable:
        assert any(kind == b"XXXX" for kind, _ in chunks)
        return
    assert picture_chunks(once) == once
    assert b"tEXt" not in once or any(b"tEXt" in content for _, content in chunks)
