"""Pulls a pack: fetches missing and altered files, verifies all of them, and only then installs them.

A pull creates these entries in the models folder::

    <pack>/                    the pack: every file has the catalogued hash
    .incoming-<pack>/          verified files; kept if a pull ends early
    .lock-<pack>               held while a pull runs
"""

import errno
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vision.errors import FileNotOffered, FolderUnusable, TermsNotAccepted, TimeRanOut, TransferFailed
from vision.packs.catalogue import CatalogueEntry, CataloguePack
from vision.packs.pulling.installed import (
    FileState,
    InstalledPack,
    inspect_pack,
    is_accepted,
    needs_acceptance,
    sha256_of,
    size_text,
    write_acceptance,
    writing,
)
from vision.packs.pulling.sources import PullProgress, Source, Transfer, copy_file, open_source

PARALLEL: Final = 4
"""Default number of parallel downloads."""

_PAUSE: Final = 0.1
_TAKEN: Final = frozenset({errno.EACCES, errno.EAGAIN})


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedFile:
    """A fetched file with the catalogued hash."""

    name: str
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedFile:
    """An optional file that could not be fetched.

    Attributes:
        why: The reason, in words.
    """

    name: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PullReport:
    """The outcome of a pull.

    Attributes:
        pack: The pack; all its required files are now installed and intact.
        kept: Names of files that were installed and intact before.
        skipped: Optional files that could not be fetched.
    """

    pack: CataloguePack
    folder: Path
    fetched: tuple[FetchedFile, ...] = ()
    kept: tuple[str, ...] = ()
    skipped: tuple[SkippedFile, ...] = ()


def pull_pack(
    pack: CataloguePack,
    *,
    models_dir: Path,
    source: str | None = None,
    accept: bool = False,
    deadline: float | None = None,
    progress: PullProgress,
    parallel: int = PARALLEL,
) -> PullReport:
    """Install a pack, or repair it. If it is complete, nothing is fetched.

    The installed files change only when all files have arrived; the next pull uses those that arrived whole.
    Pulls of the same pack wait for each other.

    Args:
        models_dir: Models folder; it is created if needed.
        source: A folder, a tar file or an https address as the source of the files; None for the
            catalogue's addresses.
        accept: True states that a person accepts the terms (``terms_text``); the acceptance is recorded in
            the pack's folder.
        deadline: Time limit of the pull in seconds; None for no limit.
        parallel: Number of parallel downloads, 1 or more.

    Raises:
        TermsNotAccepted: A licence restricts use, ``accept`` is False and there is no record.
        PullError: The pack could not be installed.
    """
    if needs_acceptance(pack, models_dir) and not accept:
        raise TermsNotAccepted(
            f"the licence of some models in {pack.name} restricts their use. Read it with "
            f"`facegate models show {pack.name}`; if you accept it, "
            f"`facegate models pull {pack.name} --accept`."
        )
    until = None if deadline is None else time.monotonic() + deadline
    incoming = models_dir / f".incoming-{pack.name}"
    installed = inspect_pack(pack, models_dir)
    record = accept and not is_accepted(pack, models_dir)
    if installed.complete and not record and not incoming.exists():
        return PullReport(pack=pack, folder=installed.folder, kept=_intact(installed))
    with writing(models_dir):
        models_dir.mkdir(parents=True, exist_ok=True)
    with _lock(models_dir, pack.name, progress=progress, until=until):
        # Again: the previous holder of the lock may have installed the pack.
        installed = inspect_pack(pack, models_dir)
        outcomes: list[FetchedFile | SkippedFile] = []
        if not installed.complete:
            _require_space(installed, models_dir)
            with writing(incoming):
                incoming.mkdir(exist_ok=True)
            transfer = Transfer(incoming=incoming, progress=progress, until=until)
            outcomes = _fetch_all(installed, open_source(source, pack), transfer, parallel=parallel)
        fetched = tuple(file for file in outcomes if isinstance(file, FetchedFile))
        arrived = {file.name for file in fetched}
        with writing(installed.folder):
            installed.folder.mkdir(exist_ok=True)
            if record:
                write_acceptance(installed.folder, pack)
            for file in installed.files:
                if file.entry.file_name in arrived:
                    _install(incoming / file.entry.file_name, file.path)
                elif file.state is FileState.ALTERED:
                    file.path.unlink()  # An optional one that could not be fetched.
            shutil.rmtree(incoming, ignore_errors=True)
    return PullReport(
        pack=pack,
        folder=installed.folder,
        fetched=fetched,
        kept=_intact(installed),
        skipped=tuple(file for file in outcomes if isinstance(file, SkippedFile)),
    )


def _intact(installed: InstalledPack) -> tuple[str, ...]:
    return tuple(file.entry.file_name for file in installed.files if file.state is FileState.INTACT)


@contextmanager
def _lock(models_dir: Path, pack: str, *, progress: PullProgress, until: float | None) -> Iterator[None]:
    """Hold the lock of ``pack``; wait while another pull holds it.

    The system releases it at the end of the process in any case. The file stays: if it were deleted, two
    pulls could each hold a lock.
    """
    path = models_dir / f".lock-{pack}"
    with writing(path):
        number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        if not _locked(number, path):
            progress.say(f"Another pull of {pack} is running; waiting for it.")
            while not _locked(number, path):
                if until is not None and time.monotonic() > until:
                    raise TimeRanOut(
                        f"another pull of {pack} was still running at the time limit. Wait for it, or "
                        "give more time."
                    )
                time.sleep(_PAUSE)
        yield
    finally:
        os.close(number)


def _locked(number: int, path: Path) -> bool:
    with writing(path):
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _TAKEN:
                return False
            raise
    return True


def _require_space(installed: InstalledPack, models_dir: Path) -> None:
    with writing(models_dir):
        free = shutil.disk_usage(models_dir).free
    lacking = [file.entry for file in installed.files if file.state is not FileState.INTACT]
    needed = sum(entry.size or 0 for entry in lacking)
    if needed > free:
        raise FolderUnusable(
            f"{models_dir} has room for {size_text(free)}, but {installed.pack.name} needs "
            f"{size_text(needed)} more. Free some space, or give another folder with --models-dir."
        )


def _fetch_all(
    installed: InstalledPack, source: Source, transfer: Transfer, *, parallel: int
) -> list[FetchedFile | SkippedFile]:
    """Fetch all files that are not intact.

    If a required file cannot be fetched, the whole fetch ends with an error. An optional file that is not
    offered, or whose server fails, is skipped. Any file with another content ends the fetch.
    """
    lacking = [file for file in installed.files if file.state is not FileState.INTACT]
    for file in lacking:
        transfer.progress.planned(file.entry.file_name, size=file.entry.size)
    with ThreadPoolExecutor(parallel) as pool:
        try:
            running = [
                pool.submit(_fetch, file.entry, source, transfer, required=file.required) for file in lacking
            ]
            for future in as_completed(running):
                future.result()
        except BaseException:
            transfer.stopped.set()
            raise
    return [future.result() for future in running]


def _fetch(
    entry: CatalogueEntry, source: Source, transfer: Transfer, *, required: bool
) -> FetchedFile | SkippedFile:
    try:
        origin = _origin(entry, source, transfer)
    except (FileNotOffered, TransferFailed, TimeRanOut) as error:
        if required:
            raise
        why = "the time limit was reached" if isinstance(error, TimeRanOut) else str(error)
        transfer.progress.ended(entry.file_name, how=f"skipped, it is optional: {why}")
        return SkippedFile(name=entry.file_name, why=why)
    size = (transfer.incoming / entry.file_name).stat().st_size
    transfer.progress.ended(entry.file_name, how=f"{size_text(size)} from {origin}; SHA-256 as catalogued")
    return FetchedFile(name=entry.file_name, origin=origin)


def _origin(entry: CatalogueEntry, source: Source, transfer: Transfer) -> str:
    """Put the file into the folder of incoming files, and return where it came from."""
    if _is_intact(transfer.incoming / entry.file_name, entry):
        return "an earlier pull"
    models_dir = transfer.incoming.parent
    for path in sorted(models_dir.glob(f"[!.]*/{entry.file_name}")):
        if _is_intact(path, entry):  # The same file of another pack.
            copy_file(path, entry, transfer)
            return str(path)
    return source.fetch(entry, transfer)


def _is_intact(path: Path, entry: CatalogueEntry) -> bool:
    try:
        return sha256_of(path) in entry.sha256s
    except OSError:
        return False


def _install(ready: Path, path: Path) -> None:
    """Replace an installed file by a verified one, durably."""
    with ready.open("rb") as stream:
        os.fsync(stream.fileno())
    ready.replace(path)
