"""Write packs to one tar file, for machines without a network. The same packs give the same bytes."""

import hashlib
import importlib.metadata
import io
import json
import os
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from formats.private_files import READABLE, appearing
from vision.errors import FolderUnusable, NotInstalled
from vision.packs.catalogue import CataloguePack
from vision.packs.pulling.installed import (
    FileState,
    InstalledFile,
    InstalledPack,
    inspect_pack,
    terms_text,
    writing,
)

MANIFEST: Final = "manifest.json"
TERMS: Final = "TERMS.txt"

_SCHEMA: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleReport:
    """A bundle that was written.

    Attributes:
        size: Size of the tar file in bytes.
        sha256: SHA-256 of the tar file, lower-case hex. Transmit it separately from the file.
        left_out: Names of optional files that are not installed.
    """

    path: Path
    size: int
    sha256: str
    files: tuple[str, ...]
    left_out: tuple[str, ...]


def write_bundle(packs: Sequence[CataloguePack], *, models_dir: Path, out: Path) -> BundleReport:
    """Write the installed files of ``packs`` with their manifest and terms.

    Times, owners and order are fixed. Two machines with the same packs and the same version of Facegate write
    the same bytes.

    The packs are installed and intact; a file of several packs is written once. ``out`` must not exist.

    Raises:
        NotInstalled: A pack is not installed, or a file of it is altered.
        FolderUnusable: ``out`` exists already or cannot be written.
    """
    if out.exists():
        raise FolderUnusable(f"{out} already exists: remove it, or give another name with --out")
    installed = [inspect_pack(pack, models_dir) for pack in packs]
    for one in installed:
        _demand_intact(one)
    files = {
        file.entry.file_name: file
        for one in installed
        for file in one.files
        if file.state is FileState.INTACT
    }
    left_out = {file.entry.file_name for one in installed for file in one.files} - set(files)
    with writing(out), appearing(out, mode=READABLE) as stream:
        _write(stream, packs, [files[name] for name in sorted(files)])
        size = stream.tell()
        stream.seek(0)
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    return BundleReport(
        path=out, size=size, sha256=sha256, files=tuple(sorted(files)), left_out=tuple(sorted(left_out))
    )


def _demand_intact(installed: InstalledPack) -> None:
    if installed.damaged:
        problems = "; ".join(file.damage for file in installed.damaged)
        raise NotInstalled(
            f"{installed.pack.name} cannot be bundled: {problems}. First run "
            f"`facegate models pull {installed.pack.name}`."
        )


def _write(stream: IO[bytes], packs: Sequence[CataloguePack], files: Sequence[InstalledFile]) -> None:
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        manifest = json.dumps(_manifest(packs, files), indent=2, sort_keys=True) + "\n"
        _add(archive, MANIFEST, io.BytesIO(manifest.encode()), len(manifest.encode()))
        terms = "\n".join(terms_text(pack) for pack in packs).encode()
        _add(archive, TERMS, io.BytesIO(terms), len(terms))
        for file in files:
            with file.path.open("rb") as content:
                _add(archive, file.entry.file_name, content, os.fstat(content.fileno()).st_size)


def _add(archive: tarfile.TarFile, name: str, content: IO[bytes], size: int) -> None:
    info = tarfile.TarInfo(name)  # Its defaults: time 0, owner 0, mode 0644.
    info.size = size
    archive.addfile(info, content)


def _manifest(packs: Sequence[CataloguePack], files: Sequence[InstalledFile]) -> dict[str, Any]:
    return {
        "schema": _SCHEMA,
        "facegate": importlib.metadata.version("facegate"),
        "packs": [
            {
                "name": pack.name,
                "title": pack.title,
                "required": [entry.file_name for entry in pack.required],
                "networks": [entry.file_name for entry in pack.networks],
                "optional": [entry.file_name for entry in pack.optional],
            }
            for pack in packs
        ],
        "files": [
            {
                "name": file.entry.file_name,
                "sha256": file.found or file.entry.sha256,
                "size": file.path.stat().st_size,
                "role": file.entry.role,
                "source": file.entry.source,
                "restricts_use": file.entry.restricts_use,
                "weights": file.entry.terms.weights,
                "training_data": file.entry.terms.training_data,
            }
            for file in files
        ],
    }
