import cv2
import numpy as np
import pytest

from liveness.errors import ObservationError
from liveness.observe import (
    VIEW_SIDE,
    fine_view,
    observe_followed,
    observe_frame,
    sample_frame,
    view_frame,
)
from tests.liveness.builders import HEIGHT, WIDTH, face_at, observation, texture
from vision.face import BgrImage, HeadPose

_IMAGE: BgrImage = texture()[:HEIGHT, :WIDTH]


def test_a_frame_with_a_face_is_measured() -> None:
    seen = observe_frame(_IMAGE, index=3, capture_time=0.2, faces=[face_at()])
    assert (seen.index, seen.capture_time, seen.width, seen.height, seen.faces) == (3, 0.2, WIDTH, HEIGHT, 1)
    assert seen.sharpness is not None
    assert seen.sharpness > 0
    assert seen.luminance == pytest.approx(128, abs=20)
    assert seen.pose is not None
    assert abs(seen.pose.yaw) < 8
    assert seen.eyes is None
    assert seen.eyes_open is None
    assert seen.view is not None
    assert max(seen.view.shape) == VIEW_SIDE
    assert seen.samples.shape == (64, 64)


def test_given_pose_and_eyes_replace_the_estimated_ones() -> None:
    pose = HeadPose(yaw=4.0, pitch=-2.0, roll=1.0)
    seen = observe_frame(
        _IMAGE, index=0, capture_time=0, faces=[face_at()], pose=pose, eyes=(14 / 40, 13 / 40)
    )
    assert (seen.pose, seen.eyes) == (pose, (14 / 40, 13 / 40))
    by_five_points = observe_frame(_IMAGE, index=0, capture_time=0, faces=[face_at()])
    assert by_five_points.eyes is None
    assert by_five_points.pose is not None
    assert by_five_points.pose != pose


def test_a_frame_without_a_face_has_no_face_measurements() -> None:
    seen = observe_frame(_IMAGE, index=0, capture_time=0, faces=[])
    assert (seen.faces, seen.face, seen.sharpness, seen.luminance, seen.pose) == (0, None, None, None, None)


def test_the_subject_is_measured_and_the_persons_are_counted() -> None:
    subject, neighbour = face_at(), face_at(60, 60, 120)
    seen = observe_frame(_IMAGE, index=0, capture_time=0, faces=[subject, neighbour])
    assert (seen.face, seen.faces) == (subject, 2)


def test_exposure_moves_nothing_in_the_view() -> None:
    brighter = np.clip(_IMAGE.astype(np.float32) + 25, 0, 255).astype(np.uint8)
    inside = (_IMAGE > 5) & (_IMAGE < 225)
    assert inside.mean() > 0.9
    plain = observe_frame(_IMAGE, index=0, capture_time=0, faces=[]).view
    lit = observe_frame(brighter, index=0, capture_time=0, faces=[]).view
    assert plain is not None
    assert lit is not None
    assert np.median(np.abs(plain.astype(int) - lit.astype(int))) <= 1


@pytest.mark.parametrize(
    "image", [np.zeros((10, 10), np.uint8), np.zeros((10, 10, 3), np.float32), np.zeros((0, 10, 3), np.uint8)]
)
def test_anything_but_a_colour_image_is_refused(image: BgrImage) -> None:
    with pytest.raises(ObservationError):
        observe_frame(image, index=0, capture_time=0, faces=[])


def test_a_tiny_image_is_observed() -> None:
    seen = observe_frame(np.zeros((1, 1, 3), np.uint8), index=0, capture_time=0, faces=[face_at()])
    assert seen.samples.shape == (64, 64)


def test_a_followed_frame_keeps_slowly_changing_measurements() -> None:
    detected = observation(3, sharpness=77.0, luminance=140.0, dark_fraction=0.1, faces=1)
    face = face_at(200, 310, 220)
    seen = view_frame(_IMAGE)
    followed = observe_followed(seen, index=4, capture_time=0.3, face=face, detected=detected)
    assert followed.followed
    assert not detected.followed
    assert (followed.index, followed.capture_time, followed.face) == (4, 0.3, face)
    assert (followed.sharpness, followed.luminance, followed.dark_fraction) == (77.0, 140.0, 0.1)
    assert (followed.pose, followed.faces) == (detected.pose, 1)
    # Eyes are not carried over, because a blink is short.
    assert followed.eyes is None
    assert followed.view is seen.view
    assert followed.samples is seen.samples


def test_a_view_made_before_is_used() -> None:
    seen = view_frame(_IMAGE)
    observed = observe_frame(_IMAGE, index=0, capture_time=0, faces=[face_at()], seen=seen)
    assert observed.view is seen.view
    assert (seen.width, seen.height) == (WIDTH, HEIGHT)


@pytest.mark.parametrize("unlike", [np.zeros((10, 10), np.float32), np.zeros((10, 10, 4), np.uint8)])
def test_anything_but_an_image_is_refused(unlike: BgrImage) -> None:
    for refusing in (view_frame, sample_frame):
        with pytest.raises(ObservationError, match="8-bit colour or grey"):
            refusing(unlike)


def test_luma_alone_gives_the_same_views_and_samples() -> None:
    luma = cv2.cvtColor(_IMAGE, cv2.COLOR_BGR2GRAY).astype(np.uint8)
    of_luma, of_colours = view_frame(luma), view_frame(_IMAGE)
    assert np.array_equal(of_luma.view, of_colours.view)
    assert np.array_equal(of_luma.samples, of_colours.samples)
    assert np.array_equal(of_luma.samples, sample_frame(luma))
    assert np.array_equal(of_luma.grey, luma)
    assert (of_luma.width, of_luma.height, of_luma.scale) == (WIDTH, HEIGHT, of_colours.scale)


@pytest.mark.parametrize("side", [100, 384, 385, 500, 768, 1000, 1920, 4000])
def test_views_of_any_frame_are_alike(side: int) -> None:
    """The same scene gives about the same view, whatever the camera's resolution."""
    scene = cv2.resize(_IMAGE, (3 * side // 4, side), interpolation=cv2.INTER_AREA).astype(np.uint8)
    seen = view_frame(scene)
    assert max(seen.view.shape) == min(side, VIEW_SIDE)
    assert seen.scale == pytest.approx(min(1.0, VIEW_SIDE / side))
    if side >= VIEW_SIDE:
        reference = view_frame(_IMAGE).view
        other = cv2.resize(seen.view, reference.shape[::-1], interpolation=cv2.INTER_LINEAR)
        assert np.corrcoef(reference.ravel(), other.ravel())[0, 1] > 0.95


@pytest.mark.parametrize(
    ("frame", "view"),
    [
        ((480, 640), (480, 640)),
        ((720, 960), (480, 640)),
        ((720, 1280), (480, 853)),
        ((640, 480), (640, 480)),
        ((800, 600), (800, 600)),
        ((1280, 720), (1067, 600)),
        ((4000, 400), (1280, 128)),
    ],
)
def test_the_fine_view_shows_the_field_at_one_size(frame: tuple[int, int], view: tuple[int, int]) -> None:
    seen, scale = fine_view(np.zeros(frame[::-1], np.uint8))
    assert seen.shape[::-1] == view
    assert scale == pytest.approx(view[0] / frame[0], abs=0.001)
