"""Interrupted downloads resume where they ended, if the server still has the same file."""

import time
from pathlib import Path

import pytest
from aiohttp import web

from cli.errors import (
    TimeRanOut,
    TransferFailed,
)
from cli.models.http_source import Patience
from cli.models.install import pull_pack
from tests.cli.models.builders import CONTENTS, make_pack, snapshot
from tests.cli.models.mirror_server import (
    Mirror,
    bad_status,
    cut_after,
    stalled,
    whole,
)

NAME = "embedder.onnx"
DATA = CONTENTS[NAME]


@pytest.mark.parametrize("sized", [True, False])
async def test_after_a_cut_only_the_rest_is_asked_for(
    mirror: Mirror, tmp_path: Path, hasty: Patience, sized: bool
) -> None:
    mirror.script[NAME] = [cut_after(200_000), cut_after(0)]
    report = await pull_pack(make_pack(sized=sized), models_dir=tmp_path, source=mirror.base, patience=hasty)
    assert snapshot(report.folder) == CONTENTS
    # The second, cut at once, sent nothing, so the third requests the same rest.
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
    # If the size is not catalogued, the server has to report the end.
    assert mirror.ranges.get(NAME, []) == ([] if sized else [f"bytes={len(DATA)}-", None])


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


async def test_a_body_that_stalls_is_given_up_and_taken_up(
    mirror: Mirror, tmp_path: Path, hasty: Patience
) -> None:
    mirror.script[NAME] = [stalled(100_000)]
    began = time.monotonic()
    report = await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base, patience=hasty)
    assert time.monotonic() - began < 20
    assert snapshot(report.folder) == CONTENTS
    assert mirror.ranges[NAME] == [None, "bytes=100000-"]


async def test_when_the_time_is_over_the_part_is_kept(mirror: Mirror, tmp_path: Path) -> None:
    mirror.script[NAME] = [stalled(100_000)]
    with pytest.raises(TimeRanOut, match=NAME):
        await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base, deadline=1.0)
    assert (tmp_path / f".incoming-toy/{NAME}.part").stat().st_size == 100_000
    assert not (tmp_path / "toy").exists()
    report = await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base)
    assert snapshot(report.folder) == CONTENTS
    assert mirror.ranges[NAME] == [None, "bytes=100000-"]
