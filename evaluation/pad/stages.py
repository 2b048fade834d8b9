"""Steps of an examination that several scorers share, each done once, each with its CPU time."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["Stages"]

_T = TypeVar("_T")


class Stages:
    """Remembers what each step gave and what it cost, and which steps the scorer at work has used.

    A scorer's time is that of all steps that it used, whoever asked for them first.
    """

    def __init__(self) -> None:
        """Starts empty."""
        self._values: dict[str, Any] = {}
        self._spent: dict[str, float] = {}
        self._used: set[str] = set()

    def once(self, step: str, work: Callable[[], _T]) -> _T:
        """What a step gives, done at most once. No step may begin another: ask for its input before.

        Args:
            step: Its name.
            work: Does it.
        """
        if step not in self._values:
            start = time.thread_time()
            self._values[step] = work()
            self._spent[step] = time.thread_time() - start
        self._used.add(step)
        found: _T = self._values[step]
        return found

    def begin(self) -> None:
        """Another scorer begins."""
        self._used.clear()

    def milliseconds(self) -> float:
        """CPU time of the steps that the scorer has used, on the calling thread."""
        return 1000.0 * sum(self._spent[step] for step in self._used)
