from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evaluation.match.photos import FacePhoto
from evaluation.match.templates import AcquisitionFault, Degradation, embed_photos
from matcher.persons import PHOTO_SUBJECT
from tests.evaluation.bench.packs import FACE, IMAGE, burning_pack
from vision.errors import ModelFailed
from vision.face import BgrImage, Box, DetectedFace, Embedding
from vision.image import encode_jpeg
from vision.packs import Pack


class Detector:
    """Detects as many faces as the image's grey value."""

    def detect(self, image: BgrImage) -> tuple[DetectedFace, ...]:
        many = round(float(image.mean()) / 50)
        return tuple(replace(FACE, box=Box(10.0 * n, 10.0, 10.0 * n + 50.0, 60.0)) for n in range(many))


class FailingEmbedder:
    dimensions = 4

    def embed(self, image: BgrImage, face: DetectedFace) -> Embedding:
        raise ModelFailed("out of memory")


def packs() -> tuple[Pack, Pack]:
    good = replace(burning_pack(), detector=Detector())
    return good, replace(good, embedder=FailingEmbedder())


def photo(folder: Path, name: str, grey: int | None) -> FacePhoto:
    path = folder / name
    if grey is not None:
        path.write_bytes(encode_jpeg(np.full_like(IMAGE, grey)))
    return FacePhoto(path, name, apart=False)


def test_each_pack_gets_each_photo_and_failures_are_distinguished(tmp_path: Path) -> None:
    photos = [
        photo(tmp_path, "one.jpg", 50),
        photo(tmp_path, "none.jpg", 0),
        photo(tmp_path, "two.jpg", 100),
        photo(tmp_path, "missing.jpg", None),
        photo(tmp_path, "again.jpg", 50),
    ]
    calls: list[None] = []
    good, failing = embed_photos(
        photos, packs=packs(), subject=PHOTO_SUBJECT, report=lambda: calls.append(None)
    )
    assert len(calls) == 5
    assert [(each.photo, each.identity) for each in good.templates] == [(0, "one.jpg"), (4, "again.jpg")]
    assert good.faults == {
        1: AcquisitionFault.NO_FACE,
        2: AcquisitionFault.SEVERAL_FACES,
        3: AcquisitionFault.UNREADABLE,
    }
    assert (good.photos, good.failures) == (5, 3)
    assert failing.templates == ()
    assert failing.fault_counts[AcquisitionFault.MODEL_FAILED] == 2
    # The embedder uses 8 ms of CPU time.
    assert len(good.milliseconds) == 2
    assert all(7.0 < spent < 200.0 for spent in good.milliseconds)


class Blind:
    scheme = "mediapipe478"

    def locate(self, image: BgrImage, face: DetectedFace) -> None:
        return None


def test_a_face_without_features_is_not_compared(tmp_path: Path) -> None:
    blind = replace(packs()[0], landmarker=Blind())
    photos = [photo(tmp_path, "profile.jpg", 50)]
    (run,) = embed_photos(photos, packs=(blind,), subject=PHOTO_SUBJECT)
    assert run.faults == {0: AcquisitionFault.NO_FEATURES}


def test_photos_of_persons_with_several_are_embedded_as_portraits_too(tmp_path: Path) -> None:
    photos = [
        replace(photo(tmp_path, name, 50), identity=identity)
        for name, identity in (("a.jpg", "ann"), ("b.jpg", "ann"), ("c.jpg", "cid"))
    ]
    good, _ = embed_photos(
        photos,
        packs=packs(),
        subject=PHOTO_SUBJECT,
        portraits=[Degradation.CROP, Degradation.GREY],
        workers=2,
    )
    assert list(good.portraits) == [Degradation.CROP, Degradation.GREY]
    for run in good.portraits.values():
        assert [each.photo for each in run.templates] == [0, 1]
    assert [each.photo for each in good.templates] == [0, 1, 2]


@pytest.mark.parametrize(("background_width", "templates"), [(PHOTO_SUBJECT.background_width, 1), (0.0, 0)])
def test_the_rule_decides_whether_a_smaller_face_in_the_corner_matters(
    tmp_path: Path, background_width: float, templates: int
) -> None:
    class Bystander:
        def detect(self, image: BgrImage) -> tuple[DetectedFace, ...]:
            height, width = image.shape[:2]
            x, y, half = width / 2, height / 2, min(width, height) / 4
            boxes = Box(x - half, y - half, x + half, y + half), Box(0.0, 0.0, half, half)
            return tuple(replace(FACE, box=box) for box in boxes)

    (run,) = embed_photos(
        [photo(tmp_path, "a.jpg", 50)],
        packs=[replace(burning_pack(), detector=Bystander())],
        subject=replace(PHOTO_SUBJECT, background_width=background_width),
    )
    assert len(run.templates) == templates
    assert run.fault_counts[AcquisitionFault.SEVERAL_FACES] == 1 - templates
