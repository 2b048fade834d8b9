"""Simulated scans of many people: the generic head and the cut-out must work for more than one photo."""

import csv
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from simulator import Photo, PhotoUnusable, ScanKind, SceneSettings, photo_from_image, simulate_scan
from tests.simulator.measures import eye_openings
from vision.face import Landmarks
from vision.geometry import eye_aspect_ratio
from vision.packs.pack import Pack

_PEOPLE = 6
_LONGEST_SIDE = 2000
_WIDE_OPEN = 0.26


def _people(assets: Path, pack: Pack) -> Iterator[tuple[str, Photo]]:
    """One photo with wide open eyes of each of the first people in the set."""
    assert pack.landmarker is not None
    seen: set[str] = set()
    with (assets / "data" / "faces" / "manifest.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["usable"] != "1" or row["identity"] in seen:
                continue
            image = cv2.imread(str(assets / "data" / "faces" / row["file"]))
            if image is None or max(image.shape) > _LONGEST_SIDE:
                continue
            try:
                photo = photo_from_image(
                    np.asarray(image, np.uint8), detector=pack.detector, landmarker=pack.landmarker
                )
            except PhotoUnusable:
                continue
            opening = np.mean(eye_aspect_ratio(Landmarks(points=photo.landmarks, scheme="ibug68")))
            if photo.eye_distance < 60 or opening < _WIDE_OPEN:
                continue
            seen.add(row["identity"])
            yield row["file"], photo
            if len(seen) == _PEOPLE:
                return


@pytest.mark.slow
def test_faces_of_every_photo_are_found_and_blink(assets: Path, embedded: Pack) -> None:
    people = list(_people(assets, embedded))
    assert len(people) == _PEOPLE
    found = blinked = total = 0
    for number, (_, photo) in enumerate(people):
        settings = SceneSettings(kind=ScanKind.GENUINE, seed=number, seconds=3.0)
        frames = list(simulate_scan(photo, settings))
        openings = eye_openings(embedded, frames)
        total += len(frames)
        found += len(openings)
        blinked += min(openings) < 0.75 * float(np.median(openings))
    assert found >= 0.95 * total
    assert blinked >= _PEOPLE - 2
