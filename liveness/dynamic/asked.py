"""What a person is asked to show besides the colours, and for how long it is waited for."""

from liveness.dynamic.actions import HintCode

__all__ = ["AskedSign"]


class AskedSign:
    """One sign of a living head, such as a blink. Nobody is asked who shows it of themselves."""

    def __init__(self, code: HintCode, *, patience_seconds: float) -> None:
        """Starts with nothing seen and nothing asked.

        Args:
            code: What asks for it.
            patience_seconds: How long it is waited for.
        """
        self._code = code
        self._patience = patience_seconds
        self._shown: bool | None = None
        self._since: float | None = None

    @property
    def pending(self) -> bool:
        """Whether it is waited for, and was not seen yet."""
        return self._since is not None and not self._shown

    @property
    def matters(self) -> bool:
        """Whether it was waited for. What all frames show of it since may be less after more of them."""
        return self._since is not None

    @property
    def asks(self) -> HintCode | None:
        """What to tell the person; ``None`` while it is not known whether it was shown already."""
        return None if self._shown is None else self._code

    def see(self, shown: bool | None) -> None:
        """Take whether it was seen in the frames so far; ``None`` where that was not measured."""
        if shown is not None:
            self._shown = shown

    def wait_until(self, now: float) -> float | None:
        """Until when to wait for it; ``None`` where it was seen, or there was time enough.

        Args:
            now: Of the server's monotonic clock, seconds; the first call begins the wait.
        """
        if self._shown:
            return None
        if self._since is None:
            self._since = now
        until = self._since + self._patience
        return until if now < until else None
