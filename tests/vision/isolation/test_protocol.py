"""The framing of the two pipes."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision.isolation.protocol import HEADER_BYTES, NUMBERS, Message, MessageKind, PixelLayout, read_exactly


@given(
    st.sampled_from(list(MessageKind)),
    st.lists(st.integers(-(2**63), 2**63 - 1), max_size=NUMBERS),
    st.binary(max_size=20),
)
def test_a_message_comes_back(kind: MessageKind, numbers: list[int], payload: bytes) -> None:
    header = Message(kind, tuple(numbers), payload).header()
    assert len(header) == HEADER_BYTES
    read, values, length = Message.parse(header)
    assert (read, length) == (kind, len(payload))
    assert values == (*numbers, *[0] * (NUMBERS - len(numbers)))


@given(st.binary(min_size=HEADER_BYTES, max_size=HEADER_BYTES))
def test_anything_else_is_no_message(header: bytes) -> None:
    if header[:4] == b"FGI1" and header[4] in set(MessageKind):
        return
    with pytest.raises(ValueError, match=r"magic|Kind"):
        Message.parse(header)


@pytest.mark.parametrize(
    ("mode", "count"),
    [
        (PixelLayout.GREY, 1),
        (PixelLayout.GREY_ALPHA, 2),
        (PixelLayout.BGR, 3),
        (PixelLayout.BGRA, 4),
    ],
)
def test_bytes_of_a_pixel(mode: PixelLayout, count: int) -> None:
    assert mode.pixel_bytes == count


def test_a_pipe_that_ends_between_messages_is_the_end_and_within_one_an_error() -> None:
    reader, writer = os.pipe()
    try:
        os.write(writer, b"abcde")
        assert read_exactly(reader, 3) == b"abc"
        os.close(writer)
        with pytest.raises(ValueError, match="within a message"):
            read_exactly(reader, 3)
        assert read_exactly(reader, 3) == b""
    finally:
        os.close(reader)
