"""Synthetic persons and attackers in front of a synthetic camera, for demos, tests and benchmarks.

``simulate_scan`` turns one photo and ``ScanSettings`` into frames; ``builtin_photos`` finds photos that
installed packages carry. A person is the photo laid over a generic head: turning it gives true
parallax, the eyes blink and wander, the room behind is farther away. Attackers show the same photo
on paper or on a screen, or put frames in behind the camera.

What is not modelled, so that nobody mistakes a simulated result for a measured one: light and
shadow do not change when the head turns, skin does not shine, nothing blurs while it moves, the
shutter reads all rows at once (but for a screen's bands), teeth and tongue stay hidden, and no frame
is compressed.
"""

from simulator.errors import PhotoNotFound, PhotoUnusable, SettingsInvalid, SimulatorError
from simulator.frame import SimulatedFrame
from simulator.photo import Photo, photo_from_image
from simulator.photos import builtin_photo_names, builtin_photos
from simulator.scan import simulate_scan
from simulator.scene import (
    CameraSettings,
    ExpressionSettings,
    MotionSettings,
    ScanKind,
    ScanSettings,
    ScreenSettings,
    SheetSettings,
)

__all__ = [
    "CameraSettings",
    "ExpressionSettings",
    "MotionSettings",
    "Photo",
    "PhotoNotFound",
    "PhotoUnusable",
    "ScanKind",
    "ScanSettings",
    "ScreenSettings",
    "SettingsInvalid",
    "SheetSettings",
    "SimulatedFrame",
    "SimulatorError",
    "builtin_photo_names",
    "builtin_photos",
    "photo_from_image",
    "simulate_scan",
]
