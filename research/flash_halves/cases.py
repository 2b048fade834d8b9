"""The scans in front of a halved screen, and the files in which their courses are kept."""

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from research.flash_halves.measure import SECONDS, FaceCourse
from research.flash_halves.screen import HalvedStep
from simulator import (
    AmbientPreset,
    AmbientSettings,
    FlashKind,
    FlashScanSettings,
    InjectionSettings,
    PhoneSettings,
)

__all__ = [
    "AMBIENTS",
    "DISTANCES",
    "LATENCIES",
    "SCREENS",
    "Case",
    "cases_of",
    "path_of",
    "read_course",
    "write_course",
]

AMBIENTS: Final = (AmbientPreset.DARK, AmbientPreset.INDOOR, AmbientPreset.OFFICE)
DISTANCES: Final = {25: 0.645, 35: 0.46, 45: 0.358}
"""Width of the face over the frame's, by the distance in centimetres, at a lens of 48 degrees."""
SCREENS: Final = {"up/down": (65.0, 140.0), "left/right": (140.0, 65.0)}
"""Width and height of the screen, millimetres. The halves of a phone that lies on its side are as near
to each other as the left and the right half of an upright one."""
LATENCIES: Final = (0.1, 0.2, 0.3)
"""By how much a relit video is late, seconds."""
_USUAL: Final = 35
"""The distance of the other screen and of relighting, centimetres."""


@dataclass(frozen=True, slots=True)
class Case:
    """One scan.

    Attributes:
        person: Key of the person or the victim.
        ambient: The surrounding light.
        centimetres: The distance, among ``DISTANCES``.
        screen: The name of the screen, among ``SCREENS``.
        latency: By how much relighting is late, seconds; ``None`` for a genuine person.
    """

    person: str
    ambient: AmbientPreset
    centimetres: int = _USUAL
    screen: str = "up/down"
    latency: float | None = None

    @property
    def name(self) -> str:
        """Distinct name, and seed of the draws."""
        late = "" if self.latency is None else f"/{self.latency:g}"
        return f"{self.person}/{self.ambient}/{self.centimetres}/{self.screen}{late}"

    def settings(self) -> FlashScanSettings:
        """Return the simulator's settings."""
        rng = self.draws("settings")
        width, height = SCREENS[self.screen]
        return FlashScanSettings(
            kind=FlashKind.GENUINE if self.latency is None else FlashKind.INJECTED_RELIGHTING,
            seed=int(rng.integers(1 << 30)),
            seconds=SECONDS,
            width=240,
            height=320,
            face_width=DISTANCES[self.centimetres],
            ambient=AmbientSettings(preset=self.ambient),
            phone=PhoneSettings(luminance=float(rng.uniform(300.0, 500.0)), width_mm=width, height_mm=height),
            injection=InjectionSettings(latency_seconds=self.latency or 0.0),
        )

    def draws(self, what: str) -> np.random.Generator:
        """Return the draws of a part of the scan."""
        digest = hashlib.sha256(f"{what}/{self.name}".encode()).digest()
        return np.random.default_rng(int.from_bytes(digest[:8], "big"))


def cases_of(people: Sequence[str]) -> list[Case]:
    """Return all scans, person by person."""
    cases = []
    for person in people:
        cases += [Case(person, *cell) for cell in itertools.product(AMBIENTS, DISTANCES)]
        cases += [Case(person, ambient, screen="left/right") for ambient in AMBIENTS]
        cases += [Case(person, AmbientPreset.INDOOR, latency=late) for late in LATENCIES]
    return cases


def path_of(folder: Path, case: Case) -> Path:
    """Return the file of a scan."""
    return folder / f"{hashlib.sha256(case.name.encode()).hexdigest()[:16]}.npz"


def write_course(path: Path, course: FaceCourse) -> None:
    """Write a course, whole or not at all."""
    steps = np.array([[one.at, one.channel, one.above, one.border] for one in course.steps])
    unfinished = path.with_suffix(".part")
    with unfinished.open("wb") as stream:
        np.savez(stream, times=course.times, chroma=course.chroma, steps=steps)
    unfinished.rename(path)


def read_course(path: Path) -> FaceCourse:
    """Read a course that ``write_course`` wrote.

    Raises:
        OSError: The file cannot be read.
    """
    with np.load(path, allow_pickle=False) as stored:
        steps = tuple(
            HalvedStep(float(at), int(channel), bool(above), int(border))
            for at, channel, above, border in stored["steps"]
        )
        return FaceCourse(stored["times"], stored["chroma"], steps)
