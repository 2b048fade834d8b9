"""Both packs, real photos and real records."""

from pathlib import Path

import numpy as np
import pytest

from tests.packs import real_pack
from vision.face import BgrImage
from vision.onnx_sessions import RuntimeOptions
from vision.packs import Pack
from vision.packs.loading import load_folder_pack


@pytest.fixture(scope="package")
def embedded() -> Pack:
    return real_pack()


@pytest.fixture(scope="package")
def insightface(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Pack:
    folder = tmp_path_factory.mktemp("pack")
    for name in ("det_500m.onnx", "mobilefacenet_foamliu.onnx"):
        (folder / name).symlink_to((assets / "models" / name).resolve())
    return load_folder_pack("insightface", folder, runtime=RuntimeOptions())


@pytest.fixture(scope="package", params=["embedded", "insightface"])
def pack(request: pytest.FixtureRequest) -> Pack:
    chosen: Pack = request.getfixturevalue(request.param)
    return chosen


@pytest.fixture(scope="package")
def faces(assets: Path) -> Path:
    return assets / "data" / "faces"


@pytest.fixture(scope="package")
def records(assets: Path) -> Path:
    return assets / "data" / "iso"


@pytest.fixture(scope="package")
def astronaut() -> BgrImage:
    data = pytest.importorskip("skimage.data")
    picture: BgrImage = np.ascontiguousarray(data.astronaut()[:, :, ::-1])
    return picture
