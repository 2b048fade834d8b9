"""Photos with identities, from a folder with a ``manifest.csv``.

Columns used: ``file`` (relative to the folder), ``identity``, ``label`` and ``usable``. A photo is
taken when it is usable, labelled ``bona_fide``, and its identity is given and certain (no ``?`` at
the end). The part of an identity before its colon says where the label comes from.

Labels can be wrong. A corrections file says what is known to be wrong, and why, so that nothing is
left out silently::

    [[same_person]]                   # two labels, one person
    identities = ["a:x", "b:y"]
    reason = "..."

    [[unsure]]                        # may be one person or two: not compared with each other
    identities = ["a:1", "a:2"]
    reason = "..."

    [[wrong_label]]                   # this photo shows somebody else: left out
    file = "a_1.jpg"
    reason = "..."
"""

import csv
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Corrections", "FacePhoto", "PhotoListError", "read_corrections", "read_photos"]


class PhotoListError(Exception):
    """The manifest or the corrections file is missing, or breaks its format."""


@dataclass(frozen=True, slots=True)
class FacePhoto:
    """One photo.

    Attributes:
        path: Where it is.
        identity: Who it shows, after corrections.
        apart: True for the photos of a group that is measured apart.
    """

    path: Path
    identity: str
    apart: bool


@dataclass(frozen=True, slots=True)
class Corrections:
    """What is known to be wrong with a data set's labels.

    Attributes:
        same_person: From a label to the label that is used instead.
        unsure: Pairs of labels that are not compared with each other.
        wrong_label: Files that are left out.
    """

    same_person: Mapping[str, str] = field(default_factory=dict)
    unsure: frozenset[frozenset[str]] = frozenset()
    wrong_label: frozenset[str] = frozenset()


def read_corrections(path: Path) -> Corrections:
    """Read a corrections file; its form is in the module's text.

    Raises:
        PhotoListError: It cannot be read, or breaks the form.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        same = dict(_two(entry) for entry in table.get("same_person", []))
        unsure = frozenset(frozenset(_two(entry)) for entry in table.get("unsure", []))
        wrong = frozenset(str(entry["file"]) for entry in table.get("wrong_label", []))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PhotoListError(f"{path.name} cannot be read as TOML: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PhotoListError(f"{path.name} breaks the form of a corrections file: {error!r}") from error
    return Corrections(same_person=same, unsure=unsure, wrong_label=wrong)


def read_photos(folder: Path, *, corrections: Corrections, apart: frozenset[str]) -> tuple[FacePhoto, ...]:
    """The photos of a folder that can be used for comparisons, in the manifest's order.

    Args:
        folder: Holds ``manifest.csv`` and the photos.
        corrections: What is known to be wrong.
        apart: Sources (the part of an identity before its colon) that are measured apart.

    Raises:
        PhotoListError: There is no such manifest, or a column is missing.
    """
    try:
        with (folder / "manifest.csv").open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise PhotoListError(f"the folder's manifest.csv cannot be read: {error}") from error
    try:
        return tuple(
            FacePhoto(
                path=folder / row["file"],
                identity=corrections.same_person.get(row["identity"], row["identity"]),
                apart=row["identity"].partition(":")[0] in apart,
            )
            for row in rows
            if row["usable"] == "1"
            and row["label"] == "bona_fide"
            and row["identity"]
            and not row["identity"].endswith("?")
            and row["file"] not in corrections.wrong_label
        )
    except KeyError as error:
        raise PhotoListError(f"the folder's manifest.csv has no column {error}") from error


def _two(entry: Mapping[str, Any]) -> tuple[str, str]:
    first, second = entry["identities"]
    if not (isinstance(first, str) and isinstance(second, str)) or first == second:
        raise ValueError("identities must be two different texts")
    return first, second
