"""Kills this process at one of its steps, or lets the step fail.

A server, killed at a step: ``python -m tests.server.crash.tripwire TARGET CALL MOMENT serve ...``.
"""

import functools
import importlib
import inspect
import itertools
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final


class Moment(StrEnum):
    """When the process is killed."""

    BEFORE = "before"
    """Before the function begins."""
    AFTER = "after"
    """When the function has returned, before its caller continues."""
    RAISE = "raise"
    """Not killed: the function raises an error that nobody expects, which ends the process."""


@dataclass(frozen=True, slots=True)
class Trip:
    """One step.

    Attributes:
        target: A function that is a step, as ``module:name`` or ``module:Class.name``.
        call: Which of its calls, from 1.
        moment: Before or after that call.
    """

    target: str
    call: int
    moment: Moment


COMMIT: Final = "sqlalchemy.engine.default:DefaultDialect.do_commit"
"""The end of every transaction that writes, on either database."""


def arm(trip: Trip) -> None:
    """Replace the function by one that kills this process at the step; calls count from now on."""
    module, _, path = trip.target.partition(":")
    owner: Any = importlib.import_module(module)
    *parents, name = path.split(".")
    for parent in parents:
        owner = getattr(owner, parent)
    setattr(owner, name, _wired(getattr(owner, name), trip))


def _wired(original: Callable[..., Any], trip: Trip) -> Callable[..., Any]:
    calls = itertools.count(1)

    @functools.wraps(original)
    def run(*args: Any, **kwargs: Any) -> Any:
        here = next(calls) == trip.call
        if here and trip.moment is Moment.RAISE:
            raise RuntimeError("the step failed")
        if here and trip.moment is Moment.BEFORE:
            _die()
        result = original(*args, **kwargs)
        if here and inspect.isawaitable(result):
            return _die_after(result)
        if here:
            _die()
        return result

    return run


async def _die_after(work: Awaitable[Any]) -> None:
    await work
    _die()


def _die() -> None:
    # No clean-up runs: no finally block, no exit handler, no flush of a buffer.
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    from cli.main import main
    from server.storage import events
    from tests.server.process.tuned import tune

    target, call, moment, *words = sys.argv[1:]
    arm(Trip(target, int(call), Moment(moment)))
    # Another server takes over an event after a minute; tests have not so much time.
    events._CLAIM = timedelta(seconds=1)  # type: ignore[misc]
    tune(lease_seconds=2.0)
    sys.argv[1:] = words
    main()
