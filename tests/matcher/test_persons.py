import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher.persons import persons_among
from vision.face import Box, DetectedFace


def face(width: float, confidence: float = 0.9) -> DetectedFace:
    return DetectedFace(
        box=Box(0.0, 0.0, width, width),
        confidence=confidence,
        five_points=np.zeros((5, 2), dtype=np.float32),
    )


def widths_of(faces: list[DetectedFace]) -> list[float]:
    persons = persons_among(faces, second_face_fraction=1 / 3, min_confidence=0.6)
    return [person.box.width for person in persons]


@pytest.mark.parametrize(
    ("widths", "expected"),
    [
        ([], []),
        ([90.0], [90.0]),
        ([29.9, 90.0], [90.0]),
        ([30.0, 90.0], [90.0, 30.0]),
        ([89.0, 90.0, 10.0], [90.0, 89.0]),
    ],
)
def test_small_faces_are_background(widths: list[float], expected: list[float]) -> None:
    assert widths_of([face(width) for width in widths]) == expected


def test_a_doubtful_face_is_no_person_beside_a_sure_one_even_if_it_is_wider() -> None:
    assert widths_of([face(206.0, 0.51), face(204.0, 0.95)]) == [204.0]


def test_a_face_exactly_as_sure_as_demanded_counts() -> None:
    assert widths_of([face(200.0, 0.6), face(204.0, 0.95)]) == [204.0, 200.0]


def test_where_all_are_doubtful_the_surest_is_the_person() -> None:
    assert widths_of([face(200.0, 0.51), face(100.0, 0.55)]) == [100.0]


@given(
    st.lists(st.tuples(st.floats(1.0, 1000.0), st.floats(0.0, 1.0)), min_size=1),
    st.floats(0.01, 1.0),
    st.floats(0.0, 1.0),
)
def test_a_picture_with_faces_shows_a_person(
    faces: list[tuple[float, float]], fraction: float, confidence: float
) -> None:
    found = [face(*each) for each in faces]
    persons = persons_among(found, second_face_fraction=fraction, min_confidence=confidence)
    assert persons
    assert [p.box.width for p in persons] == sorted((p.box.width for p in persons), reverse=True)
    assert all(any(person is each for each in found) for person in persons)
