"""Head pose: signs, size and symmetry."""

import csv
import dataclasses
import math
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lab.packs.dlib_models import DlibLandmarker
from lab.simulator import Photo, ScanKind, SceneSettings
from lab.simulator.behaviour import PersonState
from lab.simulator.geometry import ReliefPose
from lab.simulator.person import Person
from tests.vision.conftest import read_photo
from vision.face import BgrImage, HeadPose, Landmarks, Points
from vision.packs.interfaces import Landmarker
from vision.packs.mediapipe_landmarker import load_mediapipe_landmarker
from vision.packs.pack import Pack
from vision.pose import (
    FIVE_POINT_HEAD,
    IBUG68_HEAD,
    IBUG68_INDICES,
    MEDIAPIPE478_HEAD,
    MEDIAPIPE478_INDICES,
    estimate_pose,
    turn_about_neck,
)

SIZE = (480, 640)


def _rotation(yaw: float, pitch: float, roll: float) -> NDArray[np.float64]:
    y, p, r = (math.radians(angle) for angle in (-yaw, -pitch, roll))
    about_y = np.array([[math.cos(y), 0, math.sin(y)], [0, 1, 0], [-math.sin(y), 0, math.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, math.cos(p), -math.sin(p)], [0, math.sin(p), math.cos(p)]])
    about_z = np.array([[math.cos(r), -math.sin(r), 0], [math.sin(r), math.cos(r), 0], [0, 0, 1]])
    return np.asarray(about_y @ about_x @ about_z, dtype=np.float64)


def _seen(
    head: NDArray[np.float64], yaw: float, pitch: float, roll: float, at: tuple[float, float] = (0, 0)
) -> Points:
    return _projected(head, _rotation(yaw, pitch, roll), at)


def _projected(
    head: NDArray[np.float64], rotation: NDArray[np.float64], at: tuple[float, float] = (0, 0)
) -> Points:
    turned = head @ rotation.T + (*at, 60)
    return (turned[:, :2] / turned[:, 2:] * 640 + (240, 320)).astype(np.float32)


def _against_sight(rotation: NDArray[np.float64], middle: NDArray[np.float64]) -> tuple[float, float, float]:
    """Yaw, pitch and roll of a rotated head against the line of sight to its middle."""
    axis = np.cross(middle / np.linalg.norm(middle), (0, 0, 1))
    sine = float(np.linalg.norm(axis))
    line = cv2.Rodrigues(axis / (sine or 1) * math.asin(sine))[0]
    turned = np.asarray(line, dtype=np.float64) @ rotation
    ahead = -turned[:, 2]
    return (
        math.degrees(math.atan2(ahead[0], -ahead[2])),
        math.degrees(math.asin(-ahead[1])),
        math.degrees(math.atan2(turned[1, 0], turned[1, 1])),
    )


def _towards_face(
    head: NDArray[np.float64], yaw: float, pitch: float, roll: float
) -> tuple[float, float, float]:
    x, y = (_seen(head, yaw, pitch, roll).mean(axis=0) - (240, 320)) / 640
    return _against_sight(_rotation(yaw, pitch, roll), np.array([x, y, 1.0]))


_DENSE = {
    "ibug68": (68, IBUG68_INDICES, IBUG68_HEAD),
    "mediapipe478": (478, MEDIAPIPE478_INDICES, MEDIAPIPE478_HEAD),
}


def _landmarks(scheme: str, seen: Callable[[NDArray[np.float64]], Points]) -> Landmarks:
    count, indices, head = _DENSE[scheme]
    points = np.zeros((count, 2), np.float32)
    points[indices] = seen(head)
    return Landmarks(points=points, scheme=scheme)


def _landmarks106(yaw: float, pitch: float, roll: float) -> Landmarks:
    points = np.zeros((106, 2), np.float32)
    left_eye, right_eye, nose, left_mouth, right_mouth = _seen(FIVE_POINT_HEAD, yaw, pitch, roll)
    points[33:43], points[87:97] = left_eye, right_eye
    points[86], points[52], points[61] = nose, left_mouth, right_mouth
    return Landmarks(points=points, scheme="insightface106")


@pytest.mark.parametrize("scheme", _DENSE)
@given(st.floats(-40, 40), st.floats(-25, 25), st.floats(-40, 40))
def test_recovers_a_rendered_pose(scheme: str, yaw: float, pitch: float, roll: float) -> None:
    pose = estimate_pose(_landmarks(scheme, lambda head: _seen(head, yaw, pitch, roll)), SIZE)
    expected = _towards_face(_DENSE[scheme][2], yaw, pitch, roll)
    assert (pose.yaw, pose.pitch, pose.roll) == pytest.approx(expected, abs=0.5)
    assert (pose.yaw, pose.pitch, pose.roll) == pytest.approx((yaw, pitch, roll), abs=6)


def test_the_canonical_face_is_symmetric() -> None:
    head = MEDIAPIPE478_HEAD
    mirrored = head * (-1, 1, 1)
    assert {tuple(point) for point in head} == {tuple(point) for point in mirrored}
    assert len(head) == len(set(MEDIAPIPE478_INDICES.tolist())) == 33


@given(st.floats(-25, 25), st.floats(-15, 15), st.floats(-30, 30))
def test_five_points_recover_it_too(yaw: float, pitch: float, roll: float) -> None:
    five = estimate_pose(_seen(FIVE_POINT_HEAD, yaw, pitch, roll), SIZE)
    expected = _towards_face(FIVE_POINT_HEAD, yaw, pitch, roll)
    assert (five.yaw, five.pitch, five.roll) == pytest.approx(expected, abs=0.5)
    dense = estimate_pose(_landmarks106(yaw, pitch, roll), SIZE)
    assert (dense.yaw, dense.pitch, dense.roll) == pytest.approx((five.yaw, five.pitch, five.roll), abs=0.5)


@pytest.mark.parametrize(
    ("turn", "name", "sign"),
    [
        ((20, 0, 0), "yaw", "the nose moves to the image's right"),
        ((0, 15, 0), "pitch", "the nose moves up"),
        ((0, 0, 20), "roll", "the head leans clockwise"),
    ],
)
def test_signs(turn: tuple[float, float, float], name: str, sign: str) -> None:
    frontal, turned = _seen(FIVE_POINT_HEAD, 0, 0, 0), _seen(FIVE_POINT_HEAD, *turn)
    shift = (turned[2] - turned.mean(axis=0)) - (frontal[2] - frontal.mean(axis=0))
    seen = {"yaw": shift[0] > 0, "pitch": shift[1] < 0, "roll": turned[1][1] > turned[0][1]}
    assert seen[name], sign
    assert getattr(estimate_pose(turned, SIZE), name) > 10


@pytest.mark.parametrize("roll", [-35.0, 0.0, 35.0])
@pytest.mark.parametrize(("nod", "turn"), [(20.0, 0.0), (0.0, 20.0), (0.0, -20.0), (-15.0, 15.0)])
def test_a_nod_of_a_leaning_head_is_no_turn(roll: float, nod: float, turn: float) -> None:
    leaning = _rotation(0.0, 0.0, roll) @ _rotation(turn, nod, 0.0)
    pose = estimate_pose(_landmarks("mediapipe478", lambda head: _projected(head, leaning)), SIZE)
    assert turn_about_neck(pose) == pytest.approx(turn, abs=3)
    if nod and roll and not turn:
        assert abs(pose.yaw) > 10


def test_a_face_at_the_edge_that_looks_into_the_camera_is_frontal() -> None:
    x = 18.0
    facing_camera = math.degrees(math.atan2(-x, 60))
    pose = estimate_pose(_seen(FIVE_POINT_HEAD, facing_camera, 0, 0, at=(x, 0)), SIZE)
    assert abs(pose.yaw) < 4


@given(st.lists(st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4)), min_size=5, max_size=5))
def test_any_points_give_finite_angles(points: list[tuple[float, float]]) -> None:
    seen = np.array(points, dtype=np.float32)
    assume(np.isfinite(seen).all())
    pose = estimate_pose(seen, SIZE)
    assert all(-180 <= angle <= 180 for angle in (pose.yaw, pose.pitch, pose.roll))


@pytest.mark.parametrize(
    "points",
    [
        np.full((5, 2), 100, np.float32),
        np.column_stack([np.arange(5) * 30, np.full(5, 100)]).astype(np.float32),
        np.full((5, 2), np.nan, np.float32),
        np.array([[-1e9, 0], [1e9, 0], [0, 1], [0, 2], [0, 1e9]], np.float32),
    ],
)
def test_points_without_a_pose_are_never_frontal(points: Points) -> None:
    assert estimate_pose(points, SIZE).yaw == 180


def test_unknown_points() -> None:
    with pytest.raises(ValueError, match=r"\(4, 2\)"):
        estimate_pose(np.zeros((4, 2), np.float32), SIZE)
    with pytest.raises(ValueError, match="ibug5"):
        estimate_pose(Landmarks(np.zeros((5, 2), np.float32), "ibug5"), SIZE)


# Head pose compared with the truth: simulated heads rotated by known angles.
#
# The simulator lays photos over a generic head. The tests compare the change from the photo's own pose.

TURNS = [
    ReliefPose(yaw=-16),
    ReliefPose(yaw=-8),
    ReliefPose(yaw=8),
    ReliefPose(yaw=16),
    ReliefPose(pitch=-12),
    ReliefPose(pitch=12),
    ReliefPose(yaw=10, pitch=8),
    ReliefPose(roll=-15),
    ReliefPose(roll=15),
]
MOST_PEOPLE = 10


def _angles(pose: HeadPose) -> NDArray[np.float64]:
    return np.array([pose.yaw, pose.pitch, pose.roll])


def _truth(person: Person, turn: ReliefPose) -> NDArray[np.float64]:
    """Yaw, pitch and roll of a rotated head against the line of sight to the middle of its points."""
    relief = person.relief
    points = person.landmarks[IBUG68_INDICES].astype(np.float64)
    cells = np.round(points / relief.grid_step()).astype(int)
    height = relief._depth[cells[:, 1], cells[:, 0]]
    pivot = np.array(relief._pivot)
    yaw, pitch, roll = np.radians([turn.yaw, turn.pitch, turn.roll])
    about_y = [[math.cos(yaw), 0, math.sin(yaw)], [0, 1, 0], [-math.sin(yaw), 0, math.cos(yaw)]]
    about_x = [[1, 0, 0], [0, math.cos(pitch), -math.sin(pitch)], [0, math.sin(pitch), math.cos(pitch)]]
    about_z = [[math.cos(roll), -math.sin(roll), 0], [math.sin(roll), math.cos(roll), 0], [0, 0, 1]]
    turned = np.array(about_z) @ np.array(about_y) @ np.array(about_x)
    moved = (np.column_stack([points, height]) - pivot) @ turned.T + pivot
    viewport = relief._viewport
    rays = np.column_stack([moved[:, :2] - viewport.canvas_centre, viewport.focal - moved[:, 2]])
    away = np.diag([1, 1, -1])  # the simulator's depth points to the camera, the pose's away from it
    return np.array(_against_sight(away @ turned @ away, (rays / rays[:, 2:]).mean(axis=0)))


def _frontal_people(assets: Path, pack: Pack) -> list[Photo]:
    """Photos of one large frontal face each."""
    assert pack.landmarker is not None
    photos: list[Photo] = []
    with (assets / "data" / "faces" / "manifest.csv").open(newline="") as manifest:
        rows = [
            row
            for row in csv.DictReader(manifest)
            if row["usable"] == "1" and row["n_faces"] == "1" and int(row["face_w_px"] or 0) >= 200
        ]
    for row in rows:
        image = read_photo(assets / "data" / "faces" / row["file"])
        for face in pack.detector.detect(image)[:1]:
            landmarks = pack.landmarker.locate(image, face)
            assert landmarks is not None
            pose = estimate_pose(landmarks, (image.shape[1], image.shape[0]))
            if abs(pose.yaw) < 6 and abs(pose.pitch) < 8:
                photos.append(Photo(pixels=image, landmarks=landmarks.points))
        if len(photos) == MOST_PEOPLE:
            break
    return photos


def _pose(image: BgrImage, pack: Pack, landmarker: Landmarker) -> NDArray[np.float64] | None:
    for face in pack.detector.detect(image)[:1]:
        landmarks = landmarker.locate(image, face)
        if landmarks is not None:
            return _angles(estimate_pose(landmarks, (image.shape[1], image.shape[0])))
    return None


@pytest.mark.slow
@pytest.mark.long
def test_follows_turns_of_a_simulated_head(assets: Path, embedded_pack: Pack, insightface_pack: Pack) -> None:
    dlib, settings = embedded_pack.landmarker, SceneSettings(kind=ScanKind.GENUINE)
    assert isinstance(dlib, DlibLandmarker)
    task = (assets / "models" / "face_landmarker.task").read_bytes()
    mediapipe = load_mediapipe_landmarker(task, name="face_landmarker.task")
    models: list[tuple[Landmarker, Pack]] = [(mediapipe, insightface_pack), (dlib, embedded_pack)]
    errors: dict[str, list[NDArray[np.float64]]] = {"mediapipe478": [], "ibug68": []}
    for seed, photo in enumerate(_frontal_people(assets, embedded_pack)):
        person = Person(photo, settings, np.random.default_rng(seed))
        still = PersonState(head=ReliefPose())
        true_rest = _truth(person, ReliefPose())
        rest = [_pose(person.show(still), pack, landmarker) for landmarker, pack in models]
        for turn in TURNS:
            image = person.show(dataclasses.replace(still, head=turn))
            truth = _truth(person, turn) - true_rest
            for (landmarker, pack), before in zip(models, rest, strict=True):
                after = _pose(image, pack, landmarker)
                if before is not None and after is not None:
                    errors[landmarker.scheme].append(np.abs(after - before - truth))
    measured = {scheme: np.array(found) for scheme, found in errors.items()}
    for scheme, found in measured.items():
        print(scheme, len(found), *(np.percentile(found, part, axis=0).round(1) for part in (50, 90)))
    assert min(map(len, measured.values())) >= 60
    assert (np.median(measured["mediapipe478"], axis=0) < (1.5, 2.0, 1.0)).all()
    assert (np.percentile(measured["mediapipe478"], 90, axis=0) < (3.5, 4.0, 2.5)).all()
    assert (measured["mediapipe478"].mean(axis=0) < measured["ibug68"].mean(axis=0)).all()
