"""Mirrors on this machine: folders and tar files."""

import asyncio
import contextlib
import io
import os
import ssl
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from tests.proxies import connect_proxy
from tests.vision.packs.pulling.mirror_server import (
    Mirror,
    bad_status,
    cut_after,
    mirror_server,
    redirect,
    stalled,
    whole,
)
from tests.vision.packs.pulling.pulling import (
    CONTENTS,
    Recorder,
    content,
    make_entry,
    make_pack,
    pull,
    put,
    snapshot,
)
from vision.errors import FileNotOffered, FileRefused, MirrorUnusable, PullError, TimeRanOut, TransferFailed
from vision.packs.catalogue import CatalogueEntry, CataloguePack
from vision.packs.pulling import sources
from vision.packs.pulling.sources import _tar_members, mirror_names

NAME = "embedder.onnx"
DATA = CONTENTS[NAME]


def tar_of(path: Path, contents: dict[str, bytes], *, format: int = tarfile.USTAR_FORMAT) -> Path:  # noqa: A002
    with tarfile.open(path, "w", format=format) as archive:
        for name, data in contents.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.mtime = 1.5  # Makes an extended header in pax archives.
            archive.addfile(info, io.BytesIO(data))
    return path


def pack_of(entry: CatalogueEntry) -> CataloguePack:
    return replace(make_pack(), required=(entry,), optional=())


def without(name: str) -> dict[str, bytes]:
    return {other: data for other, data in CONTENTS.items() if other != name}


def test_names_on_a_mirror() -> None:
    entry = make_entry(
        "a.onnx", b"", other_names=("b.onnx",), url="https://x.invalid/w/best%20one.onnx?raw=1"
    )
    assert mirror_names(entry) == ("a.onnx", "b.onnx", "best one.onnx")
    assert mirror_names(make_entry("a.onnx", b"", url="https://x.invalid/a.onnx")) == ("a.onnx",)
    assert mirror_names(make_entry("a.dat", b"")) == ("a.dat",)


async def test_a_file_of_another_name_is_found_in_a_folder(tmp_path: Path) -> None:
    folder = put(tmp_path / "mirror", {"published.onnx": DATA})
    entry = make_entry(NAME, DATA, url="https://x.invalid/published.onnx")
    report = await pull(folder, tmp_path / "m", pack_of(entry))
    assert snapshot(report.folder) == {NAME: DATA}


async def test_a_folder_without_a_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotOffered, match=f"has no {NAME}"):
        await pull(put(tmp_path / "mirror", without(NAME)), tmp_path / "refused")
    files = {**without("pad.onnx"), "unknown.onnx": b"?"}
    report = await pull(put(tmp_path / "other", files), tmp_path / "m")
    assert [file.name for file in report.skipped] == ["pad.onnx"]
    assert snapshot(report.folder) == without("pad.onnx")
    assert not (tmp_path / "m/.incoming-toy").exists()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (b"", "expected SHA-256"),
        (content(9, 10), "expected SHA-256"),
        (content(9, len(DATA)), "expected SHA-256"),
        (DATA + b"!", "more than the 700,000 bytes"),
    ],
)
async def test_wrong_bytes_in_a_folder(tmp_path: Path, wrong: bytes, said: str) -> None:
    folder = put(tmp_path / "mirror", {**CONTENTS, NAME: wrong})
    with pytest.raises(FileRefused, match=said):
        await pull(folder, tmp_path / "m")
    assert not (tmp_path / "m/toy").exists()


async def test_a_pipe_in_a_folder_is_not_waited_for(tmp_path: Path) -> None:
    folder = put(tmp_path / "mirror", without(NAME))
    os.mkfifo(folder / NAME)
    with pytest.raises(FileNotOffered):
        await pull(folder, tmp_path / "m", deadline=20)


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("prefix", ["", "./", "open/"])
async def test_a_tar_file_is_a_source(tmp_path: Path, format: int, prefix: str) -> None:  # noqa: A002
    path = tar_of(tmp_path / "m.tar", {prefix + name: data for name, data in CONTENTS.items()}, format=format)
    report = await pull(path, tmp_path / "m")
    assert snapshot(report.folder) == CONTENTS


async def test_a_tar_file_with_wrong_members(tmp_path: Path) -> None:
    pack, models = make_pack(), tmp_path / "m"
    wrong = tar_of(tmp_path / "1.tar", {**CONTENTS, NAME: content(9, len(DATA))})
    with pytest.raises(FileRefused):
        await pull(wrong, models, pack)
    short = tar_of(tmp_path / "2.tar", {**CONTENTS, NAME: DATA[:-1]})
    with pytest.raises(FileRefused, match=r"699,999 bytes, expected 700,000"):
        await pull(short, models, pack)
    lacking = tar_of(tmp_path / "3.tar", {"detector.onnx": CONTENTS["detector.onnx"]})
    with pytest.raises(FileNotOffered):
        await pull(lacking, models, pack)
    assert not (models / "toy").exists()


async def test_a_mirror_that_is_nothing(tmp_path: Path) -> None:
    for source in (tmp_path / "missing", put(tmp_path / "f", {"x": b"no tar"}) / "x"):
        with pytest.raises(MirrorUnusable):
            await pull(source, tmp_path / "m")


def member(name: str, kind: bytes = tarfile.REGTYPE, *, size: int = 0, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, size, link
    return info


def archive(path: Path, *infos: tarfile.TarInfo, data: bytes = b"") -> Path:
    """An archive with arbitrary headers; every member is followed by ``data``."""
    parts = [info.tobuf(tarfile.GNU_FORMAT) + data + bytes(-len(data) % 512) for info in infos]
    path.write_bytes(b"".join([*parts, bytes(1024)]))
    return path


@pytest.mark.parametrize(
    "kind",
    [
        tarfile.SYMTYPE,
        tarfile.LNKTYPE,
        tarfile.CHRTYPE,
        tarfile.BLKTYPE,
        tarfile.FIFOTYPE,
        tarfile.DIRTYPE,
        tarfile.GNUTYPE_SPARSE,
        b"Z",
    ],
)
async def test_only_regular_members_are_offered(tmp_path: Path, kind: bytes) -> None:
    path = archive(tmp_path / "x.tar", *(member(name, kind, link="/etc/passwd") for name in CONTENTS))
    with pytest.raises((FileNotOffered, MirrorUnusable)):
        await pull(path, tmp_path / "m")


async def test_the_names_in_an_archive_are_no_paths(tmp_path: Path) -> None:
    path = tar_of(tmp_path / "x.tar", {f"../../{name}": data for name, data in CONTENTS.items()})
    report = await pull(path, tmp_path / "a/b/m")
    assert snapshot(report.folder) == CONTENTS
    assert not any((tmp_path / folder / NAME).exists() for folder in (".", "a", "a/b"))


@pytest.mark.parametrize(
    ("infos", "why"),
    [
        ([member("x", tarfile.XHDTYPE, size=2**30)], "a header is longer than 65,536 bytes"),
        ([member("x", tarfile.GNUTYPE_LONGNAME, size=2**30)], "a header is longer than 65,536 bytes"),
        ([member(f"a{number}") for number in range(1001)], "more than 1000 members"),
    ],
)
async def test_archives_that_exhaust_a_reader_are_refused(
    tmp_path: Path, infos: list[tarfile.TarInfo], why: str
) -> None:
    with pytest.raises(MirrorUnusable, match=why):
        await pull(archive(tmp_path / "x.tar", *infos), tmp_path / "m")


async def test_a_member_that_ends_early_is_refused(tmp_path: Path) -> None:
    path = tar_of(tmp_path / "x.tar", {"detector.onnx": CONTENTS["detector.onnx"], NAME: DATA})
    path.write_bytes(path.read_bytes()[:500_000])
    with pytest.raises((FileRefused, MirrorUnusable, FileNotOffered)):
        await pull(path, tmp_path / "m")


@given(noise=st.binary(max_size=2000), place=st.integers(0, 1500))
def test_noise_is_refused_or_read_never_worse(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, place: int
) -> None:
    path = archive(tmp_path_factory.getbasetemp() / "noise.tar", member("detector.onnx", size=3), data=b"abc")
    good = path.read_bytes()
    path.write_bytes(good[:place] + noise + good[place + len(noise) :])
    with contextlib.suppress(MirrorUnusable):
        assert set(_tar_members(path, make_pack())) <= {"detector.onnx", "embedder.onnx", "pad.onnx"}


def left(models_dir: Path) -> set[str]:
    """Incoming files."""
    return set(snapshot(models_dir / ".incoming-toy"))


async def test_files_come_from_the_catalogues_addresses(mirror: Mirror, tmp_path: Path) -> None:
    report = await pull(None, tmp_path, make_pack(mirror.base))
    assert snapshot(report.folder) == CONTENTS
    assert [file.origin for file in report.fetched] == [f"{mirror.base}/{name}" for name in CONTENTS]
    assert not (tmp_path / ".incoming-toy").exists()


async def test_a_mirror_is_asked_for_each_name_then_for_the_addresss_last_part(
    mirror: Mirror, tmp_path: Path
) -> None:
    entry = make_entry(
        "a.onnx", DATA, other_names=("b.onnx",), url="https://x.invalid/weights/best%20model.onnx"
    )
    mirror.files["files/best model.onnx"] = DATA
    report = await pull(f"{mirror.base}/files?key=secret", tmp_path, pack_of(entry))
    assert snapshot(report.folder) == {"a.onnx": DATA}
    assert mirror.asked == ["files/a.onnx", "files/b.onnx", "files/best model.onnx"]
    assert "secret" not in report.fetched[0].origin


@pytest.mark.parametrize("sized", [True, False])
@pytest.mark.parametrize("name", [NAME, "pad.onnx"])
async def test_wrong_bytes_are_refused_with_both_hashes(
    mirror: Mirror, tmp_path: Path, sized: bool, name: str
) -> None:
    mirror.files[name] = content(99, len(CONTENTS[name]))
    with pytest.raises(FileRefused) as caught:
        await pull(mirror.base, tmp_path, make_pack(sized=sized))
    assert make_entry(name, CONTENTS[name]).sha256 in str(caught.value)
    assert make_entry(name, mirror.files[name]).sha256 in str(caught.value)
    assert not (tmp_path / "toy").exists()
    assert name not in left(tmp_path)


async def test_the_conversion_of_a_state_file_will_do(mirror: Mirror, tmp_path: Path) -> None:
    published = replace(
        make_entry(NAME, b"published"), converted_sha256=make_entry("x", DATA).sha256, size=None
    )
    report = await pull(mirror.base, tmp_path, pack_of(published))
    assert snapshot(report.folder) == {NAME: DATA}


@pytest.mark.parametrize("size", [len(DATA) - 1, len(DATA) + 1, 10])
async def test_a_wrong_length_is_refused_before_the_body(mirror: Mirror, tmp_path: Path, size: int) -> None:
    mirror.files[NAME] = content(4, size)
    with pytest.raises(FileRefused, match=rf"{size:,} bytes, expected {len(DATA):,}"):
        await pull(mirror.base, tmp_path)
    assert mirror.asked.count(NAME) == 1
    assert not (tmp_path / "toy").exists()


async def test_a_body_without_length_is_stopped_when_it_gets_too_long(mirror: Mirror, tmp_path: Path) -> None:
    sent = 0

    async def endless(request: web.Request, _data: bytes) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        while sent < 1 << 27:
            await response.write(bytes(1 << 16))
            await asyncio.sleep(0)  # A write alone need not let the loop notice that the client has left.
            sent += 1 << 16
        return response

    mirror.script[NAME] = [endless]
    with pytest.raises(FileRefused, match="more than the 700,000 bytes"):
        await pull(mirror.base, tmp_path)
    assert sent < 100_000_000
    assert NAME not in left(tmp_path)


async def test_a_compressed_answer_is_no_file(mirror: Mirror, tmp_path: Path) -> None:
    mirror.script[NAME] = [whole(DATA, headers={"Content-Encoding": "gzip"})] * sources.TRIES
    with pytest.raises(PullError):
        await pull(mirror.base, tmp_path)


@pytest.mark.parametrize("status", [500, 503, 429, 408])
async def test_a_busy_server_is_asked_again(mirror: Mirror, tmp_path: Path, status: int) -> None:
    mirror.script[NAME] = [bad_status(status), bad_status(status)]
    report = await pull(mirror.base, tmp_path)
    assert snapshot(report.folder) == CONTENTS
    assert mirror.asked.count(NAME) == 3


@pytest.mark.parametrize("status", [418, 304, 204, 206, 226])
async def test_another_status_is_no_reason_to_try_again(mirror: Mirror, tmp_path: Path, status: int) -> None:
    mirror.script[NAME] = [bad_status(status)]
    with pytest.raises(TransferFailed, match=str(status)):
        await pull(mirror.base, tmp_path)
    assert mirror.asked.count(NAME) == 1


async def test_missing_files_are_named(mirror: Mirror, tmp_path: Path) -> None:
    del mirror.files["pad.onnx"]
    report = await pull(mirror.base, tmp_path)
    assert snapshot(report.folder) == without("pad.onnx")
    assert [file.name for file in report.skipped] == ["pad.onnx"]
    assert "404" in report.skipped[0].why
    del mirror.files[NAME]
    with pytest.raises(FileNotOffered, match=rf"{NAME} is not offered: .*404"):
        await pull(mirror.base, tmp_path / "again")
    assert not (tmp_path / "again/toy").exists()


@pytest.mark.parametrize("answer", [cut_after(0), cut_after(10), stalled(0), stalled(1000)])
async def test_a_body_that_never_ends_is_tried_again(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: object
) -> None:
    mirror.script[NAME] = [answer] * sources.TRIES  # type: ignore[list-item]
    with monkeypatch.context() as patch:
        patch.setattr(sources, "STALL_SECONDS", 0.3)
        with pytest.raises(TransferFailed, match="Tried 3 times"):
            await pull(mirror.base, tmp_path)
    mirror.script.clear()
    report = await pull(mirror.base, tmp_path)
    assert snapshot(report.folder) == CONTENTS


async def test_time_runs_out(mirror: Mirror, tmp_path: Path) -> None:
    # The required files are there before, because a busy machine may not get them in time.
    mirror.script["pad.onnx"] = [bad_status(404), stalled(1000)]
    await pull(mirror.base, tmp_path)
    report = await pull(mirror.base, tmp_path, deadline=3.0)
    assert set(snapshot(report.folder)) == {"detector.onnx", NAME}
    assert report.skipped[0].why == "the time limit was reached"
    mirror.script[NAME] = [stalled(1000)]
    (report.folder / NAME).unlink()
    with pytest.raises(TimeRanOut, match=NAME):
        await pull(mirror.base, tmp_path, deadline=0.8)


async def test_a_refused_connection_is_reported_soon(tmp_path: Path, tls: ssl.SSLContext) -> None:
    async with mirror_server({}, tls=tls) as gone:
        base = gone.base
    recorder = Recorder()
    with pytest.raises(TransferFailed, match=r"the connection failed: Connection refused\. Tried 3 times"):
        await pull(base, tmp_path, progress=recorder)
    # Once for all files of a host.
    assert recorder.said == ["localhost: the connection failed: Connection refused; trying again"]


async def test_a_proxy_that_fails_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    async with connect_proxy(refuses=True) as proxy:
        host = proxy.address.removeprefix("http://")
        monkeypatch.setenv("HTTPS_PROXY", f"http://anna:secret@{host}")
        with pytest.raises(TransferFailed) as failed:
            await pull("https://models.invalid/packs", tmp_path)
    assert all(line.startswith("CONNECT models.invalid:443 ") for line in proxy.requests)
    assert proxy.requests
    assert f"through the proxy {host}, which HTTPS_PROXY names" in str(failed.value)
    assert "secret" not in str(failed.value)


@pytest.mark.parametrize("proxy", ["socks5://proxy:1080", "http://[::1", "http://proxy:99999", "not a proxy"])
async def test_a_malformed_proxy_is_not_blamed_on_the_mirror(
    proxy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", proxy)
    with pytest.raises(TransferFailed, match="which https_proxy names: expected http://host:port"):
        await pull("https://models.invalid/packs", tmp_path)


@pytest.mark.parametrize(
    "source", ["ftp://host/models", "https://", "s3://bucket", "https://host:port/", "http://host/models"]
)
async def test_an_unusable_address_is_reported(tmp_path: Path, source: str) -> None:
    with pytest.raises(MirrorUnusable):
        await pull(source, tmp_path)


async def test_passwords_are_used_and_not_reported(mirror: Mirror, tmp_path: Path) -> None:
    given: list[str | None] = []

    async def answer(request: web.Request, _: bytes) -> web.StreamResponse:
        given.append(request.headers.get("Authorization"))
        raise web.HTTPNotFound

    mirror.script[NAME] = [answer]
    with pytest.raises(FileNotOffered) as caught:
        await pull(mirror.base.replace("https://", "https://me:secret@") + "?token=secret", tmp_path)
    assert given[0] is not None
    assert "secret" not in str(caught.value)
    mirror.script[NAME] = [bad_status(503)] * sources.TRIES
    with pytest.raises(TransferFailed) as failed:
        await pull(mirror.base.replace("https://", "https://me:secret@") + "?token=secret", tmp_path)
    assert "secret" not in str(failed.value)


@pytest.mark.parametrize("relative", [True, False])
async def test_redirects_are_followed(mirror: Mirror, tmp_path: Path, relative: bool) -> None:
    mirror.files["store/a%2Fb"] = mirror.files["store/a/b"] = DATA
    mirror.script[NAME] = [redirect(("" if relative else mirror.base) + "/store/a%2Fb?sig=a%2Fb")]
    report = await pull(mirror.base, tmp_path)
    assert snapshot(report.folder) == CONTENTS


async def test_a_long_chain_of_redirects_is_refused(mirror: Mirror, tmp_path: Path) -> None:
    mirror.script[NAME] = [redirect("/hop0")]
    for number in range(20):
        mirror.script[f"hop{number}"] = [redirect(f"/hop{number + 1}")]
    with pytest.raises(TransferFailed, match="more than 5 times"):
        await pull(mirror.base, tmp_path)
    assert "hop5" not in mirror.asked


@pytest.mark.parametrize(
    "there", ["file:///etc/passwd", "ftp://host/file", "//", "http://b.example/y?token=secret"]
)
async def test_a_redirect_away_from_https_is_refused(mirror: Mirror, tmp_path: Path, there: str) -> None:
    mirror.script[NAME] = [redirect(there)] * 10
    with pytest.raises(PullError) as caught:
        await pull(mirror.base, tmp_path)
    assert "secret" not in str(caught.value)
    assert not (tmp_path / "toy").exists()


async def test_only_a_trusted_certificate_will_do(
    tls: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    async with mirror_server(CONTENTS, tls=tls) as mirror:
        with pytest.raises(TransferFailed, match="no secure connection"):
            await pull(mirror.base, tmp_path)
