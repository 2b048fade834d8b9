"""Reads photos with identities from a folder with a ``manifest.csv``, or with a subfolder for each person.

``manifest.csv`` has the columns ``file`` (relative to the folder) and ``identity``; any other column may
name groups. If there are the columns ``usable`` and ``label``, a photo is used only if it is usable (1) and
labelled ``bona_fide``. A photo without an identity, or with an uncertain one (``?`` at the end), is omitted,
and so is a copy of another photo of the person, because a photo that is compared with itself always matches.
The part of an identity before its colon names the source of the label.

Without a manifest, each direct subfolder is a person and contains that person's photos.
"""

import csv
import hashlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Final

from evaluation.match.corrections import Corrections
from evaluation.match.errors import PhotoListError

__all__ = [
    "MANIFEST",
    "PICTURES",
    "FacePhoto",
    "PhotoList",
    "path_inside",
    "read_photo_list",
    "read_photos",
    "read_rows",
]

MANIFEST: Final = "manifest.csv"
PICTURES: Final = frozenset(
    {".bmp", ".j2k", ".jp2", ".jpeg", ".jpf", ".jpg", ".jpx", ".pgm", ".png", ".ppm", ".webp"}
)
"""Suffixes of the files that are read from a person's folder."""

_MOST_BYTES: Final = 64 * 1024 * 1024
_COPY: Final = "copies of another photo of the person"
_NO_COLUMNS: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class FacePhoto:
    """One photo.

    Attributes:
        path: Path of the file.
        identity: The person, after corrections.
        apart: True for the photos of a group that is measured separately.
        columns: Its row of the manifest; empty without a manifest.
    """

    path: Path
    identity: str
    apart: bool
    columns: Mapping[str, str] = field(default_factory=lambda: _NO_COLUMNS)


@dataclass(frozen=True, slots=True)
class PhotoList:
    """The photos of a folder.

    Attributes:
        photos: The usable photos, in the manifest's order.
        columns: The manifest's columns; empty without a manifest.
        left_out: Number of omitted photos by reason.
    """

    photos: tuple[FacePhoto, ...]
    columns: tuple[str, ...]
    left_out: Mapping[str, int]


def read_photos(folder: Path, *, corrections: Corrections, apart: Collection[str]) -> tuple[FacePhoto, ...]:
    """Read only the photos of ``read_photo_list``."""
    return read_photo_list(folder, corrections=corrections, apart=apart).photos


def read_photo_list(folder: Path, *, corrections: Corrections, apart: Collection[str]) -> PhotoList:
    """Read the photos of a folder that can be compared.

    Args:
        folder: The folder with ``manifest.csv`` and the photos, or with a subfolder for each person.
        corrections: The known errors of the labels.
        apart: Sources (the part of an identity before its colon) that are measured separately.

    Raises:
        PhotoListError: There is no such folder, a column is missing, or a file lies outside the folder.
    """
    if not folder.is_dir():
        raise PhotoListError(f"{folder} is no folder: expected one with photos and {MANIFEST}")
    if (folder / MANIFEST).is_file():
        columns, rows = read_rows(folder / MANIFEST, needed=("file", "identity"))
    else:
        columns, rows = (), list(_person_folders(folder))
        if not rows:
            raise PhotoListError(
                f"{folder} has neither a {MANIFEST} nor subfolders with photos, one for each person"
            )
    photos, left_out = [], Counter[str]()
    known: set[tuple[str, str]] = set()
    for number, row in enumerate(rows, start=2):
        why = _left_out(row, corrections)
        if why:
            left_out[why] += 1
            continue
        path = path_inside(folder, row["file"], where=f"{MANIFEST}, line {number}")
        identity = row["identity"]
        person = corrections.same_person.get(identity, identity)
        digest = _digest(path)
        if (person, digest) in known:
            left_out[_COPY] += 1
            continue
        known.add((person, digest))
        photos.append(
            FacePhoto(
                path=path,
                identity=person,
                apart=identity.partition(":")[0] in apart,
                columns=MappingProxyType(row) if columns else _NO_COLUMNS,
            )
        )
    return PhotoList(photos=tuple(photos), columns=columns, left_out=MappingProxyType(dict(left_out)))


def read_rows(file: Path, *, needed: Sequence[str]) -> tuple[tuple[str, ...], list[dict[str, str]]]:
    """Read the columns and the rows of a CSV file with a header line.

    Args:
        file: The file, in UTF-8.
        needed: Required columns.

    Raises:
        PhotoListError: The file cannot be read or is not such a CSV file, or a column or value is missing.
    """
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise PhotoListError(f"{file} has more than {_MOST_BYTES} bytes; this is no list of photos")
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            columns = tuple(reader.fieldnames or ())
            rows = list(reader)
    except OSError as error:
        raise PhotoListError(f"{file} cannot be read: {error.strerror or error}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise PhotoListError(f"{file} is no CSV file in UTF-8: {error}") from error
    missing = [name for name in needed if name not in columns]
    if missing:
        raise PhotoListError(
            f"{file} has no column {' and no column '.join(missing)}; found {', '.join(columns) or 'none'}"
        )
    for number, row in enumerate(rows, start=2):
        # DictReader stores excess values under the key None, and None for missing values.
        if None in row or None in row.values():
            raise PhotoListError(
                f"{file}, line {number}: expected {len(columns)} values, as in the first line"
            )
    return columns, rows


def path_inside(folder: Path, name: str, *, where: str) -> Path:
    """Return the path of a file that a list names, which must lie in the list's folder.

    Args:
        folder: Folder of the list.
        name: Name in the list, with ``/`` between its parts.
        where: The place in the list, for messages.

    Raises:
        PhotoListError: The name is empty, absolute, or leads out of the folder.
    """
    parts = PurePosixPath(name.replace("\\", "/")).parts
    # On systems with drives, a drive such as C: would make the path absolute.
    if not parts or parts[0] == "/" or ".." in parts or ":" in parts[0][:2] or "\0" in name:
        raise PhotoListError(
            f"{where}: the file {name!r} does not lie in the folder: name it relative to the folder, "
            "without .."
        )
    return folder.joinpath(*parts)


def _digest(path: Path) -> str:
    """Returns the SHA-256 of a file; its path if it cannot be read, which is reported when it is embedded."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return str(path)


def _person_folders(folder: Path) -> Iterator[dict[str, str]]:
    for person in sorted(entry for entry in folder.iterdir() if entry.is_dir()):
        for photo in sorted(person.iterdir()):
            if photo.suffix.lower() in PICTURES and photo.is_file():
                yield {"file": f"{person.name}/{photo.name}", "identity": person.name}


def _left_out(row: Mapping[str, str], corrections: Corrections) -> str:
    if row.get("usable", "1") != "1":
        return "marked as not usable"
    if row.get("label", "bona_fide") != "bona_fide":
        return "not labelled bona_fide"
    if not row["identity"]:
        return "without an identity"
    if row["identity"].endswith("?"):
        return "of an uncertain identity"
    return "left out by the corrections" if row["file"] in corrections.wrong_label else ""
