"""The state after a pull: the new pack, or the previous one."""

import asyncio
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.vision.packs.pulling.mirror_server import Mirror, bad_status, stalled
from tests.vision.packs.pulling.pulling import CONTENTS, Recorder, content, make_pack, pull, put, snapshot
from vision.errors import FileRefused, FolderUnusable, TermsNotAccepted, TimeRanOut, TransferFailed
from vision.packs.pulling import pull as pull_module
from vision.packs.pulling import pull_pack, sources
from vision.packs.pulling.installed import RECORD, read_acceptance, terms_text
from vision.packs.pulling.pull import _lock

REPOSITORY = Path(__file__).parents[4]
NAME = "embedder.onnx"
DATA = CONTENTS[NAME]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def inode(path: Path) -> int:
    return path.stat().st_ino


async def test_an_intact_pack_is_left_alone(mirror: Mirror, tmp_path: Path) -> None:
    put(tmp_path / "toy")
    before = inode(tmp_path / "toy")
    report = await pull(mirror.base, tmp_path)
    assert (report.fetched, report.skipped, mirror.asked) == ((), (), [])
    assert sorted(report.kept) == sorted(CONTENTS)
    assert inode(tmp_path / "toy") == before
    assert names(tmp_path) == ["toy"]


async def test_only_altered_or_missing_files_are_fetched(mirror: Mirror, tmp_path: Path) -> None:
    put(tmp_path / "toy", {**CONTENTS, NAME: DATA[:-1] + b"!"})
    (tmp_path / "toy/pad.onnx").unlink()
    report = await pull(mirror.base, tmp_path)
    assert snapshot(report.folder) == CONTENTS
    assert set(mirror.asked) == {NAME, "pad.onnx"}
    assert report.kept == ("detector.onnx",)


async def test_an_altered_optional_file_without_a_source_is_removed(mirror: Mirror, tmp_path: Path) -> None:
    put(tmp_path / "toy", {**CONTENTS, "pad.onnx": b"altered"})
    del mirror.files["pad.onnx"]
    report = await pull(mirror.base, tmp_path)
    assert set(snapshot(report.folder)) == {"detector.onnx", NAME}


async def test_other_files_in_the_packs_folder_stay(mirror: Mirror, tmp_path: Path) -> None:
    put(tmp_path / "toy", {"notes.txt": b"mine", NAME: b"altered"})
    put(tmp_path / "toy/more", {"x": b"y"})
    report = await pull(mirror.base, tmp_path)
    assert (report.folder / "notes.txt").read_bytes() == b"mine"
    assert snapshot(report.folder / "more") == {"x": b"y"}
    assert (report.folder / NAME).read_bytes() == DATA


async def test_a_failed_pull_leaves_the_old_files(mirror: Mirror, tmp_path: Path) -> None:
    before = {"detector.onnx": CONTENTS["detector.onnx"], NAME: b"altered"}
    put(tmp_path / "toy", before)
    mirror.files[NAME] = content(99, len(DATA))
    with pytest.raises(FileRefused):
        await pull(mirror.base, tmp_path)
    assert snapshot(tmp_path / "toy") == before


async def test_checked_files_are_not_fetched_again(mirror: Mirror, tmp_path: Path) -> None:
    mirror.script[NAME] = [bad_status(503)] * sources.TRIES
    with pytest.raises(TransferFailed):
        await pull(mirror.base, tmp_path, parallel=1)
    assert not (tmp_path / "toy").exists()
    mirror.asked.clear()
    report = await pull(mirror.base, tmp_path)
    assert snapshot(report.folder) == CONTENTS
    assert "detector.onnx" not in mirror.asked


async def test_the_same_file_of_another_pack_is_copied(mirror: Mirror, tmp_path: Path) -> None:
    put(tmp_path / "other", {NAME: DATA, "detector.onnx": b"another one"})
    report = await pull(mirror.base, tmp_path)
    assert snapshot(report.folder) == CONTENTS
    assert set(mirror.asked) == {"detector.onnx", "pad.onnx"}
    (tmp_path / "other" / NAME).write_bytes(b"changed later")
    assert snapshot(report.folder) == CONTENTS


async def test_pulls_of_the_same_pack_wait_for_each_other(mirror: Mirror, tmp_path: Path) -> None:
    mirror.script[NAME] = [stalled(1000, seconds=1.0)]
    reports = await asyncio.gather(*(pull(mirror.base, tmp_path) for _ in range(3)))
    assert snapshot(tmp_path / "toy") == CONTENTS
    assert sorted(len(report.fetched) for report in reports) == [0, 0, 3]
    assert mirror.asked.count("detector.onnx") == 1


@pytest.mark.slow
async def test_pulls_in_several_processes_do_no_harm(mirror: Mirror, tmp_path: Path) -> None:
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.vision.packs.pulling.pulling", mirror.base, str(tmp_path)),
            cwd=REPOSITORY,
        )
        for _ in range(3)
    ]
    assert [await process.wait() for process in processes] == [0, 0, 0]
    assert snapshot(tmp_path / "toy") == CONTENTS
    assert sorted(mirror.asked) == sorted(CONTENTS)


async def test_another_pull_that_does_not_end_is_waited_for_until_the_time_is_over(
    mirror: Mirror, tmp_path: Path
) -> None:
    with (
        _lock(tmp_path, "toy", progress=Recorder(), until=None),
        pytest.raises(TimeRanOut, match="another pull of toy"),
    ):
        await pull(mirror.base, tmp_path, deadline=0.3)
    await pull(mirror.base, tmp_path)
    assert snapshot(tmp_path / "toy") == CONTENTS


async def test_a_models_folder_that_cannot_be_made_is_reported(mirror: Mirror, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FolderUnusable, match="cannot be written: Not a directory"):
        await pull(mirror.base, tmp_path / "file/models")


async def test_too_little_disk_space_is_reported_before_any_fetch(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(FolderUnusable, match=r"room for 1\.0 MB, but toy needs 1\.1 MB"):
        await pull(mirror.base, tmp_path)
    assert mirror.asked == []


async def test_a_full_disk_is_reported_and_complete_files_are_kept(mirror: Mirror, tmp_path: Path) -> None:
    """A limit on the size of files simulates a full disk: the system refuses the write in the same way."""

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))

    ran = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "tests.vision.packs.pulling.pulling", mirror.base, str(tmp_path)],
        cwd=REPOSITORY,
        preexec_fn=limited,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 2
    assert "cannot be written: File too large" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not (tmp_path / "toy").exists()
    report = await pull(mirror.base, tmp_path)
    assert snapshot(report.folder) == CONTENTS


async def test_restricted_terms_must_be_accepted(mirror: Mirror, tmp_path: Path) -> None:
    pack = make_pack(restricts_use=True)
    with pytest.raises(TermsNotAccepted, match="facegate models pull toy --accept"):
        await pull(mirror.base, tmp_path, pack)
    assert mirror.asked == []
    assert not (tmp_path / "toy").exists()
    report = await pull(mirror.base, tmp_path, pack, accept=True)
    assert {name: data for name, data in snapshot(report.folder).items() if name != RECORD} == {**CONTENTS}
    accepted = read_acceptance(report.folder)
    assert accepted is not None
    assert accepted.terms == terms_text(pack)
    # Accepted once, they need not be accepted again.
    (report.folder / NAME).unlink()
    await pull(mirror.base, tmp_path, pack)
    assert (report.folder / NAME).read_bytes() == DATA
    assert read_acceptance(report.folder) == accepted


async def test_an_intact_pack_gets_its_acceptance(mirror: Mirror, tmp_path: Path) -> None:
    put(tmp_path / "toy")
    pack = make_pack(restricts_use=True)
    with pytest.raises(TermsNotAccepted):
        await pull(mirror.base, tmp_path, pack)
    report = await pull(mirror.base, tmp_path, pack, accept=True)
    assert mirror.asked == []
    assert read_acceptance(report.folder) is not None


async def test_a_crash_at_any_file_is_mended_by_the_next_pull(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies before the second file is installed."""
    put(tmp_path / "toy", {NAME: b"altered", "detector.onnx": b"altered", "notes.txt": b"mine"})
    install, installed = pull_module._install, list[str]()

    def dying(ready: Path, path: Path) -> None:
        if installed:
            raise KeyboardInterrupt
        installed.append(path.name)
        install(ready, path)

    source = str(put(tmp_path / "source"))
    with monkeypatch.context() as patch:
        patch.setattr(pull_module, "_install", dying)
        with pytest.raises(KeyboardInterrupt):
            pull_pack(make_pack(), models_dir=tmp_path, source=source, progress=Recorder())
    assert snapshot(tmp_path / "toy")[NAME] == b"altered"
    mirror.asked.clear()
    report = await pull(mirror.base, tmp_path)
    assert snapshot(report.folder) == {**CONTENTS, "notes.txt": b"mine"}
    assert mirror.asked == []  # The other files had arrived.
    assert names(tmp_path) == [".lock-toy", "source", "toy"]


async def test_a_pull_reports_every_file(tmp_path: Path) -> None:
    recorder = Recorder()
    await pull(put(tmp_path / "mirror"), tmp_path / "m", progress=recorder)
    assert recorder.sizes == {name: len(data) for name, data in CONTENTS.items()}
    assert {name: done[-1] for name, done in recorder.done.items()} == recorder.sizes
    assert set(recorder.ends) == set(CONTENTS)
    assert recorder.said == []
