import pytest

from simulator import Photo, PhotoNotFound, builtin_photos
from vision.errors import PackNotFound
from vision.packs.embedded_pack import load_embedded_pack
from vision.packs.pack import Pack


@pytest.fixture(scope="session")
def embedded() -> Pack:
    try:
        return load_embedded_pack()
    except PackNotFound as missing:
        pytest.skip(f"the embedded pack is not installed: {missing}")


@pytest.fixture(scope="session")
def astronaut(embedded: Pack) -> Photo:
    try:
        photos = builtin_photos(
            detector=embedded.detector, landmarker=embedded.landmarker, names=("astronaut",)
        )
    except PhotoNotFound as missing:
        pytest.skip(str(missing))
    return photos["astronaut"]
