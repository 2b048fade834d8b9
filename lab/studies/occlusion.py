"""Measures how often covers of eyes and mouth are found on covered and on bare faces.

Photos: the labelled ones of ``faces`` and ``pad`` (masked and bare mouths), and the unlabelled ones of
``faces_lfw`` and ``faces_groups``, as they are and with painted covers. Clips: scans as the server observes
them. ``--fit`` also fits ``MOUTH_COEFFICIENTS`` of ``liveness/occlusion.py``, on the labelled photos,
``faces_groups`` and painted masks. ``docs/liveness.md`` ("Covered faces") has the figures.
"""

import argparse
import csv
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from lab.evaluation.match import PhotoListError
from lab.studies.portrait_measures.faces import studied_faces
from lab.studies.portrait_measures.measures import fit_logistic
from lab.studies.scans import clip_windows, observe_scan
from liveness.occlusion import (
    MOUTH_COEFFICIENTS,
    Cover,
    FaceRegions,
    cut_regions,
    eyes_are_shut,
    most_covered,
    mouth_is_open,
    name_cover,
    regions_of_part,
)
from matcher import SCAN_SUBJECT
from vision.errors import VisionError
from vision.face import BgrImage, DetectedFace, Landmarks
from vision.packs import Pack, load_pack
from vision.pose import estimate_pose

_COLOURS: Final = np.array(
    [
        (230, 200, 150),
        (245, 245, 245),
        (30, 30, 30),
        (140, 200, 150),
        (190, 160, 230),
        (200, 120, 60),
        (120, 120, 125),
        (90, 60, 40),
    ],
    dtype=np.float64,
)
"""Colours of masks and objects, BGR: surgical blue, white, black, green, pink, blue, grey and navy."""
_LIT: Final = 150.0
_NOSE_BRIDGE: Final = (slice(35, 65), slice(68, 90))
_LENS: Final = (24, 18)


class Painted(StrEnum):
    """A painted cover."""

    MASK = "mask"
    OBJECT = "object"
    LENSES = "lenses"


def painted(part: BgrImage, eyes: NDArray[np.float64], what: Painted, rng: np.random.Generator) -> BgrImage:
    """Return the part with a cover, whose colour and place are drawn.

    Args:
        part: The aligned part, from ``liveness.occlusion.cut_regions``.
        eyes: The corners of the eyes in it, shape (2, 2, 2).
        what: The cover: a mask from nose to chin, an object before the mouth that leaves the cheeks bare, or
            dark lenses with some sky in them.
        rng: Draws colour, place and texture.
    """
    mask = np.zeros(part.shape[:2], dtype=np.uint8)
    rows, columns = np.mgrid[: part.shape[0], : part.shape[1]].astype(np.float64)
    if what is Painted.LENSES:
        fill = np.zeros(part.shape)
        for x, y in eyes.mean(axis=1):
            cv2.ellipse(mask, (round(float(x)), round(float(y))), _LENS, 0, 0, 360, 255, cv2.FILLED)
            down = np.clip((rows - (y - _LENS[1])) / (2 * _LENS[1]), 0, 1)
            fill[:] = (rng.uniform(50, 80) - 45 * down)[..., None]
    else:
        light = float(np.clip(part[_NOSE_BRIDGE].mean() / _LIT, 0.25, 1.3))
        folds = 1 + rng.uniform(0, 0.1) * np.sin(rows / rng.uniform(4, 9) + rng.uniform(0, 6))
        shade = (folds - 0.1 * ((columns - 79) / 79) ** 2)[..., None]
        fill = rng.choice(_COLOURS) * light * shade
        cv2.fillConvexPoly(mask, _outline(what, rng), 255)
    soft = cv2.GaussianBlur(mask, (3, 3), 0)[..., None] / 255.0
    noisy = np.clip(fill + rng.normal(0, 3, part.shape), 0, 255)
    return (part * (1 - soft) + noisy * soft).astype(np.uint8)


def _outline(what: Painted, rng: np.random.Generator) -> NDArray[np.int32]:
    if what is Painted.OBJECT:
        x, y = 79 + int(rng.integers(-5, 6)), 110 + int(rng.integers(-4, 5))
        return np.array([(x - 29, y - 16), (x + 29, y - 16), (x + 29, y + 17), (x - 29, y + 17)], np.int32)
    side, top = 72 + int(rng.integers(0, 8)), int(rng.integers(62, 75))
    return np.array([(14, side), (79, top), (144, side), (137, 130), (79, 162), (20, 130)], np.int32)


_SMALLEST = 25.0
_TURNED = 25.0
_BARE, _MASKED = "bare", "masked"
_MASK_WEIGHT = 3
"""How often a real mask counts in the fit, beside a painted one."""


@dataclass(frozen=True, slots=True, eq=False)
class _Face:
    """One face: its set, whether its mouth is masked, and its regions as they are and with painted covers."""

    source: str
    masked: bool
    eyes_shut: bool
    mouth_open: bool
    regions: dict[str, FaceRegions]

    def cover(self, way: str) -> Cover:
        """Return what covers the face; the landmarks of a painted mouth are those of a shut one."""
        is_open = self.mouth_open and way in (_BARE, Painted.LENSES)
        return name_cover(self.regions[way], eyes_shut=self.eyes_shut, mouth_open=is_open)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 with one line on stderr if it could not measure."""
    parser = argparse.ArgumentParser(prog="python -m lab.studies.occlusion", description=__doc__)
    parser.add_argument("--assets", type=Path, required=True, help="Folder with models and data.")
    parser.add_argument("--every", type=int, default=1, help="Use every n-th photo only.")
    parser.add_argument("--windows", type=int, default=2, help="Scans of each clip, 4 seconds each.")
    parser.add_argument("--fit", action="store_true", help="Also fit the coefficients of a covered mouth.")
    options = parser.parse_args(arguments)
    console, data = Console(width=130), options.assets / "data"
    try:
        packs = {"MediaPipe": load_pack(f"open:{options.assets / 'models'}"), "dlib": load_pack("embedded")}
        found = {name: list(_photos(data, pack, options.every)) for name, pack in packs.items()}
        for name, faces in found.items():
            console.print(_table(f"Photos, landmarks of {name}", faces))
        if options.fit:
            console.print(_fitted([face for faces in found.values() for face in faces]))
        for name, pack in packs.items():
            for line in _clips(data, pack, options.windows):
                console.print(f"{name}: {line}")
    except (VisionError, PhotoListError, OSError) as error:
        sys.stderr.write(f"could not measure: {error}\n")
        return 2
    return 0


def _photos(data: Path, pack: Pack, every: int) -> Iterator[_Face]:
    rng = np.random.default_rng(0)
    for seen in studied_faces(data, pack=pack, name="labelled photos", every=every):
        view = seen.view
        if seen.covered is None or view.landmarks is None:
            continue
        face = _face("labelled", view.image, view.face, view.landmarks, rng, masked=seen.covered)
        if face is not None:
            yield face
    for folder in ("faces_groups", "faces_lfw"):
        with (data / folder / "manifest.csv").open(newline="") as table:
            names = [row["file"] for row in csv.DictReader(table)][::every]
        for name in names:
            image = cv2.imread(str(data / folder / name))
            if image is None or pack.landmarker is None:
                continue
            pixels = image.astype(np.uint8, copy=False)
            for one in pack.detector.detect(pixels)[:1]:
                landmarks = pack.landmarker.locate(pixels, one)
                face = None if landmarks is None else _face(folder, pixels, one, landmarks, rng, masked=False)
                if face is not None:
                    yield face


def _face(
    source: str,
    image: BgrImage,
    face: DetectedFace,
    landmarks: Landmarks,
    rng: np.random.Generator,
    *,
    masked: bool,
) -> _Face | None:
    pose = estimate_pose(landmarks, (image.shape[1], image.shape[0]))
    found = cut_regions(image, face, landmarks)
    if found is None or face.eye_distance < _SMALLEST or abs(pose.yaw) > _TURNED:
        return None
    part, eyes = found
    regions = {_BARE: regions_of_part(part, eyes)}
    if not masked:
        regions |= {str(way): regions_of_part(painted(part, eyes, way, rng), eyes) for way in Painted}
    return _Face(source, masked, eyes_are_shut(landmarks), mouth_is_open(landmarks), regions)


def _table(title: str, faces: Sequence[_Face]) -> Table:
    table = Table("photos", "way", "number", *(str(cover) for cover in Cover), title=title)
    for source in dict.fromkeys(face.source for face in faces):
        for masked, way in ((True, _BARE), (False, _BARE), *((False, str(way)) for way in Painted)):
            chosen = [face.cover(way) for face in faces if (face.source, face.masked) == (source, masked)]
            if chosen:
                counts = Counter(chosen)
                shown = _MASKED if masked else way
                table.add_row(source, shown, str(len(chosen)), *(str(counts[cover]) for cover in Cover))
    return table


def _fitted(faces: Sequence[_Face]) -> str:
    fitting = [face for face in faces if face.source != "faces_lfw" and face.regions[_BARE].coloured]
    bare = _features([face.regions[_BARE] for face in fitting if not face.masked])
    masks = _features([face.regions[_BARE] for face in fitting if face.masked] * _MASK_WEIGHT)
    drawn = _features([face.regions[Painted.MASK] for face in fitting if not face.masked][::8])
    covered = np.repeat([False, True], [len(bare), len(masks) + len(drawn)])
    fit = fit_logistic(np.concatenate([bare, masks, drawn]), covered)
    return (
        f"fitted {', '.join(f'{one:.3f}' for one in fit)}; shipped {', '.join(map(str, MOUTH_COEFFICIENTS))}"
    )


def _features(regions: Sequence[FaceRegions]) -> NDArray[np.float64]:
    return np.array([one.mouth_features for one in regions], dtype=np.float64).reshape(len(regions), -1)


def _clips(data: Path, pack: Pack, windows: int) -> Iterator[str]:
    """Yield the scans in which a frame was covered, and their number."""
    totals: Counter[str] = Counter()
    for clip in sorted(data.glob("video*/*/*")):
        if clip.parent.name not in ("live", "spoof"):
            continue
        for number, window in enumerate(clip_windows(clip, most=windows)):
            covers = [frame.cover for frame in observe_scan(window, pack, subject=SCAN_SUBJECT).usable]
            counts = Counter(str(cover) for cover in covers if cover is not None)
            most = most_covered(covers)
            totals[f"{clip.parent.name} {most or 'not covered'}"] += 1
            if set(counts) - {str(Cover.NOTHING)}:
                yield f"{clip.parent.name}/{clip.name} #{number}: {dict(counts)}, as a whole {most}"
    yield str(dict(totals))


if __name__ == "__main__":
    sys.exit(main())
