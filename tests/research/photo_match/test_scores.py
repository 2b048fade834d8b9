"""The scores of photo against photo, over templates that are drawn."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from research.photo_match.__main__ import main
from research.photo_match.scores import score_pairs, suspected_duplicates
from research.photo_match.templates import TemplateSet, read_templates, write_templates

_PEOPLE = 60
_GROUPS = ("East Asian", "Indian", "White")


@pytest.fixture
def templates() -> TemplateSet:
    """Two photos each of the people of one source, and one each of those of another, with groups."""
    random = np.random.default_rng(7)
    persons = random.normal(size=(2 * _PEOPLE, 32))
    owner = np.concatenate([np.repeat(np.arange(_PEOPLE), 2), np.arange(_PEOPLE, 2 * _PEOPLE)])
    vectors = persons[owner] + 0.4 * random.normal(size=(owner.size, 32))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    sources = np.where(owner < _PEOPLE, "news", "groups")
    return TemplateSet(
        vectors=vectors.astype(np.float32),
        files=np.array([f"photo-{place}.jpg" for place in range(owner.size)]),
        identities=np.array([f"{source}:{one}" for source, one in zip(sources, owner, strict=True)]),
        sources=sources,
        groups=np.array(["" if one < _PEOPLE else _GROUPS[one % len(_GROUPS)] for one in owner]),
        sexes=np.array(["" if one < _PEOPLE else "female" for one in owner]),
        failures=2,
    )


def test_all_pairs_are_scored_once(templates: TemplateSet) -> None:
    genuine, impostor = score_pairs(templates, cohort=False)
    photos = templates.files.size
    assert genuine.scores.size == _PEOPLE
    assert impostor.scores.size == photos * (photos - 1) // 2 - _PEOPLE
    one, other = int(genuine.first[0]), int(genuine.second[0])
    cosine = float(templates.vectors[one] @ templates.vectors[other])
    assert genuine.scores[0] == pytest.approx(cosine, abs=1e-6)
    assert genuine.scores.mean() > impostor.scores.mean() + 0.5


def test_a_pair_is_scored_by_a_cohort_of_other_people(templates: TemplateSet) -> None:
    genuine, impostor = score_pairs(templates, cohort=True)
    plain, other = score_pairs(templates, cohort=False)
    assert (genuine.scores.size, impostor.scores.size) == (plain.scores.size, other.scores.size)
    assert not np.allclose(np.sort(impostor.scores), np.sort(other.scores), atol=1e-3)


def test_suspected_duplicates_count_only_on_demand(templates: TemplateSet) -> None:
    pair = sorted(next(iter(suspected_duplicates())))
    files = templates.files.astype(object)
    files[[0, 2]] = pair
    named = replace(templates, files=files.astype(str))
    without = score_pairs(named, cohort=False)[1].scores.size
    assert score_pairs(named, cohort=False, duplicates=True)[1].scores.size == without + 1


def test_the_report_has_a_row_for_each_group(
    templates: TemplateSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "drawn"
    write_templates(templates, path)
    assert [file.name for file in tmp_path.iterdir()] == ["drawn"]
    assert path.stat().st_mode & 0o077 == 0
    assert np.array_equal(read_templates(path).vectors, templates.vectors)
    assert main(["report", str(path)]) == 0
    output = capsys.readouterr().out
    assert all(group in output for group in _GROUPS)
