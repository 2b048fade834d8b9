"""When a person may be told something again: words that change too fast cannot be read."""

from typing import Final

from liveness.dynamic.challenge.actions import Hint, HintCode

__all__ = ["HintPacing"]

_AGAIN_SECONDS: Final = 2.0
"""Before the same is told again."""
_NEXT_SECONDS: Final = 0.5
"""Before something else is told."""


class HintPacing:
    """Lets hints of one scan through. Takes times in order."""

    def __init__(self) -> None:
        """Starts with nothing told."""
        self._told: tuple[HintCode, float] | None = None

    def tell(self, code: HintCode, *, now: float) -> Hint | None:
        """The hint, unless the person was told just now.

        Args:
            code: What to tell.
            now: Of the server's monotonic clock, seconds.
        """
        if self._told is not None:
            told, at = self._told
            if now - at < (_AGAIN_SECONDS if told is code else _NEXT_SECONDS):
                return None
        self._told = (code, now)
        return Hint(code)
