"""The state after a pull, the new pack or the previous one; what is installed, accepted and bundled."""

import asyncio
import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tarfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.vision.packs.pulling.mirror_server import Mirror, bad_status, stalled
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
from vision.errors import (
    FileRefused,
    FolderUnusable,
    NotInstalled,
    TermsNotAccepted,
    TimeRanOut,
    TransferFailed,
)
from vision.packs.catalogue import load_catalogue
from vision.packs.pack import LicenceTerms
from vision.packs.pulling import pull as pull_module
from vision.packs.pulling import pull_pack, sources
from vision.packs.pulling.bundle import MANIFEST, TERMS, write_bundle
from vision.packs.pulling.installed import (
    RECORD,
    FileState,
    PackState,
    inspect_pack,
    is_accepted,
    needs_acceptance,
    read_acceptance,
    terms_text,
    write_acceptance,
)
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


ALL = set(CONTENTS)


@pytest.mark.parametrize(
    ("there", "altered", "state", "damaged"),
    [
        (set(), set(), PackState.NO, {"detector.onnx", "embedder.onnx"}),
        (ALL, set(), PackState.YES, set()),
        (ALL - {"pad.onnx"}, set(), PackState.YES, set()),
        ({"pad.onnx"}, set(), PackState.PARTLY, {"detector.onnx", "embedder.onnx"}),
        (ALL - {"detector.onnx"}, set(), PackState.PARTLY, {"detector.onnx"}),
        (ALL, {"pad.onnx"}, PackState.ALTERED, {"pad.onnx"}),
        (ALL - {"detector.onnx"}, {"embedder.onnx"}, PackState.ALTERED, {"detector.onnx", "embedder.onnx"}),
    ],
)
def test_states(
    tmp_path: Path, there: set[str], altered: set[str], state: PackState, damaged: set[str]
) -> None:
    put(tmp_path / "toy", {name: b"x" if name in altered else CONTENTS[name] for name in there})
    installed = inspect_pack(make_pack(), tmp_path)
    assert installed.state is state
    assert {file.entry.file_name for file in installed.damaged} == damaged
    assert installed.complete == (there == ALL and not altered)
    for file in installed.files:
        if file.entry.file_name in altered:
            assert file.found == make_entry("x", b"x").sha256


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    put(tmp_path / "toy")
    for name in ("detector.onnx", "embedder.onnx"):
        (tmp_path / "toy" / name).unlink()
    (tmp_path / "toy/detector.onnx").mkdir()
    os.mkfifo(tmp_path / "toy/embedder.onnx")
    installed = inspect_pack(make_pack(), tmp_path)
    assert [file.state for file in installed.files] == [
        FileState.UNREADABLE,
        FileState.UNREADABLE,
        FileState.INTACT,
    ]
    assert installed.state is PackState.ALTERED
    assert installed.files[0].problem == "not a file"


def test_a_file_in_the_folders_place(tmp_path: Path) -> None:
    (tmp_path / "toy").write_text("")
    assert inspect_pack(make_pack(), tmp_path).state is PackState.NO


def test_terms_of_weights_and_training_data_of_every_member() -> None:
    for pack in load_catalogue().packs:
        text = terms_text(pack)
        for entry in pack.members:
            assert entry.terms.weights in text
            assert entry.terms.training_data in text
            assert entry.file_name in text
        assert ("restricts use" in text) == pack.restricts_use


def test_a_record_holds_until_the_terms_change(tmp_path: Path) -> None:
    pack = make_pack(restricts_use=True)
    (tmp_path / "toy").mkdir()
    assert needs_acceptance(pack, tmp_path)
    accepted = write_acceptance(tmp_path / "toy", pack)
    assert read_acceptance(tmp_path / "toy") == accepted
    assert is_accepted(pack, tmp_path)
    assert not needs_acceptance(pack, tmp_path)
    assert abs(datetime.now(UTC) - datetime.fromisoformat(accepted.accepted_at)) < timedelta(minutes=1)
    other = replace(
        pack.required[0], terms=LicenceTerms(part="detector.onnx", weights="Other.", training_data="Other.")
    )
    changed = replace(pack, required=(other, *pack.required[1:]))
    assert needs_acceptance(changed, tmp_path)


def test_a_record_of_another_pack_does_not_count(tmp_path: Path) -> None:
    pack = make_pack(restricts_use=True)
    (tmp_path / "other").mkdir()
    write_acceptance(tmp_path / "other", pack)
    assert needs_acceptance(replace(pack, name="other"), tmp_path)


@pytest.mark.parametrize(
    "record", ["", "[]", "{}", "7", '{"schema": 1}', '{"schema": 2, "pack": "toy"}', "\xff"]
)
def test_a_damaged_record_does_not_count(tmp_path: Path, record: str) -> None:
    (tmp_path / RECORD).write_text(record, encoding="latin-1")
    assert read_acceptance(tmp_path) is None


def test_where_nothing_is_restricted_nothing_has_to_be_accepted(tmp_path: Path) -> None:
    assert not needs_acceptance(make_pack(), tmp_path)


async def test_a_bundle_installs_the_pack_elsewhere(tmp_path: Path) -> None:
    put(tmp_path / "m/toy")
    report = write_bundle([make_pack()], models_dir=tmp_path / "m", out=tmp_path / "toy.tar")
    assert report.files == tuple(sorted(CONTENTS))
    data = report.path.read_bytes()
    assert (report.size, report.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    pulled = await pull(report.path, tmp_path / "elsewhere")
    assert snapshot(pulled.folder) == CONTENTS


def test_the_same_packs_give_the_same_bytes(tmp_path: Path) -> None:
    for number in (1, 2):
        put(
            tmp_path / f"m{number}/toy",
            {name: CONTENTS[name] for name in sorted(CONTENTS, reverse=True)} if number == 2 else CONTENTS,
        )
        write_bundle([make_pack()], models_dir=tmp_path / f"m{number}", out=tmp_path / f"{number}.tar")
    assert (tmp_path / "1.tar").read_bytes() == (tmp_path / "2.tar").read_bytes()
    with tarfile.open(tmp_path / "1.tar") as archive:
        assert {(info.mtime, info.uid, info.gid, info.mode) for info in archive} == {(0, 0, 0, 0o644)}


def test_manifest_and_terms(tmp_path: Path) -> None:
    put(tmp_path / "toy")
    pack = make_pack(restricts_use=True)
    second = replace(pack, name="second", optional=())
    put(tmp_path / "second")
    report = write_bundle([pack, second], models_dir=tmp_path, out=tmp_path / "x.tar")
    with tarfile.open(report.path) as archive:
        assert archive.getnames() == [MANIFEST, TERMS, *sorted(CONTENTS)]
        manifest = json.loads(_read(archive, MANIFEST))
        assert "Research only, unless bought." in _read(archive, TERMS).decode()
    assert [one["name"] for one in manifest["packs"]] == ["toy", "second"]
    for file in manifest["files"]:
        data = CONTENTS[file["name"]]
        assert (file["size"], file["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
        assert file["restricts_use"] == (file["name"] == "embedder.onnx")


def test_an_optional_file_that_is_not_installed_is_left_out(tmp_path: Path) -> None:
    put(tmp_path / "toy", {name: data for name, data in CONTENTS.items() if name != "pad.onnx"})
    report = write_bundle([make_pack()], models_dir=tmp_path, out=tmp_path / "x.tar")
    assert report.left_out == ("pad.onnx",)
    assert "pad.onnx" not in report.files


@pytest.mark.parametrize("contents", [{}, {**CONTENTS, "detector.onnx": b"altered"}])
def test_a_damaged_pack_is_not_bundled(tmp_path: Path, contents: dict[str, bytes]) -> None:
    put(tmp_path / "toy", contents)
    with pytest.raises(NotInstalled, match="facegate models pull toy"):
        write_bundle([make_pack()], models_dir=tmp_path, out=tmp_path / "x.tar")
    assert not (tmp_path / "x.tar").exists()


def test_nothing_is_overwritten_and_nothing_half_written_stays(tmp_path: Path) -> None:
    put(tmp_path / "toy")
    (tmp_path / "x.tar").write_text("mine")
    with pytest.raises(FolderUnusable, match="already exists"):
        write_bundle([make_pack()], models_dir=tmp_path, out=tmp_path / "x.tar")
    assert (tmp_path / "x.tar").read_text() == "mine"
    with pytest.raises(FolderUnusable, match="cannot be written"):
        write_bundle([make_pack()], models_dir=tmp_path, out=tmp_path / "no/x.tar")


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.extractfile(name)
    assert member is not None
    return member.read()
