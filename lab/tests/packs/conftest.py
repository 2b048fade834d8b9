"""The models and photos of the tests of ``vision``."""

from tests.vision.conftest import astronaut, embedded_pack, people

__all__ = ["astronaut", "embedded_pack", "people"]
