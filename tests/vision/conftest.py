"""Models and photos for the tests of this package, loaded once."""

import csv
import itertools
from pathlib import Path

import numpy as np
import pytest
from skimage import data

from formats.image_format import ImageFormat
from tests.packs import real_pack
from vision.face import BgrImage, Embedding
from vision.image import DecodeLimits, decode_image
from vision.onnx_sessions import RuntimeOptions
from vision.packs.loading import load_folder_pack
from vision.packs.pack import Pack

LIMITS = DecodeLimits(max_bytes=20_000_000, max_pixels=40_000_000, max_side=10_000)
EVERY_FORMAT = frozenset(ImageFormat)


def read_photo(path: Path) -> BgrImage:
    """The pixels of a photo."""
    return decode_image(
        path.read_bytes(), limits=LIMITS, formats=EVERY_FORMAT, honour_exif_orientation=True
    ).pixels


@pytest.fixture(scope="session")
def insightface_pack(assets: Path) -> Pack:
    return load_folder_pack("insightface", assets / "models", runtime=RuntimeOptions(providers="cpu"))


@pytest.fixture(scope="session")
def embedded_pack() -> Pack:
    return real_pack()


@pytest.fixture(scope="session")
def astronaut() -> BgrImage:
    """A frontal portrait, 512 x 512, public domain (NASA, through scikit-image)."""
    return np.ascontiguousarray(data.astronaut()[..., ::-1])


@pytest.fixture(scope="session")
def people(assets: Path) -> dict[str, list[Path]]:
    """Photos of one face each, wider than 80 pixels, by identity; no masked and no grey faces."""
    found: dict[str, list[Path]] = {}
    with (assets / "data" / "faces" / "manifest.csv").open(newline="") as manifest:
        for row in csv.DictReader(manifest):
            if (
                row["usable"] == "1"
                and row["n_faces"] == "1"
                and int(row["face_w_px"] or 0) > 80
                and row["identity"].startswith("bbt:")
            ):
                found.setdefault(row["identity"], []).append(assets / "data" / "faces" / row["file"])
    return found


def cosines(pack: Pack, people: dict[str, list[Path]], *, most: int) -> tuple[list[float], list[float]]:
    """The cosines of pairs of ``people``'s photos, ``most`` of each: of one person, and of two."""
    templates: list[tuple[str, Embedding]] = []
    for identity, photos in people.items():
        for photo in photos[:most]:
            image = read_photo(photo)
            for face in pack.detector.detect(image)[:1]:
                template = pack.embedder.embed(image, face)
                assert template.shape == (pack.embedder.dimensions,)
                assert template.dtype == np.float32
                assert np.linalg.norm(template) == pytest.approx(1, abs=1e-5)
                templates.append((identity, template))
    genuine: list[float] = []
    impostor: list[float] = []
    for (who, one), (whom, other) in itertools.combinations(templates, 2):
        (genuine if who == whom else impostor).append(float(one @ other))
    return genuine, impostor
