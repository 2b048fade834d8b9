"""Synthetic persons and attackers in front of a synthetic camera, for demos, tests and measurements.

``simulate_scan`` turns one photo and ``SceneSettings`` into frames; ``builtin_photos`` finds photos that
installed packages carry. A person is the photo laid over a generic head: turning it gives true
parallax, the eyes blink and wander, the room behind is farther away. Attackers show the same photo
on paper or on a screen, or put frames in behind the camera.

``simulate_flash_scan`` renders the same in linear light in front of a phone whose screen is a lamp: the
colours are told to a ``ScreenLight`` while the scan runs, and each frame is rendered when it is asked for.
The photo is turned into albedo and lit by screen and surroundings; the camera has exposure and
white-balance loops, the noise of its light level and a rolling shutter. An ``AppGuide`` asks to come
closer and to blink. Parts of it exist in several models (`RendererSettings`, `ToneCurve`), so that nothing
has to be tuned to one of them.

``simulator.devices`` has the devices that such people and attackers hold: what they say of themselves, and
the evidence that they show under a test platform.

What is not modelled, so that nobody mistakes a simulated result for a measured one: in ``simulate_scan``
light and shadow do not change when the head turns, skin does not shine, and the shutter reads all rows at
once (but for a screen's bands). In ``simulate_flash_scan`` nothing casts a shadow on anything else, light
is not scattered under the skin, the screen has one spectrum and the camera's channels match it, and the
camera preview on the screen gives no light. In both nothing blurs while it moves, teeth and tongue stay
hidden, there is no local tone mapping or sharpening, and no frame is compressed.
"""

from simulator.app_guide import AppGuide
from simulator.errors import PhotoNotFound, PhotoUnusable, SceneSettingsInvalid, SimulatorError
from simulator.flash_scan import simulate_flash_scan
from simulator.flash_settings import (
    FlashKind,
    FlashScanSettings,
    Geometry,
    InjectionSettings,
    InstrumentSettings,
    RendererSettings,
    SkinSettings,
)
from simulator.frame import SimulatedExposure, SimulatedFrame
from simulator.knobs import Knob, knobs_of
from simulator.light.ambient import AmbientPreset, AmbientSettings
from simulator.light.area_light import Emission
from simulator.light.material import Diffuse
from simulator.light.phone_camera import FlashCameraSettings, LockTime, ToneCurve
from simulator.light.screen_light import PhoneSettings, ScreenLight
from simulator.photo import Photo, photo_from_image
from simulator.photos import builtin_photo_names, builtin_photos
from simulator.scan import simulate_scan
from simulator.scene import (
    CameraSettings,
    ExpressionSettings,
    MotionSettings,
    ScanKind,
    SceneSettings,
    ScreenSettings,
    SheetSettings,
)

__all__ = [
    "AmbientPreset",
    "AmbientSettings",
    "AppGuide",
    "CameraSettings",
    "Diffuse",
    "Emission",
    "ExpressionSettings",
    "FlashCameraSettings",
    "FlashKind",
    "FlashScanSettings",
    "Geometry",
    "InjectionSettings",
    "InstrumentSettings",
    "Knob",
    "LockTime",
    "MotionSettings",
    "PhoneSettings",
    "Photo",
    "PhotoNotFound",
    "PhotoUnusable",
    "RendererSettings",
    "ScanKind",
    "SceneSettings",
    "SceneSettingsInvalid",
    "ScreenLight",
    "ScreenSettings",
    "SheetSettings",
    "SimulatedExposure",
    "SimulatedFrame",
    "SimulatorError",
    "SkinSettings",
    "ToneCurve",
    "builtin_photo_names",
    "builtin_photos",
    "knobs_of",
    "photo_from_image",
    "simulate_flash_scan",
    "simulate_scan",
]
