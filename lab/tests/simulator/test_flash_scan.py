"""Measurements of simulated flash scans by averages over fixed parts of the frame."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lab.simulator import (
    AmbientPreset,
    AmbientSettings,
    Diffuse,
    Emission,
    FlashCameraSettings,
    FlashKind,
    FlashScanSettings,
    Geometry,
    InjectionSettings,
    PhoneSettings,
    Photo,
    RendererSettings,
    ScreenLight,
    SheetSettings,
    SimulatedFrame,
    SkinSettings,
    ToneCurve,
    photo_from_image,
    simulate_flash_scan,
)
from lab.simulator.light.phone_camera import LockTime
from lab.simulator.scene import MotionSettings
from tests.packs import real_pack, shared_pack
from tests.sampling import some_fast
from vision.packs.pack import Pack

LOW, HIGH = 108, 255
RED, GREEN, BLUE = (HIGH, LOW, LOW), (LOW, HIGH, LOW), (LOW, LOW, HIGH)
WHITE, DARK = (HIGH, HIGH, HIGH), (LOW, LOW, LOW)
_HOLD = 10
_LATE = 6


@dataclass(frozen=True, slots=True)
class Watched:
    """A scan in which the screen shows one colour after another, half a second each.

    Attributes:
        frames: All frames.
        settled: For each colour, the frames after it had been shown for a while.
    """

    frames: tuple[SimulatedFrame, ...]
    light: ScreenLight
    settled: tuple[tuple[SimulatedFrame, ...], ...]

    def face(self, colour: int) -> NDArray[np.float64]:
        """Mean linear blue-green-red of the middle of the face while a colour was on display."""
        return part_mean(self.settled[colour], rows=(0.45, 0.65), columns=(0.4, 0.6))

    def wall(self, colour: int) -> NDArray[np.float64]:
        """Mean linear blue-green-red of the upper right corner, where the wall is."""
        return part_mean(self.settled[colour], rows=(0.02, 0.12), columns=(0.92, 0.99))


def watch(
    photo: Photo,
    settings: FlashScanSettings,
    colours: Sequence[tuple[int, int, int]],
    *,
    scroll_seconds: float = 0.0,
) -> Watched:
    """Run a scan that shows ``colours``."""
    light = ScreenLight(settings.phone)
    frames: list[SimulatedFrame] = []
    for index, frame in enumerate(simulate_flash_scan(photo, settings, light)):
        if index % _HOLD == 0:
            if index // _HOLD == len(colours):
                break
            light.show(colours[index // _HOLD], at=frame.capture_time, scroll_seconds=scroll_seconds)
        frames.append(frame)
    settled = tuple(tuple(frames[i * _HOLD + _LATE : (i + 1) * _HOLD]) for i in range(len(colours)))
    return Watched(frames=tuple(frames), light=light, settled=settled)


def linear(frame: SimulatedFrame) -> NDArray[np.float64]:
    """The frame in linear light, 0..1, by the sRGB curve."""
    value = frame.pixels.astype(np.float64) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def part_mean(
    frames: Sequence[SimulatedFrame], *, rows: tuple[float, float], columns: tuple[float, float]
) -> NDArray[np.float64]:
    """Mean linear colour of a part of the frames, given in shares of height and width."""
    height, width = frames[0].pixels.shape[:2]
    down = slice(round(rows[0] * height), round(rows[1] * height))
    across = slice(round(columns[0] * width), round(columns[1] * width))
    return np.asarray(np.mean([linear(frame)[down, across].mean(axis=(0, 1)) for frame in frames], axis=0))


def chromaticity(colour: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares of blue, green and red."""
    return np.asarray(colour / colour.sum())


# Flash scans of every kind, at half size: the response to the light.

_STILL = MotionSettings(0, 0, 0, 0, 0, 0)
_HELD_STILL = SheetSettings(yaw_degrees=0, pitch_degrees=0, roll_degrees=0, shift=0, approach=0)
_BASE_WIDTH = 0.52
_BASE = FlashScanSettings(
    kind=FlashKind.GENUINE,
    seed=5,
    width=160,
    height=212,
    face_width=_BASE_WIDTH,
    motion=_STILL,
    sheet=_HELD_STILL,
    ambient=AmbientSettings(AmbientPreset.INDOOR),
    # Exposure is locked at half the light of white, so that white does not clip.
    phone=PhoneSettings(idle_grey=199.0),
    camera=FlashCameraSettings(exposure_locked=True, white_balance_locked=True, locks_at=LockTime.START),
)
_COLOURS = (DARK, RED, GREEN, BLUE, WHITE)
_LIT = (
    FlashKind.GENUINE,
    FlashKind.PRINT,
    FlashKind.RIGID_MASK,
    FlashKind.MASK_WITH_EYES,
    FlashKind.MASK_WITH_EYES_AND_MOUTH,
    FlashKind.CUT_OUT_PRINT,
)


class Scans:
    """Renders each scan once for all tests."""

    def __init__(self, photo: Photo) -> None:
        self.photo = photo
        self.of = cache(self._watch)

    def _watch(self, settings: FlashScanSettings) -> Watched:
        return watch(self.photo, settings, _COLOURS)

    def kind(self, kind: FlashKind) -> Watched:
        return self.of(replace(_BASE, kind=kind))


@pytest.fixture(scope="module")
def scans(astronaut: Photo) -> Scans:
    return Scans(astronaut)


@pytest.mark.parametrize("kind", some_fast(_LIT, step=len(_LIT)))
def test_light_that_falls_on_something_shows_in_its_own_colour(scans: Scans, kind: FlashKind) -> None:
    seen = scans.kind(kind)
    for colour, channel in ((1, 2), (2, 1), (3, 0)):
        added = seen.face(colour) - seen.face(0)
        assert np.argmax(added) == channel
        assert added[channel] > 0.004
        assert added[channel] > 4 * np.abs(np.delete(added, channel)).max()
    whole = seen.face(4) - seen.face(0)
    parts = sum((seen.face(colour) - seen.face(0) for colour in (1, 2, 3)), np.zeros(3))
    assert whole == pytest.approx(parts, rel=0.15), "light adds up"


def test_the_wall_answers_far_less_than_the_face(scans: Scans) -> None:
    seen = scans.kind(FlashKind.GENUINE)
    face, wall = (seen.face(4) / seen.face(0)), (seen.wall(4) / seen.wall(0))
    assert np.all(face - 1 > 0.03)
    assert np.all(wall - 1 < 0.25 * (face - 1))
    assert np.all(wall - 1 > 0)


def test_a_video_that_never_saw_the_flash_does_not_answer(scans: Scans) -> None:
    seen = scans.kind(FlashKind.INJECTED_VIDEO)
    for colour in (1, 2, 3, 4):
        assert np.abs(seen.face(colour) / seen.face(0) - 1).max() < 0.01


@pytest.mark.parametrize(
    ("kind", "after", "ends"),
    [(FlashKind.GENUINE, 0.3, True), (FlashKind.INJECTED_VIDEO, 1.0, False)],
    ids=["a camera, until the flash ends", "a clean video, as a conforming device would"],
)
def test_a_camera_locks_after_the_first_colour_and_lets_go_at_the_end(
    astronaut: Photo, kind: FlashKind, after: float, ends: bool
) -> None:
    locks = FlashCameraSettings(exposure_locked=True, white_balance_locked=True, lock_after_seconds=after)
    settings = replace(_BASE, kind=kind, camera=locks, seconds=3.0)
    light = ScreenLight(settings.phone)
    locked: list[tuple[float, bool]] = []
    for frame in islice(simulate_flash_scan(astronaut, settings, light), 36):
        if len(locked) == 4:
            light.show((199, 199, 199), at=frame.capture_time)
        if len(locked) == 24 and ends:
            light.restore(at=frame.capture_time)
        assert frame.exposure is not None
        assert frame.exposure.exposure_locked is frame.exposure.white_balance_locked
        locked.append((frame.capture_time, frame.exposure.exposure_locked))
    began, ended = light.appeared(0.5)[1], light.appeared(3.0)[1] if ends else np.inf
    assert [lock for _, lock in locked] == [began + after <= time < ended for time, _ in locked]
    assert {lock for _, lock in locked} == {False, True}


@pytest.mark.slow
def test_a_recorded_scan_answers_another_challenge(astronaut: Photo) -> None:
    settings = replace(_BASE, kind=FlashKind.RECORDED_SCAN, seconds=3.0, ambient=AmbientSettings(lux=20.0))
    lit = [frame.pixels for frame in watch(astronaut, settings, (WHITE, RED, BLUE)).frames]
    unasked = [frame.pixels for frame in watch(astronaut, settings, (DARK, GREEN, DARK)).frames]
    assert all(np.array_equal(one, other) for one, other in zip(lit, unasked, strict=True))
    shares = [
        chromaticity(part_mean([frame], rows=(0.4, 0.6), columns=(0.4, 0.6)))
        for frame in watch(astronaut, settings, (WHITE, RED, BLUE)).frames
    ]
    assert np.ptp(shares, axis=0).max() > 0.1


def test_a_tint_lies_on_the_wall_as_on_the_face(scans: Scans) -> None:
    seen = scans.kind(FlashKind.INJECTED_TINT)
    face = seen.face(4) - seen.face(0)
    wall = seen.wall(4) - seen.wall(0)
    assert face.min() > 0.01
    assert wall.min() > 0.3 * face.max()


@pytest.mark.parametrize("kind", [FlashKind.INJECTED_RELIGHTING, FlashKind.INJECTED_PHOTO])
def test_relighting_answers_on_the_face_only(scans: Scans, kind: FlashKind) -> None:
    seen = scans.kind(kind)
    for colour, channel in ((1, 2), (2, 1), (3, 0)):
        assert np.argmax(seen.face(colour) - seen.face(0)) == channel
    assert np.abs(seen.wall(4) / seen.wall(0) - 1).max() < 0.03


@pytest.mark.slow
def test_relighting_answers_only_after_its_latency(scans: Scans) -> None:
    slow = replace(
        _BASE,
        kind=FlashKind.INJECTED_RELIGHTING,
        injection=InjectionSettings(latency_seconds=0.3, latency_jitter_seconds=0.0),
    )
    late = scans.of(slow).frames
    red = [float(part_mean([frame], rows=(0.45, 0.65), columns=(0.4, 0.6))[2]) for frame in late]
    assert red[10:16] == pytest.approx([red[9]] * 6, rel=0.02)
    assert red[18] > 1.03 * red[9]


@pytest.mark.slow
def test_poor_relighting_differs_from_good_relighting(scans: Scans) -> None:
    good = replace(_BASE, kind=FlashKind.INJECTED_RELIGHTING)
    variants = {
        "quality": InjectionSettings(quality=0.0),
        "shadowing": InjectionSettings(shadowing=False),
        "blur": InjectionSettings(blur=0.5),
        "linear": InjectionSettings(linear=False),
        "strength": InjectionSettings(strength=0.3),
    }
    best = np.stack([linear(frame) for frame in scans.of(good).settled[4]])
    for name, knobs in variants.items():
        other = scans.of(replace(good, injection=knobs)).settled[4]
        apart = np.abs(np.stack([linear(frame) for frame in other]) - best).mean()
        assert apart > 2e-4, name


def test_a_photo_is_relit_by_the_surface_of_its_mesh(astronaut: Photo, assets: Path) -> None:
    pack, own = shared_pack(f"open:{assets / 'models'}"), real_pack()
    assert own.landmarker is not None
    photo = photo_from_image(
        astronaut.pixels, detector=own.detector, landmarker=own.landmarker, mesher=pack.landmarker
    )
    assert photo.mesh is not None
    nose, ears = photo.mesh[4, 2], photo.mesh[[234, 454], 2]
    assert nose > 0.3 * photo.eye_distance
    assert ears.max() < -0.3 * photo.eye_distance
    settings = replace(_BASE, kind=FlashKind.INJECTED_PHOTO)

    def answer(shown: Photo, quality: float) -> NDArray[np.float64]:
        seen = watch(shown, replace(settings, injection=InjectionSettings(quality=quality)), (DARK, WHITE))
        dark, white = (np.mean([linear(one) for one in frames], axis=0) for frames in seen.settled)
        face = (slice(70, 150), slice(55, 105))
        return np.asarray((white[face] - dark[face]).mean(axis=-1))

    mesh, ellipsoid, lent = answer(photo, 1.0), answer(photo, 0.0), answer(replace(photo, mesh=None), 1.0)
    assert mesh.mean() > 0.005
    for other in (ellipsoid, lent):
        assert np.abs(mesh - other).mean() > 0.02 * mesh.mean()


@pytest.mark.slow
def test_a_replaying_screen_hardly_answers(scans: Scans) -> None:
    def answer(kind: FlashKind, rows: tuple[float, float]) -> float:
        bright, dark = (
            part_mean(scans.kind(kind).settled[colour], rows=rows, columns=(0.4, 0.6)) for colour in (4, 0)
        )
        return float((bright / dark - 1).mean())

    forehead, mouth = (0.25, 0.35), (0.55, 0.65)
    assert answer(FlashKind.SCREEN_REPLAY, forehead) < 0.1 * answer(FlashKind.GENUINE, forehead)
    # The phone's own mirror image is below the middle, as in glass.
    assert answer(FlashKind.SCREEN_REPLAY, mouth) > 5 * answer(FlashKind.SCREEN_REPLAY, forehead)


def test_a_print_answers_as_a_plane_and_a_face_as_a_face(scans: Scans) -> None:
    def unevenness(kind: FlashKind) -> float:
        """Change of the ratio of bright to dark from the face's middle to its sides."""
        seen = scans.kind(kind)
        ratios = []
        for columns in ((0.28, 0.34), (0.42, 0.58), (0.66, 0.72)):
            bright = part_mean(seen.settled[4], rows=(0.45, 0.6), columns=columns)
            dark = part_mean(seen.settled[0], rows=(0.45, 0.6), columns=columns)
            ratios.append(float((bright / dark).mean()) - 1)
        return max(ratios) / min(ratios)

    assert unevenness(FlashKind.GENUINE) > 1.25
    assert unevenness(FlashKind.PRINT) < 1.2


def test_farther_away_the_answer_is_weaker(scans: Scans) -> None:
    def answer(face_width: float) -> np.typing.NDArray[np.float64]:
        seen = scans.of(replace(_BASE, face_width=face_width))
        half = 0.15 * face_width
        parts = [
            part_mean(
                seen.settled[colour],
                rows=(0.52 - half, 0.52 + half),
                columns=(0.5 - half, 0.5 + half),
            )
            for colour in (4, 0)
        ]
        return np.asarray(parts[0] / parts[1] - 1)

    # A screen of 14 cm is no point at 32 cm, and the nose is nearer than the face: not exactly 4.
    assert 2.5 < float((answer(_BASE_WIDTH) / answer(_BASE_WIDTH / 2)).mean()) < 5.0


def test_the_sun_drowns_the_screen(scans: Scans) -> None:
    sun = scans.of(replace(_BASE, ambient=AmbientSettings(AmbientPreset.SUN)))
    dark = scans.of(replace(_BASE, ambient=AmbientSettings(AmbientPreset.DARK)))
    assert np.abs(sun.face(4) / sun.face(0) - 1).max() < 0.02
    assert (dark.face(4) / dark.face(0) - 1).min() > 1.0


def test_exposure_works_against_the_flash(scans: Scans) -> None:
    free = replace(_BASE, camera=FlashCameraSettings(exposure_seconds=0.2, white_balance_locked=True))
    dark = AmbientSettings(AmbientPreset.DARK)
    pulled, locked = (scans.of(replace(one, ambient=dark)) for one in (free, _BASE))
    assert np.all(pulled.face(4) / pulled.face(0) < 0.7 * locked.face(4) / locked.face(0))


def test_a_change_shows_as_an_edge_between_rows(astronaut: Photo) -> None:
    slow = replace(
        _BASE,
        ambient=AmbientSettings(AmbientPreset.DARK),
        camera=replace(_BASE.camera, rolling_shutter_seconds=0.05, noise=0.0),
    )
    frames = watch(astronaut, slow, (RED, BLUE)).frames
    edges = []
    for frame in frames:
        rows = linear(frame)[66:160, 60:100].mean(axis=1)
        share = rows[:, 0] / rows.sum(axis=1)
        edges.append(float(share[-27:].mean() - share[:27].mean()))
    # While blue replaces red, the rows read later are bluer than those read earlier.
    assert max(edges[10:15]) > np.median(edges) + 0.1


@pytest.mark.slow
def test_melanin_darkens_skin_and_leaves_the_wall(astronaut: Photo) -> None:
    pale, deep = (
        watch(astronaut, replace(_BASE, skin=SkinSettings(melanin=amount)), (DARK,)) for amount in (0.0, 0.9)
    )
    wall = deep.wall(0) / pale.wall(0)
    face = deep.face(0) / pale.face(0)
    relative = face / wall  # exposure adapts to the darker face
    assert relative.max() < 0.6
    assert relative[2] > relative[1] > relative[0]


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(FlashKind))
def test_the_same_seed_and_colours_give_the_same_frames(astronaut: Photo, kind: FlashKind) -> None:
    settings = FlashScanSettings(kind=kind, seed=9, width=160, height=212)

    def first() -> list[SimulatedFrame]:
        light = ScreenLight(settings.phone, seed=1)
        light.show(RED, at=0.0, scroll_seconds=0.1)
        return list(islice(simulate_flash_scan(astronaut, settings, light), 5))

    frames = first()
    assert all(np.array_equal(one.pixels, other.pixels) for one, other in zip(frames, first(), strict=True))
    assert all(frame.pixels.shape == (212, 160, 3) for frame in frames)
    drawn = kind is FlashKind.INJECTED_PHOTO
    assert all((frame.exposure is None) is drawn for frame in frames), "no camera exposes a drawn frame"
    assert np.diff([frame.capture_time for frame in frames]).min() > 0


@pytest.mark.slow
def test_every_renderer_variant_changes_the_frames(astronaut: Photo) -> None:
    base = replace(_BASE, ambient=AmbientSettings(AmbientPreset.DARK))
    variants = [
        base,
        replace(base, renderer=RendererSettings(emission=Emission.AREA)),
        replace(base, renderer=RendererSettings(diffuse=Diffuse.WRAPPED)),
        replace(base, renderer=RendererSettings(geometry=Geometry.ELLIPSOID)),
        replace(base, renderer=RendererSettings(emission=Emission.DIRECTED)),
        replace(base, renderer=RendererSettings(diffuse=Diffuse.COATED)),
        replace(base, renderer=RendererSettings(geometry=Geometry.SCULPTED)),
        replace(base, camera=replace(base.camera, tone_curve=ToneCurve.GAMMA_22)),
        replace(base, camera=replace(base.camera, tone_curve=ToneCurve.CONTRAST)),
    ]
    frames = []
    for settings in variants:
        light = ScreenLight(settings.phone)
        light.show(WHITE, at=-1.0)
        frames.append(next(simulate_flash_scan(astronaut, settings, light)).pixels.astype(int))
    for index, one in enumerate(frames):
        for other in frames[:index]:
            assert np.abs(one - other).mean() > 0.02


@pytest.mark.slow
def test_faces_are_found_in_every_kind_under_every_colour(scans: Scans, embedded: Pack) -> None:
    for kind in FlashKind:
        seen = scans.of(replace(_BASE, kind=kind, width=240, height=320))
        for settled in seen.settled[::2]:
            assert len(embedded.detector.detect(settled[0].pixels)) == 1, kind
