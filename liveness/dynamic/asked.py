"""What a person is asked to show besides the colours, and for how long it is waited for."""

from dataclasses import dataclass

from liveness.dynamic.actions import HintCode
from liveness.dynamic.policy import DynamicPolicy

__all__ = ["AskedSign", "AskedSigns", "Missing"]


@dataclass(frozen=True, slots=True)
class Missing:
    """A sign that is waited for.

    Attributes:
        until: When there was time enough for it, seconds of the server's monotonic clock.
        asks: What to tell the person; ``None`` while it is not known whether it was shown already.
    """

    until: float
    asks: HintCode | None


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


class AskedSigns:
    """Depth and a blink, as a policy takes them: waited for one after the other."""

    def __init__(self, policy: DynamicPolicy, *, depth_line: float) -> None:
        """Starts with nothing seen.

        Args:
            policy: Which of them it takes, and its patience.
            depth_line: Log odds from which motion shows a head's depth.
        """
        self._policy = policy
        self._depth_line = depth_line
        self._depth = AskedSign(HintCode.TURN_HEAD_SLIGHTLY, patience_seconds=policy.depth_patience_seconds)
        self._blink = AskedSign(HintCode.BLINK, patience_seconds=policy.blink_patience_seconds)

    @property
    def awaits_blink(self) -> bool:
        """Whether a blink is waited for that was not seen yet."""
        return self._blink.pending

    @property
    def awaits_depth(self) -> bool:
        """Whether depth was waited for, whatever was seen since."""
        return self._depth.matters

    def see(self, *, blinked: bool, depth: float | None) -> None:
        """Take what the frames so far show: a blink, and log odds of depth where they were measured."""
        self._blink.see(blinked)
        self._depth.see(None if depth is None else depth >= self._depth_line)

    def missing(self, now: float, *, shape_shows: bool) -> Missing | None:
        """What is waited for at ``now``, seconds of the server's monotonic clock; ``None`` for nothing more.

        Args:
            now: The first call that finds a sign missing begins its wait.
            shape_shows: Whether the light can say what it falls on; where not, depth is taken in any case.
        """
        takes_depth = self._policy.depth or not shape_shows
        for sign, taken in ((self._depth, takes_depth), (self._blink, self._policy.blink)):
            until = sign.wait_until(now) if taken else None
            if until is not None:
                return Missing(until, sign.asks)
        return None
