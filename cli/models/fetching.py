"""Fetches members of a pack in parallel into the folder of incoming files."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.errors import FileNotOffered, ModelsError, TimeRanOut, TransferFailed, WrongContent
from cli.models.files import sha256_of, size_text, to_the_end, writing
from cli.models.part_file import PartFile
from cli.models.progress import PullProgress
from cli.models.sources import Source, copy_file
from vision.packs import CatalogueEntry

__all__ = ["FetchedFile", "Fetching", "SkippedFile"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedFile:
    """A fetched file with the catalogued hash.

    Attributes:
        name: The file's name.
        origin: Its source, for people.
        size: Its size in bytes.
        resumed_at: Bytes that were present before; 0 if all of them were fetched now.
    """

    name: str
    origin: str
    size: int
    resumed_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedFile:
    """An optional file that could not be fetched.

    Attributes:
        name: The file's name.
        why: The reason, in words.
    """

    name: str
    why: str


class Fetching:
    """Fetches files into a folder.

    If a required file cannot be fetched, the whole fetch ends with an error. An optional file that is not
    offered, or whose server fails, is skipped. Any file with a wrong size or content ends the fetch.
    """

    def __init__(
        self, *, models_dir: Path, incoming: Path, source: Source, progress: PullProgress, parallel: int
    ) -> None:
        """Prepares the fetch.

        Args:
            models_dir: Models folder; its packs are searched for the same file first.
            incoming: Folder for the files.
            source: Source of the other files.
            progress: Receives the progress.
            parallel: Number of parallel downloads.
        """
        self._models_dir = models_dir
        self._incoming = incoming
        self._source = source
        self._progress = progress
        self._slots = asyncio.Semaphore(parallel)
        self._fetched: dict[str, FetchedFile] = {}
        self._skipped: dict[str, SkippedFile] = {}

    async def run(
        self, required: Sequence[CatalogueEntry], optional: Sequence[CatalogueEntry], *, until: float | None
    ) -> tuple[tuple[FetchedFile, ...], tuple[SkippedFile, ...]]:
        """Fetches all files.

        Args:
            required: Required files.
            optional: Optional files.
            until: Time limit in the event loop's clock; None for none.

        Raises:
            ModelsError: A required file could not be fetched, or not in time, or a file has other content.
        """
        for entry in (*required, *optional):
            self._progress.planned(entry.file_name, size=entry.size)
        tasks = [
            *(asyncio.create_task(self._required(entry)) for entry in required),
            *(asyncio.create_task(self._optional(entry)) for entry in optional),
        ]
        try:
            async with asyncio.timeout_at(until):
                # The first error stops the others; their parts are kept.
                await asyncio.gather(*tasks)
        except TimeoutError as error:
            self._give_up(required, optional, error)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        # In the order of the pack, not of arrival.
        names = [entry.file_name for entry in (*required, *optional)]
        return (
            tuple(self._fetched[name] for name in names if name in self._fetched),
            tuple(self._skipped[name] for name in names if name in self._skipped),
        )

    def _give_up(
        self, required: Sequence[CatalogueEntry], optional: Sequence[CatalogueEntry], error: TimeoutError
    ) -> None:
        late = [entry.file_name for entry in required if entry.file_name not in self._fetched]
        if late:
            raise TimeRanOut(
                f"time ran out before {', '.join(late)} arrived. The received data is kept: pull again "
                "to continue, with more time, or from a nearer mirror with --mirror."
            ) from error
        for entry in optional:
            if entry.file_name not in {*self._fetched, *self._skipped}:
                self._skip(entry, "the time limit was reached")

    async def _required(self, entry: CatalogueEntry) -> None:
        async with self._slots:
            await self._fetch(entry)

    async def _optional(self, entry: CatalogueEntry) -> None:
        async with self._slots:
            try:
                await self._fetch(entry)
            except (FileNotOffered, TransferFailed) as error:
                self._skip(entry, str(error))

    def _skip(self, entry: CatalogueEntry, why: str) -> None:
        self._skipped[entry.file_name] = SkippedFile(name=entry.file_name, why=why)
        self._progress.ended(entry.file_name, how=f"skipped, it is optional: {why}")

    async def _fetch(self, entry: CatalogueEntry) -> None:
        ready = self._incoming / entry.file_name
        if await asyncio.to_thread(_is_intact, ready, entry):
            size = await asyncio.to_thread(lambda: ready.stat().st_size)
            self._done(
                entry, FetchedFile(name=entry.file_name, origin="an earlier pull", size=size, resumed_at=size)
            )
            return
        part = await self._open_part(entry)
        resumed_at = part.size
        try:
            neighbour = await asyncio.to_thread(self._neighbour, entry)
            if neighbour is not None:
                await copy_file(neighbour, part)
                origin = str(neighbour)
            else:
                origin = await self._source.fetch(part)
            if part.sha256 not in entry.sha256s and part.patched:
                # The pieces may be of two versions: fetch the whole file once before refusing it.
                part.restart()
                origin = await self._source.fetch(part)
            self._compare(part, origin)
            await to_the_end(part.complete)
        finally:
            part.keep()
        resumed = resumed_at if part.patched else 0
        self._done(
            entry, FetchedFile(name=entry.file_name, origin=origin, size=part.size, resumed_at=resumed)
        )

    async def _open_part(self, entry: CatalogueEntry) -> PartFile:
        opening = asyncio.create_task(asyncio.to_thread(PartFile, entry, self._incoming, self._progress))
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            # The thread cannot be stopped, and its file must be closed.
            with contextlib.suppress(ModelsError):
                (await opening).keep()
            raise

    def _compare(self, part: PartFile, origin: str) -> None:
        found = part.sha256
        if found not in part.entry.sha256s:
            part.discard()
            raise WrongContent(
                name=part.entry.file_name, origin=origin, expected=part.entry.sha256, found=found
            )

    def _done(self, entry: CatalogueEntry, file: FetchedFile) -> None:
        self._fetched[entry.file_name] = file
        rest = f", from byte {file.resumed_at:,} on" if file.resumed_at else ""
        self._progress.ended(
            entry.file_name, how=f"{size_text(file.size)} from {file.origin}{rest}; SHA-256 as catalogued"
        )

    def _neighbour(self, entry: CatalogueEntry) -> Path | None:
        """Returns the same file in another installed pack; None if there is none."""
        with writing(self._models_dir):
            candidates = sorted(self._models_dir.glob(f"[!.]*/{entry.file_name}"))
        return next((path for path in candidates if _is_intact(path, entry, tidy=False)), None)


def _is_intact(path: Path, entry: CatalogueEntry, *, tidy: bool = True) -> bool:
    """Returns whether the file exists with the catalogued content; ``tidy`` deletes other content."""
    try:
        if sha256_of(path) in entry.sha256s:
            return True
        if tidy:
            path.unlink()
    except OSError:
        return False
    return False
