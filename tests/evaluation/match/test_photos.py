from pathlib import Path

import pytest

from evaluation.match.corrections import Corrections, read_corrections
from evaluation.match.errors import PhotoListError
from evaluation.match.photos import read_photos

HEADER = "file,identity,label,usable\n"


def folder_with(tmp_path: Path, *rows: str) -> Path:
    (tmp_path / "manifest.csv").write_text(HEADER + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return tmp_path


def test_only_usable_certain_bona_fide_photos_are_taken(tmp_path: Path) -> None:
    folder = folder_with(
        tmp_path,
        "a.jpg,x:1,bona_fide,1",
        "b.jpg,x:2,bona_fide,0",
        "c.jpg,x:3,not_photo,1",
        "d.jpg,,bona_fide,1",
        "e.jpg,x:4?,bona_fide,1",
        "f.pgm,grey:1,bona_fide,1",
    )
    photos = read_photos(folder, corrections=Corrections(), apart=frozenset({"grey"}))
    assert [(photo.path.name, photo.identity, photo.apart) for photo in photos] == [
        ("a.jpg", "x:1", False),
        ("f.pgm", "grey:1", True),
    ]


def test_corrections_are_applied(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "a.jpg,x:1,bona_fide,1", "b.jpg,y:1,bona_fide,1", "c.jpg,z:1,bona_fide,1")
    file = tmp_path / "corrections.toml"
    file.write_text(
        '[[same_person]]\nidentities = ["x:1", "y:1"]\nreason = "r"\n'
        '[[wrong_label]]\nfile = "c.jpg"\nreason = "r"\n'
        '[[unsure]]\nidentities = ["y:1", "w:1"]\nreason = "r"\n',
        encoding="utf-8",
    )
    corrections = read_corrections(file)
    assert corrections.unsure == frozenset({frozenset({"y:1", "w:1"})})
    photos = read_photos(folder, corrections=corrections, apart=frozenset())
    assert [photo.identity for photo in photos] == ["y:1", "y:1"]


@pytest.mark.parametrize(
    "text",
    [
        "not toml",
        '[[same_person]]\nreason = "r"\n',
        '[[same_person]]\nidentities = ["x"]\n',
        '[[unsure]]\nidentities = ["x", "x"]\n',
        "[[unsure]]\nidentities = [1, 2]\n",
        '[[wrong_label]]\nreason = "r"\n',
        "unsure = 3\n",
    ],
)
def test_a_broken_corrections_file_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "corrections.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(PhotoListError):
        read_corrections(file)


def test_a_missing_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PhotoListError):
        read_photos(tmp_path, corrections=Corrections(), apart=frozenset())


def test_a_missing_column_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("file,label\na.jpg,bona_fide\n", encoding="utf-8")
    with pytest.raises(PhotoListError):
        read_photos(tmp_path, corrections=Corrections(), apart=frozenset())


def test_the_project_s_own_corrections_can_be_read_and_name_files_of_the_data_set(assets: Path) -> None:
    corrections = read_corrections(
        Path(__file__).resolve().parents[3] / "evaluation" / "label_corrections.toml"
    )
    manifest = (assets / "data" / "faces" / "manifest.csv").read_text(encoding="utf-8")
    labels = set(corrections.same_person) | set(corrections.same_person.values())
    for name in labels | set().union(*corrections.unsure) | corrections.wrong_label:
        assert name in manifest
