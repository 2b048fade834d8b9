"""Parameters of which the fast suite takes some, and the slow suite the rest."""

from collections.abc import Iterable

import pytest


def some_fast(cases: Iterable[object], *, step: int) -> list[object]:
    """Return the parameters of a test: the first of every ``step`` is fast, and the others are slow."""
    return [
        case if number % step == 0 else pytest.param(case, marks=pytest.mark.slow)
        for number, case in enumerate(cases)
    ]
