"""What a person is asked to show besides the colours, when, and for how long it is waited for.

A blink takes nothing from what the light proves, so whoever has not blinked by the middle of the colours is
asked then. A head that turns does, so whoever's depth has not shown is asked as the last colour that may be
needed nears its end: a hint has to be read first.
"""

import math
from dataclasses import dataclass
from typing import Final

from liveness.dynamic.challenge.actions import HintCode
from liveness.dynamic.policy import DynamicPolicy

__all__ = ["AskedSign", "AskedSigns", "Missing"]

_BLINK_FROM: Final = 0.5
"""Of the bits that are needed: who has not blinked when so many are proven is asked to."""
_READING_SECONDS: Final = 0.4
"""Nobody has read a hint and moves sooner."""
_DEPTH_SECONDS: Final = 0.25
"""Between two measurements of depth: what a head shows in less is little."""


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
        self._expected = False
        self._since: float | None = None

    @property
    def pending(self) -> bool:
        """Whether it is looked for or waited for, and was not seen yet."""
        return self.matters and not self._shown

    @property
    def matters(self) -> bool:
        """Whether it was looked for. What all frames show of it since may be less after more of them."""
        return self._expected

    @property
    def asks(self) -> HintCode | None:
        """What to tell the person; ``None`` while it is not known whether it was shown already."""
        return None if self._shown is None else self._code

    def expect(self) -> None:
        """Begin to look for it, before it is waited for; not where nobody waits."""
        self._expected = self._patience > 0

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
            self._since, self._expected = now, True
        until = self._since + self._patience
        return until if now < until else None


class AskedSigns:
    """Depth and a blink, as a policy takes them: in the end waited for one after the other."""

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
        self._depth_at = -math.inf
        self._turning = False

    @property
    def awaits_blink(self) -> bool:
        """Whether a blink was asked for that was not seen yet.

        Not while the head is to turn: landmarks of stiff eyes fall and rise then, too.
        """
        return self._blink.pending and not (self._turning and self._depth.pending)

    @property
    def awaits_depth(self) -> bool:
        """Whether depth is looked for, whatever was seen since."""
        return self._depth.matters

    def depth_due(self, now: float, *, decides: bool) -> bool:
        """Whether to measure depth with the next frame.

        Args:
            now: Of the server's monotonic clock, seconds.
            decides: Whether that frame may be the last before it is decided what is missing, which the judge
                will see by all frames up to it.
        """
        return self.awaits_depth and (decides or now >= self._depth_at + _DEPTH_SECONDS)

    def prepare(self, *, share: float, last: bool, shape_shows: bool) -> None:
        """Look ahead, as another colour is shown, for what would be missing once the colours are proven.

        Args:
            share: Bits proven so far over those needed.
            last: Whether that colour, if it is answered rightly, is all that is needed.
            shape_shows: See ``missing``.
        """
        if self._policy.blink and share >= _BLINK_FROM:
            self._blink.expect()
        if last and self._takes_depth(shape_shows=shape_shows):
            self._depth.expect()

    def ahead(self, seconds: float) -> HintCode | None:
        """What to ask for while colours are shown; ``None`` for nothing.

        Args:
            seconds: For which the colour on display is still to be shown.
        """
        if self._depth.pending and self._depth.asks is not None and seconds <= _READING_SECONDS:
            self._turning = True
            return self._depth.asks
        return self._blink.asks if self._blink.pending else None

    def see(self, *, blinked: bool, depth: float | None, at: float) -> None:
        """Take a frame.

        Args:
            blinked: Whether a blink was seen in the frames so far.
            depth: Log odds of depth by them; ``None`` where they were not measured with this one.
            at: When it arrived, seconds of the server's monotonic clock.
        """
        self._blink.see(blinked)
        if depth is not None:
            self._depth_at = at
            self._depth.see(depth >= self._depth_line)

    def missing(self, now: float, *, shape_shows: bool) -> Missing | None:
        """What is waited for at ``now``, seconds of the server's monotonic clock; ``None`` for nothing more.

        Args:
            now: The first call that finds a sign missing begins its wait.
            shape_shows: Whether the light can say what it falls on; where not, depth is taken in any case.
        """
        takes_depth = self._takes_depth(shape_shows=shape_shows)
        for sign, taken in ((self._depth, takes_depth), (self._blink, self._policy.blink)):
            until = sign.wait_until(now) if taken else None
            if until is not None:
                self._turning = sign is self._depth
                return Missing(until, sign.asks)
        return None

    def _takes_depth(self, *, shape_shows: bool) -> bool:
        return self._policy.depth or not shape_shows
