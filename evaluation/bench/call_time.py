"""Measures the CPU time of a call that is too short to be measured once."""

import gc
import time
from collections.abc import Callable

__all__ = ["seconds_per_call"]


def seconds_per_call(call: Callable[[], object], repeats: int) -> float:
    """Return the CPU seconds of this thread for one call, the mean of several.

    Args:
        call: The measured call.
        repeats: Number of calls, at least 1.
    """
    # As in ``timeit``, the garbage collector is off: one pass over a process with models costs as much as
    # hundreds of calls, and is not part of their cost.
    collects = gc.isenabled()
    gc.disable()
    try:
        began = time.thread_time()
        for _ in range(repeats):
            call()
        return (time.thread_time() - began) / repeats
    finally:
        if collects:
            gc.enable()
