"""Tables: how often a face tells which part of the screen showed a colour, and how often relighting does."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from research.flash_halves.cases import AMBIENTS, DISTANCES, LATENCIES, Case, path_of, read_course
from research.flash_halves.measure import FaceCourse, follow_lag, steps_answers
from simulator import AmbientPreset

__all__ = ["summary", "tables", "template_of"]

_SHOWN: Final = 0.05
"""From the instruction to the light, seconds."""
_LEAST_VARIANCE: Final = 1e-5


def tables(folder: Path, people: Sequence[str]) -> list[str]:
    """Return the lines; each half of the people is judged by the mean answer of the other half."""
    halves = people[::2], people[1::2]
    cells = [Case("", ambient, far) for ambient in AMBIENTS for far in DISTANCES]
    cells += [Case("", ambient, screen="left/right") for ambient in AMBIENTS]
    lines = []
    for cell in cells:
        scores: list[float] = []
        sizes: list[float] = []
        for ours, others in (halves, halves[::-1]):
            learned, judged = _courses(folder, cell, others), _courses(folder, cell, ours)
            if not learned:
                continue
            template = template_of(learned)
            sizes.append(float(np.sqrt((_signed(learned).mean(axis=0) ** 2).mean())))
            scores += [score for course in judged for score in _scores(course, template, lag=_SHOWN)]
        if scores:
            where = f"{cell.screen}, {cell.ambient}, {cell.centimetres} cm"
            lines.append(f"{where}: {summary(scores)}; the light differs by {100 * np.mean(sizes):.1f} %")
    return lines + _relighting(folder, halves)


def _relighting(folder: Path, halves: tuple[Sequence[str], Sequence[str]]) -> list[str]:
    lines = []
    for latency in (None, *LATENCIES):
        cell = Case("", AmbientPreset.INDOOR, latency=latency)
        scores: list[float] = []
        lags: list[float] = []
        for ours, others in (halves, halves[::-1]):
            learned = _courses(folder, replace(cell, latency=None), others)
            if not learned:
                continue
            template = template_of(learned)
            for course in _courses(folder, cell, ours):
                lags.append(follow_lag(course, template))
                scores += _scores(course, template, lag=lags[-1])
        if scores:
            who = "genuine" if latency is None else f"relit {1000 * latency:.0f} ms late"
            found = ", ".join(f"{1000 * lag:.0f}" for lag in sorted(lags))
            lines.append(f"{who}, at the lag that fits best: {summary(scores)}; lags {found} ms")
    return lines


def template_of(courses: Sequence[FaceCourse]) -> NDArray[np.float64]:
    """Return the weights of the cells, shape (k,): the mean answer over its variance."""
    signed = _signed(courses)
    return np.asarray(signed.mean(axis=0) / (signed.var(axis=0) + _LEAST_VARIANCE))


def summary(scores: Sequence[float]) -> str:
    """Return how many steps are right, those with a score above 0, and what a step then tells, in bits."""
    wrong = float(np.mean(np.array(scores) <= 0))
    held = min(max(wrong, 1 / (2 * len(scores))), 0.5)
    bits = 1 + held * math.log2(held) + (1 - held) * math.log2(1 - held)
    clear = float(np.mean(scores) / np.std(scores))
    return (
        f"{len(scores)} steps, {100 * (1 - wrong):.0f} % right, {bits:.2f} bits a step, "
        f"{clear:.1f} standard deviations"
    )


def _courses(folder: Path, cell: Case, people: Sequence[str]) -> list[FaceCourse]:
    paths = [path_of(folder, replace(cell, person=person)) for person in people]
    return [read_course(path) for path in paths if path.exists()]


def _scores(course: FaceCourse, template: NDArray[np.float64], *, lag: float) -> list[float]:
    return [sign * float(template @ answer) for sign, answer in steps_answers(course, lag=lag)]


def _signed(courses: Sequence[FaceCourse]) -> NDArray[np.float64]:
    return np.stack(
        [sign * answer for course in courses for sign, answer in steps_answers(course, lag=_SHOWN)]
    )
