from dataclasses import dataclass

import numpy as np

from liveness.verdict import Verdict
from tests.attempt.equality import differences, line


@dataclass(frozen=True)
class _Judged:
    verdict: Verdict
    score: float
    picture: bytes


def _line(score: float, points: list[float]) -> str:
    judged = _Judged(Verdict.LIVE, score, b"jpeg")
    return line("clip", "frame 1", {"judged": judged, "points": np.array(points)})


def test_rounding_errors_are_no_differences() -> None:
    assert differences([_line(0.5, [1.0, -0.0])], [_line(0.5 + 1e-9, [1.0 - 1e-9, 0.0])]) == []


def test_a_difference_is_named_with_its_place() -> None:
    (found,) = differences([_line(0.5, [1.0])], [_line(0.5, [1.1])])
    assert found.startswith("clip frame 1: points: (1,) ")


def test_a_line_that_is_in_one_file_only_is_a_difference() -> None:
    assert differences([_line(0.5, [1.0])], []) == ["clip frame 1: only before"]
    assert differences([], [_line(0.5, [1.0])]) == ["clip frame 1: only after"]
