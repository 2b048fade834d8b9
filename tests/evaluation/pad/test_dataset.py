from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.pad.dataset import (
    DatasetError,
    PadLabel,
    SampleKind,
    only_listed,
    read_dataset,
    without_unusable,
)


def manifest(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "manifest.csv").write_text(text, encoding="utf-8")
    return folder


def test_a_manifest_with_every_column_is_read(tmp_path: Path) -> None:
    found = read_dataset(
        manifest(
            tmp_path / "set",
            "file,label,species,source,identity,session,usable\n"
            "a.jpg,bona_fide,,lab,ann,monday,1\n"
            "b.jpg,attack,Screen:Phone?,lab,,tuesday,0\n"
            "c.mp4,spoof,print (glossy),,,,1\n",
        )
    )
    first, second, third = found
    assert (first.label, first.species, first.group, first.live) == (PadLabel.LIVE, "", "lab|ann", True)
    assert (second.species, second.variety, second.doubtful) == ("screen", "screen:phone", True)
    assert second.group == "lab|tuesday"
    assert (third.species, third.doubtful, third.kind) == ("print", False, SampleKind.CLIP)
    assert third.session == "c.mp4"
    assert without_unusable(found) == (first, third)


def test_the_file_itself_may_be_named(tmp_path: Path) -> None:
    folder = manifest(tmp_path / "set", "file,label\nx/1597925169.jpg,live\nx/1597925179.jpg,spoof\n")
    found = read_dataset(folder / "manifest.csv")
    assert found[0].session == found[1].session == "t1597925169"
    assert found[0].path == folder / "x" / "1597925169.jpg"
    assert (found[1].species, found[1].doubtful) == ("unknown", True)


def test_folders(tmp_path: Path) -> None:
    for name in ("live/ann_1.jpg", "live/notes.txt", "spoof/print/1.png", "spoof/mask/2.webm", "spoof/3.bmp"):
        path = tmp_path / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    found = read_dataset(tmp_path / "set")
    assert [(sample.path.name, sample.species) for sample in found] == [
        ("ann_1.jpg", ""),
        ("3.bmp", "unknown"),
        ("2.webm", "mask"),
        ("1.png", "print"),
    ]
    assert {sample.source for sample in found} == {"set"}
    assert found[0].session == "live/ann"
    assert [sample.name for sample in found][::3] == ["live/ann_1.jpg", "spoof/print/1.png"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("file\na.jpg\n", "no column label"),
        ("file,label\na.jpg,perhaps\n", "line 2: the label 'perhaps' is none of"),
        ("file,label\n../a.jpg,live\n", "does not lie in the folder"),
        ("file,label\na.jpg\n", "line 2: expected 2 values"),
        ("file,label\n", "lists no image"),
    ],
)
def test_a_malformed_manifest_is_reported(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(DatasetError, match=why):
        read_dataset(manifest(tmp_path / "set", text))


def test_a_list_selects_its_samples_only(tmp_path: Path) -> None:
    samples = read_dataset(
        manifest(tmp_path / "set", "file,label\nx/a.jpg,live\nx/b.jpg,spoof\nc.jpg,live\n")
    )
    names = tmp_path / "held_out.txt"
    names.write_text("# never trained on\nc.jpg\n\nx/a.jpg\n", encoding="utf-8")
    assert [sample.name for sample in only_listed(samples, names)] == ["x/a.jpg", "c.jpg"]
    names.write_text("c.jpg\nx/d.jpg\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="1 files that are in no data set"):
        only_listed(samples, names)
    with pytest.raises(DatasetError, match="cannot be read"):
        only_listed(samples, tmp_path / "none.txt")


def test_a_missing_data_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="does not exist"):
        read_dataset(tmp_path / "none")
    with pytest.raises(DatasetError, match="nor the folders"):
        read_dataset(tmp_path)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_manifest_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("set") / "manifest.csv"
    path.write_bytes(b"file,label,species\n" + content)
    try:
        found = read_dataset(path)
    except DatasetError:
        return
    assert all(sample.session for sample in found)


def test_the_collected_pictures(assets: Path) -> None:
    samples = read_dataset(assets / "data" / "pad")
    assert Counter(sample.label for sample in samples) == {PadLabel.LIVE: 554, PadLabel.ATTACK: 527}
    assert {sample.species for sample in samples} == {"", "print", "screen"}
    assert sum(sample.doubtful for sample in samples) == 60
    # One sitting is never split: the unix times of a burst are seconds apart.
    assert len({sample.group for sample in samples}) == 121


def test_the_collected_clips(assets: Path) -> None:
    samples = read_dataset(assets / "data" / "video")
    assert {sample.kind for sample in samples} == {SampleKind.CLIP}
    assert Counter(sample.species for sample in samples) == {"": 19, "screen": 3, "deepfake": 2}
    assert len({sample.group for sample in samples}) == len(samples)
