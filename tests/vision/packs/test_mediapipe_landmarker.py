"""MediaPipe's landmarks: the geometry with networks worked out by hand, the accuracy on real photos."""

import contextlib
import io
import math
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.vision.conftest import read_photo
from vision.errors import ModelFailed, PackFileUnusable
from vision.face import BgrImage, Box, DetectedFace, Landmarks, Points
from vision.geometry import ARCFACE_TEMPLATE, eye_aspect_ratio
from vision.packs.mediapipe_landmarker import (
    MediapipeLandmarker,
    load_mediapipe_landmarker,
    read_task_members,
)
from vision.packs.pack import Pack
from vision.pose import estimate_pose

NAME = "face.task"


def archive(*members: tuple[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as writer, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # some tests need a repeated name
        for name, content in members:
            writer.writestr(name, content)
    return file.getvalue()


def changed(content: bytes, place: int, value: bytes) -> bytes:
    return content[:place] + value + content[place + len(value) :]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_gives_the_members_in_the_order_asked_for(method: int) -> None:
    content = archive(("b", b"two"), ("other", b"x" * 99), ("a", b"one"), method=method)
    assert read_task_members(content, name=NAME, members=("a", "b")) == (b"one", b"two")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a readable"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "not a readable"),
        (archive(("a", b"1")), "contains b 0 times"),
        (archive(("a", b"1"), ("b", b"2"), ("b", b"3")), "contains b 2 times"),
        (archive(("folder/a", b"1"), ("b", b"2")), "contains a 0 times"),
        (archive(("a", b"1"), ("b", b"2"), method=zipfile.ZIP_LZMA), "compression method 14"),
        (archive(("a", b"1"), ("b", b"2"))[:-30], "not a readable"),
    ],
)
def test_other_files_are_refused(content: bytes, message: str) -> None:
    with pytest.raises(PackFileUnusable, match=message):
        read_task_members(content, name=NAME, members=("a", "b"))


def test_a_damaged_member_is_refused() -> None:
    content = archive(("a", b"the network"))
    damaged = content.replace(b"the network", b"the netwerk")
    with pytest.raises(PackFileUnusable, match="BadZipFile"):
        read_task_members(damaged, name=NAME, members=("a",))


def test_a_member_that_promises_too_much_is_not_unpacked() -> None:
    content = archive(("a", bytes(33 * 1024 * 1024)), method=zipfile.ZIP_DEFLATED)
    assert len(content) < 100_000
    with pytest.raises(PackFileUnusable, match="34603008 bytes"):
        read_task_members(content, name=NAME, members=("a",))


def test_a_member_that_unpacks_to_more_than_promised_is_refused() -> None:
    content = archive(("a", bytes(33 * 1024 * 1024)), method=zipfile.ZIP_DEFLATED)
    size_in_directory = content.index(b"PK\x01\x02") + 24
    lying = changed(content, size_in_directory, (1000).to_bytes(4, "little"))
    with pytest.raises(PackFileUnusable, match="BadZipFile"):
        read_task_members(lying, name=NAME, members=("a",))


def test_an_encrypted_member_is_refused() -> None:
    content = archive(("a", b"one"))
    flags = content.index(b"PK\x01\x02") + 8
    with pytest.raises(PackFileUnusable, match="RuntimeError"):
        read_task_members(changed(content, flags, b"\x01"), name=NAME, members=("a",))


@given(st.data())
def test_any_other_bytes_give_the_members_or_a_refusal(data: st.DataObject) -> None:
    content = archive(("a", b"one" * 20), ("b", b"two"), method=zipfile.ZIP_DEFLATED)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content = changed(content, place, data.draw(st.binary(min_size=1, max_size=4)))
    with contextlib.suppress(PackFileUnusable):
        assert read_task_members(content, name=NAME, members=("a", "b")) == (b"one" * 20, b"two")


Locate = Callable[[BgrImage, DetectedFace], Landmarks]

# Eye corners, tip of the nose, corners of the mouth: iBUG's number and MediaPipe's.
PAIRS = ((36, 33), (39, 133), (42, 362), (45, 263), (30, 4), (48, 61), (54, 291))


def face_of(five_points: Points) -> DetectedFace:
    return DetectedFace(Box(0, 0, 1, 1), 0.9, five_points.astype(np.float32))


class Spot:
    """A network that returns a face's points at the brightest place of its input."""

    def __init__(self, *presences: float) -> None:
        self.presences = list(presences)
        self.inputs: list[NDArray[np.float32]] = []

    def run(self, values: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        self.inputs.append(values)
        assert values.shape == (1, 256, 256, 3)
        light = values[0].sum(axis=2)
        rows, columns = np.indices(light.shape) + 0.5
        x, y = (columns * light).sum() / light.sum(), (rows * light).sum() / light.sum()
        mesh = np.tile(np.array([x, y, -16], np.float32), (478, 1))
        # A wide mesh, so that its region is the examined one.
        mesh[[234, 454, 10, 152]] += np.array([(-85, 0, 0), (85, 0, 0), (0, -85, 0), (0, 85, 0)])
        mesh[[33, 263]] += np.array([(-30, 0, 0), (30, 0, 0)])
        score = np.array([self.presences.pop(0)], np.float32)
        return mesh.ravel(), score, np.zeros(1, np.float32)


class TestGeometry:
    @pytest.mark.parametrize("degrees", [0.0, 30.0, -30.0, 120.0])
    @pytest.mark.parametrize("size", [0.6, 2.0, 5.0])
    def test_points_come_back_to_where_they_were_seen(self, degrees: float, size: float) -> None:
        angle = math.radians(degrees)
        turn = size * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        five = (ARCFACE_TEMPLATE - (56, 71)) @ turn.T + (400.25, 300.75)
        image = np.zeros((600, 800, 3), np.uint8)
        cv2.circle(image, (400, 300), round(3 * size), (255, 255, 255), -1)
        network = Spot(9)
        landmarks = MediapipeLandmarker(network).locate(image, face_of(five))  # type: ignore[arg-type]
        assert landmarks is not None
        assert landmarks.depth is not None
        np.testing.assert_allclose(landmarks.points[0], (400, 300), atol=0.15 * size)
        side = 1.283 * 112 * size
        assert landmarks.depth[0] == pytest.approx(-16 * side / 256, rel=1e-3)
        reach = np.linalg.norm(landmarks.points[454] - landmarks.points[234])
        assert reach == pytest.approx(170 * side / 256, rel=1e-3)
        across = landmarks.points[263] - landmarks.points[33]
        assert math.degrees(math.atan2(across[1], across[0])) == pytest.approx(degrees, abs=0.1)

    def test_colours_are_red_first_and_0_to_1(self) -> None:
        image = np.full((300, 300, 3), (0, 51, 255), np.uint8)
        network = Spot(9)
        MediapipeLandmarker(network).locate(image, face_of(ARCFACE_TEMPLATE + 90))  # type: ignore[arg-type]
        np.testing.assert_allclose(network.inputs[0][0, 128, 128], (1, 0.2, 0))

    @pytest.mark.parametrize(
        ("spot", "presences", "runs"),
        [
            ((150, 150), (9,), 1),
            ((150, 150), (-9, 9), 2),  # the first run found no face, so it runs again
            ((175, 150), (9, 9), 2),  # the face lies beside the middle
        ],
    )
    def test_a_second_run_only_where_the_first_shows_the_need(
        self, spot: tuple[int, int], presences: tuple[float, ...], runs: int
    ) -> None:
        image = np.zeros((300, 300, 3), np.uint8)
        cv2.circle(image, spot, 4, (255, 255, 255), -1)
        network = Spot(*presences)
        five = ARCFACE_TEMPLATE + np.array([94, 79])
        landmarks = MediapipeLandmarker(network).locate(image, face_of(five))  # type: ignore[arg-type]
        assert landmarks is not None
        np.testing.assert_allclose(landmarks.points[0], spot, atol=0.2)
        assert len(network.inputs) == runs

    def test_two_runs_that_see_no_face(self) -> None:
        network = Spot(-9, -0.1)
        image = np.full((300, 300, 3), 90, np.uint8)
        found = MediapipeLandmarker(network).locate(image, face_of(ARCFACE_TEMPLATE + 90))  # type: ignore[arg-type]
        assert found is None

    @pytest.mark.parametrize(
        "five",
        [
            np.zeros((5, 2)),
            np.full((5, 2), np.nan),
            np.full((5, 2), np.inf),
            ARCFACE_TEMPLATE * 0.01,
            ARCFACE_TEMPLATE[[4, 3, 2, 1, 0]] * 1e-9,
        ],
    )
    def test_five_points_without_a_face_ask_no_network(self, five: Points) -> None:
        network = Spot()
        image = np.full((300, 300, 3), 90, np.uint8)
        assert MediapipeLandmarker(network).locate(image, face_of(five)) is None  # type: ignore[arg-type]

    def test_nan_output_is_a_failed_model(self) -> None:
        class Broken(Spot):
            def run(self, values: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
                return (*super().run(values)[:1], np.full(1, np.nan, np.float32), np.zeros(1, np.float32))

        image = np.full((300, 300, 3), 90, np.uint8)
        with pytest.raises(ModelFailed, match="not numbers"):
            MediapipeLandmarker(Broken(9)).locate(image, face_of(ARCFACE_TEMPLATE + 90))  # type: ignore[arg-type]


class TestLoading:
    def test_another_archive_is_refused(self) -> None:
        with pytest.raises(PackFileUnusable, match=r"face_landmarks_detector\.tflite 0 times"):
            load_mediapipe_landmarker(archive(("hand.tflite", b"1")), name="hand.task")

    def test_a_malformed_network_is_refused(self) -> None:
        content = archive(("face_landmarks_detector.tflite", b"no flatbuffer" * 9))
        with pytest.raises(PackFileUnusable, match="LiteRT cannot load"):
            load_mediapipe_landmarker(content, name="face.task")

    def test_the_wrong_network_under_the_right_name(self, task: bytes) -> None:
        other = zipfile.ZipFile(io.BytesIO(task)).read("face_blendshapes.tflite")
        content = archive(("face_landmarks_detector.tflite", other))
        with pytest.raises(PackFileUnusable, match=r"expected \[\(1, 256, 256, 3\)\]"):
            load_mediapipe_landmarker(content, name="face.task")


@pytest.fixture(scope="module")
def task(assets: Path) -> bytes:
    return (assets / "models" / "face_landmarker.task").read_bytes()


@pytest.fixture(scope="module")
def landmarker(task: bytes) -> MediapipeLandmarker:
    return load_mediapipe_landmarker(task, name="face_landmarker.task")


@pytest.fixture(scope="module")
def locate(landmarker: MediapipeLandmarker) -> Locate:
    def found(image: BgrImage, face: DetectedFace) -> Landmarks:
        landmarks = landmarker.locate(image, face)
        assert landmarks is not None
        return landmarks

    return found


@pytest.fixture(scope="module")
def photos(people: dict[str, list[Path]]) -> list[BgrImage]:
    """40 photos of 8 people, 150 x 150 pixels."""
    return [read_photo(path) for paths in people.values() for path in paths]


@pytest.fixture(scope="module")
def frames(assets: Path, insightface_pack: Pack) -> list[tuple[BgrImage, DetectedFace]]:
    clip = cv2.VideoCapture(str(assets / "data" / "video" / "live" / "Fellway__media__me.mp4"))
    found = []
    while clip.grab():
        if int(clip.get(cv2.CAP_PROP_POS_FRAMES)) % 12 == 0:
            image = np.asarray(clip.retrieve()[1], dtype=np.uint8)
            found.append((image, insightface_pack.detector.detect(image)[0]))
    return found


class TestRealPhotos:
    def test_agrees_with_dlib(
        self, locate: Locate, embedded_pack: Pack, photos: list[BgrImage], astronaut: BgrImage
    ) -> None:
        assert embedded_pack.landmarker is not None
        apart = []
        for image in [*photos, astronaut]:
            for face in embedded_pack.detector.detect(image)[:1]:
                other = embedded_pack.landmarker.locate(image, face)
                assert other is not None
                points = locate(image, face).points
                apart.append(
                    [
                        np.linalg.norm(points[mine] - other.points[its]) / face.eye_distance
                        for its, mine in PAIRS
                    ]
                )
        assert len(apart) >= 30
        # dlib's own error is 2 to 3 % of the eye distance; its tip of the nose is another point.
        assert np.median(apart, axis=0).max() < 0.06
        assert np.percentile(apart, 90) < 0.1

    def test_a_mirrored_face_is_mirrored(
        self, locate: Locate, insightface_pack: Pack, photos: list[BgrImage]
    ) -> None:
        shifts, turns = [], []
        for image in photos[::3]:
            mirrored = np.ascontiguousarray(image[:, ::-1])
            (face, *_), (twin, *_) = (insightface_pack.detector.detect(each) for each in (image, mirrored))
            landmarks, other = locate(image, face), locate(mirrored, twin)
            size = (image.shape[1], image.shape[0])
            pose, opposite = estimate_pose(landmarks, size), estimate_pose(other, size)
            turns.append([pose.yaw + opposite.yaw, pose.pitch - opposite.pitch, pose.roll + opposite.roll])
            assert eye_aspect_ratio(other)[::-1] == pytest.approx(eye_aspect_ratio(landmarks), abs=0.08)
            back = image.shape[1] - 1 - other.points[[1, 168, 152], 0]
            shifts.append((landmarks.points[[1, 168, 152], 0] - back) / face.eye_distance)
        assert np.median(np.abs(turns), axis=0).max() < 1.5
        assert np.abs(turns).max() < 6
        # An offset of half a pixel to one side would be visible in the mean.
        assert abs(float(np.mean(shifts))) < 0.006

    def test_the_nose_is_nearer_than_the_ears(
        self, locate: Locate, insightface_pack: Pack, photos: list[BgrImage]
    ) -> None:
        for image in photos[::5]:
            face = insightface_pack.detector.detect(image)[0]
            depth = locate(image, face).depth
            assert depth is not None
            assert depth.shape == (478,)
            assert depth[4] < 0 < min(depth[234], depth[454])
            assert 0.3 < (depth[[234, 454]].mean() - depth[4]) / face.eye_distance < 2.5

    def test_where_there_is_no_face(self, landmarker: MediapipeLandmarker, astronaut: BgrImage) -> None:
        in_the_flag = face_of(ARCFACE_TEMPLATE + np.array([20, 60]))
        beyond = face_of(ARCFACE_TEMPLATE + 5000)
        noise = np.random.default_rng(3).integers(0, 256, (300, 300, 3)).astype(np.uint8)
        assert landmarker.locate(astronaut, in_the_flag) is None
        assert landmarker.locate(astronaut, beyond) is None
        assert landmarker.locate(noise, face_of(ARCFACE_TEMPLATE + 90)) is None


class TestEyes:
    """A clip of a person who shuts and opens the eyes before a still camera."""

    def test_shut_eyes_are_distinguished_from_open_ones(
        self, landmarker: MediapipeLandmarker, frames: list[tuple[BgrImage, DetectedFace]]
    ) -> None:
        openings = []
        for image, face in frames:
            found = landmarker.locate(image, face)
            assert found is not None
            openings.append(eye_aspect_ratio(found))
        ratios = np.array(openings)
        shut, wide = (ratios < 0.06).all(axis=1), (ratios > 0.18).all(axis=1)
        assert shut.sum() >= 12
        assert wide.sum() >= 20
        assert (shut | wide).all()
