"""Simulates a scan: the frames of a person or an attack in front of the camera, or injected ones."""

from collections.abc import Iterator
from itertools import islice
from typing import Protocol

import numpy as np

from lab.simulator.camera import Camera, SimulatedFrame, capture_times, even_times
from lab.simulator.person import Person
from lab.simulator.photo import Photo
from lab.simulator.scene import ScanKind, SceneSettings
from lab.simulator.sheets import ScreenReplay, StaticPrint, WavedPrint
from vision.face import BgrImage


def repeat_frames(
    genuine: Iterator[SimulatedFrame], settings: SceneSettings, *, cycle: int
) -> Iterator[SimulatedFrame]:
    """Repeat the first ``cycle`` frames of a genuine scan, bit for bit.

    Args:
        genuine: The scan that the attacker has recorded.
        settings: Length and rate.
        cycle: Number of frames before the repetition; 1 is a frozen frame.
    """
    clip: list[BgrImage] = [frame.pixels for frame in islice(genuine, cycle)]
    times = even_times(frames=settings.frames, frames_per_second=settings.frames_per_second)
    for index, time in enumerate(times):
        yield SimulatedFrame(pixels=clip[index % len(clip)], capture_time=time)


class Scene(Protocol):
    """A scene in front of the lens."""

    def show(self, time: float) -> BgrImage:
        """Render the scene at ``time`` seconds, before any effect of the camera."""
        ...


class _LivePerson:
    def __init__(self, photo: Photo, settings: SceneSettings, rng: np.random.Generator) -> None:
        self._person = Person(photo, settings, rng)

    def show(self, time: float) -> BgrImage:
        return self._person.show(self._person.state_at(time))


def simulate_scan(photo: Photo, settings: SceneSettings) -> Iterator[SimulatedFrame]:
    """Render the frames of one scan, each on request.

    The same photo and settings always give the same frames. The first frame takes about a second to prepare.

    Args:
        photo: The person, or the victim of the attack.
        settings: All other settings.
    """
    if settings.kind is ScanKind.FROZEN_FRAME:
        return repeat_frames(_through_camera(_LivePerson, photo, settings), settings, cycle=1)
    if settings.kind is ScanKind.LOOPED_CLIP:
        genuine = _through_camera(_LivePerson, photo, settings)
        return repeat_frames(genuine, settings, cycle=settings.loop_frames)
    return _through_camera(_SCENES[settings.kind], photo, settings)


class _SceneMaker(Protocol):
    def __call__(self, photo: Photo, settings: SceneSettings, rng: np.random.Generator) -> Scene: ...


_SCENES: dict[ScanKind, _SceneMaker] = {
    ScanKind.GENUINE: _LivePerson,
    ScanKind.STATIC_PHOTO: StaticPrint,
    ScanKind.WAVED_PHOTO: WavedPrint,
    ScanKind.SCREEN_REPLAY: ScreenReplay,
}


def _through_camera(make: _SceneMaker, photo: Photo, settings: SceneSettings) -> Iterator[SimulatedFrame]:
    # Separate random streams, so that a change of the scene's draws does not change camera and clock.
    scene_rng, camera_rng, clock_rng = (
        np.random.default_rng(child) for child in np.random.SeedSequence(settings.seed).spawn(3)
    )
    scene = make(photo, settings, scene_rng)
    camera = Camera(settings.camera, camera_rng, width=settings.width, height=settings.height)
    times = capture_times(
        clock_rng,
        frames=settings.frames,
        frames_per_second=settings.frames_per_second,
        jitter_seconds=settings.camera.jitter_seconds,
    )
    for time in times:
        yield SimulatedFrame(pixels=camera.take(scene.show(time), time), capture_time=time)
