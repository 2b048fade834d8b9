import pytest

from lab.simulator import Photo, builtin_photos
from lab.simulator.errors import PhotoNotFound
from tests.packs import real_pack
from vision.packs.pack import Pack


@pytest.fixture(scope="session")
def embedded() -> Pack:
    return real_pack()


@pytest.fixture(scope="session")
def astronaut(embedded: Pack) -> Photo:
    try:
        photos = builtin_photos(
            detector=embedded.detector, landmarker=embedded.landmarker, names=("astronaut",)
        )
    except PhotoNotFound as missing:
        pytest.skip(str(missing))
    return photos["astronaut"]
