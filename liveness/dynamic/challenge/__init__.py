"""The flash challenge: random colours on the screen, ovals to follow, a blink and a turn of the head.

Start with ``flash.FlashChallenge``, which decides after each frame what the screen shows next. ``script``
draws random colours, makes ``steps`` of them, and computes how many bits a right answer proves; ``ovals``
draws the ovals of the movement. ``actions`` has the requests to the caller, and ``proof`` the measurements
that the challenge needs. No module of this package reads pixels.
"""

from liveness.dynamic.challenge.actions import (
    Action,
    Complete,
    EndReason,
    FallBack,
    Hint,
    MoveOval,
    Pause,
    Resume,
    Reveal,
    Wait,
)
from liveness.dynamic.challenge.flash import DisplayClaim, FlashChallenge
from liveness.dynamic.challenge.ovals import OvalScript
from liveness.dynamic.challenge.proof import Disturbance, Light, StepReading
from liveness.dynamic.challenge.script import (
    LEAD_IN,
    PALETTE,
    SHORTEST_HOLD_SECONDS,
    ColourScript,
    ColourStep,
    RevealedStep,
    ScreenColour,
    ScriptSettings,
    Transition,
    bits_beyond_chance,
)

__all__ = [
    "LEAD_IN",
    "PALETTE",
    "SHORTEST_HOLD_SECONDS",
    "Action",
    "ColourScript",
    "ColourStep",
    "Complete",
    "DisplayClaim",
    "Disturbance",
    "EndReason",
    "FallBack",
    "FlashChallenge",
    "Hint",
    "Light",
    "MoveOval",
    "OvalScript",
    "Pause",
    "Resume",
    "Reveal",
    "RevealedStep",
    "ScreenColour",
    "ScriptSettings",
    "StepReading",
    "Transition",
    "Wait",
    "bits_beyond_chance",
]
