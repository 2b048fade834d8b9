"""Fetches members of a pack side by side into the folder of incoming files."""

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
from vision.packs.catalogue import CatalogueEntry

__all__ = ["FetchedFile", "Fetching", "SkippedFile"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedFile:
    """A file that is here now, with the catalogued hash.

    Attributes:
        name: The file's name.
        origin: Where it came from, for people.
        size: In bytes.
        resumed_at: Bytes that were here before; 0 where all of them were fetched now.
    """

    name: str
    origin: str
    size: int
    resumed_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedFile:
    """An optional file that could not be had.

    Attributes:
        name: The file's name.
        why: In plain words.
    """

    name: str
    why: str


class Fetching:
    """Fetches files into a folder.

    A required file that does not come ends it all; an optional one that is not offered, or whose server
    fails, is left out. A file with a wrong size or content ends it whatever it is for.
    """

    def __init__(
        self, *, models_dir: Path, incoming: Path, source: Source, progress: PullProgress, parallel: int
    ) -> None:
        """Prepares.

        Args:
            models_dir: Whose packs are looked through for the same file first.
            incoming: Folder that the files are written to.
            source: Where they come from otherwise.
            progress: Is told.
            parallel: Files at once.
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
        """Fetches all of them.

        Args:
            required: Files that must come.
            optional: Files that may.
            until: When to stop, in the event loop's clock; None for never.

        Raises:
            ModelsError: A required file did not come, in time or at all, or some file is the wrong one.
        """
        for entry in (*required, *optional):
            self._progress.planned(entry.file_name, size=entry.size)
        tasks = [
            *(asyncio.create_task(self._required(entry)) for entry in required),
            *(asyncio.create_task(self._optional(entry)) for entry in optional),
        ]
        try:
            async with asyncio.timeout_at(until):
                # The first failure ends the others: their parts stay.
                await asyncio.gather(*tasks)
        except TimeoutError as error:
            self._give_up(required, optional, error)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        # In the order of the pack, whichever came first.
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
                f"time ran out before {', '.join(late)} arrived. What was received is kept: pull again "
                "to go on from there, with more time, or from a nearer mirror with --mirror."
            ) from error
        for entry in optional:
            if entry.file_name not in {*self._fetched, *self._skipped}:
                self._skip(entry, "the time was over")

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
        self._progress.ended(entry.file_name, how=f"left out, it is optional: {why}")

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
                # The pieces may be of two versions: once more from the first byte before it is refused.
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
            # The thread cannot be stopped, and its file must not stay open.
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
        """The same file in another installed pack."""
        with writing(self._models_dir):
            candidates = sorted(self._models_dir.glob(f"[!.]*/{entry.file_name}"))
        return next((path for path in candidates if _is_intact(path, entry, tidy=False)), None)


def _is_intact(path: Path, entry: CatalogueEntry, *, tidy: bool = True) -> bool:
    """Whether the file is there and the catalogued one; ``tidy`` deletes it where it is another."""
    try:
        if sha256_of(path) in entry.sha256s:
            return True
        if tidy:
            path.unlink()
    except OSError:
        return False
    return False
