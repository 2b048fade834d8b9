"""No person and no session on both sides."""

import numpy as np
import pytest

from research.pad_network.material import HELD_OUT, UNUSED, MaterialError, divide, persons, read_plan
from tests.research.pad_network.builders import region, unit

PLAN = """
held_out_sources = ["a/held"]
held_out_sessions = ["time 7"]
held_out_one_in = 1000000007
few_pictures = 6
folds = [["b/small"], ["c/small"]]
"""


def test_the_packaged_plan_names_every_source_once() -> None:
    plan = read_plan()
    named = [*plan.held_out_sources, *(source for fold in plan.folds for source in fold)]
    assert len(named) == len(set(named)) == 11
    assert plan.held_out_sessions


@pytest.mark.parametrize(
    "text", ["", "held_out_sources = 3", "folds = [", PLAN.replace("few_pictures = 6", "")]
)
def test_another_text_is_no_plan(text: str) -> None:
    with pytest.raises(MaterialError):
        read_plan(text)


def test_pictures_of_one_face_are_one_person() -> None:
    who = persons(
        [
            region("1", template=unit(1, 0.1)),
            region("2", template=unit(1, 0.2)),
            region("3", template=unit(0, 0, 1)),
            region("4"),
            region("5"),
        ]
    )
    assert who[0] == who[1]
    assert len(set(who.tolist())) == 4


def test_held_out_persons_train_nowhere() -> None:
    regions = [
        region("1", session="time 7", template=unit(1)),
        region("2", session="time 8", template=unit(1, 0.1)),
        region("3", source="b/small", template=unit(0, 1)),
        region("4", source="a/held", template=unit(0, 0, 1)),
        region("5", source="c/small", template=unit(0, 0, 1, 0.1)),
        region("6", source="d/faces", species="portrait", template=unit(0, 0, 0, 1)),
        region("7", source="d/faces", species="portrait", template=unit(1, 0.05)),
    ]
    fold = divide(regions, persons(regions), read_plan(PLAN))
    assert fold.tolist() == [HELD_OUT, UNUSED, 0, HELD_OUT, UNUSED, 2, UNUSED]


def test_persons_of_the_large_source_stay_together_and_fill_the_folds() -> None:
    directions = [unit(*np.eye(12)[who]) for who in range(12)]
    regions = [
        region(f"{who}-{shot}", template=template)
        for who, template in enumerate(directions)
        for shot in range(3)
    ]
    fold = divide(regions, persons(regions), read_plan(PLAN)).reshape(12, 3)
    assert (fold == fold[:, :1]).all()
    assert np.bincount(fold[:, 0]).tolist() == [6, 6]


def test_a_source_without_a_fold_is_a_mistake() -> None:
    regions = [region("1", source="e/unknown")]
    with pytest.raises(MaterialError, match="e/unknown"):
        divide(regions, persons(regions), read_plan(PLAN))
