"""The models folder: inspects the installed files of a pack by hashing every byte."""

import hashlib
import importlib.metadata
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

from formats.private_files import READABLE, write_atomically
from vision.errors import FolderUnusable
from vision.packs.catalogue import CatalogueEntry, CataloguePack


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
        required: Whether the pack is incomplete without it.
        found: SHA-256 of the file at the path, lower-case hex; None if no file can be read.
        problem: Why it cannot be read; empty if it can, or is missing.
    """

    entry: CatalogueEntry
    required: bool
    path: Path
    state: FileState
    found: str | None = None
    problem: str = ""

    @property
    def damage(self) -> str:
        """What is wrong with a file that is not intact, in one line."""
        name = self.path.name
        match self.state:
            case FileState.ALTERED:
                return f"{name} is altered: expected SHA-256 {self.entry.sha256}, found {self.found}"
            case FileState.UNREADABLE:
                return f"{name} cannot be read: {self.problem}"
            case _:
                return f"{name} is missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledPack:
    """All members of a pack.

    Attributes:
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
    """Hash the installed files of ``pack``."""
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


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, lower-case hex.

    Raises:
        OSError: It cannot be read, or is not a regular file.
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Convert file system errors in the block to ``FolderUnusable`` about ``path``."""
    try:
        yield
    except OSError as error:
        raise unwritable(path, error) from error


def unwritable(path: Path, error: OSError) -> FolderUnusable:
    """Return the error that says that ``path`` cannot be written."""
    return FolderUnusable(
        f"{path} cannot be written: {error.strerror or error}. Free some space, correct the permissions, "
        "or give another folder; then repeat the command. The fetched data is kept."
    )


def size_text(size: int | None) -> str:
    """Return a size for people, such as ``3.8 MB``."""
    if size is None:
        return "unknown"
    if size < 1_000_000:
        return f"{size / 1000:.0f} kB"
    return f"{size / 1_000_000:.1f} MB"


RECORD: Final = "accepted.json"
"""Name of the record in the pack's folder."""

_SCHEMA: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """The record that the terms of a pack were accepted.

    Attributes:
        terms_sha256: SHA-256 of ``terms_text`` as it was accepted, lower-case hex.
        accepted_at: Time of the acceptance, ISO 8601 in UTC.
        facegate: Version of Facegate that showed the terms.
        terms: The text of the terms, so that the record is readable without that version.
    """

    pack: str
    terms_sha256: str
    accepted_at: str
    facegate: str
    terms: str


def terms_text(pack: CataloguePack) -> str:
    """Return the terms of every member, as shown and accepted. Equal terms give an equal text."""
    lines = [f"{pack.title} ({pack.name})"]
    for entry in pack.members:
        lines += [
            "",
            entry.file_name + ("  [the licence restricts use]" if entry.restricts_use else ""),
            f"  source         {entry.source}",
            f"  weights        {entry.terms.weights}",
            f"  training data  {entry.terms.training_data}",
        ]
    return "\n".join(lines) + "\n"


def is_accepted(pack: CataloguePack, models_dir: Path) -> bool:
    """Return whether the current terms of ``pack`` were accepted."""
    accepted = read_acceptance(models_dir / pack.name)
    return accepted is not None and accepted.pack == pack.name and accepted.terms_sha256 == _sha256(pack)


def needs_acceptance(pack: CataloguePack, models_dir: Path) -> bool:
    """Return whether a licence restricts use and the current terms were not accepted."""
    return pack.restricts_use and not is_accepted(pack, models_dir)


def read_acceptance(folder: Path) -> Acceptance | None:
    """Return the record in a pack's folder; None if there is no readable one."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        if record.pop("schema") != _SCHEMA or not all(isinstance(value, str) for value in record.values()):
            return None
        return Acceptance(**record)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def write_acceptance(folder: Path, pack: CataloguePack) -> Acceptance:
    """Record that the terms of ``pack`` were accepted now.

    Raises:
        FolderUnusable: It cannot be written.
    """
    accepted = Acceptance(
        pack=pack.name,
        terms_sha256=_sha256(pack),
        accepted_at=datetime.now(UTC).isoformat(timespec="seconds"),
        facegate=importlib.metadata.version("facegate"),
        terms=terms_text(pack),
    )
    path = folder / RECORD
    with writing(path):
        content = json.dumps({"schema": _SCHEMA, **asdict(accepted)}, indent=2) + "\n"
        write_atomically(path, content.encode(), mode=READABLE, over=True)
    return accepted


def _sha256(pack: CataloguePack) -> str:
    return hashlib.sha256(terms_text(pack).encode()).hexdigest()
