from dataclasses import replace

import numpy as np

from evaluation.match.comparisons import compare_all
from evaluation.match.duplicates import suspected_duplicates
from evaluation.match.templates import LabelledTemplate
from tests.evaluation.match.crowds import crowd


def templates(*, twice: bool) -> list[LabelledTemplate]:
    """Sixty persons with one photo each; with ``twice``, the last is the first under another name."""
    run, _ = crowd(persons=60, photos=1, seed=11)
    found = list(run.templates)
    if twice:
        rng = np.random.default_rng(1)
        again = found[0].embedding + 0.05 * rng.normal(size=found[0].embedding.size)
        embedding = (again / np.linalg.norm(again)).astype(np.float32)
        found.append(LabelledTemplate(embedding, "again", apart=False, photo=60))
    return found


def test_one_person_under_two_names_is_suspected() -> None:
    (pair,) = suspected_duplicates(compare_all(templates(twice=True)))
    assert pair.identities == ("again", "p000")
    assert set(pair.photos) == {0, 60}
    assert pair.cosine > 0.9
    assert pair.expected is not None
    assert pair.expected < 0.5


def test_persons_who_differ_are_not_suspected() -> None:
    assert suspected_duplicates(compare_all(templates(twice=False))) == ()


def test_without_the_pair_the_highest_score_is_gone() -> None:
    comparisons = compare_all(templates(twice=True))
    (pair,) = suspected_duplicates(comparisons)
    others = comparisons.without([pair.persons])
    assert others.impostors.scores.max() < pair.cosine
    assert others.impostors.scores.size == comparisons.impostors.scores.size - 1
    assert suspected_duplicates(others) == ()


def test_a_score_like_that_of_one_person_is_suspected() -> None:
    run, _ = crowd(persons=60, photos=2, seed=12)
    renamed = [replace(each, identity="other") if each.photo == 1 else each for each in run.templates]
    (pair,) = suspected_duplicates(compare_all(renamed))
    assert pair.identities == ("other", "p000")


def test_few_persons_have_no_tail_to_judge_by() -> None:
    run, _ = crowd(persons=8, photos=1, seed=11)
    assert suspected_duplicates(compare_all(run.templates)) == ()


def test_copies_of_a_photo_are_suspected_among_few_persons() -> None:
    run, _ = crowd(persons=8, photos=1, seed=11)
    copy = replace(run.templates[0], identity="again", photo=8)
    (pair,) = suspected_duplicates(compare_all([*run.templates, copy]))
    assert pair.identities == ("again", "p000")
    assert pair.expected is None
