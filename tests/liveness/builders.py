"""Hand-made observations and scans, by default of a well placed, well lit, frontal face."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from liveness.observation import FrameObservation, MotionSegment, RegionChange, ScanObservations
from liveness.observe import observe_frame
from liveness.tracking import apply_plane_motion, fit_plane_motion
from liveness.watch import ScanCollector
from vision.face import BgrImage, Box, DetectedFace, HeadPose

WIDTH, HEIGHT = 480, 640
FACE = (240.0, 300.0, 230.0)
RATE = 15.0


def face_at(x: float = FACE[0], y: float = FACE[1], width: float = FACE[2]) -> DetectedFace:
    """A frontal face with an extent ``width`` wide and centred at (x, y)."""
    unit = width / 2.15
    eyes, mouth = y - 0.38 * unit, y + 0.78 * unit
    points = [
        (x - unit / 2, eyes),
        (x + unit / 2, eyes),
        (x, y + 0.2 * unit),
        (x - 0.42 * unit, mouth),
        (x + 0.42 * unit, mouth),
    ]
    box = Box(x - width / 2, y - 0.67 * width, x + width / 2, y + 0.67 * width)
    return DetectedFace(box=box, confidence=0.9, five_points=np.array(points, np.float32))


def observation(index: int = 0, **changes: object) -> FrameObservation:
    """A good frame, with ``changes`` to its fields; the whole frame is as dark as the face."""
    rng = np.random.default_rng(index)
    luminance = changes.get("luminance", 130.0)
    share = min(1.0, luminance / 130.0) if isinstance(luminance, float) else 1.0
    frame = FrameObservation(
        index=index,
        capture_time=index / RATE,
        width=WIDTH,
        height=HEIGHT,
        faces=1,
        face=face_at(),
        sharpness=120.0,
        luminance=130.0,
        dark_fraction=0.02,
        saturated_fraction=0.01,
        pose=HeadPose(yaw=2.0, pitch=-3.0, roll=1.0),
        eyes=(0.3, 0.31),
        samples=np.asarray(share * rng.integers(0, 256, (64, 64)), np.uint8),
        view=None,
        view_scale=0.6,
    )
    return replace(frame, **changes)  # type: ignore[arg-type]  # fields are checked by the dataclass's users


def observations(count: int = 45, **changes: object) -> tuple[FrameObservation, ...]:
    """``count`` good frames in a row."""
    return tuple(observation(index, **changes) for index in range(count))


def scan(
    frames: Sequence[FrameObservation] | None = None, motion: Sequence[MotionSegment] = ()
) -> ScanObservations:
    """A scan of ``frames``, good ones by default, and ``motion``."""
    return ScanObservations(frames=observations() if frames is None else tuple(frames), motion=tuple(motion))


def segment(
    path: Callable[[float, NDArray[np.float64]], NDArray[np.float64]],
    *,
    steps: int = 14,
    noise: float = 0.0003,
    background: Callable[[float, NDArray[np.float64]], NDArray[np.float64]] | None = None,
    change: RegionChange | None = None,
    face_width: float = 140.0,
    seed: int = 0,
) -> MotionSegment:
    """A segment: face points follow ``path(phase 0..1, points)``, background points their own path."""
    rng = np.random.default_rng(seed)
    face_points = rng.uniform((-0.4, -0.5), (0.4, 0.5), (70, 2))
    around = rng.uniform((0.7, -1.0), (1.2, 1.0), (30, 2))
    stays = background or (lambda _, points: points)
    start = np.concatenate([face_points, around]).astype(np.float32)
    on_face = np.arange(100) < 70
    positions, left_over = [start], [np.zeros_like(start)]
    for step in range(1, steps):
        phase = step / (steps - 1)
        moved = np.concatenate([path(phase, face_points), stays(phase, around)])
        moved = (moved + rng.normal(0, noise, moved.shape)).astype(np.float32)
        plane = fit_plane_motion(start[on_face], moved[on_face])
        assert plane is not None
        positions.append(moved)
        left_over.append(moved - apply_plane_motion(plane, start))
    still = RegionChange(eyes=0.002, mouth=0.002, rest=0.002)
    return MotionSegment(
        frames=np.arange(steps),
        times=np.arange(steps) / RATE,
        positions=np.stack(positions),
        left_over=np.stack(left_over),
        on_face=on_face,
        face_width=face_width,
        changes=(change or still,) * (steps - 1),
    )


def followed(frames: Sequence[FrameObservation]) -> ScanObservations:
    """A scan of ``frames`` in which the face is followed through all of them, and does not move."""
    still = RegionChange(eyes=0.002, mouth=0.002, rest=0.002)
    positions = np.zeros((len(frames), 20, 2), np.float32)
    segment = MotionSegment(
        frames=np.array([frame.index for frame in frames]),
        times=np.array([frame.capture_time for frame in frames]),
        positions=positions,
        left_over=positions,
        on_face=np.ones(20, np.bool_),
        face_width=140.0,
        changes=(still,) * (len(frames) - 1),
    )
    return scan(frames, [segment])


def as_plane(size: float = 0.1) -> Callable[[float, NDArray[np.float64]], NDArray[np.float64]]:
    """A sheet that moves and turns."""

    def path(phase: float, points: NDArray[np.float64]) -> NDArray[np.float64]:
        swing = size * np.sin(2 * np.pi * phase)
        depth = 1 + 0.3 * swing * points[:, :1] + 0.2 * swing * points[:, 1:]
        moved: NDArray[np.float64] = (points + np.array([swing, 0.5 * swing])) / depth
        return moved

    return path


def as_head(size: float = 0.1) -> Callable[[float, NDArray[np.float64]], NDArray[np.float64]]:
    """A head that turns by ``size`` radians: nearer points move further, the nose most."""

    def path(phase: float, points: NDArray[np.float64]) -> NDArray[np.float64]:
        swing = size * np.sin(2 * np.pi * phase)
        radius = (points**2).sum(axis=1)
        relief = 0.35 * np.sqrt(np.clip(1 - radius / 0.5, 0, None)) + 0.14 * np.exp(-radius / 0.01)
        moved: NDArray[np.float64] = points + np.stack([swing * relief, np.zeros_like(relief)], axis=1)
        return moved

    return path


@cache
def texture(seed: int = 3) -> BgrImage:
    """An image full of corners at several scales, larger than a frame; drawn once; do not change it."""
    rng = np.random.default_rng(seed)
    height, width = HEIGHT + 160, WIDTH + 160
    total = np.full((height, width), 128.0, np.float32)
    for scale, strength in ((4, 22), (10, 30), (30, 35)):
        coarse = rng.normal(0, 1, (height // scale + 2, width // scale + 2)).astype(np.float32)
        total += strength * cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    grey = np.clip(total, 0, 255).astype(np.uint8)
    picture = np.repeat(grey[..., None], 3, axis=2)
    picture.setflags(write=False)
    return picture


def rendered_scan(
    move: Callable[[float, NDArray[np.float32], NDArray[np.float32]], tuple[object, object]],
    *,
    frames: int = 40,
    noise: float = 2.0,
    seed: int = 0,
) -> ScanObservations:
    """Observe and collect frames of ``texture``: ``move(time, x, y)`` gives the source of each pixel."""
    rng = np.random.default_rng(seed)
    picture = texture()
    columns, rows = np.meshgrid(np.arange(WIDTH, dtype=np.float32), np.arange(HEIGHT, dtype=np.float32))
    collector = ScanCollector()
    for index in range(frames):
        shown = move(index / RATE, columns, rows)
        from_x, from_y = (np.asarray(values, np.float32) + 80 for values in shown)
        clean = cv2.remap(picture, from_x, from_y, cv2.INTER_LINEAR).astype(np.float32)
        grain = noise * rng.standard_normal((HEIGHT, WIDTH, 1), dtype=np.float32)
        image = np.clip(clean + grain, 0, 255).astype(np.uint8)
        collector.collect_frame(
            observe_frame(image, index=index, capture_time=index / RATE, faces=[face_at()])
        )
    return collector.observations()
