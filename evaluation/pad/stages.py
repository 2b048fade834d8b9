"""Runs the steps of an examination that several scorers share, each once, and measures their CPU time."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["Stages"]

_T = TypeVar("_T")


class Stages:
    """Keeps the result and the cost of each step, and the steps that the current scorer has used.

    A scorer's time is that of all steps that it used, even if another scorer ran them first.
    """

    def __init__(self) -> None:
        """Starts empty."""
        self._values: dict[str, Any] = {}
        self._spent: dict[str, float] = {}
        self._used: set[str] = set()

    def once(self, step: str, work: Callable[[], _T]) -> _T:
        """Return the result of a step, and run the step if it has not run yet.

        A step must not run another step, whose time would count twice. Run the steps that it needs first.

        Args:
            step: Name of the step.
            work: Runs the step.
        """
        if step not in self._values:
            start = time.thread_time()
            self._values[step] = work()
            self._spent[step] = time.thread_time() - start
        self._used.add(step)
        found: _T = self._values[step]
        return found

    def begin(self) -> None:
        """Begin the next scorer: forget which steps were used, and keep their results and times."""
        self._used.clear()

    def milliseconds(self) -> float:
        """CPU time of the steps that the scorer has used, on the calling thread."""
        return 1000.0 * sum(self._spent[step] for step in self._used)
