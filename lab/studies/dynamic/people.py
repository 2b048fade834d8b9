"""Selects the simulated persons: persons of a photo collection who were not used to tune the flash."""

import hashlib
import tomllib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from lab.evaluation.match import (
    Corrections,
    FacePhoto,
    MatchEvaluationError,
    read_corrections,
    read_photo_list,
)
from lab.simulator import Photo, PhotoUnusable, photo_from_image
from lab.studies.dynamic.rows import DynamicEvaluationError
from vision.face import BgrImage, Points
from vision.geometry import eye_centres
from vision.packs import Pack

_SHORT_SIDE: Final = 720
"""Short side to which a small photo is enlarged for its landmarks, pixels."""
_SMALLEST_FACE: Final = 60.0
"""Least width of a face in the collection's photo that can be lit, pixels."""
_EYES_APART: Final = 0.3
"""Distance between the eyes of two detectors, in eye distances, at which they found different faces."""
_OUTLINES_APART: Final = 0.15
"""The same limit for two landmarkers' outlines, which are more exact. From this distance on, one of them is
beside the eye, and lids that shut there would leave half of the eye open. Of 19 people's photos 18 are below
0.1, one is at 0.28."""


@dataclass(frozen=True, slots=True)
class Person:
    """One person who was not used to tune the flash.

    Attributes:
        key: Pseudonym of the person; see ``key_of``.
        photo: The photo with the largest face; after ``with_usable_photo`` the first usable one.
        others: Further photos, the one with the largest face first.
    """

    key: str
    photo: Path
    others: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Split:
    """The content of ``split.toml``.

    Attributes:
        calibration: Keys of the persons who were used to tune the flash.
        cameras: Names of the cameras that were used to tune it (``lab.studies.dynamic.cases.CAMERAS``).
    """

    calibration: frozenset[str]
    cameras: frozenset[str]


def key_of(identity: str) -> str:
    """Return the first 12 hexadecimal digits of the SHA-256 of an identity's label."""
    return hashlib.sha256(identity.encode()).hexdigest()[:12]


def read_split(text: str | None = None) -> Split:
    """Read the split of this package, or another.

    Args:
        text: TOML in the schema of ``split.toml``; that file if None.

    Raises:
        DynamicEvaluationError: The text is not such a split.
    """
    if text is None:
        text = (files("lab.studies.dynamic") / "split.toml").read_text(encoding="utf-8")
    try:
        table = tomllib.loads(text)
        return Split(
            calibration=frozenset(map(str, table["calibration_people"])),
            cameras=frozenset(map(str, table["calibration_cameras"])),
        )
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise DynamicEvaluationError(f"the split cannot be read: {error}") from error


def held_out_people(folder: Path, *, split: Split, corrections: Path | None) -> tuple[Person, ...]:
    """Return all persons of a collection who are not in the split, in the order of their keys.

    Args:
        folder: Photos with identities, and ``manifest.csv`` (see ``lab.evaluation.match.photos``).
        split: The persons who were used for tuning.
        corrections: File with the known errors of the labels; of two labels that may be one person only the
            first counts.

    Raises:
        DynamicEvaluationError: The photos or the corrections cannot be read, or no person is left.
    """
    try:
        known = Corrections() if corrections is None else read_corrections(corrections)
        photos = read_photo_list(folder, corrections=known, apart={"orl"}).photos
    except (MatchEvaluationError, OSError) as error:
        raise DynamicEvaluationError(str(error)) from error
    found: dict[str, list[FacePhoto]] = defaultdict(list)
    for photo in photos:
        if not photo.apart and _face_width(photo) >= _SMALLEST_FACE:
            found[photo.identity].append(photo)
    tuned = {known.same_person.get(name, name) for name in found if key_of(name) in split.calibration}
    taken: list[str] = []
    for identity in sorted(found):
        maybe_same = (frozenset((identity, other)) in known.unsure for other in (*taken, *tuned))
        if identity not in tuned and key_of(identity) not in split.calibration and not any(maybe_same):
            taken.append(identity)
    if not taken:
        raise DynamicEvaluationError(f"{folder} has no person who was not used for tuning")
    people = []
    for name in taken:
        paths = [photo.path for photo in sorted(found[name], key=_size, reverse=True)]
        people.append(Person(key_of(name), paths[0], tuple(paths[1:])))
    return tuple(sorted(people, key=lambda person: person.key))


def photo_of(person: Person, *, pack: Pack, witness: Pack) -> Photo:
    """Return the photo from which scans of a person are made.

    Args:
        pack: Finds the face and 68 landmarks in it, such as the embedded pack.
        witness: Another pack, which must find the eyes in the same place, because one pack alone may find a
            false face, or misplace its eyes.

    Raises:
        DynamicEvaluationError: The photo cannot be read or used.
    """
    encoded = np.frombuffer(person.photo.read_bytes(), np.uint8)
    image = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    if image is None or pack.landmarker is None:
        raise DynamicEvaluationError(f"{person.photo.name} cannot be decoded, or the pack has no landmarks")
    scale = _SHORT_SIDE / min(image.shape[:2])
    if scale > 1:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    pixels = np.asarray(image, np.uint8)
    try:
        photo = photo_from_image(
            pixels, detector=pack.detector, landmarker=pack.landmarker, mesher=witness.landmarker
        )
    except PhotoUnusable as error:
        raise DynamicEvaluationError(f"{person.photo.name}: {error}") from error
    if not _same_eyes(photo, pixels, witness):
        raise DynamicEvaluationError(f"{person.photo.name}: two packs do not find the same eyes")
    return photo


def with_usable_photo(people: Sequence[Person], *, pack: Pack, witness: Pack) -> tuple[Person, ...]:
    """Return the persons with a usable photo, each with the first one that ``photo_of`` accepts."""
    usable: list[Person] = []
    for person in people:
        each = (replace(person, photo=photo) for photo in (person.photo, *person.others))
        usable.extend(islice((one for one in each if _usable(one, pack, witness)), 1))
    return tuple(usable)


def simulated_people(
    assets: Path, *, pack: Pack, witness: Pack, corrections: Path | None
) -> tuple[Person, ...]:
    """Return the persons of the studies: of ``data/faces``, not in ``split.toml``, and with a usable photo.

    Args:
        assets: Folder of the development data.
        pack: Finds the face and 68 landmarks in the photos; see ``photo_of``.
        witness: The other pack of ``photo_of``.
        corrections: File with the known errors of the labels; see ``held_out_people``.

    Raises:
        DynamicEvaluationError: The photos or the corrections cannot be read, or no person is left.
    """
    people = with_usable_photo(
        held_out_people(assets / "data" / "faces", split=read_split(), corrections=corrections),
        pack=pack,
        witness=witness,
    )
    if not people:
        raise DynamicEvaluationError("no usable photo of a person who was not used for tuning")
    return people


def _usable(person: Person, pack: Pack, witness: Pack) -> bool:
    try:
        photo_of(person, pack=pack, witness=witness)
    except DynamicEvaluationError:
        return False
    return True


def _same_eyes(photo: Photo, pixels: BgrImage, witness: Pack) -> bool:
    face = next(iter(witness.detector.detect(pixels)), None)
    if face is None or not _near(photo, face.five_points[:2], _EYES_APART):
        return False
    if witness.landmarker is None:
        return True
    landmarks = witness.landmarker.locate(pixels, face)
    return landmarks is not None and _near(photo, eye_centres(landmarks), _OUTLINES_APART)


def _near(photo: Photo, eyes: Points, apart: float) -> bool:
    return bool(np.linalg.norm(photo.eye_centres - eyes, axis=1).max() < apart * photo.eye_distance)


def _size(photo: FacePhoto) -> tuple[bool, float, str]:
    """Sort key of a photo by the size of the face; a photo with a second face comes last."""
    return photo.columns.get("n_faces", "1") == "1", _face_width(photo), photo.path.name


def _face_width(photo: FacePhoto) -> float:
    """Return the width of the face in the manifest, pixels; without one it counts as large enough."""
    stated = photo.columns.get("face_w_px")
    return _SMALLEST_FACE if stated is None else float(stated or 0)
