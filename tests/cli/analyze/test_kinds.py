import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.analyze.analyser import unreadable
from cli.analyze.finding import FileKind
from cli.analyze.kinds import kind_of


@pytest.mark.parametrize(
    ("begins", "kind"),
    [
        (b"\xff\xd8\xff\xe0", FileKind.IMAGE),
        (b"\x89PNG\r\n\x1a\n", FileKind.IMAGE),
        (b"RIFF\0\0\0\0WEBP", FileKind.IMAGE),
        (b"BM", FileKind.IMAGE),
        (b"\0\0\0\x18ftypisom", FileKind.VIDEO),
        (b"\0\0\0\x14ftypqt  ", FileKind.VIDEO),
        (b"RIFF\0\0\0\0AVI ", FileKind.VIDEO),
        (b"RIFF\0\0\0\0WAVE", FileKind.VIDEO),
        (b"\x1a\x45\xdf\xa3", FileKind.VIDEO),
        (b"%PDF-1.7", None),
        (b"<svg xmlns=", None),
        (b"", None),
    ],
)
def test_the_kind_of_a_file_follows_its_first_bytes(begins: bytes, kind: FileKind | None) -> None:
    content = begins + bytes(64) if begins else b""
    assert kind_of(content) is kind
    assert (unreadable(content, kind) is None) == (kind is not None)


@settings(max_examples=60)
@given(st.binary(max_size=64))
def test_any_bytes_have_an_answer(content: bytes) -> None:
    problem = unreadable(content, kind_of(content))
    assert problem is None or problem.code == "INVALID_REQUEST"
