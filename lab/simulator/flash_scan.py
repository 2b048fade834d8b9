"""Simulates a scan in front of a screen that shows colours, which the caller sets while the scan runs."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from lab.simulator.app_guide import AppGuide
from lab.simulator.camera import Camera, SimulatedFrame, capture_times
from lab.simulator.flash_injection import RecordingSubject, relight, tint
from lab.simulator.flash_settings import FlashKind, FlashScanSettings
from lab.simulator.flash_subjects import (
    attackers_depth,
    genuine_depth,
    in_hand,
    living_person,
    moved_photo,
    photo_depth,
    presented,
    skin_of,
)
from lab.simulator.geometry import ReliefPose
from lab.simulator.light.phone_camera import LockTime, PhoneCamera, film
from lab.simulator.light.scene import BANDS, LitPerson, LitScene, Subject
from lab.simulator.light.sources import Ambient, AreaLight, ScreenLight
from lab.simulator.light.surface import LitSurface, Material
from lab.simulator.person import DepthSource, Person, viewport_of
from lab.simulator.photo import Photo

# Another challenge: corners of a cube in linear light, held for about half a second each.
_OTHER_LOW, _OTHER_HIGH = 108, 255
_OTHER_START = (0.2, 0.6)
_OTHER_HOLD = (0.40, 0.65)


@dataclass(frozen=True, slots=True)
class _Draws:
    """Separate random streams, so that a change in one does not change the draws of the others."""

    scene: np.random.Generator
    light: np.random.Generator
    camera: np.random.Generator
    clock: np.random.Generator
    attack: np.random.Generator

    @classmethod
    def of(cls, seed: int) -> "_Draws":
        return cls(*(np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(5)))


def simulate_flash_scan(
    photo: Photo, settings: FlashScanSettings, light: ScreenLight, guide: AppGuide | None = None
) -> Iterator[SimulatedFrame]:
    """Render the frames of one scan, each on request, with the colours that ``light`` shows by then.

    The same photo, settings and colours always give the same frames. The first frame takes about a second to
    prepare.

    Args:
        photo: The person, or the victim of the attack.
        settings: All other settings.
        light: The phone's screen; the caller sets its colours while the frames are rendered.
        guide: Gives ovals and prompts for blinks, turns and an open mouth while the frames are rendered; an
            injected video ignores it.
    """
    draws = _Draws.of(settings.seed)
    ambient = Ambient(settings.ambient, draws.light)
    # Injected frames were filmed elsewhere, in front of another screen or of one that showed nothing.
    match settings.kind:
        case FlashKind.RECORDED_SCAN:
            seen = _other_challenge(settings, draws.attack)
        case FlashKind.INJECTED_VIDEO | FlashKind.INJECTED_TINT | FlashKind.INJECTED_RELIGHTING:
            seen = ScreenLight(settings.phone)
        case _:
            seen = light
    if settings.kind is FlashKind.INJECTED_RELIGHTING:
        return _relit_video(photo, settings, draws, ambient, clean=seen, screen_light=light)
    if settings.kind is FlashKind.INJECTED_PHOTO:
        return _relit_photo(photo, settings, draws, ambient, light=light, guide=guide or AppGuide())
    followed = guide if guide is not None and seen is light else AppGuide()
    subject = presented(photo, settings, draws.scene, followed)
    # An injected video was filmed elsewhere, in front of another screen or without a flash.
    # A clean video is filmed as the protocol demands, so that its metadata are those of a conforming device.
    locking = light if settings.kind is FlashKind.INJECTED_VIDEO else seen
    frames = _filmed(subject, settings, draws, ambient, seen, locking=locking)
    if settings.kind is FlashKind.INJECTED_TINT:
        return tint(frames, settings.injection, light, draws.attack)
    return frames


def _filmed(
    subject: Subject,
    settings: FlashScanSettings,
    draws: _Draws,
    ambient: Ambient,
    light: ScreenLight,
    *,
    locking: ScreenLight,
) -> Iterator[SimulatedFrame]:
    """Film in front of ``light``, with a camera that locks at the colours of ``locking``."""
    scene = LitScene(
        subject,
        screen=light,
        ambient=ambient,
        emission=settings.renderer.emission,
        viewport=viewport_of(settings.as_scan()),
        rng=draws.light,
    )
    camera = PhoneCamera(settings.camera, draws.camera, width=settings.width, height=settings.height)
    times = _times(settings, draws)
    return film(scene, camera, settings.camera, times, locked=lambda time: _locked(settings, locking, time))


def _times(settings: FlashScanSettings, draws: _Draws) -> tuple[float, ...]:
    return capture_times(
        draws.clock,
        frames=settings.frames,
        frames_per_second=settings.frames_per_second,
        jitter_seconds=settings.camera.jitter_seconds,
    )


def _relit_photo(
    photo: Photo,
    settings: FlashScanSettings,
    draws: _Draws,
    ambient: Ambient,
    *,
    light: ScreenLight,
    guide: AppGuide,
) -> Iterator[SimulatedFrame]:
    person = moved_photo(photo, settings, draws.scene)
    moved = RecordingSubject(in_hand(person, settings, guide))
    depth = attackers_depth(photo_depth(photo, settings), settings.injection.quality)
    frames = _drawn(moved, settings, draws)
    return _relit(
        frames, moved, person, depth, settings=settings, draws=draws, ambient=ambient, screen_light=light
    )


def _drawn(subject: Subject, settings: FlashScanSettings, draws: _Draws) -> Iterator[SimulatedFrame]:
    """Draw what software shows of a subject before its room, in colours of its own, with a camera's noise."""
    scan = settings.as_scan()
    camera = Camera(scan.camera, draws.camera, width=settings.width, height=settings.height)
    for time in _times(settings, draws):
        view = subject.render(time)
        cover = cv2.extractChannel(view.layer, 3).astype(np.float32) * np.float32(1 / 255)
        room = subject.backdrop.show(pan=view.pan, camera=view.moved)
        drawn = cv2.blendLinear(cv2.cvtColor(view.layer, cv2.COLOR_BGRA2BGR), room, cover, 1 - cover)
        yield SimulatedFrame(camera.take(np.asarray(drawn, np.uint8), time), time)


def _relit_video(
    photo: Photo,
    settings: FlashScanSettings,
    draws: _Draws,
    ambient: Ambient,
    *,
    clean: ScreenLight,
    screen_light: ScreenLight,
) -> Iterator[SimulatedFrame]:
    person = living_person(photo, settings, draws.scene)
    tracked = RecordingSubject(LitPerson(person, material=skin_of(settings), follow=_stays))
    own = genuine_depth(settings)
    frames = _filmed(tracked, settings, draws, ambient, clean, locking=clean)
    depth = attackers_depth(own, settings.injection.quality)
    return _relit(
        frames,
        tracked,
        person,
        depth,
        settings=settings,
        draws=draws,
        ambient=ambient,
        screen_light=screen_light,
    )


def _relit(
    frames: Iterator[SimulatedFrame],
    tracked: RecordingSubject,
    person: Person,
    depth: DepthSource,
    *,
    settings: FlashScanSettings,
    draws: _Draws,
    ambient: Ambient,
    screen_light: ScreenLight,
) -> Iterator[SimulatedFrame]:
    """Relight the frames with a person's shape, whose depth the attacker takes from ``depth``."""
    surface = LitSurface(
        viewport=viewport_of(settings.as_scan()),
        millimetres_per_pixel=person.millimetres_per_pixel,
        light=AreaLight(phone=screen_light.settings, bands=BANDS, emission=settings.renderer.emission),
        ambient=ambient,
        material=Material(diffuse=settings.renderer.diffuse),
    )
    return relight(
        frames,
        settings.injection,
        screen_light,
        draws.attack,
        subject=tracked,
        relief=person.relief_with(depth),
        surface=surface,
        ambient=ambient,
        face_pixels=person.face_pixels,
        exposure_locked=lambda time: (
            settings.camera.exposure_locked and _locked(settings, screen_light, time)
        ),
    )


def _locked(settings: FlashScanSettings, light: ScreenLight, time: float) -> bool:
    """Return whether the camera's locks, as far as the app uses them, are set at ``time``."""
    if settings.camera.locks_at is LockTime.START:
        return True
    since = light.flash_since(time)
    return since is not None and time >= since + settings.camera.lock_after_seconds


def _stays(time: float) -> ReliefPose:
    return ReliefPose()


def _other_challenge(settings: FlashScanSettings, rng: np.random.Generator) -> ScreenLight:
    """Return a screen that plays another challenge of the same kind, which only the attacker knows."""
    light = ScreenLight(settings.phone, seed=int(rng.integers(2**31)))
    time, before = float(rng.uniform(*_OTHER_START)), -1
    while time < settings.seconds:
        # Any corner except the one on display.
        corner = (before + 1 + int(rng.integers(7))) % 8 if before >= 0 else int(rng.integers(8))
        before = corner
        red, green, blue = (_OTHER_HIGH if corner >> bit & 1 else _OTHER_LOW for bit in range(3))
        light.show((red, green, blue), at=time)
        time += float(rng.uniform(*_OTHER_HOLD))
    return light
