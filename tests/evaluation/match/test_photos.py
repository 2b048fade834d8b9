import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.match.photos import (
    Corrections,
    PhotoList,
    PhotoListError,
    path_inside,
    read_photo_list,
    read_photos,
    read_rows,
)

HEADER = "file,identity,label,usable\n"


def folder_with(tmp_path: Path, *rows: str, header: str = HEADER) -> Path:
    (tmp_path / "manifest.csv").write_text(header + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return tmp_path


def listed(folder: Path, corrections: Corrections | None = None) -> PhotoList:
    return read_photo_list(folder, corrections=corrections or Corrections(), apart=())


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
    photos = read_photos(folder, corrections=Corrections(), apart={"grey"})
    assert [(photo.path.name, photo.identity, photo.apart) for photo in photos] == [
        ("a.jpg", "x:1", False),
        ("f.pgm", "grey:1", True),
    ]


def test_excluded_photos_are_counted_by_reason(tmp_path: Path) -> None:
    folder = folder_with(
        tmp_path,
        "a.jpg,x:1,bona_fide,1",
        "b.jpg,x:2,bona_fide,0",
        "c.jpg,x:3,not_photo,1",
        "d.jpg,,bona_fide,1",
        "e.jpg,x:4?,bona_fide,1",
        "f.jpg,x:5,bona_fide,1",
    )
    found = listed(folder, Corrections(wrong_label=frozenset({"f.jpg"})))
    assert len(found.photos) == 1
    assert found.left_out == {
        "marked as not usable": 1,
        "not labelled bona_fide": 1,
        "without an identity": 1,
        "of an uncertain identity": 1,
        "left out by the corrections": 1,
    }


def test_labels_of_one_person_become_one(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "a.jpg,x:1,bona_fide,1", "b.jpg,y:1,bona_fide,1")
    found = listed(folder, Corrections(same_person={"x:1": "y:1"}))
    assert [photo.identity for photo in found.photos] == ["y:1", "y:1"]


def test_a_manifest_needs_file_and_identity_and_keeps_other_columns(tmp_path: Path) -> None:
    # A byte order mark at the start, as spreadsheets write it.
    folder = folder_with(tmp_path, "a.jpg,x,cam 1", "b/c.jpg,y,", header="\ufefffile,identity,camera\n")
    found = listed(folder)
    assert found.columns == ("file", "identity", "camera")
    assert [photo.columns["camera"] for photo in found.photos] == ["cam 1", ""]
    assert found.photos[1].path == folder / "b" / "c.jpg"


def test_without_a_manifest_each_subfolder_is_a_person(tmp_path: Path) -> None:
    for name in ("ann/1.jpg", "ann/2.PNG", "bob/1.webp", "bob/notes.txt", "stray.jpg"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(name.encode())
    (tmp_path / "empty").mkdir()
    found = listed(tmp_path)
    assert [(photo.identity, photo.path.name) for photo in found.photos] == [
        ("ann", "1.jpg"),
        ("ann", "2.PNG"),
        ("bob", "1.webp"),
    ]
    assert found.columns == ()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("/etc/passwd", "does not lie in the folder"),
        ("../outside.jpg", "without .."),
        ("a/../../b.jpg", "without .."),
        ("a\\..\\..\\b.jpg", "without .."),
        ("C:/x.jpg", "does not lie in the folder"),
        ("", "does not lie in the folder"),
    ],
)
def test_files_outside_the_folder_are_refused_with_their_line(tmp_path: Path, name: str, said: str) -> None:
    folder = folder_with(tmp_path, "a.jpg,x", f"{name},y", header="file,identity\n")
    with pytest.raises(PhotoListError, match=said) as caught:
        listed(folder)
    assert "line 3" in str(caught.value)


@given(st.text())
def test_no_name_leads_out_of_the_folder(name: str) -> None:
    folder = Path("/srv/photos")
    try:
        path = path_inside(folder, name, where="line 2")
    except PhotoListError:
        return
    assert folder in path.parents
    assert ".." not in path.parts


def test_a_missing_folder_and_one_without_photos_are_reported(tmp_path: Path) -> None:
    with pytest.raises(PhotoListError, match="is no folder"):
        listed(tmp_path / "none")
    with pytest.raises(PhotoListError, match=r"neither a manifest\.csv nor subfolders"):
        listed(tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"file,label\na.jpg,bona_fide\n", "no column identity"),
        (b"", "no column file and no column identity; found none"),
        (b"file,identity\na.jpg\n", "line 2: expected 2 values"),
        (b"file,identity\na.jpg,x,y\n", "line 2: expected 2 values"),
        (b"file,identity\n\xff.jpg,x\n", "no CSV file in UTF-8"),
        (b'file,identity\n"a.jpg,x\n', "no CSV file"),
    ],
)
def test_a_broken_manifest_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "manifest.csv").write_bytes(content)
    with pytest.raises(PhotoListError, match=said):
        listed(tmp_path)


cells = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1)


@given(st.lists(st.tuples(cells, cells), max_size=5))
def test_rows_come_back_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]]
) -> None:
    stream = io.StringIO()
    csv.writer(stream).writerows([("file", "identity"), *pairs])
    file = tmp_path_factory.mktemp("rows") / "list.csv"
    file.write_text(stream.getvalue(), encoding="utf-8", newline="")
    _, rows = read_rows(file, needed=("file", "identity"))
    assert [(row["file"], row["identity"]) for row in rows] == pairs


@given(st.binary(max_size=200))
def test_any_bytes_give_rows_or_a_typed_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    file = tmp_path_factory.mktemp("bytes") / "list.csv"
    file.write_bytes(b"file,identity\n" + content)
    try:
        _, rows = read_rows(file, needed=("file", "identity"))
    except PhotoListError:
        return
    assert all(set(row) == {"file", "identity"} for row in rows)


def test_a_copy_of_a_photo_counts_once_for_its_person(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "a.jpg,x:1,bona_fide,1", "b.jpg,x:1,bona_fide,1", "c.jpg,x:2,bona_fide,1")
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (folder / name).write_bytes(b"one photo")
    found = listed(folder)
    # Under another name it may be an error of the labels, and is compared.
    assert [photo.path.name for photo in found.photos] == ["a.jpg", "c.jpg"]
    assert found.left_out == {"copies of another photo of the person": 1}


def test_photos_that_cannot_be_read_are_no_copies(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "a.jpg,x:1,bona_fide,1", "b.jpg,x:1,bona_fide,1")
    assert [photo.path.name for photo in listed(folder).photos] == ["a.jpg", "b.jpg"]
