"""Approaches of heads and flat images, as ``liveness.dynamic.movement.perspective`` measures them."""

from dataclasses import replace

import numpy as np

from liveness.dynamic.model import load_flash_model
from liveness.dynamic.movement.perspective import Parallax, PerspectiveFinding
from tests.liveness.builders import HEIGHT, WIDTH, face_at

SETTINGS = load_flash_model().movement

HEAD = PerspectiveFinding(
    depth=1.1,
    error=0.1,
    clarity=3.0,
    expected=1.0,
    curved=0.45,
    curved_clarity=6.0,
    growth=1.7,
    frames=40,
    points=70,
)
FLAT = replace(HEAD, clarity=0.6, expected=1.8, depth=0.1, curved=0.7, curved_clarity=2.5)
SHEET = replace(HEAD, clarity=2.0, curved=0.12, curved_clarity=1.6)
FILM = replace(HEAD, depth=-0.1)

NOTHING_FOLLOWED = Parallax(
    face=face_at(),
    frame_width=WIDTH,
    frame_height=HEIGHT,
    face_pixels=200.0,
    places=np.zeros((0, 2)),
    closeups=(),
)
"""An approach without remaining points."""
