from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from research.dynamic.people import (
    Person,
    Split,
    held_out_people,
    key_of,
    photo_of,
    read_split,
    simulated_people,
    with_usable_photo,
)
from research.dynamic.rows import DynamicEvaluationError
from simulator import PhotoNotFound, builtin_photos
from tests.packs import real_pack
from vision.face import BgrImage, DetectedFace, Landmarks
from vision.packs.interfaces import FaceDetector, Landmarker

_NOBODY = Split(calibration=frozenset(), cameras=frozenset())


def _collection(folder: Path, rows: Sequence[str]) -> Path:
    (folder / "manifest.csv").write_text("\n".join(["file,identity,n_faces,face_w_px", *rows]) + "\n")
    return folder


def _names(people: Sequence[Person]) -> set[str]:
    return {person.photo.name for person in people}


def test_the_photo_with_the_largest_face_alone_is_taken(tmp_path: Path) -> None:
    folder = _collection(tmp_path, ["a.jpg,x:one,1,80", "b.jpg,x:one,1,200", "c.jpg,x:one,2,300"])
    people = held_out_people(folder, split=_NOBODY, corrections=None)
    assert _names(people) == {"b.jpg"}
    assert [[other.name for other in person.others] for person in people] == [["a.jpg", "c.jpg"]]


def test_people_with_small_faces_and_of_the_small_grey_set_are_left_out(tmp_path: Path) -> None:
    folder = _collection(tmp_path, ["a.jpg,x:one,1,59", "b.jpg,x:two,1,61", "c.pgm,orl:s1,1,80"])
    assert _names(held_out_people(folder, split=_NOBODY, corrections=None)) == {"b.jpg"}


def test_tuned_people_are_left_out_under_every_name(tmp_path: Path) -> None:
    folder = _collection(
        tmp_path, ["a.jpg,x:tuned,1,90", "b.jpg,x:alias,1,90", "c.jpg,x:maybe,1,90", "d.jpg,x:other,1,90"]
    )
    corrections = tmp_path / "corrections.toml"
    corrections.write_text(
        '[[same_person]]\nidentities = ["x:alias", "x:tuned"]\nreason = "seen"\n'
        '[[unsure]]\nidentities = ["x:maybe", "x:tuned"]\nreason = "alike"\n'
    )
    split = Split(calibration=frozenset({key_of("x:tuned")}), cameras=frozenset())
    assert _names(held_out_people(folder, split=split, corrections=corrections)) == {"d.jpg"}


def test_of_two_labels_that_may_be_one_person_one_counts(tmp_path: Path) -> None:
    folder = _collection(tmp_path, ["a.jpg,x:one,1,90", "b.jpg,x:two,1,90"])
    corrections = tmp_path / "corrections.toml"
    corrections.write_text('[[unsure]]\nidentities = ["x:one", "x:two"]\nreason = "alike"\n')
    assert len(held_out_people(folder, split=_NOBODY, corrections=corrections)) == 1


def test_a_collection_without_new_people_is_refused(tmp_path: Path) -> None:
    folder = _collection(tmp_path, ["a.jpg,x:tuned,1,90"])
    split = Split(calibration=frozenset({key_of("x:tuned")}), cameras=frozenset())
    with pytest.raises(DynamicEvaluationError, match="no person"):
        held_out_people(folder, split=split, corrections=None)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DynamicEvaluationError):
        held_out_people(tmp_path / "none", split=_NOBODY, corrections=None)


@pytest.mark.parametrize("text", ["calibration_people = [", "calibration_people = []", ""])
def test_a_broken_split_is_refused(text: str) -> None:
    with pytest.raises(DynamicEvaluationError):
        read_split(text)


def test_the_split_names_people_by_hashes_alone() -> None:
    assert all(len(key) == 12 and int(key, 16) >= 0 for key in read_split().calibration)


def _wall(path: Path) -> Path:
    path.write_bytes(cv2.imencode(".png", np.full((200, 200, 3), 128, np.uint8))[1].tobytes())
    return path


def test_a_photo_without_a_face_is_not_usable(tmp_path: Path) -> None:
    person = Person("wall", _wall(tmp_path / "wall.png"))
    pack = real_pack()
    with pytest.raises(DynamicEvaluationError, match=r"wall\.png"):
        photo_of(person, pack=pack, witness=pack)
    assert with_usable_photo([person], pack=pack, witness=pack) == ()


def test_a_collection_without_a_usable_photo_is_an_error(tmp_path: Path) -> None:
    faces = tmp_path / "data" / "faces"
    faces.mkdir(parents=True)
    _wall(_collection(faces, ["wall.png,x:one,1,80"]) / "wall.png")
    pack = real_pack()
    with pytest.raises(DynamicEvaluationError, match="no usable photo"):
        simulated_people(tmp_path, pack=pack, witness=pack, corrections=None)


class _Elsewhere:
    """A detector that finds the face beside its true place."""

    def __init__(self, detector: FaceDetector) -> None:
        self._detector = detector

    def detect(self, image: BgrImage) -> tuple[DetectedFace, ...]:
        return tuple(
            replace(face, five_points=np.asarray(face.five_points + 0.5 * face.eye_distance, np.float32))
            for face in self._detector.detect(image)
        )


class _Beside:
    """A landmarker that finds the eyes slightly beside their true places."""

    scheme = "ibug68"

    def __init__(self, landmarker: Landmarker, share: float) -> None:
        self._landmarker = landmarker
        self._share = share

    def locate(self, image: BgrImage, face: DetectedFace) -> Landmarks | None:
        seen = self._landmarker.locate(image, face)
        if seen is None:
            return None
        return replace(seen, points=np.asarray(seen.points + self._share * face.eye_distance, np.float32))


def _face(path: Path) -> Path:
    try:
        image = builtin_photos(names=("astronaut",))["astronaut"].pixels
    except PhotoNotFound as missing:
        pytest.skip(str(missing))
    path.write_bytes(cv2.imencode(".png", image)[1].tobytes())
    return path


@pytest.mark.slow
def test_a_photo_is_usable_where_two_packs_see_the_same_eyes(tmp_path: Path) -> None:
    pack = real_pack()
    assert pack.landmarker is not None
    person = Person("face", _face(tmp_path / "face.png"))
    assert with_usable_photo([person], pack=pack, witness=pack) == (person,)
    for witness, agrees in (
        (replace(pack, landmarker=None), True),
        (replace(pack, detector=_Elsewhere(pack.detector), landmarker=None), False),
        (replace(pack, landmarker=_Beside(pack.landmarker, 0.05)), True),
        (replace(pack, landmarker=_Beside(pack.landmarker, 0.15)), False),
    ):
        assert bool(with_usable_photo([person], pack=pack, witness=witness)) is agrees
    with pytest.raises(DynamicEvaluationError, match="same eyes"):
        photo_of(person, pack=pack, witness=replace(pack, landmarker=_Beside(pack.landmarker, 0.15)))


@pytest.mark.slow
def test_the_first_usable_photo_of_a_person_is_used(tmp_path: Path) -> None:
    pack = real_pack()
    wall, face = _wall(tmp_path / "wall.png"), _face(tmp_path / "face.png")
    person = Person("both", wall, (face, wall))
    assert with_usable_photo([person], pack=pack, witness=pack) == (replace(person, photo=face),)


def test_the_real_collection_contains_no_tuned_person(assets: Path) -> None:
    split = read_split()
    corrections = Path(__file__).parents[3] / "evaluation" / "label_corrections.toml"
    people = held_out_people(assets / "data" / "faces", split=split, corrections=corrections)
    assert len(people) >= 20
    assert not {person.key for person in people} & split.calibration
