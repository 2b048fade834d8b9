"""The command; ``docs/trusted_images.md`` and the measures' docstrings have its figures.

*Expression*: photos that were labelled by hand (``expressions.csv``, clear cases only) and score below 50.
*Eyes visible*: photos that score below 50 unchanged, and with dark lenses or hair painted over the eyes; and
the similarity of the shipped average eye to that of these photos. *Eyes open*: of the frames in which an eye
is shut by MediaPipe's points, the number in which it is open by dlib's.
"""

import argparse
import csv
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from lab.evaluation.binomial import proportion
from matcher import PHOTO_SUBJECT, persons_among
from matcher.conformance.features import expression_neutrality, eye_pieces, eyes_visible, features_of
from matcher.conformance.interface import PortraitView
from vision.errors import VisionError
from vision.eye_likeness import EYE_TEMPLATE
from vision.face import BgrImage, DetectedFace, HeadPose, Landmarks
from vision.geometry import eye_corners
from vision.packs import Pack, load_pack
from vision.pose import estimate_pose

_SMALLEST: Final = 40.0
"""Least eye distance of a photo in the study, pixels."""
_SMALL_GREY_SET: Final = "orl:"
_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png"})
_MOST_FRAMES: Final = 240
_EVERY: Final = 2


@dataclass(frozen=True, slots=True)
class Landmarkers:
    """The pack that finds faces, and the two kinds of landmarks.

    Attributes:
        finder: Its detector finds faces; its landmarks are MediaPipe's.
    """

    finder: Pack
    dlib: Pack

    def find_face(self, image: BgrImage, *, name: str, identity: str) -> "Face | None":
        """Find the face in an image; None if there is none, or one kind of landmarks is missing."""
        faces = self.finder.detector.detect(image)
        if not faces or self.finder.landmarker is None or self.dlib.landmarker is None:
            return None
        face = persons_among(faces, size=(image.shape[1], image.shape[0]), rule=PHOTO_SUBJECT)[0]
        found = {
            key: landmarker.locate(image, face)
            for key, landmarker in (("mediapipe", self.finder.landmarker), ("dlib", self.dlib.landmarker))
        }
        known = {key: landmarks for key, landmarks in found.items() if landmarks is not None}
        return Face(name, identity, image, face, known) if len(known) == len(found) else None


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face.

    Attributes:
        identity: The person; the file's name if unknown.
        landmarks: Landmarks by ``"mediapipe"`` and ``"dlib"``.
    """

    name: str
    identity: str
    image: BgrImage
    face: DetectedFace
    landmarks: Mapping[str, Landmarks]


def portrait_of(face: Face, key: str) -> PortraitView:
    """Return the face as a portrait with one kind of landmarks."""
    landmarks = face.landmarks[key]
    size = (face.image.shape[1], face.image.shape[0])
    pose: HeadPose = estimate_pose(landmarks, size)
    return PortraitView(
        image=face.image,
        encoded=b"",
        media_type="",
        faces=(face.face,),
        face=face.face,
        landmarks=landmarks,
        pose=pose,
    )


def faces_of_photos(folder: Path, landmarkers: Landmarkers) -> Iterator[Face]:
    """Yield the face of each photo in which the eyes are at least 40 pixels apart; ORL photos are omitted.

    Args:
        folder: Folder with ``manifest.csv``.
        landmarkers: The models that find faces and landmarks.

    Raises:
        OSError: The manifest cannot be read.
    """
    with (folder / "manifest.csv").open(newline="") as table:
        identities = {row["file"]: row["identity"] or row["file"] for row in csv.DictReader(table)}
    for name, identity in sorted(identities.items()):
        if identity.startswith(_SMALL_GREY_SET) or Path(name).suffix.lower() not in _SUFFIXES:
            continue
        image = cv2.imread(str(folder / name))
        if image is None:
            continue
        face = landmarkers.find_face(image.astype(np.uint8, copy=False), name=name, identity=identity)
        if face is not None and face.face.eye_distance >= _SMALLEST:
            yield face


def faces_of_clips(folder: Path, landmarkers: Landmarkers) -> Iterator[Face]:
    """Yield the face in every second frame of the first 240 of each clip.

    Raises:
        OSError: A clip cannot be opened.
    """
    for path in sorted(folder.iterdir()):
        clip = cv2.VideoCapture(str(path))
        if not clip.isOpened():
            raise OSError(f"{path.name} cannot be opened as a video")
        for at in range(_MOST_FRAMES):
            done, image = clip.read()
            if not done:
                break
            if at % _EVERY == 0:
                face = landmarkers.find_face(
                    image.astype(np.uint8, copy=False), name=path.name, identity=path.name
                )
                if face is not None:
                    yield face
        clip.release()


_KEYS: Final = ("mediapipe", "dlib")
_LABELS: Final = ("neutral", "smile", "other")
_WAYS: Final = ("as they are", "lens", "hair")
_POOR: Final = 50
_LENS: Final = (48, 36)
_FRONTAL: Final = 25.0
_SHUT, _OPEN = 0.012, 0.045
"""Limits on the opening of the less open eye over the distance from eyes to chin, by MediaPipe's points."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """The scores in photos, by measure and by kind of landmarks."""

    scores: dict[tuple[str, str], list[int]] = field(default_factory=lambda: defaultdict(list))
    eyes: dict[str, list[NDArray[np.float64]]] = field(default_factory=lambda: defaultdict(list))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 with one line on stderr if it could not measure."""
    parser = argparse.ArgumentParser(prog="python -m lab.studies.feature_measures", description=__doc__)
    parser.add_argument("--assets", type=Path, required=True, help="Folder with models and data.")
    assets: Path = parser.parse_args(arguments).assets
    console, data = Console(width=130), assets / "data"
    try:
        landmarkers = Landmarkers(load_pack(f"open:{assets / 'models'}"), load_pack("embedded"))
        photos = faces_of_photos(data / "faces", landmarkers)
        seen = _look(track(photos, "photos", console=console), _labels())
        console.print(_table("Expression neutrality: scores below 50", _LABELS, seen))
        console.print(_table("Eyes visible: scores below 50", _WAYS, seen))
        console.print(_average_eye(seen))
        clips = faces_of_clips(data / "video" / "live", landmarkers)
        console.print(_eyes_open(track(clips, "clips", console=console)))
    except (VisionError, OSError) as error:
        sys.stderr.write(f"could not measure: {error}\n")
        return 2
    return 0


def share(found: int, of: int) -> str:
    """Format a count with its share and the 95% bounds (Clopper and Pearson, Biometrika 26, 1934)."""
    known = proportion(found, of, confidence=0.95)
    if known is None:
        return "none"
    return f"{found} of {of} ({known.rate:.1%}; {known.lower:.1%} to {known.upper:.1%})"


def painted(image: BgrImage, centre: tuple[int, int], what: str) -> None:
    """Hide an eye of an aligned face, in place, by a dark lens with some sky in it or by a lock of hair."""
    mask = np.zeros(image.shape[:2], dtype=np.uint8)
    x, y = centre
    if what == "lens":
        cv2.ellipse(mask, centre, _LENS, 0, 0, 360, 255, cv2.FILLED)
        down = np.clip((np.arange(image.shape[0]) - (y - _LENS[1])) / (2 * _LENS[1]), 0, 1)[:, None, None]
        colour = (70 - 55 * down) * np.ones(image.shape)
    else:
        cv2.rectangle(mask, (x - 60, y - 60), (x + 60, y + 40), 255, cv2.FILLED)
        strands = np.random.default_rng(0).normal(0, 8, image.shape)
        colour = np.array((30.0, 40.0, 60.0)) + strands
    image[mask > 0] = np.clip(colour, 0, 255).astype(np.uint8)[mask > 0]


def _hidden(portrait: PortraitView, what: str) -> PortraitView:
    corners, aligned = eye_corners(portrait.landmarks), portrait.aligned
    if corners is None or aligned is None:
        return portrait
    image = aligned.image.copy()
    for eye in corners @ aligned.transform[:, :2].T + aligned.transform[:, 2]:
        x, y = eye.mean(axis=0).astype(int).tolist()
        painted(image, (x, y), what)
    hidden = replace(portrait)
    hidden.__dict__["aligned"] = replace(aligned, image=image)
    return hidden


def _labels() -> Mapping[str, str]:
    lines = (files("lab.studies.feature_measures") / "expressions.csv").read_text("utf-8").splitlines()
    return {row["file"]: row["expression"] for row in csv.DictReader(lines)}


def _look(photos: Iterable[Face], labels: Mapping[str, str]) -> _Seen:
    seen = _Seen()
    for face in photos:
        for key in _KEYS:
            portrait = portrait_of(face, key)
            if face.name in labels:
                _count(seen, labels[face.name], key, expression_neutrality(portrait).score)
            for way in _WAYS:
                shown = portrait if way == _WAYS[0] else _hidden(portrait, way)
                _count(seen, way, key, eyes_visible(shown).score)
            if abs(portrait.pose.yaw) < _FRONTAL:
                seen.eyes[face.identity] += [eye for eye in eye_pieces(portrait) or () if eye is not None]
    return seen


def _count(seen: _Seen, what: str, key: str, score: int | None) -> None:
    if score is not None:
        seen.scores[what, key].append(score)


def _table(title: str, rows: Iterable[str], seen: _Seen) -> Table:
    table = Table("photos", *_KEYS, title=title)
    for what in rows:
        found = (seen.scores[what, key] for key in _KEYS)
        table.add_row(what, *(share(sum(score < _POOR for score in each), len(each)) for each in found))
    return table


def _average_eye(seen: _Seen) -> str:
    persons = [np.mean(eyes, axis=0) for eyes in seen.eyes.values() if eyes]
    average = np.mean([person / np.linalg.norm(person) for person in persons], axis=0)
    alike = float((average * EYE_TEMPLATE).sum() / np.linalg.norm(average))
    return f"The average eye of {len(persons)} persons correlates with the shipped one by {alike:.4f}."


def _eyes_open(frames: Iterable[Face]) -> str:
    rows, names = [], set()
    for frame in frames:
        found = (features_of(frame.landmarks[key]) for key in _KEYS)
        rows.append([min(each.eye_openings) / each.eyes_to_chin if each else 0.0 for each in found])
        names.add(frame.name)
    by_mediapipe, by_dlib = np.array(rows).T
    is_shut, is_open = by_mediapipe < _SHUT, by_mediapipe > _OPEN
    limit = float(np.percentile(by_dlib[is_open], 5))
    taken_for_open = share(int((by_dlib[is_shut] > limit).sum()), int(is_shut.sum()))
    return (
        f"Eyes open, {len(names)} clips: by dlib's points 5% of {is_open.sum()} frames with open eyes have "
        f"them less open than {limit:.3f}; of frames with an eye shut {taken_for_open} have it further open."
    )


if __name__ == "__main__":
    sys.exit(main())
