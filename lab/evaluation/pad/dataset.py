"""Reads labelled presentations: images and clips of a manifest, or of ``live`` and ``spoof/<species>``.

``manifest.csv`` has the columns ``file`` (relative to the folder) and ``label`` (``live`` or ``bona_fide``,
``spoof`` or ``attack``). These columns are optional:

* ``species`` or ``attack_type``: the instrument, such as ``print``. Text after a colon is its variety
(``screen:phone``); a ``?`` at the end marks a label that is a guess; text in brackets is dropped. *
``source`` or ``source_repo``: the collection. A result states whether its thresholds and bounds use the same
source for training and test. * ``identity`` and ``session``: the person, and the sitting. Without them they
are guessed from the file names. * ``usable``: 1, or 0 for presentations that the collector excludes.

Sittings are guessed if the data set does not state them. Images of one sitting resemble each other, with the
same person, camera, light and sheet. If names contain the time (seconds since 1970, or date and time), images
less than ten minutes apart are one session, regardless of the rest of their names. Other names are grouped by
the text before their number. This makes groups too large rather than too small, so that bounds from draws of
groups become wider, never too narrow.

Errors::

    PadEvaluationError
    ├── DatasetError         a manifest or folder is missing or breaks its form
    └── NothingToMeasure     no bona fide or no attack presentation, or no scorer that can judge them

Every message states in one line what was wrong, what was expected and what to do. No message contains image
content.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Final

from lab.evaluation.match.photos import MANIFEST, PICTURES, PhotoListError, path_inside, read_rows


class PadEvaluationError(Exception):
    """Base class of the errors of this folder."""


class DatasetError(PadEvaluationError):
    """A manifest or folder is missing or breaks its form."""


class NothingToMeasure(PadEvaluationError):
    """There is no bona fide or no attack presentation, or no scorer that can judge them."""


_PAUSE: Final = 600.0
_UNIX: Final = re.compile(r"(?<!\d)(1[0-9]{9})(?!\d)")
_STAMP: Final = re.compile(r"(?<!\d)(20\d{6})[_-]?(\d{6})(?!\d)")
_NUMBER: Final = re.compile(r"[\d_\-().\s]+$")


def sessions_from_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return a session for each file of one source.

    Args:
        names: Distinct paths with ``/`` between their parts.

    Returns:
        In the same order: ``t<seconds>`` for a sitting that began then, else the name without its number.
    """
    times = {name: time for name in names if (time := _seconds(PurePosixPath(name).stem)) is not None}
    started: dict[float, float] = {}
    ordered = sorted(set(times.values()))
    for before, time in pairwise([-float("inf"), *ordered]):
        started[time] = time if time - before > _PAUSE else started[before]
    return tuple(f"t{started[times[name]]:.0f}" if name in times else _prefix(name) for name in names)


def _seconds(stem: str) -> float | None:
    unix = _UNIX.search(stem)
    if unix is not None:
        return float(unix[1])
    stamp = _STAMP.search(stem)
    if stamp is None:
        return None
    try:
        return datetime.strptime(stamp[1] + stamp[2], "%Y%m%d%H%M%S").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _prefix(name: str) -> str:
    path = PurePosixPath(name)
    return (path.parent / _NUMBER.sub("", path.stem)).as_posix()


CLIPS: Final = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".webm"})
"""Suffixes of clips."""

SPECIES: Final = ("print", "screen", "paper mask", "3-D mask")
"""Instruments that a measurement should cover; one without data is reported as "not evaluated"."""

INJECTED: Final = frozenset({"deepfake", "face swap", "injection", "synthetic"})
"""Attacks without an instrument: outside ISO/IEC 30107-3 (CEN/TS 18099), and reported separately."""

_LIVE: Final = frozenset({"live", "real", "bona_fide", "bonafide", "genuine"})
_ATTACK: Final = frozenset({"spoof", "attack", "fake"})
_UNKNOWN: Final = "unknown"


class PadLabel(StrEnum):
    """The label of a presentation."""

    LIVE = "live"
    """Bona fide."""
    ATTACK = "attack"
    """With an instrument, or injected."""


class SampleKind(StrEnum):
    """The kind of a file."""

    PICTURE = "picture"
    CLIP = "clip"


@dataclass(frozen=True, slots=True)
class PadSample:
    """One labelled file.

    Attributes:
        label: Bona fide or attack.
        species: Instrument without its variety, such as ``print``; empty for bona fide.
        source: The collection; empty if unknown.
        identity: The person; empty if unknown.
        session: The sitting; never empty.
        usable: False if the collector excludes it.
        variety: Instrument with its variety, such as ``screen:phone``; empty for bona fide.
        doubtful: True if the species is a guess.
        kind: Image or clip.
        name: Name in the manifest, or path relative to the folder.
    """

    path: Path
    label: PadLabel
    species: str
    source: str
    identity: str
    session: str
    usable: bool
    variety: str = ""
    doubtful: bool = False
    kind: SampleKind = SampleKind.PICTURE
    name: str = ""

    @property
    def live(self) -> bool:
        """Whether it is bona fide."""
        return self.label is PadLabel.LIVE

    @property
    def group(self) -> str:
        """The unit of resampling: the person if known, else the sitting, within the source."""
        return f"{self.source}|{self.identity or self.session}"


def read_dataset(dataset: Path) -> tuple[PadSample, ...]:
    """Read every presentation of a data set, usable or not, in the order of its list.

    Args:
        dataset: A manifest, a folder with ``manifest.csv``, or a folder with ``live`` and ``spoof``.

    Raises:
        DatasetError: There is no such file or folder, it breaks its form, or a file lies outside.
    """
    try:
        if dataset.is_file():
            samples = _listed(dataset)
        elif (dataset / MANIFEST).is_file():
            samples = _listed(dataset / MANIFEST)
        elif dataset.is_dir():
            samples = _in_folders(dataset)
        else:
            raise DatasetError(f"{dataset} does not exist: expected a manifest or a folder")
    except PhotoListError as error:
        raise DatasetError(str(error)) from error
    except OSError as error:
        raise DatasetError(f"{dataset} cannot be read: {error.strerror or error}") from error
    if not samples:
        raise DatasetError(f"{dataset} lists no image and no clip")
    return tuple(samples)


def only_listed(samples: Iterable[PadSample], names: Path) -> tuple[PadSample, ...]:
    """Return the samples of a list, such as a network's held-out files, in the order of ``samples``.

    Args:
        samples: Samples of one data set or several.
        names: Text file in UTF-8 with one file per line, named as in the manifest or the folder; empty lines
            and lines that begin with ``#`` are skipped.

    Raises:
        DatasetError: The list cannot be read, or names a file that no data set has.
    """
    every = tuple(samples)
    try:
        lines = names.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"the list {names} cannot be read as UTF-8 text") from error
    wanted = {line.strip() for line in lines if line.strip() and not line.startswith("#")}
    kept = tuple(sample for sample in every if sample.name in wanted)
    missing = sorted(wanted - {sample.name for sample in kept})
    if missing:
        raise DatasetError(
            f"{names} names {len(missing)} files that are in no data set, such as {missing[0]!r}"
        )
    return kept


def without_unusable(samples: Iterable[PadSample]) -> tuple[PadSample, ...]:
    """Return the usable samples, in their order."""
    return tuple(sample for sample in samples if sample.usable)


def _listed(manifest: Path) -> list[PadSample]:
    columns, rows = read_rows(manifest, needed=("file", "label"))
    samples = []
    for number, row in enumerate(rows, start=2):
        where = f"{manifest.name}, line {number}"
        samples.append(_sample(row, path_inside(manifest.parent, row["file"], where=where), where=where))
    known = frozenset(columns) & {"session"}
    return _with_sessions(samples, [row["file"] for row in rows], guess_all=not known)


def _sample(row: Mapping[str, str], path: Path, *, where: str) -> PadSample:
    label = row["label"].strip().lower()
    if label not in _LIVE | _ATTACK:
        raise DatasetError(f"{where}: the label {row['label']!r} is none of live, bona_fide, spoof, attack")
    live = label in _LIVE
    stated = (row.get("species") or row.get("attack_type") or "").strip()
    variety = "" if live else stated.partition("(")[0].strip().rstrip("?").strip().lower() or _UNKNOWN
    return PadSample(
        path=path,
        label=PadLabel.LIVE if live else PadLabel.ATTACK,
        species=variety.partition(":")[0].strip(),
        source=(row.get("source") or row.get("source_repo") or "").strip(),
        identity=(row.get("identity") or "").strip(),
        session=(row.get("session") or "").strip(),
        usable=row.get("usable", "1").strip() == "1",
        variety=variety,
        doubtful=not live and (stated.endswith("?") or variety == _UNKNOWN),
        kind=_kind(path),
        name=row["file"],
    )


def _in_folders(folder: Path) -> list[PadSample]:
    if not (folder / "live").is_dir() and not (folder / "spoof").is_dir():
        raise DatasetError(f"{folder} has neither a {MANIFEST} nor the folders live and spoof")
    samples, names = [], []
    for path in _files(folder / "live"):
        name = path.relative_to(folder).as_posix()
        row = {"file": name, "label": "live", "source": folder.name}
        samples.append(_sample(row, path, where=str(path)))
        names.append(name)
    for path in _files(folder / "spoof"):
        parts = path.relative_to(folder / "spoof").parts
        name = path.relative_to(folder).as_posix()
        species = parts[0] if len(parts) > 1 else ""
        row = {"file": name, "label": "spoof", "source": folder.name, "species": species}
        samples.append(_sample(row, path, where=str(path)))
        names.append(name)
    return _with_sessions(samples, names, guess_all=True)


def _files(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in PICTURES | CLIPS and path.is_file():
                yield path


def _with_sessions(samples: Sequence[PadSample], names: Sequence[str], *, guess_all: bool) -> list[PadSample]:
    """Fill in missing sessions; each clip is a session of its own."""
    missing: dict[str, list[int]] = defaultdict(list)
    found = list(samples)
    for at, sample in enumerate(samples):
        if guess_all or not sample.session:
            if sample.kind is SampleKind.CLIP:
                found[at] = replace(sample, session=names[at])
            else:
                missing[sample.source].append(at)
    for positions in missing.values():
        guessed = sessions_from_names([names[at] for at in positions])
        for at, session in zip(positions, guessed, strict=True):
            found[at] = replace(samples[at], session=session)
    return found


def _kind(path: Path) -> SampleKind:
    return SampleKind.CLIP if path.suffix.lower() in CLIPS else SampleKind.PICTURE
