"""Pulls over HTTPS, against a server that misbehaves."""

import asyncio
import ssl
from pathlib import Path

import pytest
from aiohttp import web

from tests.vision.packs.pulling.builders import CONTENTS, content, make_entry, make_pack, snapshot
from tests.vision.packs.pulling.mirror_server import (
    Mirror,
    bad_status,
    cut_after,
    mirror_server,
    redirect,
    stalled,
    whole,
)
from tests.vision.packs.pulling.pulling import pull
from vision.errors import FileNotOffered, FileRefused, MirrorUnusable, PullError, TimeRanOut, TransferFailed
from vision.packs.catalogue import CataloguePack
from vision.packs.pulling import sources

NAME = "embedder.onnx"
DATA = CONTENTS[NAME]


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
    pack = CataloguePack(name="toy", family="open", title="", summary="", required=(entry,), optional=())
    mirror.files["files/best model.onnx"] = DATA
    report = await pull(f"{mirror.base}/files?key=secret", tmp_path, pack)
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
    from dataclasses import replace

    published = replace(
        make_entry(NAME, b"published"), converted_sha256=make_entry("x", DATA).sha256, size=None
    )
    pack = CataloguePack(name="toy", family="open", title="", summary="", required=(published,), optional=())
    report = await pull(mirror.base, tmp_path, pack)
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


async def test_tries_end(mirror: Mirror, tmp_path: Path) -> None:
    mirror.script[NAME] = [bad_status(503)] * 100
    with pytest.raises(TransferFailed, match=r"answered 503 .*Tried 3 times"):
        await pull(mirror.base, tmp_path)
    assert mirror.asked.count(NAME) == sources.TRIES


@pytest.mark.parametrize("status", [418, 304, 204, 206, 226])
async def test_another_status_is_no_reason_to_try_again(mirror: Mirror, tmp_path: Path, status: int) -> None:
    mirror.script[NAME] = [bad_status(status)]
    with pytest.raises(TransferFailed, match=str(status)):
        await pull(mirror.base, tmp_path)
    assert mirror.asked.count(NAME) == 1


async def test_a_missing_required_file_is_named(mirror: Mirror, tmp_path: Path) -> None:
    del mirror.files[NAME]
    with pytest.raises(FileNotOffered, match=rf"{NAME} is not offered: .*404"):
        await pull(mirror.base, tmp_path)
    assert not (tmp_path / "toy").exists()


async def test_a_missing_optional_file_is_reported(mirror: Mirror, tmp_path: Path) -> None:
    del mirror.files["pad.onnx"]
    report = await pull(mirror.base, tmp_path)
    assert set(snapshot(report.folder)) == {"detector.onnx", NAME}
    assert [file.name for file in report.skipped] == ["pad.onnx"]
    assert "404" in report.skipped[0].why


@pytest.mark.parametrize("answer", [cut_after(0), cut_after(10), stalled(0), stalled(1000)])
async def test_a_body_that_never_ends_is_tried_again(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: object
) -> None:
    monkeypatch.setattr(sources, "STALL_SECONDS", 0.3)
    mirror.script[NAME] = [answer] * sources.TRIES  # type: ignore[list-item]
    with pytest.raises(TransferFailed, match="Tried 3 times"):
        await pull(mirror.base, tmp_path)
    report = await pull(mirror.base, tmp_path)
    assert snapshot(report.folder) == CONTENTS


async def test_time_runs_out(mirror: Mirror, tmp_path: Path) -> None:
    mirror.script["pad.onnx"] = [stalled(1000)]
    report = await pull(mirror.base, tmp_path, deadline=0.8)
    assert set(snapshot(report.folder)) == {"detector.onnx", NAME}
    assert report.skipped[0].why == "the time limit was reached"
    mirror.script[NAME] = [stalled(1000)]
    with pytest.raises(TimeRanOut, match=NAME):
        await pull(mirror.base, tmp_path / "other", deadline=0.8)


async def test_a_refused_connection_is_reported_soon(tmp_path: Path, tls: ssl.SSLContext) -> None:
    async with mirror_server({}, tls=tls) as gone:
        base = gone.base
    with pytest.raises(TransferFailed, match=r"connection failed.*Tried 3 times"):
        await pull(base, tmp_path)


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
