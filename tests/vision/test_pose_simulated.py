"""Head pose compared with the truth: simulated heads rotated by known angles.

The simulator lays photos over a generic head. The tests compare the change from the photo's own pose.
"""

import csv
import dataclasses
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from simulator import Photo, ScanKind, SceneSettings
from simulator.behaviour import PersonState
from simulator.geometry import ReliefPose
from simulator.person import Person
from tests.vision.conftest import read_photo
from vision.face import BgrImage, HeadPose
from vision.packs.dlib_models import DlibLandmarker
from vision.packs.interfaces import Landmarker
from vision.packs.mediapipe_landmarker import load_mediapipe_landmarker
from vision.packs.pack import Pack
from vision.pose import estimate_pose, head_of_68

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
    relief = person._relief
    points = person._landmarks[head_of_68()[0]].astype(np.float64)
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
    middle = (rays / rays[:, 2:]).mean(axis=0)
    middle /= np.linalg.norm(middle)
    axis = np.cross(middle, (0, 0, 1))
    sine = float(np.linalg.norm(axis))
    sight = np.asarray(cv2.Rodrigues(axis / (sine or 1) * math.asin(sine))[0], dtype=np.float64)
    away = np.diag([1, 1, -1])  # the simulator's depth points to the camera, the pose's away from it
    rotation = sight @ away @ turned @ away
    ahead = -rotation[:, 2]
    return np.degrees(
        [
            math.atan2(ahead[0], -ahead[2]),
            math.asin(-ahead[1]),
            math.atan2(rotation[1, 0], rotation[1, 1]),
        ]
    )


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
