"""The identifiers of the running call, which its log lines and the spans of its trace have.

They are context variables: tasks and worker threads that start inside get them.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from uuid import UUID

from structlog.contextvars import bound_contextvars, get_contextvars

__all__ = ["attempt_bound", "bound_identifiers", "check_bound", "trace_bound"]

_NAMES = ("check_id", "attempt")


@contextmanager
def check_bound(check_id: UUID) -> Iterator[None]:
    """Binds a check's identifier while this context is open."""
    with bound_contextvars(check_id=str(check_id)):
        yield


@contextmanager
def attempt_bound(number: int) -> Iterator[None]:
    """Binds the number of an attempt while this context is open."""
    with bound_contextvars(attempt=number):
        yield


@contextmanager
def trace_bound(trace_id: str) -> Iterator[None]:
    """Binds the identifier of a trace, 32 hex digits, while this context is open."""
    with bound_contextvars(trace_id=trace_id):
        yield


def bound_identifiers() -> Mapping[str, str | int]:
    """Returns the bound check and attempt, as far as they are known."""
    bound = get_contextvars()
    return {name: bound[name] for name in _NAMES if name in bound}
