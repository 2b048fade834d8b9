"""The hints that a challenge has sent to the person: the current one, and all so far."""

__all__ = ["ChallengeHints"]

_STANDS_SECONDS = 2.5
"""The time for which a hint is current, seconds: a little more than a controller's interval of repeats."""


class ChallengeHints:
    """The hints of one attempt. A hint stays current for a while, so that it does not alternate with GOOD."""

    def __init__(self) -> None:
        """Starts empty."""
        self._standing: tuple[str, float] | None = None
        self._all: dict[str, None] = {}

    @property
    def all(self) -> tuple[str, ...]:
        """Every feedback code, the latest first."""
        return tuple(reversed(self._all))

    def note(self, code: str, now: float) -> None:
        """Adds a hint that is sent at ``now``, monotonic seconds."""
        self._standing = (code, now)
        # The latest is last, even if it was sent before.
        self._all.pop(code, None)
        self._all[code] = None

    def standing(self, now: float) -> str | None:
        """Returns the current hint at ``now``, monotonic seconds; ``None`` without one."""
        if self._standing is None or now - self._standing[1] > _STANDS_SECONDS:
            return None
        return self._standing[0]
