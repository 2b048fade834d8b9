"""Valid archives, and hostile ones."""

import contextlib
import io
import warnings
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision.errors import PackFileUnusable
from vision.packs.mediapipe_landmarker import read_task_members

NAME = "face.task"


def archive(*members: tuple[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as writer, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # some tests need a repeated name
        for name, content in members:
            writer.writestr(name, content)
    return file.getvalue()


def changed(content: bytes, place: int, value: bytes) -> bytes:
    return content[:place] + value + content[place + len(value) :]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_gives_the_members_in_the_order_asked_for(method: int) -> None:
    content = archive(("b", b"two"), ("other", b"x" * 99), ("a", b"one"), method=method)
    assert read_task_members(content, name=NAME, members=("a", "b")) == (b"one", b"two")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a readable"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "not a readable"),
        (archive(("a", b"1")), "contains b 0 times"),
        (archive(("a", b"1"), ("b", b"2"), ("b", b"3")), "contains b 2 times"),
        (archive(("folder/a", b"1"), ("b", b"2")), "contains a 0 times"),
        (archive(("a", b"1"), ("b", b"2"), method=zipfile.ZIP_LZMA), "compression method 14"),
        (archive(("a", b"1"), ("b", b"2"))[:-30], "not a readable"),
    ],
)
def test_other_files_are_refused(content: bytes, message: str) -> None:
    with pytest.raises(PackFileUnusable, match=message):
        read_task_members(content, name=NAME, members=("a", "b"))


def test_a_damaged_member_is_refused() -> None:
    content = archive(("a", b"the network"))
    damaged = content.replace(b"the network", b"the netwerk")
    with pytest.raises(PackFileUnusable, match="BadZipFile"):
        read_task_members(damaged, name=NAME, members=("a",))


def test_a_member_that_promises_too_much_is_not_unpacked() -> None:
    content = archive(("a", bytes(33 * 1024 * 1024)), method=zipfile.ZIP_DEFLATED)
    assert len(content) < 100_000
    with pytest.raises(PackFileUnusable, match="34603008 bytes"):
        read_task_members(content, name=NAME, members=("a",))


def test_a_member_that_unpacks_to_more_than_promised_is_refused() -> None:
    content = archive(("a", bytes(33 * 1024 * 1024)), method=zipfile.ZIP_DEFLATED)
    size_in_directory = content.index(b"PK\x01\x02") + 24
    lying = changed(content, size_in_directory, (1000).to_bytes(4, "little"))
    with pytest.raises(PackFileUnusable, match="BadZipFile"):
        read_task_members(lying, name=NAME, members=("a",))


def test_an_encrypted_member_is_refused() -> None:
    content = archive(("a", b"one"))
    flags = content.index(b"PK\x01\x02") + 8
    with pytest.raises(PackFileUnusable, match="RuntimeError"):
        read_task_members(changed(content, flags, b"\x01"), name=NAME, members=("a",))


@given(st.data())
def test_any_other_bytes_give_the_members_or_a_refusal(data: st.DataObject) -> None:
    content = archive(("a", b"one" * 20), ("b", b"two"), method=zipfile.ZIP_DEFLATED)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content = changed(content, place, data.draw(st.binary(min_size=1, max_size=4)))
    with contextlib.suppress(PackFileUnusable):
        assert read_task_members(content, name=NAME, members=("a", "b")) == (b"one" * 20, b"two")
