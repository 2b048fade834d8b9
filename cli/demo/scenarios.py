"""What the demo shows to the camera, and what must come out."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from simulator import ScanKind

__all__ = ["SCENARIOS", "Expected", "Scenario", "Status"]

_ASTRONAUT: Final = "astronaut"
_ANOTHER: Final = "grey-shirt"


class Status(StrEnum):
    """How a check of the demo ended."""

    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    REFUSED = "REFUSED"
    """The trusted image was not accepted, so there is no check."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What must come out.

    Attributes:
        status: The status.
        reason: The first and most important reason: the name of a ``FailureReason``, or of an
            ``ErrorReason`` where the portrait is refused, without its prefix; empty with SUCCESS.
    """

    status: Status
    reason: str = ""

    def met_by(self, status: Status, reasons: tuple[str, ...]) -> bool:
        """Whether a check ended like this.

        Args:
            status: How it ended.
            reasons: Names of its reasons, most important first.
        """
        return status is self.status and (reasons[0] if reasons else "") == self.reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One check of the demo.

    Attributes:
        key: Name of its folder: lower-case letters and ``-``.
        title: What it is, in a few words.
        shown: Who or what is in front of the camera, in one sentence.
        portrait: Built-in photo that the orchestrator uploads.
        scanned: Built-in photo that the scan is made from; None where no scan is to follow.
        kind: Who or what is scanned.
        portrait_eye_distance: Distance between the portrait's eyes that it is scaled down to, pixels;
            None leaves it as it is.
        expected: What must come out; None where the outcome only informs.
    """

    key: str
    title: str
    shown: str
    portrait: str = _ASTRONAUT
    scanned: str | None = _ASTRONAUT
    kind: ScanKind = ScanKind.GENUINE
    portrait_eye_distance: float | None = None
    expected: Expected | None

    @property
    def attack(self) -> bool:
        """Whether what is scanned is no living person."""
        return self.scanned is not None and self.kind is not ScanKind.GENUINE


SCENARIOS: Final = (
    Scenario(
        key="same-person",
        title="The same person",
        shown="The portrait's person holds the phone: a head with depth that turns, breathes and blinks.",
        expected=Expected(status=Status.SUCCESS),
    ),
    Scenario(
        key="another-person",
        title="Another person",
        shown="A living person, but not the one of the portrait.",
        scanned=_ANOTHER,
        expected=Expected(status=Status.FAILURE, reason="NOT_SAME_PERSON"),
    ),
    Scenario(
        key="static-photo",
        title="A photo on a stand",
        shown="A print of the portrait's person, motionless in front of a camera on a stand.",
        kind=ScanKind.STATIC_PHOTO,
        expected=Expected(status=Status.FAILURE, reason="SPOOF"),
    ),
    Scenario(
        key="waved-photo",
        title="A hand-waved photo",
        shown="The same print, moved, turned and bent by a hand to look alive.",
        kind=ScanKind.WAVED_PHOTO,
        expected=Expected(status=Status.FAILURE, reason="SPOOF"),
    ),
    Scenario(
        key="frozen-frame",
        title="A frozen injected frame",
        shown="No camera at all: one genuine frame is fed into the app again and again.",
        kind=ScanKind.FROZEN_FRAME,
        expected=Expected(status=Status.FAILURE, reason="SPOOF"),
    ),
    Scenario(
        key="eyes-too-close",
        title="A portrait that is too small",
        shown="A trusted image whose eyes are 60 pixels apart; the policy asks for 85.",
        scanned=None,
        portrait_eye_distance=60.0,
        expected=Expected(status=Status.REFUSED, reason="EYE_DISTANCE_TOO_SMALL"),
    ),
    Scenario(
        key="screen-replay",
        title="A replay on a screen",
        shown="A recording of a genuine scan on a screen that a hand holds. This may pass: whatever came out "
        "is shown, and nothing is expected.",
        kind=ScanKind.SCREEN_REPLAY,
        expected=None,
    ),
)
"""The demo, in order."""
