from pathlib import Path

import pytest

from evaluation.match.pair_list import PairList, read_pairs
from evaluation.match.photos import Corrections, NothingToMeasure, PhotoListError


def pairs_file(folder: Path, *rows: str, manifest: tuple[str, ...] = ()) -> Path:
    file = folder / "pairs.csv"
    file.write_text("file_a,file_b,same\n" + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    if manifest:
        (folder / "manifest.csv").write_text(
            "file,identity\n" + "".join(f"{row}\n" for row in manifest), encoding="utf-8"
        )
    return file


def read(file: Path, corrections: Corrections | None = None, apart: tuple[str, ...] = ()) -> PairList:
    return read_pairs(file, corrections=corrections or Corrections(), apart=apart)


def test_identities_come_from_the_manifest(tmp_path: Path) -> None:
    file = pairs_file(
        tmp_path, "a.jpg,b.jpg,1", "a.jpg,c.jpg,0", manifest=("a.jpg,x", "b.jpg,x", "c.jpg,y", "d.jpg,z")
    )
    found = read(file)
    assert [photo.identity for photo in found.photos] == ["x", "x", "y"]
    assert found.pairs == ((0, 1), (0, 2))
    assert found.named
    assert found.columns == ("file", "identity")


def test_without_a_manifest_pairs_of_one_person_make_persons(tmp_path: Path) -> None:
    found = read(pairs_file(tmp_path, "a,b,1", "c,d,1", "b,e,1", "a,c,0", "f,a,0"))
    persons = {photo.path.name: photo.identity for photo in found.photos}
    assert persons["a"] == persons["b"] == persons["e"]
    assert persons["c"] == persons["d"] != persons["a"]
    assert persons["f"] not in {persons["a"], persons["c"]}
    assert not found.named


def test_a_pair_counts_once_whichever_way_round(tmp_path: Path) -> None:
    found = read(pairs_file(tmp_path, "a,b,1", "b,a,1", "a,c,0"))
    assert len(found.pairs) == 2
    assert found.left_out == {"named twice": 1}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (("a,b,yes",), "line 2: same is 'yes', expected 1 or 0"),
        (("a,a,1",), "compared with itself"),
        (("a,b,1", "b,a,0"), "line 3: the same two photos have another label in line 2"),
        (("a,b,1", "b,c,1", "a,c,0"), "line 4: same is 0, but other pairs make the two photos one person"),
        (("a,../b,1",), "does not lie in the folder"),
        (("/a,b,1",), "does not lie in the folder"),
    ],
)
def test_pairs_that_cannot_be_are_refused_with_their_line(
    tmp_path: Path, rows: tuple[str, ...], said: str
) -> None:
    with pytest.raises(PhotoListError, match=said):
        read(pairs_file(tmp_path, *rows))


def test_pairs_that_contradict_the_manifest_are_refused(tmp_path: Path) -> None:
    file = pairs_file(tmp_path, "a,b,0", manifest=("a,x", "b,x"))
    with pytest.raises(PhotoListError, match="gives one identity"):
        read(file)
    file = pairs_file(tmp_path, "a,b,1", manifest=("a,x", "b,y"))
    with pytest.raises(PhotoListError, match="gives two identities"):
        read(file)
    file = pairs_file(tmp_path, "a,c,1", manifest=("a,x", "b,y"))
    with pytest.raises(PhotoListError, match="gives 'c' no identity"):
        read(file)


def test_corrections_exclude_pairs_with_a_reason(tmp_path: Path) -> None:
    file = pairs_file(
        tmp_path,
        "a,b,0",
        "a,c,0",
        "a,d,0",
        "a,e,0",
        "a,f,0",
        manifest=("a,s:1", "b,s:2", "c,s:3", "d,s:4", "e,s:5", "f,other:6"),
    )
    corrections = Corrections(
        same_person={"s:2": "s:1"},
        unsure=frozenset({frozenset({"s:1", "s:3"})}),
        wrong_label=frozenset({"d"}),
    )
    found = read(file, corrections, apart=("other",))
    assert [photo.path.name for photo in found.photos] == ["a", "e"]
    assert found.left_out == {
        "one person by the corrections": 1,
        "perhaps one person by the corrections": 1,
        "left out by the corrections": 1,
        "across the groups that are measured apart": 1,
    }


def test_a_file_that_leaves_nothing_to_compare_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NothingToMeasure):
        read(pairs_file(tmp_path))
    with pytest.raises(PhotoListError, match="cannot be read"):
        read(tmp_path / "none.csv")


def test_the_development_pairs_can_be_read(assets: Path) -> None:
    found = read(assets / "data" / "faces" / "pairs.csv", apart=("orl",))
    assert found.named
    assert len(found.pairs) + sum(found.left_out.values()) == 1848
    persons = [photo.identity for photo in found.photos]
    genuine = sum(persons[one] == persons[other] for one, other in found.pairs)
    # Some are named twice.
    assert 970 <= genuine <= 986
