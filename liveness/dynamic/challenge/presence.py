"""Whether the face is in its place and how the light is: what delays a flash, or pauses its capture."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from liveness.dynamic.challenge.actions import Complete, EndReason, FallBack, HintCode
from liveness.dynamic.challenge.interface import Light
from liveness.dynamic.policy import DynamicPolicy, NextStep
from liveness.guidance import GuidanceCode

__all__ = ["LightWatch", "Pauses", "Presence"]

_AWAY: Final[Mapping[GuidanceCode, HintCode]] = MappingProxyType(
    {
        GuidanceCode.NO_FACE: HintCode.NO_FACE,
        GuidanceCode.MULTIPLE_FACES: HintCode.MULTIPLE_FACES,
        GuidanceCode.MOVE_BACK: HintCode.MOVE_BACK,
        GuidanceCode.FACE_CUT_OFF: HintCode.FACE_CUT_OFF,
        GuidanceCode.MOVE_CLOSER: HintCode.MOVE_CLOSER,
        GuidanceCode.CENTER_FACE: HintCode.CENTER_FACE,
    }
)
"""What the guidance says of a face that is not in its place."""

_LIGHT_HINTS: Final[Mapping[Light, HintCode]] = MappingProxyType(
    {
        Light.TOO_BRIGHT: HintCode.TOO_BRIGHT,
        Light.WEAK: HintCode.RAISE_SCREEN_BRIGHTNESS,
        Light.TOO_DARK_TO_SEE_FACE: HintCode.TOO_DARK,
    }
)
_PAUSE_SECONDS: Final = 1.0
_MOST_PAUSES: Final = 5
_DROWNED: Final = frozenset({Light.TOO_BRIGHT, Light.WEAK})
_FEWEST_STEPS: Final = 2
"""Coloured steps that must have been shown before the light is blamed: in the dark a camera's exposure is too
long for the first of them, and the face is saturated until it has followed."""


class Presence:
    """Where the face is, frame by frame; times are those of the server's monotonic clock, seconds."""

    def __init__(self) -> None:
        """Starts before any frame."""
        self._in_place = 0
        self._away_since: float | None = None
        self._unseen_since: float | None = None
        self._code = HintCode.NO_FACE

    @property
    def frames_in_place(self) -> int:
        """Frames in a row, up to now, with the face in its place."""
        return self._in_place

    @property
    def away_since(self) -> float | None:
        """Since when it has not been there; ``None`` while it is."""
        return self._away_since

    @property
    def unseen_since(self) -> float | None:
        """Since when it is looked for again, and no frame has come; ``None`` otherwise."""
        return self._unseen_since

    @property
    def code(self) -> HintCode:
        """What brings it back."""
        return self._code

    def see(self, *, face: bool, guidance: GuidanceCode | None, at: float) -> None:
        """Take a frame.

        Args:
            face: Whether it shows one.
            guidance: What is told after it; ``None`` tells nothing.
            at: When it arrived.
        """
        self._unseen_since = None
        code = guidance if face else GuidanceCode.NO_FACE
        away = None if code is None else _AWAY.get(code)
        if away is None:
            self._in_place += 1
            self._away_since = None
            return
        self._in_place = 0
        self._code = away
        if self._away_since is None:
            self._away_since = at

    def look_again(self, at: float) -> None:
        """Forget what was seen: the face is neither in its place nor away until the next frame comes."""
        self._in_place = 0
        self._away_since = None
        self._unseen_since = at


class Pauses:
    """The pauses of one capture; a face that is away again and again gets no more of them."""

    def __init__(self) -> None:
        """Starts with none."""
        self._count = 0
        self._until = 0.0

    @property
    def until(self) -> float:
        """When the latest is over, seconds of the server's monotonic clock."""
        return self._until

    def begin(self, now: float) -> bool:
        """Begin another; whether there was one left."""
        if self._count >= _MOST_PAUSES:
            return False
        self._count += 1
        self._until = now + _PAUSE_SECONDS
        return True


class LightWatch:
    """How long the light has been in the way, and what follows from it."""

    def __init__(self, policy: DynamicPolicy) -> None:
        """Starts with light that does not matter."""
        self._policy = policy
        self._drowned_since: float | None = None

    def see(self, light: Light, *, coloured: int, now: float) -> HintCode | FallBack | Complete | None:
        """What the light asks for: a hint, an end, or nothing.

        Args:
            light: What the meter says.
            coloured: Coloured steps that were shown so far.
            now: Of the server's monotonic clock, seconds.
        """
        if light not in _DROWNED:
            self._drowned_since = None
        if light is Light.OK:
            return None
        code = _LIGHT_HINTS[light]
        if light not in _DROWNED:
            return code
        if coloured < _FEWEST_STEPS:
            return None
        if self._drowned_since is None:
            self._drowned_since = now
        waited, patience = now - self._drowned_since, self._policy.light_patience_seconds
        if self._policy.fallback is NextStep.MOVEMENT and waited >= patience:
            return FallBack(code)
        return Complete(EndReason.LIGHT) if waited >= 2 * patience else code
