"""The state after a pull: the new pack, or the previous one."""

import asyncio
import contextlib
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cli.errors import (
    FolderUnusable,
    ModelsError,
    TermsNotAccepted,
    TimeRanOut,
    TransferFailed,
    WrongContent,
)
from cli.models import install
from cli.models.acceptance import RECORD, read_acceptance, terms_text
from cli.models.http_source import Patience
from cli.models.install import pull_pack
from cli.models.lock import pack_lock
from cli.models.progress import NoProgress
from tests.cli.models.builders import CONTENTS, content, make_pack, put, snapshot
from tests.cli.models.mirror_server import Mirror, bad_status, cut_after, stalled

REPOSITORY = Path(__file__).parents[3]
NAME = "embedder.onnx"
DATA = CONTENTS[NAME]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def inode(path: Path) -> int:
    return path.stat().st_ino


async def test_an_intact_pack_is_left_alone(mirror: Mirror, tmp_path: Path) -> None:
    put(tmp_path / "toy")
    before = inode(tmp_path / "toy")
    report = await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base)
    assert (report.fetched, report.skipped, mirror.ranges) == ((), (), {})
    assert sorted(report.kept) == sorted(CONTENTS)
    assert inode(tmp_path / "toy") == before
    assert names(tmp_path) == ["toy"]


async def test_only_altered_or_missing_files_are_fetched(mirror: Mirror, tmp_path: Path) -> None:
    put(tmp_path / "toy", {**CONTENTS, NAME: DATA[:-1] + b"!"})
    (tmp_path / "toy/pad.onnx").unlink()
    report = await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base)
    assert snapshot(report.folder) == CONTENTS
    assert set(mirror.ranges) == {NAME, "pad.onnx"}
    assert report.kept == ("detector.onnx",)


async def test_an_altered_optional_file_without_a_source_is_removed(mirror: Mirror, tmp_path: Path) -> None:
    put(tmp_path / "toy", {**CONTENTS, "pad.onnx": b"altered"})
    del mirror.files["pad.onnx"]
    report = await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base)
    assert set(snapshot(report.folder)) == {"detector.onnx", NAME}


async def test_other_files_in_the_packs_folder_stay(mirror: Mirror, tmp_path: Path) -> None:
    put(tmp_path / "toy", {"notes.txt": b"mine", NAME: b"altered"})
    put(tmp_path / "toy/more", {"x": b"y"})
    report = await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base)
    assert (report.folder / "notes.txt").read_bytes() == b"mine"
    assert snapshot(report.folder / "more") == {"x": b"y"}
    assert (report.folder / NAME).read_bytes() == DATA


async def test_where_folders_cannot_be_swapped_they_are_renamed(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install, "exchange", lambda first, second: False)
    put(tmp_path / "toy", {"notes.txt": b"mine", NAME: b"altered"})
    report = await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base)
    assert snapshot(report.folder) == {**CONTENTS, "notes.txt": b"mine"}
    assert names(tmp_path) == [".lock-toy", "toy"]


@pytest.mark.parametrize("exchange", [True, False])
@pytest.mark.parametrize("number", range(12))
async def test_a_crash_at_any_rename_loses_nothing(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchange: bool, number: int
) -> None:
    """The process dies just before the n-th rename of the installation; the next pull completes the work."""
    put(tmp_path / "toy", {**CONTENTS, NAME: b"altered", "notes.txt": b"mine"})
    if not exchange:
        monkeypatch.setattr(install, "exchange", lambda first, second: False)
    left = number
    rename = Path.rename

    class Crash(BaseException):
        pass

    def dying(path: Path, target: Path) -> Path:
        nonlocal left
        if left == 0:
            raise Crash
        left -= 1
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", dying)
        with contextlib.suppress(Crash):
            await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base)
    there = {**snapshot(tmp_path / "toy"), **snapshot(tmp_path / ".former-toy")}
    there = {**snapshot(tmp_path / ".incoming-toy/.ready"), **there}
    assert there["notes.txt"] == b"mine"
    report = await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base)
    assert {name: data for name, data in snapshot(report.folder).items() if name in CONTENTS} == {**CONTENTS}
    assert snapshot(report.folder)["notes.txt"] == b"mine"
    assert names(tmp_path) == [".lock-toy", "toy"]


async def test_a_failed_pull_leaves_the_old_files(mirror: Mirror, tmp_path: Path, hasty: Patience) -> None:
    before = {"detector.onnx": CONTENTS["detector.onnx"], NAME: b"altered"}
    put(tmp_path / "toy", before)
    mirror.files[NAME] = content(99, len(DATA))
    with pytest.raises(WrongContent):
        await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base, patience=hasty)
    assert snapshot(tmp_path / "toy") == before


async def test_checked_files_are_not_fetched_again(mirror: Mirror, tmp_path: Path, hasty: Patience) -> None:
    mirror.script[NAME] = [bad_status(503)] * hasty.tries
    with pytest.raises(TransferFailed):
        await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base, patience=hasty, parallel=1)
    assert not (tmp_path / "toy").exists()
    mirror.ranges.clear()
    report = await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base)
    assert snapshot(report.folder) == CONTENTS
    assert "detector.onnx" not in mirror.ranges


async def test_the_same_file_of_another_pack_is_copied(mirror: Mirror, tmp_path: Path) -> None:
    put(tmp_path / "other", {NAME: DATA, "detector.onnx": b"another one"})
    report = await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base)
    assert snapshot(report.folder) == CONTENTS
    assert set(mirror.ranges) == {"detector.onnx", "pad.onnx"}
    (tmp_path / "other" / NAME).write_bytes(b"changed later")
    assert snapshot(report.folder) == CONTENTS


async def test_pulls_of_the_same_pack_wait_for_each_other(
    mirror: Mirror, tmp_path: Path, hasty: Patience
) -> None:
    mirror.script[NAME] = [stalled(1000)]
    reports = await asyncio.gather(
        *(pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base, patience=hasty) for _ in range(3))
    )
    assert snapshot(tmp_path / "toy") == CONTENTS
    assert sorted(len(report.fetched) for report in reports) == [0, 0, 3]
    assert mirror.requests("detector.onnx") == 1


@pytest.mark.slow
async def test_pulls_in_several_processes_do_no_harm(mirror: Mirror, tmp_path: Path) -> None:
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.cli.models.pull_process", mirror.base, str(tmp_path)),
            cwd=REPOSITORY,
        )
        for _ in range(3)
    ]
    assert [await process.wait() for process in processes] == [0, 0, 0]
    assert snapshot(tmp_path / "toy") == CONTENTS
    assert {name: mirror.requests(name) for name in CONTENTS} == dict.fromkeys(CONTENTS, 1)


async def test_another_pull_that_does_not_end_is_waited_for_until_the_time_is_over(
    mirror: Mirror, tmp_path: Path
) -> None:
    async with pack_lock(tmp_path, "toy", progress=NoProgress(), until=None):
        with pytest.raises(TimeRanOut, match="another pull of toy"):
            await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base, deadline=0.3)
    await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base, deadline=30)
    assert snapshot(tmp_path / "toy") == CONTENTS


async def test_after_a_kill_the_next_pull_goes_on(mirror: Mirror, tmp_path: Path) -> None:
    before = {"detector.onnx": CONTENTS["detector.onnx"], NAME: b"altered"}
    put(tmp_path / "toy", before)
    mirror.script[NAME] = [stalled(400_000)]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.cli.models.pull_process", mirror.base, str(tmp_path)), cwd=REPOSITORY
    )
    part = tmp_path / f".incoming-toy/{NAME}.part"
    async with asyncio.timeout(60):
        while not (part.is_file() and part.stat().st_size >= 300_000):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    await process.wait()
    kept = part.stat().st_size
    assert snapshot(tmp_path / "toy") == before
    report = await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base)
    assert snapshot(report.folder) == CONTENTS
    assert mirror.ranges[NAME] == [None, f"bytes={kept}-"]
    assert not (tmp_path / ".incoming-toy").exists()


async def test_a_cancelled_pull_keeps_its_parts(mirror: Mirror, tmp_path: Path) -> None:
    mirror.script[NAME] = [stalled(100_000)]
    task = asyncio.create_task(pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base))
    part = tmp_path / f".incoming-toy/{NAME}.part"
    async with asyncio.timeout(60):
        while not (part.is_file() and part.stat().st_size):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    kept = snapshot(tmp_path / ".incoming-toy")[f"{NAME}.part"]
    assert kept
    assert DATA.startswith(kept)
    await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base)
    assert mirror.ranges[NAME] == [None, f"bytes={len(kept)}-"]
    assert snapshot(tmp_path / "toy") == CONTENTS


async def test_a_models_folder_that_cannot_be_made_is_reported(mirror: Mirror, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FolderUnusable, match="cannot be written: Not a directory"):
        await pull_pack(make_pack(), models_dir=tmp_path / "file/models", source=mirror.base)


async def test_too_little_disk_space_is_reported_before_any_fetch(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(FolderUnusable, match=r"room for 1\.0 MB, but toy needs 1\.1 MB"):
        await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base)
    assert mirror.ranges == {}


async def test_a_full_disk_is_reported_and_complete_files_are_kept(mirror: Mirror, tmp_path: Path) -> None:
    """A limit on the size of files simulates a full disk: the system refuses the write in the same way."""

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))

    ran = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "tests.cli.models.pull_process", mirror.base, str(tmp_path)],
        cwd=REPOSITORY,
        preexec_fn=limited,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 2
    assert "cannot be written: File too large" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not (tmp_path / "toy").exists()
    report = await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base)
    assert snapshot(report.folder) == CONTENTS


@pytest.mark.parametrize("kind", ["file", "link"])
async def test_something_else_in_the_packs_place_is_not_overwritten(
    mirror: Mirror, tmp_path: Path, kind: str
) -> None:
    elsewhere = put(tmp_path / "elsewhere", {"x": b"y"})
    models = tmp_path / "m"
    models.mkdir()
    if kind == "file":
        (models / "toy").write_text("something")
    else:
        (models / "toy").symlink_to(elsewhere)
    with pytest.raises(FolderUnusable, match="expected a folder"):
        await pull_pack(make_pack(), models_dir=models, source=mirror.base)
    assert snapshot(elsewhere) == {"x": b"y"}


async def test_a_folder_in_a_files_place_is_mended(mirror: Mirror, tmp_path: Path) -> None:
    put(tmp_path / "toy" / NAME, {"x": b"y"})
    report = await pull_pack(make_pack(), models_dir=tmp_path, source=mirror.base)
    assert snapshot(report.folder) == CONTENTS


async def test_restricted_terms_must_be_accepted(mirror: Mirror, tmp_path: Path) -> None:
    pack = make_pack(restricts_use=True)
    with pytest.raises(TermsNotAccepted, match="facegate models pull toy --accept"):
        await pull_pack(pack, models_dir=tmp_path, source=mirror.base)
    assert mirror.ranges == {}
    assert not (tmp_path / "toy").exists()
    report = await pull_pack(pack, models_dir=tmp_path, source=mirror.base, accept=True)
    assert {name: data for name, data in snapshot(report.folder).items() if name != RECORD} == {**CONTENTS}
    accepted = read_acceptance(report.folder)
    assert accepted is not None
    assert accepted.terms == terms_text(pack)


async def test_terms_that_were_accepted_need_not_be_accepted_again(mirror: Mirror, tmp_path: Path) -> None:
    pack = make_pack(restricts_use=True)
    first = await pull_pack(pack, models_dir=tmp_path, source=mirror.base, accept=True)
    accepted = read_acceptance(first.folder)
    (first.folder / NAME).unlink()
    await pull_pack(pack, models_dir=tmp_path, source=mirror.base)
    assert (first.folder / NAME).read_bytes() == DATA
    assert read_acceptance(first.folder) == accepted


async def test_an_intact_pack_gets_its_acceptance(mirror: Mirror, tmp_path: Path) -> None:
    put(tmp_path / "toy")
    pack = make_pack(restricts_use=True)
    with pytest.raises(TermsNotAccepted):
        await pull_pack(pack, models_dir=tmp_path, source=mirror.base)
    report = await pull_pack(pack, models_dir=tmp_path, source=mirror.base, accept=True)
    assert mirror.ranges == {}
    assert read_acceptance(report.folder) is not None


async def test_every_failure_is_one_of_ours(mirror: Mirror, tmp_path: Path, hasty: Patience) -> None:
    """Whatever a server does to one file, the outcome is a ``ModelsError`` or the whole pack."""
    answers = [
        cut_after(0),
        cut_after(10),
        bad_status(304),
        bad_status(204),
        bad_status(300),
        bad_status(226),
    ]
    for number, answer in enumerate(answers):
        mirror.script[NAME] = [answer] * 10
        with pytest.raises(ModelsError):
            await pull_pack(
                make_pack(), models_dir=tmp_path / str(number), source=mirror.base, patience=hasty
            )
