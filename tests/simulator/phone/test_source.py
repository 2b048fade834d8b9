from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import vision.packs
from facegate_client import SourceError
from matcher.records import RecordVersion, build_record, serialise
from simulator import builtin_photos
from simulator.phone import needs_screen, open_simulated, open_simulated_phone
from tests.packs import real_pack, shared_pack


@pytest.fixture(autouse=True)
def _loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vision.packs, "load_pack", shared_pack)


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pack = real_pack()
    (person,) = builtin_photos(
        detector=pack.detector, landmarker=pack.landmarker, names=("astronaut",)
    ).values()
    path = tmp_path_factory.mktemp("photo") / "person.png"
    cv2.imwrite(str(path), person.pixels)
    return path


async def test_simulated_person_is_a_source(photo: Path) -> None:
    source = open_simulated("genuine", photo, seed=1)
    source.begin_attempt()
    first, second = await anext(source), await anext(source)
    assert isinstance(first.image, np.ndarray)
    assert first.image.shape == (640, 480, 3)
    assert second.capture_time_us > first.capture_time_us
    assert source.camera.label == "simulated genuine"
    await source.aclose()


async def test_a_photo_may_be_of_any_format_that_is_known(photo: Path, tmp_path: Path) -> None:
    path = tmp_path / "person.jp2"
    with Image.open(photo) as picture:
        picture.save(path, format="JPEG2000")
    source = open_simulated("genuine", path, seed=1)
    assert source.camera.label == "simulated genuine"
    await source.aclose()


@pytest.fixture
def record(photo: Path) -> Path:
    path = photo.with_name("person.fac")
    path.write_bytes(serialise(build_record(photo.read_bytes(), version=RecordVersion.ISO_19794_5_2011)))
    return path


async def test_a_photo_may_come_in_a_facial_record(record: Path) -> None:
    source = open_simulated("genuine", record, seed=1)
    assert source.camera.label == "simulated genuine"
    await source.aclose()


def test_an_empty_image_cannot_be_simulated(tmp_path: Path) -> None:
    path = tmp_path / "grey.png"
    cv2.imwrite(str(path), np.full((200, 200, 3), 128, np.uint8))
    with pytest.raises(SourceError, match="no person can be simulated"):
        open_simulated("genuine", path, seed=1)
    path.write_bytes(b"FAC\x00030\x00 and no record")
    with pytest.raises(SourceError, match="no person can be simulated"):
        open_simulated("genuine", path, seed=1)
    path.write_bytes(b"no picture")
    with pytest.raises(SourceError, match="no person can be simulated"):
        open_simulated("genuine", path, seed=1)
    with pytest.raises(SourceError, match="cannot be read"):
        open_simulated("genuine", tmp_path / "missing.png", seed=1)


async def test_a_simulated_phone_is_a_source_with_a_screen(photo: Path) -> None:
    phone = open_simulated_phone(
        "genuine", photo, seed=1, knobs=["width=240", "height=320", "ambient.preset=dark"]
    )
    phone.begin_attempt()
    first, second = await anext(phone), await anext(phone)
    assert isinstance(first.image, np.ndarray)
    assert first.image.shape == (320, 240, 3)
    assert second.capture_time_us > first.capture_time_us
    assert phone.displayed(second.capture_time_us).number == 0
    await phone.aclose()


def test_kinds_and_knobs_that_are_none_are_reported(photo: Path) -> None:
    with pytest.raises(SourceError, match="known: genuine"):
        open_simulated("injected-tint", photo, seed=1)
    with pytest.raises(SourceError, match="known: genuine"):
        open_simulated_phone("looped-clip", photo, seed=1)
    with pytest.raises(SourceError, match="no knob"):
        open_simulated_phone("genuine", photo, seed=1, knobs=["sky=blue"])


@pytest.mark.parametrize(
    ("kind", "needs"), [("injected-tint", True), ("genuine", False), ("looped-clip", False), ("x", False)]
)
def test_kinds_that_are_about_the_flash_need_a_screen(kind: str, needs: bool) -> None:
    assert needs_screen(kind) is needs
