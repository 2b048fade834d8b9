"""Reads photos with identities from a folder with a ``manifest.csv``, or with a subfolder for each person.

``manifest.csv`` has the columns ``file`` (relative to the folder) and ``identity``; any other column may
name groups. If there are the columns ``usable`` and ``label``, a photo is used only if it is usable (1) and
labelled ``bona_fide``. A photo without an identity, or with an uncertain one (``?`` at the end), is omitted,
and so is a copy of another photo of the person, because a photo that is compared with itself always matches.
The part of an identity before its colon names the source of the label.

Without a manifest, each direct subfolder is a person and contains that person's photos.

The known errors of a data set's labels have reasons, so that every omission is documented::

    [[same_person]]                   # two labels, one person
    identities = ["a:x", "b:y"]
    reason = "..."

    [[unsure]]                        # may be one person or two: not compared with each other
    identities = ["a:1", "a:2"]
    reason = "..."

    [[wrong_label]]                   # this photo shows another person: omitted
    file = "a_1.jpg"
    reason = "..."

Files are decoded within limits: formats that a server accepts as a server does (``vision.image``), and PGM
and PPM files (binary, 8 bits), which photo collections also contain and which have a header of three numbers.

Errors::

    MatchEvaluationError
    ├── PhotoListError       a manifest, pairs file, folder or corrections file is missing or breaks its form
    ├── NothingToMeasure     too few persons, photos or comparisons, or too many to hold
    └── EmbeddersDiffer      the packs of one calibration have different embedders

Every message states in one line what was wrong, what was expected and what to do. No message contains the
content of a photo or a template.
"""

import csv
import hashlib
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any, Final

import cv2
import numpy as np

from formats.errors import ImageFault, TomlMalformed
from formats.image_format import ImageFormat
from formats.toml import read_toml
from vision.errors import ImageError
from vision.face import BgrImage
from vision.image import DecodeLimits, StillDecoder, decode_image


class MatchEvaluationError(Exception):
    """Base class of the errors of this folder."""


class PhotoListError(MatchEvaluationError):
    """A manifest, pairs file, folder or corrections file is missing or breaks its form."""


class NothingToMeasure(MatchEvaluationError):
    """There are too few persons, photos or comparisons, or too many for the memory."""


class EmbeddersDiffer(MatchEvaluationError):
    """The packs of one calibration have different embedders."""


@dataclass(frozen=True, slots=True)
class Corrections:
    """The known errors of a data set's labels.

    Attributes:
        same_person: From a label to the label that is used instead.
        unsure: Pairs of labels, after ``same_person``, that are not compared with each other.
        wrong_label: Files that are omitted.
    """

    same_person: Mapping[str, str] = field(default_factory=dict)
    unsure: frozenset[frozenset[str]] = frozenset()
    wrong_label: frozenset[str] = frozenset()


def read_corrections(path: Path) -> Corrections:
    """Read a corrections file of the form in the module docstring.

    Raises:
        PhotoListError: The file cannot be read, or breaks the form.
    """
    try:
        table = read_toml(path.read_bytes())
        same = _one_label([_two(entry) for entry in table.get("same_person", [])])
        pairs = [_two(entry) for entry in table.get("unsure", [])]
        unsure = frozenset(frozenset(same.get(label, label) for label in pair) for pair in pairs)
        if any(len(labels) < 2 for labels in unsure):
            raise ValueError("two labels are unsure that same_person makes one")
        wrong = frozenset(str(entry["file"]) for entry in table.get("wrong_label", []))
    except OSError as error:
        raise PhotoListError(f"{path} cannot be read: {error.strerror or error}") from error
    except TomlMalformed as error:
        raise PhotoListError(f"{path}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PhotoListError(f"{path} breaks the form of a corrections file: {error!r}") from error
    return Corrections(same_person=same, unsure=unsure, wrong_label=wrong)


def _one_label(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Map every replaced label to the common label of the person."""
    used: dict[str, str] = {}
    for first, second in pairs:
        old, new = used.get(first, first), used.get(second, second)
        if old != new:
            used |= {label: new for label, known in used.items() if known == old}
            used[old] = new
    return used


def _two(entry: Mapping[str, Any]) -> tuple[str, str]:
    first, second = entry["identities"]
    if not (isinstance(first, str) and isinstance(second, str)) or first == second:
        raise ValueError("identities must be two different texts")
    return first, second


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


def read_photo_list(folder: Path, *, corrections: Corrections, apart: Collection[str] = ()) -> PhotoList:
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
    """Return the SHA-256 of a file; its path if it cannot be read, which is reported when it is embedded."""
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


LIMITS: Final = DecodeLimits(max_bytes=64 * 1024 * 1024, max_pixels=50_000_000, max_side=20_000)
"""Limits that images of current cameras do not reach."""

_ALL: Final = frozenset(ImageFormat)
# Netpbm, binary: magic, width, height, largest value, one white space; comments begin with #.
_PNM: Final = re.compile(rb"(P[56])" + rb"(?:\s+(?:#[^\n]*\n\s*)*)(\d{1,6})" * 3 + rb"\s")


def read_picture(path: Path, *, still_decoder: StillDecoder | None) -> BgrImage:
    """Read the upright image of a file.

    Args:
        path: The file; its name does not state its format.

    Returns:
        Shape (height, width, 3), BGR.

    Raises:
        ImageError: The file is not an image, or exceeds ``LIMITS``.
        DecoderUnavailable: The isolated decoder cannot decode it now.
        OSError: The file cannot be read.
    """
    with path.open("rb") as stream:
        data = stream.read(LIMITS.max_bytes + 1)
    header = _PNM.match(data)
    if header is not None and len(data) <= LIMITS.max_bytes:
        return _netpbm(data, header)
    return decode_image(
        data, limits=LIMITS, formats=_ALL, honour_exif_orientation=True, still_decoder=still_decoder
    ).pixels


def _netpbm(data: bytes, header: re.Match[bytes]) -> BgrImage:
    width, height, most = (int(header[number]) for number in (2, 3, 4))
    channels = 3 if header[1] == b"P6" else 1
    if width * height > LIMITS.max_pixels or max(width, height) > LIMITS.max_side:
        raise ImageError(ImageFault.TOO_MANY_PIXELS, f"the image is {width} x {height} pixels; too many")
    samples = data[header.end() :]
    if most != 255 or not width * height or len(samples) < width * height * channels:
        raise ImageError(ImageFault.MALFORMED, "the Netpbm file is cut off, or has not 8 bits a sample")
    pixels = np.frombuffer(samples, np.uint8, width * height * channels).reshape(height, width, channels)
    code = cv2.COLOR_RGB2BGR if channels == 3 else cv2.COLOR_GRAY2BGR
    return cv2.cvtColor(pixels, code).astype(np.uint8, copy=False)
