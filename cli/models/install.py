"""Pulls a pack: fetches missing and altered files, verifies all of them, and only then installs them.

A pull creates these entries in the models folder::

    <pack>/                    the pack: every file has the catalogued hash
    .incoming-<pack>/          incoming files; kept if a pull ends early
        <file>                 verified
        <file>.part            partial, with <file>.part.json beside it
        .ready/                the whole pack, to be exchanged with <pack>/
    .former-<pack>/            temporary, if folders cannot be exchanged atomically
    .lock-<pack>               held while a pull runs
"""

import asyncio
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cli.errors import FolderUnusable, TermsNotAccepted
from cli.models.acceptance import RECORD, is_accepted, needs_acceptance, write_acceptance
from cli.models.fetching import FetchedFile, Fetching, SkippedFile
from cli.models.files import exchange, link_or_copy, size_text, sync_folder, to_the_end, writing
from cli.models.http_source import Patience
from cli.models.installed import FileState, InstalledPack, inspect_pack
from cli.models.lock import pack_lock
from cli.models.progress import NoProgress, PullProgress
from cli.models.sources import open_source
from vision.packs import CataloguePack

__all__ = ["PARALLEL", "PullReport", "pull_pack"]

PARALLEL: Final = 4
"""Default number of parallel downloads."""

_READY: Final = ".ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class PullReport:
    """The outcome of a pull.

    Attributes:
        pack: The pack; all its required files are now installed and intact.
        folder: Its folder.
        fetched: Files that were fetched and installed.
        kept: Names of files that were installed and intact before.
        skipped: Optional files that could not be fetched.
    """

    pack: CataloguePack
    folder: Path
    fetched: tuple[FetchedFile, ...] = ()
    kept: tuple[str, ...] = ()
    skipped: tuple[SkippedFile, ...] = ()


async def pull_pack(
    pack: CataloguePack,
    *,
    models_dir: Path,
    source: str | None = None,
    accept: bool = False,
    deadline: float | None = None,
    progress: PullProgress | None = None,
    parallel: int = PARALLEL,
    patience: Patience | None = None,
) -> PullReport:
    """Installs a pack, or repairs it. If it is complete, nothing is fetched.

    A pull that fails, is cancelled or killed does not change the installed files. The next pull uses the
    data that it received. Pulls of the same pack wait for each other.

    Args:
        pack: A pack of the catalogue.
        models_dir: Models folder; it is created if needed.
        source: A folder, a tar file or an http(s) address as the source of the files; None for the
            catalogue's addresses.
        accept: True states that a person accepts the terms (``cli.models.acceptance.terms_text``); the
            acceptance is recorded in the pack's folder.
        deadline: Time limit of the pull in seconds; None for no limit.
        progress: Receives the progress.
        parallel: Number of parallel downloads, 1 or more.
        patience: Time limits and retries for servers.

    Raises:
        TermsNotAccepted: A licence restricts use, ``accept`` is False and there is no record.
        ModelsError: The pack could not be installed; see ``cli.errors``.
    """
    if needs_acceptance(pack, models_dir) and not accept:
        raise TermsNotAccepted(
            f"the licence of some models in {pack.name} restricts their use. Read it with "
            f"`facegate models licence {pack.name}`; if you accept it, "
            f"`facegate models pull {pack.name} --accept`."
        )
    until = None if deadline is None else asyncio.get_running_loop().time() + deadline
    pulling = _Pull(
        pack=pack,
        models_dir=models_dir,
        accept=accept,
        until=until,
        progress=progress or NoProgress(),
        parallel=parallel,
    )
    installed = await asyncio.to_thread(inspect_pack, pack, models_dir)
    if await asyncio.to_thread(pulling.nothing_to_do, installed):
        return PullReport(pack=pack, folder=installed.folder, kept=_intact(installed))
    return await pulling.run(source, patience or Patience())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pull:
    pack: CataloguePack
    models_dir: Path
    accept: bool
    until: float | None
    progress: PullProgress
    parallel: int

    @property
    def incoming(self) -> Path:
        return self.models_dir / f".incoming-{self.pack.name}"

    @property
    def former(self) -> Path:
        return self.models_dir / f".former-{self.pack.name}"

    def nothing_to_do(self, installed: InstalledPack) -> bool:
        """Returns whether all files are installed and no earlier pull left data; then no lock is needed."""
        accepted = not self.accept or is_accepted(self.pack, self.models_dir)
        return installed.complete and accepted and not (self.incoming.exists() or self.former.exists())

    async def run(self, source: str | None, patience: Patience) -> PullReport:
        await asyncio.to_thread(_make, self.models_dir)
        lock = pack_lock(self.models_dir, self.pack.name, progress=self.progress, until=self.until)
        async with lock:
            return await self._run(source, patience)

    async def _run(self, source: str | None, patience: Patience) -> PullReport:
        await to_the_end(self._tidy)
        # Again: the previous holder of the lock may have installed the pack.
        installed = await asyncio.to_thread(inspect_pack, self.pack, self.models_dir)
        lacking = [file for file in installed.files if file.state is not FileState.INTACT]
        fetched: tuple[FetchedFile, ...] = ()
        skipped: tuple[SkippedFile, ...] = ()
        if lacking:
            await asyncio.to_thread(_make, self.incoming)
            await asyncio.to_thread(self._require_space, installed)
            async with open_source(source, progress=self.progress, patience=patience) as opened:
                fetching = Fetching(
                    models_dir=self.models_dir,
                    incoming=self.incoming,
                    source=opened,
                    progress=self.progress,
                    parallel=self.parallel,
                )
                fetched, skipped = await fetching.run(
                    [file.entry for file in lacking if file.required],
                    [file.entry for file in lacking if not file.required],
                    until=self.until,
                )
        if fetched or installed.damaged:
            await to_the_end(self._install, installed, fetched)
        elif self.accept and not is_accepted(self.pack, self.models_dir):
            await asyncio.to_thread(write_acceptance, installed.folder, self.pack)
        await asyncio.to_thread(self._clean_up, wanted=tuple(file.name for file in skipped))
        return PullReport(
            pack=self.pack,
            folder=installed.folder,
            fetched=fetched,
            kept=_intact(installed),
            skipped=skipped,
        )

    def _require_space(self, installed: InstalledPack) -> None:
        with writing(self.models_dir):
            free = shutil.disk_usage(self.models_dir).free
            here = sum(path.stat().st_size for path in self.incoming.iterdir() if path.is_file())
        lacking = [file.entry for file in installed.files if file.state is not FileState.INTACT]
        needed = sum(entry.size or 0 for entry in lacking) - here
        if needed > free:
            raise FolderUnusable(
                f"{self.models_dir} has room for {size_text(free)}, but {self.pack.name} needs "
                f"{size_text(needed)} more. Free some space, or give another folder with --models-dir."
            )

    def _install(self, installed: InstalledPack, fetched: tuple[FetchedFile, ...]) -> None:
        """Builds the whole pack beside the installed one, and exchanges them."""
        folder, ready = installed.folder, self.incoming / _READY
        names = {file.name for file in fetched}
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            raise FolderUnusable(
                f"{folder} is a link or a file, expected a folder. Remove it, or give another folder with "
                "--models-dir; the fetched data is kept."
            )
        with writing(ready):
            shutil.rmtree(ready, ignore_errors=True)
            ready.mkdir()
            for file in installed.files:
                if file.entry.file_name in names:
                    link_or_copy(self.incoming / file.entry.file_name, ready / file.entry.file_name)
                elif file.state is FileState.INTACT:
                    link_or_copy(file.path, ready / file.entry.file_name)
            if (folder / RECORD).is_file():
                link_or_copy(folder / RECORD, ready / RECORD)
        if self.accept and not is_accepted(self.pack, self.models_dir):
            write_acceptance(ready, self.pack)
        with writing(folder):
            sync_folder(ready)
            self._swap(folder, ready)
            sync_folder(self.models_dir)
            for name in names:
                (self.incoming / name).unlink(missing_ok=True)
            self._tidy()

    def _swap(self, folder: Path, ready: Path) -> None:
        if not folder.exists():
            ready.rename(folder)
        elif not exchange(ready, folder):
            folder.rename(self.former)
            ready.rename(folder)
            self.former.rename(ready)

    def _tidy(self) -> None:
        """Completes an exchange that a crash interrupted. Files other than the pack's are not lost."""
        folder, ready = self.models_dir / self.pack.name, self.incoming / _READY
        with writing(folder):
            if self.former.exists():
                self.former.rename(ready if folder.exists() and not ready.exists() else folder)
            if ready.is_dir() and folder.is_dir():
                own = {RECORD, *(entry.file_name for entry in self.pack.members)}
                for path in ready.iterdir():
                    if path.name not in own and not (folder / path.name).exists():
                        path.rename(folder / path.name)
            shutil.rmtree(ready, ignore_errors=True)

    def _clean_up(self, *, wanted: tuple[str, ...]) -> None:
        """Deletes incoming files, except parts of files that are still needed, which the next pull uses."""
        if not any((self.incoming / f"{name}.part").exists() for name in wanted):
            shutil.rmtree(self.incoming, ignore_errors=True)


def _make(folder: Path) -> None:
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)


def _intact(installed: InstalledPack) -> tuple[str, ...]:
    return tuple(file.entry.file_name for file in installed.files if file.state is FileState.INTACT)
