"""Pulls over HTTP, against a server that misbehaves."""

import asyncio
import ssl
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import trustme
from aiohttp import web
from yarl import URL

from cli.models.errors import (
    FileNotOffered,
    MirrorUnusable,
    TimeRanOut,
    TransferFailed,
    WrongContent,
    WrongSize,
)
from cli.models.http_source import Patience, _target
from cli.models.install import pull_pack
from cli.models.part_file import PartFile
from tests.cli.models.builders import CONTENTS, content, make_entry, make_pack, snapshot
from tests.cli.models.mirror_server import (
    Mirror,
    bad_status,
    cut_after,
    mirror_server,
    redirect,
    stalled,
    whole,
)
from vision.packs.catalogue import CataloguePack

NAME = "embedder.onnx"
DATA = CONTENTS[NAME]


def left_of(name: str, models_dir: Path) -> list[str]:
    """Incoming files that have to do with ``name``."""
    return [file for file in snapshot(models_dir / ".incoming-toy") if file.startswith(name)]


async def test_files_come_from_the_catalogues_addresses(mirror: Mirror, tmp_path: Path) -> None:
    report = await pull_pack(make_pack(mirror.base), models_dir=tmp_path)
    assert snapshot(report.folder) == CONTENTS
    assert [file.origin for file in sorted(report.fetched, key=lambda file: file.name)] == [
        f"{mirror.base}/{name}" for name in sorted(CONTENTS)
    ]
    assert not (tmp_path / ".incoming-toy").exists()


async def test_a_mirror_is_asked_for_each_name_then_for_the_addresss_last_part(
    mirror: Mirror, tmp_path: Path, hasty: Patience
) -> None:
    entry = make_entry(
        "a.onnx", DATA, other_names=("b.onnx",), url="https://x.invalid/weights/best%20model.onnx"
    )
    pack = CataloguePack(name="toy", family="open", title="", summary="", required=(entry,), optional=())
    mirror.files["files/best model.onnx"] = DATA
    report = await pull_pack(
        pack, models_dir=tmp_path, source=f"{mirror.base}/files?key=secret", patience=hasty
    )
    assert snapshot(report.folder) == {"a.onnx": DATA}
    assert [mirror.requests(f"files/{name}") for name in ("a.onnx", "b.onnx", "best model.onnx")] == [1, 1, 1]
    assert "secret" not in report.fetched[0].origin


@pytest.mark.parametrize("sized", [True, False])
async def test_after_a_cut_only_the_rest_is_asked_for(
    mirror: Mirror, tmp_path: Path, hasty: Patience, sized: bool
) -> None:
    mirror.script[NAME] = [cut_after(200_000), cut_after(0)]
    report = await pull_pack(make_pack(sized=sized), models_dir=tmp_path, source=mirror.base, patience=hasty)
    assert snapshot(report.folder) == CONTENTS
    # The second, cut at once, sent nothing, so the third asks for the same rest.
    assert mirror.ranges[NAME] == [None, "bytes=200000-", "bytes=200000-"]
    assert mirror.conditions[NAME] == [None, '"v1"', '"v1"']


async def test_the_next_pull_goes_on_where_the_last_one_ended(
    mirror: Mirror, tmp_path: Path, hasty: Patience
) -> None:
    mirror.script[NAME] = [cut_after(250_000)] + [bad_status(503)] * (hasty.tries - 1)
    with pytest.raises(TransferFailed, match=r"503.*250,000 bytes are kept"):
        await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base, patience=hasty)
    assert snapshot(tmp_path / "toy") == {}
    mirror.ranges.clear()
    report = await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base, patience=hasty)
    assert snapshot(report.folder) == CONTENTS
    assert mirror.ranges == {NAME: ["bytes=250000-"]}
    assert {file.name: file.resumed_at for file in report.fetched}[NAME] == 250_000


async def test_a_server_that_ignores_ranges_is_read_from_the_first_byte(
    mirror: Mirror, tmp_path: Path, hasty: Patience
) -> None:
    mirror.script[NAME] = [cut_after(200_000), whole(DATA)]
    report = await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base, patience=hasty)
    assert snapshot(report.folder) == CONTENTS
    assert mirror.ranges[NAME] == [None, "bytes=200000-"]


async def test_another_version_on_the_server_is_read_from_the_first_byte(
    mirror: Mirror, tmp_path: Path, hasty: Patience
) -> None:
    mirror.script[NAME] = [cut_after(200_000, etag='"old"')]
    report = await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base, patience=hasty)
    assert snapshot(report.folder) == CONTENTS
    assert mirror.conditions[NAME] == [None, '"old"']


async def test_pieces_that_do_not_fit_are_fetched_once_more(
    mirror: Mirror, tmp_path: Path, hasty: Patience
) -> None:
    mirror.etag = None
    incoming = tmp_path / ".incoming-toy"
    incoming.mkdir()
    (incoming / f"{NAME}.part").write_bytes(b"something else")
    report = await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base, patience=hasty)
    assert snapshot(report.folder) == CONTENTS
    assert mirror.ranges[NAME] == ["bytes=14-", None]


async def test_a_part_that_is_longer_than_the_file_is_dropped(
    mirror: Mirror, tmp_path: Path, hasty: Patience
) -> None:
    incoming = tmp_path / ".incoming-toy"
    incoming.mkdir()
    (incoming / f"{NAME}.part").write_bytes(DATA + b"!")
    report = await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base, patience=hasty)
    assert snapshot(report.folder) == CONTENTS
    assert mirror.ranges[NAME] == [None]


@pytest.mark.parametrize("sized", [True, False])
async def test_a_part_that_is_already_whole_is_only_checked(
    mirror: Mirror, tmp_path: Path, hasty: Patience, sized: bool
) -> None:
    incoming = tmp_path / ".incoming-toy"
    incoming.mkdir()
    (incoming / f"{NAME}.part").write_bytes(DATA)
    report = await pull_pack(make_pack(sized=sized), models_dir=tmp_path, source=mirror.base, patience=hasty)
    assert snapshot(report.folder) == CONTENTS
    # Where the size is not catalogued, the server has to say that there is no more.
    assert mirror.ranges.get(NAME, []) == ([] if sized else [f"bytes={len(DATA)}-", None])


@pytest.mark.parametrize("sized", [True, False])
async def test_wrong_bytes_are_refused_with_both_hashes(
    mirror: Mirror, tmp_path: Path, hasty: Patience, sized: bool
) -> None:
    mirror.files[NAME] = content(99, len(DATA))
    pack = make_pack(sized=sized)
    with pytest.raises(WrongContent) as caught:
        await pull_pack(pack, models_dir=tmp_path, source=mirror.base, patience=hasty)
    expected = pack.required[1].sha256
    found = make_entry(NAME, mirror.files[NAME]).sha256
    assert (caught.value.expected, caught.value.found) == (expected, found)
    assert expected in str(caught.value)
    assert found in str(caught.value)
    assert not (tmp_path / "toy").exists()
    assert not left_of(NAME, tmp_path)


async def test_a_wrong_optional_file_is_refused_too(mirror: Mirror, tmp_path: Path, hasty: Patience) -> None:
    mirror.files["pad.onnx"] = content(99, len(CONTENTS["pad.onnx"]))
    with pytest.raises(WrongContent):
        await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base, patience=hasty)
    assert not (tmp_path / "toy").exists()


@pytest.mark.parametrize("size", [len(DATA) - 1, len(DATA) + 1, 10])
async def test_a_wrong_length_is_refused_before_the_body(
    mirror: Mirror, tmp_path: Path, hasty: Patience, size: int
) -> None:
    mirror.files[NAME] = content(4, size)
    with pytest.raises(WrongSize, match=rf"{size:,} bytes, expected {len(DATA):,}"):
        await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base, patience=hasty)
    assert mirror.requests(NAME) == 1
    assert not (tmp_path / "toy").exists()


async def test_a_body_without_length_is_stopped_when_it_gets_too_long(
    mirror: Mirror, tmp_path: Path, hasty: Patience
) -> None:
    sent = 0

    async def endless(request: web.Request, _data: bytes) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(2000):
            await response.write(bytes(1 << 16))
            sent += 1 << 16
        return response

    mirror.script[NAME] = [endless]
    with pytest.raises(WrongSize, match="more than the 700,000 bytes"):
        await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base, patience=hasty)
    assert sent < 100_000_000
    assert not left_of(NAME, tmp_path)


async def test_a_short_body_without_length_is_asked_for_its_rest(
    mirror: Mirror, tmp_path: Path, hasty: Patience
) -> None:
    async def short(request: web.Request, data: bytes) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(data[:1000])
        return response

    mirror.script[NAME] = [short]
    report = await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base, patience=hasty)
    assert snapshot(report.folder) == CONTENTS
    assert mirror.ranges[NAME] == [None, "bytes=1000-"]


async def test_a_compressed_answer_is_refused(mirror: Mirror, tmp_path: Path, hasty: Patience) -> None:
    mirror.script[NAME] = [whole(DATA, headers={"Content-Encoding": "gzip"})]
    with pytest.raises(TransferFailed, match="compressed"):
        await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base, patience=hasty)


async def test_another_part_than_asked_for_is_not_taken(
    mirror: Mirror, tmp_path: Path, hasty: Patience
) -> None:
    mirror.script[NAME] = [
        cut_after(200_000),
        bad_status(206, headers={"Content-Range": f"bytes 5-{len(DATA) - 1}/{len(DATA)}"}),
    ]
    report = await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base, patience=hasty)
    assert snapshot(report.folder) == CONTENTS
    assert mirror.ranges[NAME] == [None, "bytes=200000-", None]


@pytest.mark.parametrize("status", [500, 503, 429, 408])
async def test_a_busy_server_is_asked_again(
    mirror: Mirror, tmp_path: Path, hasty: Patience, status: int
) -> None:
    mirror.script[NAME] = [bad_status(status, headers={"Retry-After": "3600"}), bad_status(status)]
    report = await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base, patience=hasty)
    assert snapshot(report.folder) == CONTENTS
    assert mirror.requests(NAME) == 3


async def test_tries_end(mirror: Mirror, tmp_path: Path, hasty: Patience) -> None:
    mirror.script[NAME] = [bad_status(503)] * 100
    with pytest.raises(TransferFailed, match=r"answered 503 .*Tried 4 times"):
        await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base, patience=hasty)
    assert mirror.requests(NAME) == hasty.tries


async def test_another_status_is_no_reason_to_try_again(
    mirror: Mirror, tmp_path: Path, hasty: Patience
) -> None:
    mirror.script[NAME] = [bad_status(418)]
    with pytest.raises(TransferFailed, match="418"):
        await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base, patience=hasty)
    assert mirror.requests(NAME) == 1


async def test_a_missing_required_file_is_named(mirror: Mirror, tmp_path: Path, hasty: Patience) -> None:
    del mirror.files[NAME]
    with pytest.raises(FileNotOffered, match=rf"{NAME} is not offered: .*404"):
        await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base, patience=hasty)
    assert not (tmp_path / "toy").exists()


async def test_a_missing_optional_file_is_said(mirror: Mirror, tmp_path: Path, hasty: Patience) -> None:
    del mirror.files["pad.onnx"]
    report = await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base, patience=hasty)
    assert set(snapshot(report.folder)) == {"detector.onnx", NAME}
    assert [file.name for file in report.skipped] == ["pad.onnx"]
    assert "404" in report.skipped[0].why


async def test_a_body_that_stalls_is_given_up_and_taken_up(
    mirror: Mirror, tmp_path: Path, hasty: Patience
) -> None:
    mirror.script[NAME] = [stalled(100_000)]
    began = time.monotonic()
    report = await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base, patience=hasty)
    assert time.monotonic() - began < 20
    assert snapshot(report.folder) == CONTENTS
    assert mirror.ranges[NAME] == [None, "bytes=100000-"]


async def test_a_body_that_always_stalls_ends_in_an_error(
    mirror: Mirror, tmp_path: Path, hasty: Patience
) -> None:
    mirror.script[NAME] = [stalled(0)] * 100
    with pytest.raises(TransferFailed, match=r"no byte for 0\.3 s"):
        await pull_pack(
            make_pack(),
            models_dir=tmp_path,
            source=mirror.base,
            patience=replace(hasty, stall_seconds=0.3, tries=2),
        )


async def test_when_the_time_is_over_the_part_is_kept(mirror: Mirror, tmp_path: Path) -> None:
    mirror.script[NAME] = [stalled(100_000)]
    with pytest.raises(TimeRanOut, match=NAME):
        await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base, deadline=1.0)
    assert (tmp_path / f".incoming-toy/{NAME}.part").stat().st_size == 100_000
    assert not (tmp_path / "toy").exists()
    report = await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base)
    assert snapshot(report.folder) == CONTENTS
    assert mirror.ranges[NAME] == [None, "bytes=100000-"]


async def test_when_the_time_is_over_an_optional_file_is_left_out(mirror: Mirror, tmp_path: Path) -> None:
    mirror.script["pad.onnx"] = [stalled(1000)]
    report = await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base, deadline=1.5)
    assert set(snapshot(report.folder)) == {"detector.onnx", NAME}
    assert report.skipped[0].why == "the time was over"
    again = await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base)
    assert snapshot(again.folder) == CONTENTS
    assert mirror.ranges["pad.onnx"] == [None, "bytes=1000-"]


@pytest.mark.parametrize("relative", [True, False])
async def test_redirects_are_followed(
    mirror: Mirror, tmp_path: Path, hasty: Patience, relative: bool
) -> None:
    mirror.files["store/a%2Fb"] = mirror.files["store/a/b"] = DATA
    mirror.script[NAME] = [redirect(("" if relative else mirror.base) + "/store/a%2Fb?sig=a%2Fb")]
    report = await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base, patience=hasty)
    assert snapshot(report.folder) == CONTENTS


async def test_after_a_redirect_a_broken_download_goes_on(
    mirror: Mirror, tmp_path: Path, hasty: Patience
) -> None:
    mirror.files["store"] = DATA
    mirror.script[NAME] = [redirect("/store?sig=1"), redirect("/store?sig=2")]
    mirror.script["store"] = [cut_after(300_000)]
    report = await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base, patience=hasty)
    assert snapshot(report.folder) == CONTENTS
    assert mirror.ranges["store"] == [None, "bytes=300000-"]


@pytest.mark.parametrize("there", ["/loop", "/embedder.onnx", "/embedder.onnx#again"])
async def test_a_redirect_loop_is_refused(
    mirror: Mirror, tmp_path: Path, hasty: Patience, there: str
) -> None:
    mirror.script[NAME] = [redirect(there)] * 10
    mirror.script["loop"] = [redirect(f"/{NAME}")] * 10
    with pytest.raises(TransferFailed, match="loop"):
        await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base, patience=hasty)
    assert mirror.requests(NAME) == 1


async def test_a_long_chain_of_redirects_is_refused(mirror: Mirror, tmp_path: Path, hasty: Patience) -> None:
    mirror.script[NAME] = [redirect("/hop0")]
    for number in range(20):
        mirror.script[f"hop{number}"] = [redirect(f"/hop{number + 1}")]
    with pytest.raises(TransferFailed, match="more than 5 times"):
        await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base, patience=hasty)
    assert mirror.requests("hop5") == 0


@pytest.mark.parametrize("there", ["", "file:///etc/passwd", "ftp://host/file", "http://[x/"])
async def test_a_redirect_to_nowhere_is_refused(
    mirror: Mirror, tmp_path: Path, hasty: Patience, there: str
) -> None:
    mirror.script[NAME] = [redirect(there)]
    with pytest.raises(TransferFailed, match="redirects to"):
        await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base, patience=hasty)


def test_what_is_encrypted_stays_so() -> None:
    here = URL("https://a.example/x")
    with pytest.raises(TransferFailed, match=r"from https to http://b\.example/y, "):
        _target(here, here, "http://b.example/y?token=secret")
    plain = URL("http://a.example/x")
    assert _target(plain, plain, "https://b.example/y") == URL("https://b.example/y")


async def test_nobody_listening_is_said_soon(tmp_path: Path, hasty: Patience) -> None:
    async with mirror_server({}) as gone:
        base = gone.base
    with pytest.raises(TransferFailed, match=r"no connection.*Tried 3 times"):
        await pull_pack(make_pack(), models_dir=tmp_path, source=base, patience=hasty)


@pytest.mark.parametrize("source", ["ftp://host/models", "https://", "s3://bucket", "http://host:port/"])
async def test_an_address_of_no_use_is_said(tmp_path: Path, source: str) -> None:
    with pytest.raises(MirrorUnusable):
        await pull_pack(make_pack(), models_dir=tmp_path, source=source)


async def test_a_proxy_of_the_environment_is_used(
    mirror: Mirror, tmp_path: Path, hasty: Patience, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", mirror.base)
    for name, data in CONTENTS.items():
        mirror.files[f"files/{name}"] = data
    pack = make_pack()
    report = await pull_pack(pack, models_dir=tmp_path, source="http://models.invalid/files", patience=hasty)
    assert snapshot(report.folder) == CONTENTS
    assert set(mirror.ranges) == {f"files/{name}" for name in CONTENTS}


async def test_passwords_are_used_and_not_told(mirror: Mirror, tmp_path: Path, hasty: Patience) -> None:
    source = mirror.base.replace("http://", "http://me:secret@")
    del mirror.files[NAME]
    with pytest.raises(FileNotOffered) as caught:
        await pull_pack(make_pack(), models_dir=tmp_path, source=source, patience=hasty)
    assert "secret" not in str(caught.value)
    assert not any(b"secret" in data for data in snapshot(tmp_path / ".incoming-toy").values())


async def test_nothing_moves_after_a_pull_has_failed(
    mirror: Mirror, tmp_path: Path, hasty: Patience, monkeypatch: pytest.MonkeyPatch
) -> None:
    complete = PartFile.complete

    def slowly(part: PartFile) -> Path:
        time.sleep(0.3)
        return complete(part)

    monkeypatch.setattr(PartFile, "complete", slowly)
    del mirror.files[NAME]
    with pytest.raises(FileNotOffered):
        await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base, patience=hasty)
    left = sorted(path.name for path in (tmp_path / ".incoming-toy").iterdir())
    assert left
    await asyncio.sleep(0.6)
    assert sorted(path.name for path in (tmp_path / ".incoming-toy").iterdir()) == left


async def test_only_a_trusted_certificate_will_do(tmp_path: Path) -> None:
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls)
    pem = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(pem))
    async with mirror_server(CONTENTS, tls=tls) as mirror, mirror_server(CONTENTS) as plain:
        status, told = await _pull(mirror.base, tmp_path / "m", None)
        assert status == 2
        assert "no secure connection" in told
        mirror.script[NAME] = [redirect(f"{plain.base}/{NAME}")]
        status, told = await _pull(mirror.base, tmp_path / "m", pem)
        assert status == 2
        assert "redirects from https to http" in told
        status, told = await _pull(mirror.base, tmp_path / "m", pem)
        assert status == 0, told
    assert snapshot(tmp_path / "m/toy") == CONTENTS


async def _pull(source: str, models_dir: Path, authorities: Path | None) -> tuple[int, str]:
    """In a process of its own: which certificates count is decided when it starts."""
    environment = {} if authorities is None else {"SSL_CERT_FILE": str(authorities)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.cli.models.pull_process", source, str(models_dir)),
        cwd=Path(__file__).parents[3],
        env={"PATH": "/usr/bin:/bin", **environment},
        stderr=asyncio.subprocess.PIPE,
    )
    _, told = await process.communicate()
    assert process.returncode is not None
    return process.returncode, " ".join(told.decode().split())
