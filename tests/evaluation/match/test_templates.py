from dataclasses import replace
from pathlib import Path

import numpy as np

from evaluation.match.photos import FacePhoto
from evaluation.match.templates import AcquisitionFault, embed_photos
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


def test_each_pack_gets_each_photo_and_failures_are_told_apart(tmp_path: Path) -> None:
    photos = [
        photo(tmp_path, "one.jpg", 50),
        photo(tmp_path, "none.jpg", 0),
        photo(tmp_path, "two.jpg", 100),
        photo(tmp_path, "missing.jpg", None),
        photo(tmp_path, "again.jpg", 50),
    ]
    told: list[None] = []
    good, failing = embed_photos(photos, packs=packs(), told=lambda: told.append(None))
    assert len(told) == 5
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
