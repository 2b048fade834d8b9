"""Packs, loaded once for all tests of a session: loading one takes about a second of CPU time.

A pack keeps no state between two calls, so tests may share it.
"""

import functools

import pytest

from vision.errors import PackNotFound
from vision.packs import Pack, load_pack

__all__ = ["real_pack", "shared_pack"]


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
