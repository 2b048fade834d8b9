from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from evaluation.dynamic.errors import DynamicEvaluationError
from evaluation.dynamic.people import (
    Person,
    Split,
    held_out_people,
    key_of,
    photo_of,
    read_split,
    with_usable_photo,
)
from tests.packs import real_pack

_NOBODY = Split(calibration=frozenset(), cameras=frozenset())


def _collection(folder: Path, rows: Sequence[str]) -> Path:
    (folder / "manifest.csv").write_text("\n".join(["file,identity,n_faces,face_w_px", *rows]) + "\n")
    return folder


def _names(people: Sequence[Person]) -> set[str]:
    return {person.photo.name for person in people}


def test_the_photo_with_the_largest_face_alone_is_taken(tmp_path: Path) -> None:
    folder = _collection(tmp_path, ["a.jpg,x:one,1,80", "b.jpg,x:one,1,200", "c.jpg,x:one,2,300"])
    assert _names(held_out_people(folder, split=_NOBODY, corrections=None)) == {"b.jpg"}


def test_people_with_small_faces_and_of_the_small_grey_set_are_left_out(tmp_path: Path) -> None:
    folder = _collection(tmp_path, ["a.jpg,x:one,1,59", "b.jpg,x:two,1,61", "c.pgm,orl:s1,1,80"])
    assert _names(held_out_people(folder, split=_NOBODY, corrections=None)) == {"b.jpg"}


def test_whoever_was_tuned_on_is_left_out_under_every_name(tmp_path: Path) -> None:
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


def test_a_collection_of_nobody_else_is_refused(tmp_path: Path) -> None:
    folder = _collection(tmp_path, ["a.jpg,x:tuned,1,90"])
    split = Split(calibration=frozenset({key_of("x:tuned")}), cameras=frozenset())
    with pytest.raises(DynamicEvaluationError, match="nobody"):
        held_out_people(folder, split=split, corrections=None)


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DynamicEvaluationError):
        held_out_people(tmp_path / "none", split=_NOBODY, corrections=None)


@pytest.mark.parametrize("text", ["calibration_people = [", "calibration_people = []", ""])
def test_a_broken_split_is_refused(text: str) -> None:
    with pytest.raises(DynamicEvaluationError):
        read_split(text)


def test_the_split_names_people_by_hashes_alone() -> None:
    assert all(len(key) == 12 and int(key, 16) >= 0 for key in read_split().calibration)


def test_a_photo_without_a_face_is_not_usable(tmp_path: Path) -> None:
    path = tmp_path / "wall.png"
    path.write_bytes(cv2.imencode(".png", np.full((200, 200, 3), 128, np.uint8))[1].tobytes())
    person = Person("wall", path)
    with pytest.raises(DynamicEvaluationError, match=r"wall\.png"):
        photo_of(person, pack=real_pack())
    assert with_usable_photo([person], pack=real_pack()) == ()


def test_nobody_of_the_real_collection_was_tuned_on(assets: Path) -> None:
    split = read_split()
    corrections = Path(__file__).parents[3] / "evaluation" / "label_corrections.toml"
    people = held_out_people(assets / "data" / "faces", split=split, corrections=corrections)
    assert len(people) >= 20
    assert not {person.key for person in people} & split.calibration
