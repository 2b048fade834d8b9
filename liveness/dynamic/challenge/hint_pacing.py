"""The pace of hints to the person: text that changes too fast cannot be read."""

from typing import Final

from liveness.dynamic.challenge.actions import Hint, HintCode

__all__ = ["HintPacing"]

_AGAIN_SECONDS: Final = 2.0
"""The least time before the same hint is repeated."""
_NEXT_SECONDS: Final = 0.5
"""The least time before a different hint."""


class HintPacing:
    """Limits the rate of one scan's hints. Times must be passed in order."""

    def __init__(self) -> None:
        """Starts without an earlier hint."""
        self._last: tuple[HintCode, float] | None = None

    def paced(self, code: HintCode, *, now: float) -> Hint | None:
        """Returns the hint, or ``None`` if it comes too soon after the last one.

        Args:
            code: The hint to give.
            now: The time on the server's monotonic clock, seconds.
        """
        if self._last is not None:
            last, at = self._last
            if now - at < (_AGAIN_SECONDS if last is code else _NEXT_SECONDS):
                return None
        self._last = (code, now)
        return Hint(code)
