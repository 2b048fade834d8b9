"""The conditions that delay a flash or pause its capture: a face that is not in place, and poor light."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from liveness.dynamic.challenge.actions import Complete, EndReason, FallBack, HintCode
from liveness.dynamic.challenge.proof import Light
from liveness.dynamic.policy import DynamicPolicy
from liveness.guidance import GuidanceCode

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
"""The codes of the guidance for a face that is not in place, with their hints."""

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
"""The number of coloured steps before the light counts as drowned. In the dark, a camera's exposure is too
long for the first step, and the face is saturated until the exposure has adapted."""


class Presence:
    """Whether the face is in place, frame by frame. Times are seconds on the server's monotonic clock."""

    def __init__(self) -> None:
        """Starts before any frame."""
        self._in_place = 0
        self._away_since: float | None = None
        self._unseen_since: float | None = None
        self._code = HintCode.NO_FACE

    @property
    def frames_in_place(self) -> int:
        """The number of consecutive latest frames with the face in place."""
        return self._in_place

    @property
    def away_since(self) -> float | None:
        """The time since which the face has been away; ``None`` while it is in place."""
        return self._away_since

    @property
    def unseen_since(self) -> float | None:
        """The time of the last ``reset``, if no frame has arrived since; ``None`` otherwise."""
        return self._unseen_since

    @property
    def code(self) -> HintCode:
        """The hint that brings the face back."""
        return self._code

    def update(self, *, face: bool, guidance: GuidanceCode | None, at: float) -> None:
        """Adds a frame.

        Args:
            face: Whether the frame shows a face.
            guidance: The code of the guidance after the frame; ``None`` if there is none.
            at: The arrival time of the frame.
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

    def reset(self, at: float) -> None:
        """Resets the state: the face is neither in place nor away until the next frame arrives."""
        self._in_place = 0
        self._away_since = None
        self._unseen_since = at


class Pauses:
    """The pauses of one capture, whose number is limited."""

    def __init__(self) -> None:
        """Starts with none."""
        self._count = 0
        self._until = 0.0

    @property
    def until(self) -> float:
        """The end of the latest pause, seconds on the server's monotonic clock."""
        return self._until

    def begin(self, now: float) -> bool:
        """Begins a pause; returns False if the capture has used up its pauses."""
        if self._count >= _MOST_PAUSES:
            return False
        self._count += 1
        self._until = now + _PAUSE_SECONDS
        return True


class LightWatch:
    """Measures for how long poor light has prevented a measurement, and decides what follows from it."""

    def __init__(self, policy: DynamicPolicy) -> None:
        """Starts with good light."""
        self._policy = policy
        self._drowned_since: float | None = None
        self._verified = 0

    def update(
        self, light: Light, *, coloured: int, verified: int, now: float
    ) -> HintCode | FallBack | Complete | None:
        """Returns what follows from the light: a hint, the fallback, the end of the challenge, or ``None``.

        Args:
            light: The light, as the meter reports it.
            coloured: The number of coloured steps shown so far.
            verified: The number of those with a right answer. Patience begins anew when it rises: a change
                of the light alone may be chance.
            now: The time on the server's monotonic clock, seconds.
        """
        if verified > self._verified:
            self._drowned_since = None
        if light is Light.OK:
            return None
        code = _LIGHT_HINTS[light]
        if light not in _DROWNED:
            return code
        if coloured < _FEWEST_STEPS:
            return None
        if self._drowned_since is None:
            self._drowned_since, self._verified = now, verified
        if now - self._drowned_since < self._policy.light_patience_seconds:
            return code
        return FallBack(code) if self._policy.falls_back else Complete(EndReason.LIGHT)
