"""Plans the attempts: people who come closer, and instruments that are moved closer."""

import hashlib
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from simulator import (
    AmbientPreset,
    AmbientSettings,
    FlashCameraSettings,
    FlashKind,
    FlashScanSettings,
    Geometry,
    RendererSettings,
    SheetSettings,
)

__all__ = ["Approacher", "Case", "settings_of"]

_LENSES: Final = (48.0, 55.0, 62.0)
_AMBIENTS: Final = (AmbientPreset.SHADE, AmbientPreset.SUN)
_SECONDS: Final = 25.0


class Approacher(StrEnum):
    """The person or attack that follows the ovals."""

    GENUINE = "genuine person"
    STILL = "genuine person who holds still"
    PRINT = "print"
    TILTED_PRINT = "print, turned to and fro by 8 degrees"
    BENT_PRINT = "print, bent by a tenth of its width"
    SCREEN_REPLAY = "screen replay"
    CUT_OUT_PRINT = "cut-out print, bent over a face"
    RIGID_MASK = "rigid 3-D mask"
    RECORDED_APPROACH = "injected film of another approach"


_KINDS: Final = {
    Approacher.PRINT: FlashKind.PRINT,
    Approacher.TILTED_PRINT: FlashKind.PRINT,
    Approacher.BENT_PRINT: FlashKind.PRINT,
    Approacher.SCREEN_REPLAY: FlashKind.SCREEN_REPLAY,
    Approacher.CUT_OUT_PRINT: FlashKind.CUT_OUT_PRINT,
    Approacher.RIGID_MASK: FlashKind.RIGID_MASK,
}
_STEADY: Final = SheetSettings(yaw_degrees=3.0, pitch_degrees=2.5, shift=0.008, approach=0.015)
"""Movement of a sheet that fills an oval, which is steadier than a waved sheet."""
_SHEETS: Final = {
    Approacher.TILTED_PRINT: replace(_STEADY, yaw_degrees=8.0, pitch_degrees=5.0),
    # A hand bends it by half of that on average.
    Approacher.BENT_PRINT: replace(_STEADY, bend=0.2),
}


@dataclass(frozen=True, slots=True)
class Case:
    """One attempt.

    Attributes:
        approacher: The person or attack.
        person: Key of the person, or of the victim.
        geometry: The model of the head.
        attempt: Number of the attempt, from 0.
    """

    approacher: Approacher
    person: str
    geometry: Geometry
    attempt: int

    @property
    def seed(self) -> int:
        """Seed of all draws of the attempt."""
        name = f"{self.approacher.name}/{self.person}/{self.geometry}/{self.attempt}"
        return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")


def settings_of(case: Case) -> FlashScanSettings:
    """Return the settings of the rendering: shade and sun in turn, and one lens per person."""
    lens = _LENSES[int(case.person, 16) % len(_LENSES)]
    settings = FlashScanSettings(
        kind=_KINDS.get(case.approacher, FlashKind.GENUINE),
        seed=case.seed,
        seconds=_SECONDS,
        frames_per_second=12.0,
        nearest_wall=3.0,
        ambient=AmbientSettings(preset=_AMBIENTS[case.attempt % len(_AMBIENTS)]),
        camera=FlashCameraSettings(field_of_view_degrees=lens),
        renderer=RendererSettings(geometry=case.geometry),
        sheet=_SHEETS.get(case.approacher, _STEADY),
    )
    if case.approacher is Approacher.STILL:
        still = settings.motion
        return replace(
            settings,
            motion=replace(still, yaw_degrees=0.4, pitch_degrees=0.4, roll_degrees=0.3, shift=0.004),
        )
    return settings
