"""Packs, and photos with landmarks, loaded once for all tests of a session: a pack takes a second of CPU.

A pack keeps no state between two calls, so tests may share it.
"""

import functools

import pytest

from lab.simulator.photo import Photo, builtin_photos
from vision.errors import PackNotFound
from vision.packs import Pack, load_pack


@functools.cache
def shared_pack(spec: str) -> Pack:
    """The pack that ``spec`` names, as ``vision.packs.load_pack`` loads it with its defaults."""
    return load_pack(spec)


def real_pack() -> Pack:
    """The embedded pack; skips if it is not installed."""
    try:
        return shared_pack("embedded")
    except PackNotFound as missing:
        pytest.skip(f"the embedded pack is not installed: {missing}")


@functools.cache
def real_photo(person: str) -> Photo:
    """A built-in photo with the landmarks that the embedded pack finds; skips if that is not installed."""
    pack = real_pack()
    return builtin_photos(detector=pack.detector, landmarker=pack.landmarker, names=(person,))[person]
