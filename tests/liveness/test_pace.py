"""The frames that are measured at each rate."""

import numpy as np
import pytest

from liveness.pace import APART_SECONDS, FramePace, FrameWork


def _works(
    rate: float, *, seconds: float = 4.0, apart_seconds: float | None = None, restless: bool = False
) -> list[FrameWork]:
    pace = FramePace() if apart_seconds is None else FramePace(apart_seconds=apart_seconds)
    return [pace.next(index / rate, restless=restless) for index in range(round(seconds * rate))]


@pytest.mark.parametrize(
    ("rate", "step"), [(8, 1), (10, 1), (12, 1), (13, 1), (14, 2), (15, 2), (20, 2), (24, 3), (30, 4)]
)
def test_every_so_many_frames_are_measured(rate: float, step: int) -> None:
    measured = [index for index, work in enumerate(_works(rate)) if work is FrameWork.MEASURE]
    assert measured == list(range(0, round(4 * rate), step))
    assert 7 <= rate / step <= 13


def test_between_them_frames_are_sampled_for_a_second_and_then_only_noted() -> None:
    works = _works(24)
    between = [(index / 24, work) for index, work in enumerate(works) if work is not FrameWork.MEASURE]
    assert {work for time, work in between if time < 1} == {FrameWork.SAMPLE}
    assert {work for time, work in between if time >= 1} == {FrameWork.NOTE}


def test_a_mode_that_needs_every_frame_gets_it() -> None:
    assert set(_works(30, apart_seconds=0.0)) == {FrameWork.MEASURE}


@pytest.mark.parametrize(("rate", "every"), [(8, 1), (15, 1), (24, 2), (30, 3)])
def test_while_points_are_lost_ten_frames_a_second_are_measured_or_more(rate: float, every: int) -> None:
    works = _works(rate, restless=True)
    assert [at for at, work in enumerate(works) if work is FrameWork.MEASURE] == list(
        range(0, len(works), every)
    )


def test_an_unsteady_camera_is_measured_often_enough() -> None:
    times = np.cumsum(np.random.default_rng(0).uniform(0.02, 0.09, 200))
    pace = FramePace()
    watched = [time for time in times if pace.next(float(time), restless=False) is FrameWork.MEASURE]
    # The next frame may be later than expected from the last three.
    assert np.diff(watched).max() < APART_SECONDS + 0.07
    assert np.diff(watched).min() > 0.4 * APART_SECONDS


@pytest.mark.parametrize(
    ("gaps", "least"),
    [((0.06, 0.19), 8.0), ((0.04, 0.04, 0.27), 5.5)],
    ids=["in turns", "in bunches"],
)
def test_frames_that_come_unevenly_are_measured_as_often_as_they_can_be(
    gaps: tuple[float, ...], least: float
) -> None:
    times = np.concatenate([[0.0], np.cumsum(gaps * 20)])
    pace = FramePace()
    watched = [time for time in times if pace.next(float(time), restless=False) is FrameWork.MEASURE]
    assert (len(watched) - 1) / (watched[-1] - watched[0]) > least - 0.3


def test_of_frames_at_nearly_one_moment_one_is_measured() -> None:
    pace = FramePace()
    works = [pace.next(0.4 * moment + 1e-6 * nth, restless=False) for moment in range(10) for nth in range(6)]
    assert [at for at, work in enumerate(works) if work is FrameWork.MEASURE] == list(range(0, 60, 6))
