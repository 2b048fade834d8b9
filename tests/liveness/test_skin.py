import cv2
import numpy as np
import pytest

from liveness.observation import GreyView
from liveness.observe import observe_followed, observe_frame, view_frame
from liveness.skin import skin_colour
from liveness.watch import FrameWatcher
from tests.liveness.builders import HEIGHT, WIDTH, face_at, texture
from vision.face import BgrImage, DetectedFace


def _picture() -> BgrImage:
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[:] = (30, 60, 90)
    return image


def test_colours_are_named_in_the_order_red_green_blue() -> None:
    assert skin_colour(_picture(), face_at()) == (90, 60, 30)


def test_eyes_and_mouth_and_background_do_not_count() -> None:
    image = _picture()
    for x, y in face_at().five_points[[0, 1, 3, 4]].astype(int):
        image[y - 12 : y + 12, x - 12 : x + 12] = 255
    image[:, : int(face_at().box.left)] = 255
    assert skin_colour(image, face_at()) == (90, 60, 30)


@pytest.mark.parametrize("face", [face_at(x=20), face_at(y=40), face_at(x=WIDTH), face_at(width=20)])
def test_a_face_that_is_cut_off_or_tiny_has_no_colour(face: DetectedFace) -> None:
    assert skin_colour(_picture(), face) is None


def test_frames_carry_it_where_their_colours_are_known() -> None:
    image = _picture()
    looked = observe_frame(image, index=0, capture_time=0.0, faces=[face_at()])
    nobody = observe_frame(image, index=0, capture_time=0.0, faces=[])
    assert [one.skin_colour for one in (looked, nobody)] == [(90, 60, 30), None]
    seen = view_frame(image)
    followed = observe_followed(seen, index=1, capture_time=0.1, face=face_at(), looked=looked)
    coloured = observe_followed(
        seen, index=1, capture_time=0.1, face=face_at(), looked=looked, colours=image // 2
    )
    assert [one.skin_colour for one in (followed, coloured)] == [None, (45, 30, 15)]


class _Still:
    """One picture, which a detector need not look at in every frame."""

    def grey(self) -> GreyView:
        return np.asarray(cv2.cvtColor(self.colour(), cv2.COLOR_BGR2GRAY), np.uint8)

    def colour(self) -> BgrImage:
        return texture()[:HEIGHT, :WIDTH]


@pytest.mark.parametrize("every_colour", [True, False])
def test_a_watcher_takes_it_of_followed_frames_where_it_is_told_to(*, every_colour: bool) -> None:
    watcher = FrameWatcher(find_faces=lambda _: [face_at()], every_colour=every_colour)
    for index in range(4):
        watcher.watch(_Still(), index=index, capture_time=0.1 * index)
    frames = watcher.observations.frames
    assert any(frame.followed for frame in frames)
    for frame in frames:
        assert (frame.skin_colour is not None) is (every_colour or not frame.followed)
