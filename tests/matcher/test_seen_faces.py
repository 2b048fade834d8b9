import numpy as np
import pytest

from matcher.seen_faces import MOST_SEEN, face_boxes, faces_in_words
from vision.face import Box, DetectedFace


def face(left: float, top: float, width: float, height: float) -> DetectedFace:
    return DetectedFace(
        box=Box(left, top, left + width, top + height),
        confidence=0.9,
        five_points=np.zeros((5, 2), dtype=np.float32),
    )


@pytest.mark.parametrize(
    ("seen", "place"),
    [
        (face(250, 350, 100, 100), "in the centre"),
        (face(0, 0, 100, 100), "at the top left"),
        (face(500, 350, 100, 100), "at the right"),
        (face(250, 700, 100, 100), "at the bottom"),
    ],
)
def test_a_face_has_a_size_and_a_place(seen: DetectedFace, place: str) -> None:
    assert faces_in_words([seen], size=(600, 800)) == f"100 pixels wide {place}"


def test_boxes_are_whole_pixels_in_order() -> None:
    found = face_boxes([face(10.4, 20.6, 100.0, 120.0), face(-3.0, 5.0, 40.0, 50.0)])
    assert found == "10,21,100,120; -3,5,40,50"


def test_a_crowd_is_not_listed_whole() -> None:
    crowd = [face(0, 0, 10, 10)] * (MOST_SEEN + 3)
    assert len(face_boxes(crowd).split(";")) == MOST_SEEN
    assert faces_in_words(crowd, size=(600, 800)).endswith("3 more")
