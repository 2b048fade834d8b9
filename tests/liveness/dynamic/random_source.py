"""Reproducible random bytes."""

import numpy as np

from liveness.dynamic.challenge.script import RandomBytes

__all__ = ["seeded"]


def seeded(seed: int) -> RandomBytes:
    """Bytes of a generator that starts at ``seed``."""
    return np.random.default_rng(seed).bytes
