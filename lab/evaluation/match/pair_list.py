"""Reads pairs of photos to compare from a CSV file.

Columns: ``file_a`` and ``file_b`` (relative to the file's folder) and ``same`` (1 or 0). Other columns are
ignored.

Bounds need the identities, because the comparisons of a person are not independent. If a ``manifest.csv``
with ``file`` and ``identity`` is beside the file (``photos`` beside it), it states them, and its other
columns may name groups. Otherwise the identities follow from the pairs: photos that are linked by pairs of
the same person, even over several pairs, are one person, and every other photo is a separate person. If the
list has no pair for two photos of one person, the bounds are then somewhat too narrow.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from lab.evaluation.match.photos import (
    MANIFEST,
    Corrections,
    FacePhoto,
    NothingToMeasure,
    PhotoListError,
    path_inside,
    read_rows,
)

_SAME = {"1": True, "0": False}


@dataclass(frozen=True, slots=True)
class PairList:
    """The photos to compare.

    Attributes:
        photos: The photos, each once.
        pairs: Positions of two photos; each pair once.
        columns: The manifest's columns; empty without a manifest.
        left_out: Number of omitted pairs by reason.
        named: True if a manifest states the identities.
    """

    photos: tuple[FacePhoto, ...]
    pairs: tuple[tuple[int, int], ...]
    columns: tuple[str, ...]
    left_out: Mapping[str, int]
    named: bool


@dataclass(frozen=True, slots=True)
class _Pair:
    first: str
    second: str
    same: bool
    line: int


def read_pairs(file: Path, *, corrections: Corrections, apart: Collection[str] = ()) -> PairList:
    """Read a pairs file of the form in the module docstring.

    Args:
        corrections: The known errors of the labels.
        apart: Sources of identities that are measured separately; pairs across are omitted. Needs a manifest.

    Raises:
        PhotoListError: A file cannot be read or breaks its form, a photo is not in the manifest, or a pair
            contradicts the manifest or another pair.
        NothingToMeasure: No pair is left.
    """
    listed, pairs = _read(file)
    manifest = file.parent / MANIFEST
    named = manifest.is_file() and manifest.resolve() != file.resolve()
    if named:
        columns, known = _from_manifest(manifest, pairs, pairs_file=file)
    else:
        columns, known = (), _from_pairs(pairs, folder=file.parent, pairs_file=file)
    photos = {
        name: replace(
            photo,
            identity=corrections.same_person.get(photo.identity, photo.identity),
            apart=photo.identity.partition(":")[0] in apart,
        )
        for name, photo in known.items()
    }
    kept: list[_Pair] = []
    left_out = Counter[str]({"named twice": listed - len(pairs)} if listed > len(pairs) else {})
    for pair in pairs:
        why = _left_out(pair, photos, corrections)
        if why:
            left_out[why] += 1
        else:
            kept.append(pair)
    if not kept:
        raise NothingToMeasure(f"{file} leaves no pair that can be compared")
    names = list(dict.fromkeys(name for pair in kept for name in (pair.first, pair.second)))
    positions = {name: position for position, name in enumerate(names)}
    return PairList(
        photos=tuple(photos[name] for name in names),
        pairs=tuple((positions[pair.first], positions[pair.second]) for pair in kept),
        columns=columns,
        left_out=MappingProxyType(dict(left_out)),
        named=named,
    )


def _read(file: Path) -> tuple[int, list[_Pair]]:
    """Return the number of pairs in the file, and each pair of photos once."""
    _, rows = read_rows(file, needed=("file_a", "file_b", "same"))
    found: dict[frozenset[str], _Pair] = {}
    for line, row in enumerate(rows, start=2):
        where = f"{file}, line {line}"
        if row["same"] not in _SAME:
            raise PhotoListError(f"{where}: same is {row['same']!r}, expected 1 or 0")
        pair = _Pair(row["file_a"], row["file_b"], _SAME[row["same"]], line)
        if pair.first == pair.second:
            raise PhotoListError(f"{where}: a photo is compared with itself; remove the line")
        before = found.setdefault(frozenset({pair.first, pair.second}), pair)
        if before.same is not pair.same:
            raise PhotoListError(f"{where}: the same two photos have another label in line {before.line}")
    return len(rows), list(found.values())


def _from_manifest(
    manifest: Path, pairs: Sequence[_Pair], *, pairs_file: Path
) -> tuple[tuple[str, ...], dict[str, FacePhoto]]:
    columns, rows = read_rows(manifest, needed=("file", "identity"))
    by_name = {row["file"]: row for row in rows}
    photos: dict[str, FacePhoto] = {}
    for pair in pairs:
        where = f"{pairs_file}, line {pair.line}"
        for name in (pair.first, pair.second):
            path = path_inside(manifest.parent, name, where=where)
            row = by_name.get(name)
            if row is None or not row["identity"]:
                raise PhotoListError(f"{where}: {manifest} gives {name!r} no identity")
            photos[name] = FacePhoto(path, row["identity"], apart=False, columns=MappingProxyType(row))
        one, other = photos[pair.first].identity, photos[pair.second].identity
        if (one == other) is not pair.same:
            raise PhotoListError(
                f"{where}: same is {int(pair.same)}, but {manifest} gives "
                f"{'one identity' if one == other else 'two identities'}"
            )
    return columns, photos


def _from_pairs(pairs: Sequence[_Pair], *, folder: Path, pairs_file: Path) -> dict[str, FacePhoto]:
    leader: dict[str, str] = {}

    def person(name: str) -> str:
        leader.setdefault(name, name)
        while leader[name] != name:
            leader[name] = leader[leader[name]]
            name = leader[name]
        return name

    for pair in pairs:
        one, other = person(pair.first), person(pair.second)
        if pair.same:
            leader[one] = other
    photos = {
        name: FacePhoto(
            path_inside(folder, name, where=f"{pairs_file}, line {pair.line}"), person(name), apart=False
        )
        for pair in pairs
        for name in (pair.first, pair.second)
    }
    for pair in pairs:
        if not pair.same and person(pair.first) == person(pair.second):
            raise PhotoListError(
                f"{pairs_file}, line {pair.line}: same is 0, but other pairs make the two photos one person"
            )
    return photos


def _left_out(pair: _Pair, photos: Mapping[str, FacePhoto], corrections: Corrections) -> str:
    one, other = photos[pair.first], photos[pair.second]
    if {pair.first, pair.second} & corrections.wrong_label:
        return "left out by the corrections"
    if not pair.same and one.identity == other.identity:
        return "one person by the corrections"
    if frozenset({one.identity, other.identity}) in corrections.unsure:
        return "perhaps one person by the corrections"
    return "across the groups that are measured apart" if one.apart is not other.apart else ""
