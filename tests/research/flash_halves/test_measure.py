from pathlib import Path

import numpy as np
import pytest

from research.flash_halves.cases import Case, cases_of, path_of, read_course, write_course
from research.flash_halves.measure import FaceCourse, follow_lag, steps_answers
from research.flash_halves.report import summary, tables, template_of
from research.flash_halves.screen import HalvedScreen, HalvedStep, draw_steps
from simulator import AmbientPreset, FlashKind, PhoneSettings

DOWN = np.linspace(1.0, -1.0, 140)


def course_with(*, late: float, seed: int = 3) -> FaceCourse:
    rng = np.random.default_rng(seed)
    steps = draw_steps(rng, count=13, first=0.8, hold=0.45)
    times = np.arange(0.0, 6.6, 0.05)
    chroma = 0.002 * rng.standard_normal((len(times), 140, 3))
    for row, time in enumerate(times):
        shown = [step for step in steps if step.at + late <= time]
        if shown:
            sign = 1 if shown[-1].above else -1
            chroma[row] += (
                0.01 * sign * DOWN[:, None] * np.where(np.arange(3) == 2 - shown[-1].channel, 1, -0.5)
            )
    return FaceCourse(times, chroma, steps)


def test_parts_of_the_screen_show_complementary_colours() -> None:
    light = HalvedStep(at=1.0, channel=2, above=True, border=3).light(5)
    assert light[:3].tolist() == [[0.15, 0.15, 1.0]] * 3
    assert light[3:].tolist() == [[1.0, 1.0, 0.15]] * 2
    other = HalvedStep(at=1.0, channel=2, above=False, border=3).light(5)
    np.testing.assert_array_equal(other[:3], np.repeat(light[3:4], 3, axis=0))


def test_the_screen_is_late_and_the_attacker_is_not() -> None:
    phone = PhoneSettings()
    steps = (HalvedStep(1.0, 0, True, 2), HalvedStep(1.5, 1, True, 2))
    screen = HalvedScreen(phone, steps, late=0.1)
    lit = phone.luminance * phone.coverage
    times = np.array([0.5, 1.05, 1.15])
    seen, known = screen.bands(times, bands=5), screen.undelayed_bands(times, bands=5)
    np.testing.assert_array_equal(seen[1], seen[0])
    np.testing.assert_allclose(seen[2], lit * steps[0].light(5))
    np.testing.assert_allclose(known[1], lit * steps[0].light(5))


def test_steps_are_answered_by_the_gradient() -> None:
    course = course_with(late=0.05)
    answers = steps_answers(course, lag=0.05)
    assert len(answers) == 13
    assert all(sign * float(DOWN @ answer) > 0 for sign, answer in answers)
    assert {sign for sign, _ in answers} == {-1, 1}


@pytest.mark.parametrize("late", [0.05, 0.2, 0.3])
def test_a_late_answer_is_followed(late: float) -> None:
    template = template_of([course_with(late=0.05, seed=8)])
    assert follow_lag(course_with(late=late), template) == pytest.approx(late, abs=0.06)


def test_bits_of_a_step() -> None:
    assert summary([1.0, 2.0, -1.0, -2.0]).startswith("4 steps, 50 % right, 0.00 bits")
    assert summary([1.0] * 49 + [1.1]).startswith("50 steps, 100 % right, 0.92 bits")


def test_the_tables_count_people_and_relighting(tmp_path: Path) -> None:
    for person in ("a", "b"):
        usual = Case(person, AmbientPreset.INDOOR)
        write_course(path_of(tmp_path, usual), course_with(late=0.05))
        late = Case(person, AmbientPreset.INDOOR, latency=0.2)
        write_course(path_of(tmp_path, late), course_with(late=0.2))
    lines = tables(tmp_path, ["a", "b"])
    assert [line.split(":")[0] for line in lines] == [
        "up/down, indoor, 35 cm",
        "genuine, at the lag that fits best",
        "relit 200 ms late, at the lag that fits best",
    ]
    assert all("26 steps, 100 % right" in line for line in lines)


def test_a_course_is_read_as_it_was_written(tmp_path: Path) -> None:
    course = course_with(late=0.05)
    write_course(tmp_path / "one.npz", course)
    found = read_course(tmp_path / "one.npz")
    assert found.steps == course.steps
    np.testing.assert_array_equal(found.chroma, course.chroma)


def test_every_case_is_another_scan() -> None:
    cases = cases_of(["a", "b"])
    assert len({one.name for one in cases}) == len(cases) == 30
    relit = [one.settings() for one in cases if one.latency is not None]
    assert {one.kind for one in relit} == {FlashKind.INJECTED_RELIGHTING}
    assert {one.injection.latency_seconds for one in relit} == {0.1, 0.2, 0.3}
