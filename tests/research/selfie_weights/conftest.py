"""A small folder of labelled images, and a pack with the places of their faces."""

import csv
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.evaluation.bench.packs import burning_pack
from tests.liveness.builders import face_at
from vision.face import BgrImage, DetectedFace
from vision.packs import Pack

_WIDTH, _HEIGHT = 240, 320
_COLUMNS = ("file", "source_repo", "label", "attack_type", "usable")


class _Detector:
    """Detects one frontal face in every image except black ones."""

    def detect(self, image: BgrImage) -> tuple[DetectedFace, ...]:
        return (face_at(120, 150, 100),) if image.any() else ()


@pytest.fixture
def known_pack() -> Pack:
    return replace(burning_pack(landmarks=False), detector=_Detector())


@pytest.fixture(scope="session")
def assets_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sharp live images, blurred prints and sharp screens of one source; live and screens of another."""
    assets = tmp_path_factory.mktemp("assets")
    folder = assets / "data" / "pad"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(2)
    rows = []
    for source, label, attack, count, sigma in (
        ("large/one", "live", "", 4, 0.5),
        ("large/one", "spoof", "print:A4", 3, 6.0),
        ("large/one", "spoof", "screen", 2, 0.5),
        ("small/two", "live", "", 1, 0.5),
        ("small/two", "spoof", "screen?", 1, 6.0),
    ):
        for number in range(count):
            noise = rng.normal(128, 40, (_HEIGHT, _WIDTH))
            pixels = np.clip(cv2.GaussianBlur(noise, (0, 0), sigma), 0, 255).astype(np.uint8)
            name = f"{source.replace('/', '-')}-{label}-{attack.strip('?').replace(':', '')}-{number}.png"
            cv2.imwrite(str(folder / name), pixels)
            rows.append((name, source, label, attack, "1"))
    cv2.imwrite(str(folder / "black.png"), np.zeros((_HEIGHT, _WIDTH), np.uint8))
    rows += [("black.png", "small/two", "live", "", "1"), ("left-out.png", "small/two", "live", "", "0")]
    with (folder / "manifest.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(_COLUMNS)
        writer.writerows(rows)
    return assets
