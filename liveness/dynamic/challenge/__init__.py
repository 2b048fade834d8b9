"""What is asked of the person, and when: colours on the screen, ovals, a blink, a turn of the head.

Start with ``flash.FlashChallenge``, which decides frame by frame what the screen shows next. ``script`` draws
the colours of ``palette`` as ``steps``, ``ovals`` those of the movement; ``entropy`` says what a right answer
to a draw proves. ``actions`` are what the challenge wants done, and ``interface`` what it has to be told.
Nothing here looks at a picture.
"""

from liveness.dynamic.challenge.actions import (
    Action,
    Complete,
    EndReason,
    FallBack,
    Hint,
    HintCode,
    MoveOval,
    Pause,
    Resume,
    Reveal,
    Wait,
)
from liveness.dynamic.challenge.entropy import bits_beyond_chance
from liveness.dynamic.challenge.flash import FlashChallenge
from liveness.dynamic.challenge.interface import Disturbance, Light, Meter, StepReading
from liveness.dynamic.challenge.on_display import DisplayClaim
from liveness.dynamic.challenge.ovals import CHANGES, OvalScript, OvalStep, distance_from
from liveness.dynamic.challenge.palette import LEAD_IN, PALETTE
from liveness.dynamic.challenge.script import ColourScript, ScriptSettings
from liveness.dynamic.challenge.steps import (
    SHORTEST_HOLD_SECONDS,
    ColourStep,
    RevealedStep,
    ScreenColour,
    Transition,
)

__all__ = [
    "CHANGES",
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
    "HintCode",
    "Light",
    "Meter",
    "MoveOval",
    "OvalScript",
    "OvalStep",
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
    "distance_from",
]
