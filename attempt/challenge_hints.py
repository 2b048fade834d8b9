"""What a challenge has asked the person for: the hint that stands now, and all that there were."""

__all__ = ["ChallengeHints"]

_STANDS_SECONDS = 2.5
"""A little more than the time after which a controller repeats a hint that still holds."""


class ChallengeHints:
    """Hints of one attempt. A hint stands for a while, so that "good" does not flicker between repeats."""

    def __init__(self) -> None:
        """Starts empty."""
        self._standing: tuple[str, float] | None = None
        self._all: dict[str, None] = {}

    @property
    def all(self) -> tuple[str, ...]:
        """Every feedback code, the latest first."""
        return tuple(reversed(self._all))

    def note(self, code: str, now: float) -> None:
        """A hint is told at ``now``, monotonic seconds."""
        self._standing = (code, now)
        # The latest stands last, however often it was told before.
        self._all.pop(code, None)
        self._all[code] = None

    def standing(self, now: float) -> str | None:
        """The hint that stands at ``now``, monotonic seconds; ``None`` for none."""
        if self._standing is None or now - self._standing[1] > _STANDS_SECONDS:
            return None
        return self._standing[0]
