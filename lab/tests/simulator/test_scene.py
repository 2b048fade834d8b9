"""A scene: its backdrop, photo and person, their motion, and the camera."""

import importlib.util
from dataclasses import dataclass, fields, replace
from importlib.machinery import ModuleSpec
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.simulator import (
    AmbientSettings,
    FlashCameraSettings,
    FlashKind,
    FlashScanSettings,
    InjectionSettings,
    InstrumentSettings,
    PhoneSettings,
    Photo,
    PhotoUnusable,
    ScanKind,
    SceneSettings,
    SheetSettings,
    SkinSettings,
    builtin_photos,
    photo_from_image,
)
from lab.simulator.backdrop import Backdrop
from lab.simulator.camera import Camera, capture_times, even_times
from lab.simulator.errors import PhotoNotFound, SceneSettingsInvalid
from lab.simulator.geometry import Viewport
from lab.simulator.knobs import knob, validate_knobs
from lab.simulator.motion import Blinks, HeldMotion, Sway, Tremor
from lab.simulator.photo import builtin_image, builtin_photo_names
from lab.simulator.scene import CameraSettings, ExpressionSettings, MotionSettings, ScreenSettings
from tests.liveness.builders import face_at
from vision.face import BgrImage, Box, DetectedFace, Landmarks
from vision.packs.interfaces import Landmarker
from vision.packs.pack import Pack

_VIEW = Viewport(width=64, height=96, margin=12, focal=72.0)


@pytest.mark.parametrize("nearest", [1.2, 3.0])
def test_the_wall_is_no_nearer_than_it_may_be_and_no_farther_than_six_faces(nearest: float) -> None:
    rng = np.random.default_rng(1)
    away = [1 / Backdrop(rng, _VIEW, nearest=nearest).nearness for _ in range(40)]
    assert nearest <= min(away) < nearest + 1
    assert 5 < max(away) <= 6


@pytest.mark.parametrize("nearest", [0.9, 6.5])
def test_an_impossible_wall_is_refused(nearest: float) -> None:
    with pytest.raises(SceneSettingsInvalid, match="nearest_wall"):
        FlashScanSettings(kind=FlashKind.GENUINE, nearest_wall=nearest)


_STEADY = CameraSettings(exposure_drift=0.0, white_balance_drift=0.0, read_noise=1.0, shot_noise=0.02)


@given(st.integers(0, 2**32), st.integers(1, 200), st.floats(5, 60), st.floats(0, 0.05))
def test_capture_times_start_at_zero_and_grow(seed: int, frames: int, rate: float, jitter: float) -> None:
    times = capture_times(
        np.random.default_rng(seed), frames=frames, frames_per_second=rate, jitter_seconds=jitter
    )
    assert len(times) == frames
    assert times[0] == 0.0
    assert all(later - earlier >= 0.249 / rate for earlier, later in pairwise(times))


def test_the_jitter_is_the_one_asked_for() -> None:
    times = capture_times(np.random.default_rng(1), frames=2000, frames_per_second=20, jitter_seconds=0.0025)
    errors = np.array(times) - np.arange(2000) / 20
    assert errors.std() == pytest.approx(0.0025, rel=0.1)
    assert np.diff(even_times(frames=100, frames_per_second=20)).std() < 1e-12


@pytest.mark.parametrize("level", [20, 100, 220])
def test_noise_grows_with_the_signal_as_shot_noise_does(level: int) -> None:
    camera = Camera(_STEADY, np.random.default_rng(2), width=320, height=240)
    flat = np.full((240, 320, 3), level, np.uint8)
    frames = np.stack([camera.take(flat, time / 20) for time in range(20)]).astype(np.float64)
    expected = 1.0 + 0.02 * level
    assert frames.mean() == pytest.approx(level, abs=0.3)
    # Rounding to whole steps adds a twelfth.
    assert frames.var() == pytest.approx(expected + 1 / 12, rel=0.1)


def test_two_frames_share_no_noise() -> None:
    camera = Camera(_STEADY, np.random.default_rng(3), width=320, height=240)
    flat = np.full((240, 320, 3), 128, np.uint8)
    frames = [camera.take(flat, time / 20).astype(np.float64).ravel() - 128 for time in range(12)]
    for earlier, later in pairwise(frames):
        assert abs(np.corrcoef(earlier, later)[0, 1]) < 0.1


def test_exposure_drifts_slowly() -> None:
    drifting = CameraSettings(exposure_drift=0.03, white_balance_drift=0.0)
    camera = Camera(drifting, np.random.default_rng(4), width=160, height=160)
    flat = np.full((160, 160, 3), 128, np.uint8)
    means = np.array([camera.take(flat, time / 20).mean() for time in range(100)])
    assert means.std() > 1.0
    assert np.abs(np.diff(means)).max() < 1.5


@dataclass(frozen=True, slots=True)
class _Lamp:
    power: float = knob(5.0, 0.0, 10.0)
    colour: float | None = knob(None, 1.0, 2.0)
    name: str = "lamp"

    def __post_init__(self) -> None:
        validate_knobs(self)


@pytest.mark.parametrize("value", [-0.1, 10.1, float("nan"), float("inf")])
def test_values_outside_their_range_are_refused(value: float) -> None:
    with pytest.raises(SceneSettingsInvalid, match=r"_Lamp\.power"):
        _Lamp(power=value)


def test_only_a_knob_that_is_drawn_may_be_none() -> None:
    assert _Lamp(colour=None).colour is None
    with pytest.raises(SceneSettingsInvalid):
        _Lamp(power=None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "settings",
    [
        AmbientSettings,
        FlashCameraSettings,
        InjectionSettings,
        InstrumentSettings,
        PhoneSettings,
        SkinSettings,
    ],
)
def test_every_knob_has_a_default_in_range(settings: type) -> None:
    settings()
    for known in fields(settings):
        if "knob" not in known.metadata:
            continue
        lowest, highest = known.metadata["knob"]
        assert lowest < highest
        with pytest.raises(SceneSettingsInvalid, match=known.name):
            settings(**{known.name: highest * 1.01 + 0.01})


seeds = st.integers(0, 2**32)


@settings(max_examples=25)
@given(seeds)
def test_sway_has_the_rms_asked_for(seed: int) -> None:
    # Of several persons, because two close tones of one person cancel each other for minutes.
    sways = [Sway(np.random.default_rng([seed, number]), rms=3.0) for number in range(8)]
    long_run = np.array([sway(time) for sway in sways for time in np.arange(0, 300, 1.1)])
    assert abs(np.sqrt((long_run**2).mean()) - 3.0) < 0.3


@settings(max_examples=25)
@given(seeds)
def test_sway_is_slow_and_tremor_fast(seed: int) -> None:
    times = np.arange(0, 8, 0.01)
    sway = Sway(np.random.default_rng(seed), rms=1.0)
    tremor = Tremor(np.random.default_rng(seed), rms=1.0)
    slow = np.array([sway(time) for time in times])
    fast = np.array([tremor(time)[0] for time in times])

    def turns(values: np.typing.NDArray[np.float64]) -> int:
        return int((np.diff(np.sign(np.diff(values))) != 0).sum())

    assert turns(slow) / 8 <= 4  # a tone of 1.1 Hz turns 2.2 times a second
    assert turns(fast) / 8 >= 6


@settings(max_examples=50)
@given(seeds, st.floats(1.0, 20.0), st.floats(1.0, 5.0))
def test_blinks_come_at_least_as_often_as_asked_and_last_as_long_as_blinks_do(
    seed: int, seconds: float, longest_gap: float
) -> None:
    blinks = Blinks(np.random.default_rng(seed), seconds=seconds, longest_gap=longest_gap, depth=1.0)
    step = 0.002
    closure = np.array([blinks.closure(time) for time in np.arange(0, seconds, step)])
    assert closure.min() >= 0
    assert closure.max() <= 1
    closed = closure > 0
    starts = np.flatnonzero(np.diff(closed.astype(int)) == 1)
    ends = np.flatnonzero(np.diff(closed.astype(int)) == -1)
    assert len(starts) >= 1
    assert closure.max() > 0.85
    assert np.diff(starts, prepend=0).max() * step <= longest_gap + 0.01
    for start, end in zip(starts, ends, strict=False):
        assert 0.19 <= (end - start) * step <= 0.35


def test_a_held_motion_rises_is_held_and_falls() -> None:
    motion = HeldMotion(start=1.0, rising=0.4, held=0.5, falling=0.3, extent=0.8)
    times = np.arange(0, 4, 0.005)
    openness = np.array([motion.at(float(time)) for time in times])
    assert motion.end == pytest.approx(2.2)
    assert openness[(times <= 1.0) | (times >= motion.end)].max() == 0
    assert openness.max() == pytest.approx(0.8)
    assert np.abs(np.diff(openness)).max() < 0.03, "no leap"
    full = times[openness == openness.max()]
    assert full[0] - 1.0 == pytest.approx(0.4, abs=0.02)
    assert full[-1] - full[0] == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    "landmarks",
    [
        np.zeros((68, 2), np.float32),
        np.zeros((106, 2), np.float32),
        np.full((68, 2), np.nan, np.float32),
    ],
)
def test_landmarks_that_make_no_head_are_refused(landmarks: np.typing.NDArray[np.float32]) -> None:
    with pytest.raises(PhotoUnusable):
        Photo(pixels=np.zeros((100, 100, 3), np.uint8), landmarks=landmarks)


@pytest.mark.parametrize(
    "mesh",
    [np.zeros((478, 3), np.float32), np.full((468, 3), np.nan, np.float32)],
    ids=["irises", "no numbers"],
)
def test_another_mesh_is_refused(astronaut: Photo, mesh: np.typing.NDArray[np.float32]) -> None:
    with pytest.raises(PhotoUnusable, match="468"):
        Photo(pixels=astronaut.pixels, landmarks=astronaut.landmarks, mesh=mesh)


def test_a_grey_image_is_refused(astronaut: Photo) -> None:
    with pytest.raises(PhotoUnusable, match="8-bit"):
        Photo(pixels=astronaut.pixels[..., 0], landmarks=astronaut.landmarks)


@pytest.mark.parametrize(
    ("width", "confidence", "person"),
    [(1.1, 0.5, True), (0.9, 0.999, False), (0.5, 0.999, True)],
    ids=["a larger one, hardly sure", "as large, surer", "far smaller, surer"],
)
def test_of_faces_as_large_the_surest_one_counts(
    embedded: Pack, astronaut: Photo, width: float, confidence: float, person: bool
) -> None:
    """dlib detects a second face of the same size in the astronaut's whole photo: a patch on the suit."""
    assert embedded.landmarker is not None
    (face,) = (replace(one, confidence=0.99) for one in embedded.detector.detect(astronaut.pixels)[:1])
    left = face.box.left + 40
    aside = Box(left, face.box.top, left + width * face.box.width, face.box.bottom)
    other = DetectedFace(box=aside, confidence=confidence, five_points=face.five_points + np.float32(40.0))
    faces = sorted((face, other), key=lambda one: -one.box.width)
    landmarker = _Notes(embedded.landmarker)
    photo_from_image(astronaut.pixels, detector=_Sees(*faces), landmarker=landmarker)
    assert landmarker.asked == [face if person else other]


class _Sees:
    """A detector that returns these faces, largest first."""

    def __init__(self, *faces: DetectedFace) -> None:
        self._faces = faces

    def detect(self, image: BgrImage) -> tuple[DetectedFace, ...]:
        return self._faces


class _Notes:
    """A landmarker that records the faces of its calls, and passes them on to another if it has one."""

    def __init__(self, landmarker: Landmarker | None = None, *, scheme: str = "ibug68") -> None:
        self._landmarker = landmarker
        self.scheme = scheme
        self.asked: list[DetectedFace] = []

    def locate(self, image: BgrImage, face: DetectedFace) -> Landmarks | None:
        self.asked.append(face)
        return None if self._landmarker is None else self._landmarker.locate(image, face)


@pytest.mark.parametrize(
    ("faces", "landmarker", "match"),
    [
        ((), _Notes(), "no face"),
        ((face_at(),), _Notes(), "finds no face"),
        ((face_at(),), _Notes(scheme="insightface106"), "ibug68"),
    ],
)
def test_a_picture_without_a_face_or_its_68_landmarks_is_refused(
    faces: tuple[DetectedFace, ...], landmarker: Landmarker, match: str
) -> None:
    picture = np.zeros((640, 480, 3), np.uint8)
    with pytest.raises(PhotoUnusable, match=match):
        photo_from_image(picture, detector=_Sees(*faces), landmarker=landmarker)


def test_every_built_in_photo_shows_one_large_face(embedded: Pack) -> None:
    try:
        photos = builtin_photos(detector=embedded.detector, landmarker=embedded.landmarker)
    except PhotoNotFound as missing:
        pytest.skip(str(missing))
    assert tuple(photos) == builtin_photo_names()
    for name, photo in photos.items():
        assert len(embedded.detector.detect(photo.pixels)) == 1, name
        assert photo.eye_distance >= 90, name


def test_an_unknown_name_is_refused_with_the_known_ones(embedded: Pack) -> None:
    with pytest.raises(PhotoNotFound, match="astronaut"):
        builtin_photos(detector=embedded.detector, landmarker=embedded.landmarker, names=("nobody",))


def test_a_missing_package_is_named(embedded: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    def find_nothing(name: str, package: str | None = None) -> ModuleSpec | None:
        return None

    monkeypatch.setattr(importlib.util, "find_spec", find_nothing)
    with pytest.raises(PhotoNotFound, match="skimage needs the extra embedded"):
        builtin_photos(detector=embedded.detector, landmarker=embedded.landmarker, names=("astronaut",))


def test_a_built_in_image_needs_no_model() -> None:
    image = builtin_image("red-shirt")
    assert min(image.shape[:2]) >= 720
    with pytest.raises(PhotoNotFound, match="nobody"):
        builtin_image("nobody")


@pytest.mark.parametrize(
    "change",
    [
        {"seed": -1},
        {"seconds": 61.0},
        {"seconds": float("nan")},
        {"frames_per_second": 4.0},
        {"width": 158},
        {"height": 481},
        {"face_width": 0.9},
        {"loop_frames": 1},
        {"motion": MotionSettings(yaw_degrees=-1)},
        {"camera": CameraSettings(read_noise=float("nan"))},
        {"expression": ExpressionSettings(blink_depth=1.5)},
        {"sheet": SheetSettings(face_share=0.95)},
        {"screen": ScreenSettings(pixel_pitch=0.0)},
    ],
)
def test_a_knob_outside_its_range_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(SceneSettingsInvalid):
        replace(SceneSettings(kind=ScanKind.GENUINE), **change)
