"""Pulls over HTTP, against a server that misbehaves."""

import asyncio
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from cli.errors import (
    FileNotOffered,
    MirrorUnusable,
    TransferFailed,
    WrongContent,
    WrongSize,
)
from cli.models.http_source import Patience
from cli.models.install import pull_pack
from cli.models.part_file import PartFile
from tests.cli.models.builders import CONTENTS, content, make_entry, make_pack, snapshot
from tests.cli.models.mirror_server import (
    Mirror,
    bad_status,
    mirror_server,
    stalled,
    whole,
)
from vision.packs.catalogue import CataloguePack

NAME = "embedder.onnx"
DATA = CONTENTS[NAME]


def left_of(name: str, models_dir: Path) -> list[str]:
    """Incoming files for ``name``."""
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


async def test_a_compressed_answer_is_refused(mirror: Mirror, tmp_path: Path, hasty: Patience) -> None:
    mirror.script[NAME] = [whole(DATA, headers={"Content-Encoding": "gzip"})]
    with pytest.raises(TransferFailed, match="compressed"):
        await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base, patience=hasty)


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


async def test_a_missing_optional_file_is_reported(mirror: Mirror, tmp_path: Path, hasty: Patience) -> None:
    del mirror.files["pad.onnx"]
    report = await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base, patience=hasty)
    assert set(snapshot(report.folder)) == {"detector.onnx", NAME}
    assert [file.name for file in report.skipped] == ["pad.onnx"]
    assert "404" in report.skipped[0].why


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


async def test_when_the_time_is_over_an_optional_file_is_left_out(mirror: Mirror, tmp_path: Path) -> None:
    mirror.script["pad.onnx"] = [stalled(1000)]
    report = await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base, deadline=1.5)
    assert set(snapshot(report.folder)) == {"detector.onnx", NAME}
    assert report.skipped[0].why == "the time limit was reached"
    again = await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base)
    assert snapshot(again.folder) == CONTENTS
    assert mirror.ranges["pad.onnx"] == [None, "bytes=1000-"]


async def test_a_refused_connection_is_reported_soon(tmp_path: Path, hasty: Patience) -> None:
    async with mirror_server({}) as gone:
        base = gone.base
    with pytest.raises(TransferFailed, match=r"no connection.*Tried 3 times"):
        await pull_pack(make_pack(), models_dir=tmp_path, source=base, patience=hasty)


@pytest.mark.parametrize("source", ["ftp://host/models", "https://", "s3://bucket", "http://host:port/"])
async def test_an_unusable_address_is_reported(tmp_path: Path, source: str) -> None:
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


async def test_passwords_are_used_and_not_reported(mirror: Mirror, tmp_path: Path, hasty: Patience) -> None:
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
    completing = threading.Event()

    def slowly(part: PartFile) -> Path:
        completing.set()
        time.sleep(0.3)
        return complete(part)

    async def missing_once_another_is_there(_: web.Request, __: bytes) -> web.StreamResponse:
        await asyncio.to_thread(completing.wait, 10)
        raise web.HTTPNotFound

    monkeypatch.setattr(PartFile, "complete", slowly)
    mirror.script[NAME] = [missing_once_another_is_there]
    del mirror.files[NAME]
    with pytest.raises(FileNotOffered):
        await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base, patience=hasty)
    left = sorted(path.name for path in (tmp_path / ".incoming-toy").iterdir())
    assert left
    await asyncio.sleep(0.6)
    assert sorted(path.name for path in (tmp_path / ".incoming-toy").iterdir()) == left
