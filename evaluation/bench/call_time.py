"""The CPU time of one call that is too short to be measured alone."""

import gc
import time
from collections.abc import Callable

__all__ = ["seconds_per_call"]


def seconds_per_call(call: Callable[[], object], repeats: int) -> float:
    """CPU seconds of this thread for one call, the mean of several.

    Args:
        call: What is measured.
        repeats: How often it is called, at least once.
    """
    # As ``timeit`` does it: one pass over all that a process with models holds costs as much as hundreds of
    # calls, and says nothing of them.
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
