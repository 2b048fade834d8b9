from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher.persons import (
    MOST_SEEN,
    PHOTO_SUBJECT,
    SCAN_SUBJECT,
    SubjectRule,
    face_boxes,
    faces_in_words,
    persons_among,
)
from vision.face import Box, DetectedFace

_SIZE = (600, 800)
_CENTRE = (299.5, 399.5)
_CORNER = (80.0, 80.0)
_STRICT = SubjectRule()


def face(width: float, confidence: float = 0.9, at: tuple[float, float] = _CENTRE) -> DetectedFace:
    x, y = at
    return DetectedFace(
        box=Box(x - width / 2, y - width / 2, x + width / 2, y + width / 2),
        confidence=confidence,
        five_points=np.zeros((5, 2), dtype=np.float32),
    )


def widths_of(faces: list[DetectedFace], rule: SubjectRule = _STRICT) -> list[float]:
    return [round(person.box.width, 3) for person in persons_among(faces, size=_SIZE, rule=rule)]


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


@pytest.mark.parametrize(
    ("faces", "expected"),
    [
        # Wider, but doubtful beside a sure one.
        ([face(206.0, 0.51), face(204.0, 0.95)], [204.0]),
        # Exactly as sure as demanded.
        ([face(200.0, 0.6), face(204.0, 0.95)], [204.0, 200.0]),
        # All are doubtful: the surest counts.
        ([face(200.0, 0.51), face(100.0, 0.55)], [100.0]),
    ],
)
def test_a_doubtful_face_is_no_person_beside_a_sure_one(
    faces: list[DetectedFace], expected: list[float]
) -> None:
    assert widths_of(faces) == expected


@pytest.mark.parametrize("rule", [PHOTO_SUBJECT, SCAN_SUBJECT])
def test_a_clearly_smaller_face_aside_is_background(rule: SubjectRule) -> None:
    assert widths_of([face(200.0), face(110.0, at=_CORNER)], rule) == [200.0]


@pytest.mark.parametrize("rule", [PHOTO_SUBJECT, SCAN_SUBJECT])
@pytest.mark.parametrize(
    "other",
    [
        face(110.0, at=(330.0, 420.0)),  # smaller, but in the centre
        face(180.0, at=_CORNER),  # aside, but as large
        face(200.0, at=(330.0, 420.0)),
    ],
)
def test_a_face_that_is_only_smaller_or_only_aside_counts(rule: SubjectRule, other: DetectedFace) -> None:
    assert len(widths_of([face(200.0), other], rule)) == 2


def test_beside_a_subject_that_is_off_centre_every_wide_face_counts() -> None:
    aside, other = face(200.0, at=(120.0, 120.0)), face(110.0, at=(500.0, 700.0))
    assert len(widths_of([aside, other], PHOTO_SUBJECT)) == 2


def test_a_scan_is_stricter_than_a_photo() -> None:
    faces = [face(200.0), face(140.0, at=_CORNER)]
    assert (len(widths_of(faces, PHOTO_SUBJECT)), len(widths_of(faces, SCAN_SUBJECT))) == (1, 2)


def test_a_wide_face_in_the_corner_is_not_the_subject() -> None:
    assert widths_of([face(220.0, at=_CORNER), face(200.0)], PHOTO_SUBJECT) == [200.0, 220.0]


def test_of_two_equal_faces_none_is_background() -> None:
    left, right = (face(200.0, at=(x, 400.0)) for x in (200.0, 400.0))
    assert len(widths_of([left, right], PHOTO_SUBJECT)) == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [("second_width", 0.0), ("second_width", 1.1), ("background_width", 1.1), ("centre", -0.1)],
)
def test_values_out_of_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        replace(_STRICT, **{name: value})


@given(
    st.lists(
        st.tuples(
            st.floats(1.0, 1000.0),
            st.floats(0.0, 1.0),
            st.tuples(st.floats(0.0, _SIZE[0]), st.floats(0.0, _SIZE[1])),
        ),
        min_size=1,
    ),
    st.floats(0.01, 1.0),
    st.floats(0.0, 1.0),
    st.floats(0.0, 1.0),
)
def test_a_picture_with_faces_shows_a_person_and_relaxing_changes_no_subject(
    faces: list[tuple[float, float, tuple[float, float]]], second: float, confidence: float, background: float
) -> None:
    found = [face(*each) for each in faces]
    strict = SubjectRule(second_width=second, min_confidence=confidence)
    persons = persons_among(found, size=_SIZE, rule=strict)
    relaxed = persons_among(found, size=_SIZE, rule=replace(strict, background_width=background))
    assert persons
    assert relaxed[0] is persons[0]
    assert all(any(person is each for each in persons) for person in relaxed)
    assert all(any(person is each for each in found) for person in persons)


def box_of(left: float, top: float, width: float, height: float) -> DetectedFace:
    return DetectedFace(
        box=Box(left, top, left + width, top + height),
        confidence=0.9,
        five_points=np.zeros((5, 2), dtype=np.float32),
    )


class TestFacesInWords:
    @pytest.mark.parametrize(
        ("seen", "place"),
        [
            (box_of(250, 350, 100, 100), "in the centre"),
            (box_of(0, 0, 100, 100), "at the top left"),
            (box_of(500, 350, 100, 100), "at the right"),
            (box_of(250, 700, 100, 100), "at the bottom"),
        ],
    )
    def test_a_face_has_a_size_and_a_place(self, seen: DetectedFace, place: str) -> None:
        assert faces_in_words([seen], size=(600, 800)) == f"100 pixels wide {place}"

    def test_boxes_are_whole_pixels_in_order(self) -> None:
        found = face_boxes([box_of(10.4, 20.6, 100.0, 120.0), box_of(-3.0, 5.0, 40.0, 50.0)])
        assert found == "10,21,100,120; -3,5,40,50"

    def test_a_crowd_is_not_listed_whole(self) -> None:
        crowd = [box_of(0, 0, 10, 10)] * (MOST_SEEN + 3)
        assert len(face_boxes(crowd).split(";")) == MOST_SEEN
        assert faces_in_words(crowd, size=(600, 800)).endswith("3 more")
