from pathlib import Path

import pytest

from evaluation.match.photos import Corrections, PhotoListError, read_corrections


def test_all_kinds_are_read(tmp_path: Path) -> None:
    file = tmp_path / "corrections.toml"
    file.write_text(
        '[[same_person]]\nidentities = ["x:1", "y:1"]\nreason = "r"\n'
        '[[wrong_label]]\nfile = "c.jpg"\nreason = "r"\n'
        '[[unsure]]\nidentities = ["y:1", "w:1"]\nreason = "r"\n',
        encoding="utf-8",
    )
    assert read_corrections(file) == Corrections(
        same_person={"x:1": "y:1"},
        unsure=frozenset({frozenset({"y:1", "w:1"})}),
        wrong_label=frozenset({"c.jpg"}),
    )


@pytest.mark.parametrize(
    "pairs",
    [["ab", "bc"], ["bc", "ab"], ["ab", "ac"], ["ac", "bc", "ab"], ["ab", "ba", "cb"]],
    ids=" ".join,
)
def test_three_labels_of_one_person_become_one(tmp_path: Path, pairs: list[str]) -> None:
    file = tmp_path / "corrections.toml"
    entries = [f'[[same_person]]\nidentities = ["{pair[0]}", "{pair[1]}"]\n' for pair in pairs]
    file.write_text("".join([*entries, '[[unsure]]\nidentities = ["a", "d"]\n']), encoding="utf-8")
    corrections = read_corrections(file)
    labels = {corrections.same_person.get(label, label) for label in "abc"}
    assert len(labels) == 1
    # An unsure label makes its person unsure.
    assert corrections.unsure == {frozenset({*labels, "d"})}


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PhotoListError, match=r"none\.toml cannot be read: No such file"):
        read_corrections(tmp_path / "none.toml")


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
        '[[same_person]]\nidentities = ["x", "y"]\n[[unsure]]\nidentities = ["y", "x"]\n',
    ],
)
def test_a_broken_corrections_file_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "corrections.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(PhotoListError):
        read_corrections(file)


def test_the_project_s_own_corrections_can_be_read_and_name_files_of_the_data_set(assets: Path) -> None:
    corrections = read_corrections(
        Path(__file__).resolve().parents[3] / "evaluation" / "label_corrections.toml"
    )
    manifest = (assets / "data" / "faces" / "manifest.csv").read_text(encoding="utf-8")
    labels = set(corrections.same_person) | set(corrections.same_person.values())
    for name in labels | set().union(*corrections.unsure) | corrections.wrong_label:
        assert name in manifest
