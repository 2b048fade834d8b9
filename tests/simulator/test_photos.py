import importlib.util
from importlib.machinery import ModuleSpec

import pytest

from simulator import PhotoNotFound, builtin_photo_names, builtin_photos
from simulator.photo import builtin_image
from vision.packs.pack import Pack


def test_every_built_in_photo_shows_one_large_face(embedded: Pack) -> None:
    try:
        photos = builtin_photos(detector=embedded.detector, landmarker=embedded.landmarker)
    except PhotoNotFound as missing:
        pytest.skip(str(missing))
    assert tuple(photos) == builtin_photo_names()
    for name, photo in photos.items():
        assert len(embedded.detector.detect(photo.pixels)) == 1, name
        assert photo.eye_distance >= 90, name


def test_an_unknown_name_is_refused_with_the_known_ones(embedded: Pack) -> None:
    with pytest.raises(PhotoNotFound, match="astronaut"):
        builtin_photos(detector=embedded.detector, landmarker=embedded.landmarker, names=("nobody",))


def test_a_missing_package_is_named(embedded: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    def find_nothing(name: str, package: str | None = None) -> ModuleSpec | None:
        return None

    monkeypatch.setattr(importlib.util, "find_spec", find_nothing)
    with pytest.raises(PhotoNotFound, match="skimage"):
        builtin_photos(detector=embedded.detector, landmarker=embedded.landmarker, names=("astronaut",))


def test_a_built_in_image_needs_no_model() -> None:
    image = builtin_image("red-shirt")
    assert min(image.shape[:2]) >= 720
    with pytest.raises(PhotoNotFound, match="nobody"):
        builtin_image("nobody")
