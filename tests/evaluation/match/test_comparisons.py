import math

import numpy as np
import pytest

from evaluation.match.comparisons import MOST_TEMPLATES, Comparisons, compare_all, compare_pairs
from evaluation.match.photos import NothingToMeasure
from evaluation.match.templates import LabelledTemplate


def at(degrees: float, identity: str, *, apart: bool = False) -> LabelledTemplate:
    angle = math.radians(degrees)
    return LabelledTemplate(np.array([math.cos(angle), math.sin(angle)], dtype=np.float32), identity, apart)


TEMPLATES = [at(0, "a"), at(60, "a"), at(90, "b"), at(10, "g1", apart=True), at(20, "g2", apart=True)]


def test_every_pair_of_a_group_is_compared_once() -> None:
    comparisons = compare_all(TEMPLATES)
    assert comparisons.genuine == pytest.approx([0.5], abs=1e-6)
    assert comparisons.genuine_apart.size == 0
    assert sorted(comparisons.impostors.scores) == pytest.approx(
        sorted([0.0, math.cos(math.radians(30)), math.cos(math.radians(10))]), abs=1e-6
    )
    assert (comparisons.identities, comparisons.main_identities) == (4, 2)


def test_pairs_that_may_be_one_person_are_left_out() -> None:
    comparisons = compare_all(TEMPLATES, unsure=[frozenset({"a", "b"}), frozenset({"a", "unknown"})])
    assert comparisons.impostors.scores == pytest.approx([math.cos(math.radians(10))], abs=1e-6)


def test_fnmr_is_the_share_below_the_threshold() -> None:
    comparisons = compare_all([at(0, "a"), at(60, "a"), at(0, "b"), at(30, "b")])
    assert comparisons.fnmr(0.4) == 0.0
    assert comparisons.fnmr(0.6) == 0.5
    assert comparisons.fnmr(0.9) == 1.0
    assert comparisons.fnmr_apart(0.9) == 0.0


@pytest.mark.parametrize("templates", [[], [at(0, "a")], [at(0, "a"), at(5, "g", apart=True)]])
def test_without_two_persons_of_a_group_there_is_nothing_to_measure(
    templates: list[LabelledTemplate],
) -> None:
    with pytest.raises(NothingToMeasure):
        compare_all(templates)


def test_too_many_templates_are_refused_before_they_are_compared() -> None:
    with pytest.raises(NothingToMeasure, match="fewer photos of each person"):
        compare_all([TEMPLATES[0]] * (MOST_TEMPLATES + 1))


def numbered(*templates: LabelledTemplate) -> list[LabelledTemplate]:
    return [
        LabelledTemplate(each.embedding, each.identity, each.apart, photo)
        for photo, each in enumerate(templates)
    ]


def test_only_the_pairs_of_a_list_are_compared() -> None:
    templates = numbered(at(0, "a"), at(60, "a"), at(90, "b"), at(30, "c"))
    found = compare_pairs(templates, [(0, 1), (2, 3)])
    assert found.genuine == pytest.approx([0.5], abs=1e-6)
    assert found.impostors.scores == pytest.approx([0.5], abs=1e-6)


def test_pairs_without_a_template_are_left_out() -> None:
    templates = [
        each for each in numbered(at(0, "a"), at(0, "a"), at(90, "b"), at(30, "c")) if each.photo != 1
    ]
    found = compare_pairs(templates, [(0, 1), (2, 3), (0, 3)])
    assert found.genuine.size == 0
    assert found.genuine_scores is None
    assert found.impostors.scores.size == 2
    with pytest.raises(NothingToMeasure, match="same = 0"):
        compare_pairs(templates, [(0, 1)])


def test_a_subset_numbers_only_its_own_persons() -> None:
    templates = numbered(at(0, "a"), at(60, "a"), at(90, "b"), at(30, "c"), at(40, "c"))
    whole = compare_all(templates)
    part = whole.among(np.array([False, False, True, True, True]))
    assert (part.identities, part.impostors.scores.size) == (2, 2)
    assert part.genuine == pytest.approx([math.cos(math.radians(10))], abs=1e-6)
    assert isinstance(part, Comparisons)
    assert part.genuine_scores is not None
    assert part.genuine_scores.persons == 2
    assert part.photo.tolist() == [2, 3, 4]
