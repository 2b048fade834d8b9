"""Judges photos of genuine people as single images, and measures the skin tone of photos and clips."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

from attempt import judge_still, landmarks_of, measure_still, persons_in
from evaluation.scans import clip_windows
from liveness import FusionModel, LivenessPolicy, spread_of
from matcher import PHOTO_SUBJECT
from research.liveness_fairness.skin import tone_angle
from vision.face import BgrImage
from vision.packs import Pack

__all__ = [
    "Photo",
    "clip_tone",
    "cropped",
    "judge_photo",
    "judge_photos",
    "read_manifest",
    "read_photos",
    "write_photos",
]

_TONE_FRAMES = 5


@dataclass(frozen=True, slots=True)
class Photo:
    """One judged photo of a genuine person.

    Attributes:
        name: The file.
        labels: The manifest's age, sex and group; empty if it has none.
        faces: Faces that count as persons.
        verdict: LIVE, SPOOF or INCONCLUSIVE for the largest face; empty without a face.
        score: The fusion's log odds as a percentage, 0..100.
        networks: Real probability by PAD network, 0..1.
        tone: The individual typology angle, degrees; ``None`` if it could not be measured.
        luma: Mean luma of the image, 0..255.
        share: Width of the face's box over that of the image.
    """

    name: str
    labels: Mapping[str, str]
    faces: int
    verdict: str
    score: float
    networks: Mapping[str, float]
    tone: float | None
    luma: float
    share: float


def read_manifest(folder: Path) -> list[dict[str, str]]:
    """Read the rows of a folder's manifest.

    Raises:
        OSError: It cannot be read.
    """
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def judge_photos(
    folder: Path, rows: Iterable[Mapping[str, str]], pack: Pack, model: FusionModel
) -> Iterator[Photo]:
    """Judge the usable photos of a manifest by the thresholds of policy ``standard``."""
    for row in rows:
        image = cv2.imread(str(folder / row["file"]), cv2.IMREAD_COLOR) if row["usable"] == "1" else None
        if image is not None:
            labels = {name: row[name] for name in ("age", "sex", "group")}
            yield judge_photo(row["file"], np.asarray(image, np.uint8), pack, model, labels=labels)


def judge_photo(
    name: str, image: BgrImage, pack: Pack, model: FusionModel, *, labels: Mapping[str, str]
) -> Photo:
    """Judge one photo as ``AnalyzeImage`` in mode FULL does, but with several faces by the largest."""
    faces = persons_in(image, pack, rule=PHOTO_SUBJECT)
    luma = float(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).mean())
    if not faces:
        return Photo(name, labels, 0, "", 0.0, {}, None, luma, 0.0)
    face = faces[0]
    landmarks = landmarks_of(image, face, pack)
    measured = measure_still(image, face, landmarks=landmarks, pack=pack)
    result = judge_still(measured, policy=LivenessPolicy(), fusion=model)
    return Photo(
        name=name,
        labels=labels,
        faces=len(faces),
        verdict=result.verdict.name,
        score=result.score,
        networks={score.network: score.real_probability for score in measured.pad_scores},
        tone=None if landmarks is None else tone_angle(image, landmarks),
        luma=luma,
        share=face.box.width / image.shape[1],
    )


def clip_tone(path: Path, pack: Pack) -> float | None:
    """Return the median angle of frames spread over a clip's scans; ``None`` if none could be measured."""
    angles = []
    for window in clip_windows(path):
        for index in spread_of(list(range(len(window))), _TONE_FRAMES):
            image = window[index][1]
            faces = persons_in(image, pack, rule=PHOTO_SUBJECT)
            landmarks = landmarks_of(image, faces[0], pack) if faces else None
            angle = None if landmarks is None else tone_angle(image, landmarks)
            angles += [] if angle is None else [angle]
    return float(np.median(angles)) if angles else None


def cropped(image: BgrImage, pack: Pack, *, share: float, side: int) -> BgrImage | None:
    """Cut an image around its largest face, so that the face has the same share of it as in tight crops.

    Args:
        image: A frame.
        pack: Finds the face.
        share: The share of the crop's width that the face's box has.
        side: Width and height of the result, pixels.

    Returns:
        ``None`` if no face was found.
    """
    faces = persons_in(image, pack, rule=PHOTO_SUBJECT)
    if not faces:
        return None
    box = faces[0].box
    half = box.width / share / 2
    height, width = image.shape[:2]
    half = min(half, width / 2, height / 2)
    x = min(max(box.centre[0], half), width - half)
    y = min(max(box.centre[1], half), height - half)
    part = image[round(y - half) : round(y + half), round(x - half) : round(x + half)]
    method = cv2.INTER_AREA if part.shape[0] > side else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(part, (side, side), interpolation=method), np.uint8)


def write_photos(path: Path, photos: Iterable[Photo]) -> None:
    """Write photos as lines of JSON."""
    path.write_text("".join(f"{json.dumps(asdict(photo))}\n" for photo in photos), encoding="utf-8")


def read_photos(path: Path) -> list[Photo]:
    """Read the photos from a file that ``write_photos`` wrote.

    Raises:
        OSError: The file cannot be read.
        ValueError: A line is not a photo.
    """
    try:
        return [Photo(**json.loads(line)) for line in path.read_text("utf-8").splitlines()]
    except TypeError as error:
        raise ValueError(f"{path} does not contain judged photos: {error}") from error
