"""Inspects the installed files of a pack by hashing every byte."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from cli.models.files import sha256_of
from vision.packs import CatalogueEntry, CataloguePack

__all__ = ["FileState", "InstalledFile", "InstalledPack", "PackState", "inspect_pack"]


class FileState(StrEnum):
    """The state of a member in the pack's folder."""

    INTACT = "intact"
    MISSING = "missing"
    ALTERED = "altered"
    UNREADABLE = "unreadable"


class PackState(StrEnum):
    """Whether a pack can be used."""

    YES = "yes"
    PARTLY = "partly"
    NO = "no"
    ALTERED = "altered"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledFile:
    """One member of a pack.

    Attributes:
        entry: Its entry in the catalogue.
        required: Whether the pack is incomplete without it.
        path: Its path.
        state: Its state.
        found: SHA-256 of the file at the path, lower-case hex; None if no file can be read.
        problem: Why it cannot be read; empty if it can, or is missing.
    """

    entry: CatalogueEntry
    required: bool
    path: Path
    state: FileState
    found: str | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledPack:
    """All members of a pack.

    Attributes:
        pack: The pack.
        folder: Its folder, which need not exist.
        files: The members in the catalogue's order.
    """

    pack: CataloguePack
    folder: Path
    files: tuple[InstalledFile, ...]

    @property
    def state(self) -> PackState:
        """Whether the pack can be used; optional members may be missing, but none altered."""
        states = {file.state for file in self.files}
        if states & {FileState.ALTERED, FileState.UNREADABLE}:
            return PackState.ALTERED
        if states == {FileState.MISSING}:
            return PackState.NO
        whole = all(file.state is FileState.INTACT for file in self.files if file.required)
        return PackState.YES if whole else PackState.PARTLY

    @property
    def complete(self) -> bool:
        """Whether every member is installed and intact, including optional ones."""
        return all(file.state is FileState.INTACT for file in self.files)

    @property
    def damaged(self) -> tuple[InstalledFile, ...]:
        """Members that prevent the pack from loading: required and missing, or altered."""
        return tuple(
            file
            for file in self.files
            if file.state is not FileState.INTACT and (file.required or file.state is not FileState.MISSING)
        )


def inspect_pack(pack: CataloguePack, models_dir: Path) -> InstalledPack:
    """Hashes the installed files of ``pack``."""
    folder = models_dir / pack.name
    return InstalledPack(
        pack=pack,
        folder=folder,
        files=tuple(
            _inspect(entry, folder / entry.file_name, required=entry in pack.fetched)
            for entry in pack.members
        ),
    )


def _inspect(entry: CatalogueEntry, path: Path, *, required: bool) -> InstalledFile:
    state, found, problem = FileState.MISSING, None, ""
    try:
        if path.is_file():
            found = sha256_of(path)
            state = FileState.INTACT if found in entry.sha256s else FileState.ALTERED
        elif path.is_symlink() or path.exists():
            state, problem = FileState.UNREADABLE, "not a file"
    except OSError as error:
        state, problem = FileState.UNREADABLE, error.strerror or type(error).__name__
    return InstalledFile(entry=entry, required=required, path=path, state=state, found=found, problem=problem)
