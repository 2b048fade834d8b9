"""Synthetic persons and attackers in front of a synthetic camera, for demos, tests and measurements.

``simulate_scan`` turns one photo and ``SceneSettings`` into frames; ``builtin_photos`` finds photos in
installed packages. A person is the photo mapped onto a generic head: a turn of the head gives true parallax,
the eyes blink and wander, and the room behind is farther away. Attackers show the same photo on paper or on
a screen, or inject frames behind the camera.

``simulate_flash_scan`` renders the same in linear light in front of a phone with a screen that lights the
face. The caller sets the colours of a ``ScreenLight`` while the scan runs, and each frame is rendered when it
is requested. The photo is converted to albedo and lit by screen and surroundings. The camera has exposure and
white-balance loops, the noise of its light level and a rolling shutter. An ``AppGuide`` prompts the person to
come closer, to blink, to turn the head and to open the mouth. Parts of the renderer exist in several models
(`RendererSettings`, `ToneCurve`), so that a measurement need not be tuned to one of them.

``lab.simulator.devices`` has the devices of such people and attackers: their claims about themselves, and the
evidence that they show under a test platform.

A simulated result is not a measured one, because some effects are not modelled. In ``simulate_scan``, light
and shadow do not change when the head turns, skin does not shine, and the shutter reads all rows at once
(except for a screen's bands). In ``simulate_flash_scan``, objects cast no shadows on each other, light is not
scattered under the skin, the screen has one spectrum that matches the camera's channels, and the camera
preview on the screen gives no light. A mouth that opens on request is dark inside, has no tongue and no lower
teeth, and reflects the screen like skin; its corners stay in place; the lips of a mask's wearer have the
mask's colour and gloss. In both there is no motion blur, no local tone mapping or sharpening, and no frame is
compressed.
"""

from lab.simulator.app_guide import AppGuide, Side
from lab.simulator.camera import SimulatedFrame
from lab.simulator.errors import PhotoUnusable, SimulatorError
from lab.simulator.flash_scan import simulate_flash_scan
from lab.simulator.flash_settings import (
    FlashKind,
    FlashScanSettings,
    Geometry,
    InjectionSettings,
    InstrumentSettings,
    RendererSettings,
    SkinSettings,
)
from lab.simulator.light.phone_camera import FlashCameraSettings, ToneCurve
from lab.simulator.light.sources import AmbientPreset, AmbientSettings, Emission, PhoneSettings, ScreenLight
from lab.simulator.light.surface import Diffuse
from lab.simulator.photo import Photo, builtin_photos, photo_from_image
from lab.simulator.scan import simulate_scan
from lab.simulator.scene import ScanKind, SceneSettings, SheetSettings

__all__ = [
    "AmbientPreset",
    "AmbientSettings",
    "AppGuide",
    "Diffuse",
    "Emission",
    "FlashCameraSettings",
    "FlashKind",
    "FlashScanSettings",
    "Geometry",
    "InjectionSettings",
    "InstrumentSettings",
    "PhoneSettings",
    "Photo",
    "PhotoUnusable",
    "RendererSettings",
    "ScanKind",
    "SceneSettings",
    "ScreenLight",
    "SheetSettings",
    "Side",
    "SimulatedFrame",
    "SimulatorError",
    "SkinSettings",
    "ToneCurve",
    "builtin_photos",
    "photo_from_image",
    "simulate_flash_scan",
    "simulate_scan",
]
