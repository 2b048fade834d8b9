"""Untrusted tar files."""

import io
import tarfile
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.errors import MirrorUnusable
from cli.models.tar_index import LARGEST_MEMBER, TarMember, read_index


def archive(*infos: tarfile.TarInfo, data: bytes = b"", gnu: bool = False) -> io.BytesIO:
    """An archive with arbitrary headers; every member is followed by ``data``."""
    stream = io.BytesIO()
    for info in infos:
        stream.write(info.tobuf(tarfile.GNU_FORMAT if gnu else tarfile.USTAR_FORMAT))
        stream.write(data + bytes(-len(data) % 512))
    stream.write(bytes(1024))
    stream.seek(0)
    return stream


def member(name: str, kind: bytes = tarfile.REGTYPE, *, size: int = 0, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, size, link
    return info


def refusal(stream: io.BytesIO) -> str:
    with pytest.raises(MirrorUnusable) as caught:
        read_index(stream, source="x.tar")
    assert str(caught.value).startswith("x.tar is refused: ")
    return str(caught.value)


def test_regular_files_and_folders() -> None:
    stream = io.BytesIO()
    stream.write(archive(member("open", tarfile.DIRTYPE)).getvalue()[:512])
    stream.write(archive(member("open/a.onnx", size=3), member("./b", size=3), data=b"abc").getvalue())
    assert read_index(stream, source="x.tar") == (
        TarMember(PurePosixPath("open/a.onnx"), 1024, 3),
        TarMember(PurePosixPath("b"), 2048, 3),
    )


@pytest.mark.parametrize("name", ["../a", "a/../../b", "/etc/passwd", "..", "/", "a/.."])
def test_names_that_lead_out_are_refused(name: str) -> None:
    assert "has a path outside the archive" in refusal(archive(member(name)))


@pytest.mark.parametrize(
    "kind",
    [
        tarfile.SYMTYPE,
        tarfile.LNKTYPE,
        tarfile.CHRTYPE,
        tarfile.BLKTYPE,
        tarfile.FIFOTYPE,
        tarfile.GNUTYPE_SPARSE,
        tarfile.GNUTYPE_LONGNAME,
        tarfile.GNUTYPE_LONGLINK,
        b"Z",
    ],
)
def test_only_files_and_folders_are_accepted(kind: bytes) -> None:
    assert "neither a file nor a folder" in refusal(archive(member("a.onnx", kind, link="/etc/passwd")))


@pytest.mark.parametrize("size", [LARGEST_MEMBER + 1, 2**40])
def test_huge_members(size: int) -> None:
    stream = archive(member("a.onnx", size=size), gnu=True)
    assert f"{size:,} bytes; at most" in refusal(stream)


def test_huge_extended_headers_are_not_read() -> None:
    assert "at most 65,536 are allowed" in refusal(archive(member("x", tarfile.XHDTYPE, size=2**30)))


def test_too_many_members() -> None:
    assert "more than 1000 members" in refusal(archive(*(member(f"a{number}") for number in range(1001))))


def test_an_archive_that_ends_early_is_refused() -> None:
    stream = archive(member("a.onnx", size=5000), data=b"abc")
    assert "is truncated in 'a.onnx'" in refusal(stream)


def test_anything_but_an_archive_is_refused() -> None:
    assert "not a tar file" in refusal(io.BytesIO(b"nonsense" * 200))
    assert "contains no files" in refusal(io.BytesIO())
    assert "contains no files" in refusal(io.BytesIO(bytes(10240)))
    compressed = io.BytesIO()
    with tarfile.open(fileobj=compressed, mode="w:gz") as made:
        info = tarfile.TarInfo("a")
        info.size = 2000
        made.addfile(info, io.BytesIO(bytes(range(200)) * 10))
    compressed.write(bytes(1024))
    compressed.seek(0)
    assert "not a tar file" in refusal(compressed)


@given(noise=st.binary(max_size=2000), place=st.integers(0, 1500))
def test_noise_is_refused_or_read_never_worse(noise: bytes, place: int) -> None:
    good = archive(member("a.onnx", size=3), data=b"abc").getvalue()
    stream = io.BytesIO(good[:place] + noise + good[place + len(noise) :])
    try:
        found = read_index(stream, source="x.tar")
    except MirrorUnusable:
        return
    end = len(stream.getvalue())
    assert all(
        one.offset > 0 and one.offset + one.size <= end and ".." not in one.name.parts for one in found
    )
