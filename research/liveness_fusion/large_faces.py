"""Selects photos of different persons with one large face each, from the faces of the test data."""

import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from liveness import FaceExtent, face_extent
from vision.face import BgrImage
from vision.packs import FaceDetector

__all__ = ["large_faces"]


def large_faces(
    assets: Path, detector: FaceDetector, *, count: int, least_width: float
) -> Iterator[tuple[str, BgrImage, FaceExtent]]:
    """Yield the first ``count`` photos in which the detector finds exactly one face, one photo per person.

    Args:
        assets: The folder with ``data/faces`` and its ``manifest.csv``.
        detector: Finds the faces.
        count: Number of photos.
        least_width: Least width of the face in the manifest, pixels.

    Yields:
        The photo's name, its pixels and the face in it.
    """
    return islice(_all(assets / "data/faces", detector, least_width), count)


def _all(
    folder: Path, detector: FaceDetector, least_width: float
) -> Iterator[tuple[str, BgrImage, FaceExtent]]:
    seen: set[str] = set()
    with (folder / "manifest.csv").open(encoding="utf-8") as manifest:
        rows = list(csv.DictReader(manifest))
    for row in rows:
        if row["usable"] != "1" or row["identity"] in seen or float(row["face_w_px"] or 0) < least_width:
            continue
        stored = cv2.imread(str(folder / row["file"]))
        if stored is None:
            continue
        image = np.asarray(stored, np.uint8)
        faces = detector.detect(image)
        if len(faces) == 1:
            seen.add(row["identity"])
            yield row["file"], image, face_extent(faces[0])
