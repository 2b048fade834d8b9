"""What the demo shows to the camera, and what must come out."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from simulator import FlashKind, ScanKind
from simulator.devices import DeviceKind

__all__ = ["SCENARIOS", "UNDECIDED", "Expected", "Scenario", "Status", "demo_scenarios"]

_ASTRONAUT: Final = "astronaut"
_ANOTHER: Final = "grey-shirt"


class Status(StrEnum):
    """How a check of the demo ended."""

    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    NOT_DECIDED = "NOT_DECIDED"
    """The server failed; it says nothing about the person."""
    REFUSED = "REFUSED"
    """The trusted image was not accepted, so there is no check."""


UNDECIDED: Final = ("CONDITIONS", "LIVENESS_INCONCLUSIVE")
"""Reasons of a check that could not decide, which is FAILURE, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What must come out.

    Attributes:
        status: The status.
        reasons: What the first and most important reason must be one of: names of ``FailureReason``, or of
            ``ErrorReason`` where the portrait is refused, without their prefixes; empty with SUCCESS.
    """

    status: Status
    reasons: tuple[str, ...] = ()

    def met_by(self, status: Status, reasons: tuple[str, ...]) -> bool:
        """Whether a check ended like this.

        Args:
            status: How it ended.
            reasons: Names of its reasons, most important first.
        """
        return status is self.status and (reasons[0] in self.reasons if reasons else not self.reasons)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One check of the demo.

    Attributes:
        key: Name of its folder: lower-case letters and ``-``.
        title: What it is, in a few words.
        shown: Who or what is in front of the camera, in one sentence.
        portrait: Built-in photo that the orchestrator uploads.
        scanned: Built-in photo that the scan is made from; None where no scan is to follow.
        kind: Who or what is scanned: a ``FlashKind`` in DYNAMIC, in front of a screen that flashes; a
            ``ScanKind`` in EXPRESS.
        portrait_eye_distance: Distance between the portrait's eyes that it is scaled down to, pixels;
            None leaves it as it is.
        device: The device that scans, under a policy that demands its evidence; None for one without any,
            under a policy that demands none.
        sandbox: Whether a sandbox caller makes the check, in which test devices are believed.
        camera: The camera's name, where it is a listed virtual one; empty for one without a known name.
        turn: Added to the demo's seed, so that no two scans of one kind have the same frames.
        expected: What must come out; None where the outcome only informs.
    """

    key: str
    title: str
    shown: str
    portrait: str = _ASTRONAUT
    scanned: str | None = _ASTRONAUT
    kind: ScanKind | FlashKind = ScanKind.GENUINE
    portrait_eye_distance: float | None = None
    device: DeviceKind | None = None
    sandbox: bool = True
    camera: str = ""
    turn: int = 0
    expected: Expected | None

    @property
    def attack(self) -> bool:
        """Whether something other than a living person is scanned."""
        return self.scanned is not None and self.kind not in (ScanKind.GENUINE, FlashKind.GENUINE)

    @property
    def flashes(self) -> bool:
        """Whether the check asks for DYNAMIC: the screen's colours, as well as what EXPRESS looks at."""
        return isinstance(self.kind, FlashKind)


def _flash(
    kind: FlashKind, title: str, shown: str, *, expected: Expected | None, key: str | None = None
) -> Scenario:
    return Scenario(key=f"flash-{key or kind}", title=title, shown=shown, kind=kind, expected=expected)


_NO_SUCCESS: Final = Expected(status=Status.FAILURE, reasons=("SPOOF", *UNDECIDED))
_OPEN: Final = "This may pass: whatever came out is shown, and nothing is expected."
_MASK: Final = (
    "A stiff resin mask of the person: the light falls on a face's shape, which the flash cannot tell from a "
    "face."
)
_CUT_OUT: Final = "A print cut along the face and bent over a living one, whose eyes look through."
_UNASKED: Final[Mapping[ScanKind | FlashKind, str]] = {
    FlashKind.RIGID_MASK: _MASK,
    FlashKind.CUT_OUT_PRINT: _CUT_OUT,
}
"""Attackers whom only what a policy asks for besides the flash keeps out for sure."""
_NO_LANDMARKS: Final = "This pack has no landmarks to see a blink by, so that the policy asks for nothing."


_EXPRESS: Final = (
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
        expected=Expected(status=Status.FAILURE, reasons=("NOT_SAME_PERSON",)),
    ),
    Scenario(
        key="static-photo",
        title="A photo on a stand",
        shown="A print of the portrait's person, motionless in front of a camera on a stand.",
        kind=ScanKind.STATIC_PHOTO,
        expected=Expected(status=Status.FAILURE, reasons=("SPOOF",)),
    ),
    Scenario(
        key="waved-photo",
        title="A hand-waved photo",
        shown="The same print, moved, turned and bent by a hand to look alive.",
        kind=ScanKind.WAVED_PHOTO,
        expected=Expected(status=Status.FAILURE, reasons=("SPOOF",)),
    ),
    Scenario(
        key="frozen-frame",
        title="A frozen injected frame",
        shown="No camera at all: one genuine frame is fed into the app again and again.",
        kind=ScanKind.FROZEN_FRAME,
        expected=Expected(status=Status.FAILURE, reasons=("SPOOF",)),
    ),
    Scenario(
        key="eyes-too-close",
        title="A portrait that is too small",
        shown="A trusted image whose eyes are 60 pixels apart; the policy asks for 85.",
        scanned=None,
        portrait_eye_distance=60.0,
        expected=Expected(status=Status.REFUSED, reasons=("EYE_DISTANCE_TOO_SMALL",)),
    ),
    Scenario(
        key="screen-replay",
        title="A replay on a screen",
        shown=f"A recording of a genuine scan on a screen that a hand holds. {_OPEN}",
        kind=ScanKind.SCREEN_REPLAY,
        expected=None,
    ),
)

_REAL: Final = (
    Scenario(
        key="virtual-camera",
        title="A virtual camera",
        shown="The portrait's person, alive; but the frames come from a camera that calls itself OBS Virtual "
        "Camera and shows any picture. The caller is not a sandbox caller, unlike all others here: for those "
        "it is tolerated, and their results say so.",
        sandbox=False,
        camera="OBS Virtual Camera",
        turn=5,
        expected=Expected(status=Status.FAILURE, reasons=("DEVICE_MANIPULATED",)),
    ),
)

_DYNAMIC: Final = (
    _flash(
        FlashKind.GENUINE,
        "The same person",
        "The portrait's person in a living room, 150 lx: the screen's colours fall on a living face.",
        key="same-person",
        expected=Expected(status=Status.SUCCESS),
    ),
    _flash(
        FlashKind.PRINT,
        "A hand-waved print",
        "A matt print of the portrait's person. Paper answers the colours, but as a sheet does.",
        expected=_NO_SUCCESS,
    ),
    _flash(
        FlashKind.SCREEN_REPLAY,
        "A replay on a screen",
        "A recording of the person on a glossy screen, whose own light drowns the colours.",
        expected=_NO_SUCCESS,
    ),
    _flash(
        FlashKind.RECORDED_SCAN,
        "A recorded scan of another challenge",
        "Injected behind the camera: a genuine scan that answered other colours than these.",
        expected=_NO_SUCCESS,
    ),
    _flash(
        FlashKind.INJECTED_VIDEO,
        "An injected clean video",
        "Injected behind the camera: a genuine video of the person that never saw a flash.",
        expected=_NO_SUCCESS,
    ),
    _flash(
        FlashKind.INJECTED_TINT,
        "An injected video, tinted",
        "That video, tinted all over with each colour as soon as the app is told to show it.",
        expected=_NO_SUCCESS,
    ),
    _flash(
        FlashKind.CUT_OUT_PRINT,
        "A cut-out print with eye holes",
        f"{_CUT_OUT} The policy asks for a turn of the head, in which a nose shows.",
        expected=_NO_SUCCESS,
    ),
    _flash(
        FlashKind.RIGID_MASK,
        "A rigid mask",
        f"{_MASK} The policy asks for a blink.",
        expected=_NO_SUCCESS,
    ),
)

_DEVICES: Final = (
    Scenario(
        key="device-honest",
        title="An honest Android phone",
        shown="The portrait's person; the phone attests its key, its system and the app, and Play vouches "
        "for both.",
        device=DeviceKind.ANDROID,
        turn=1,
        expected=Expected(status=Status.SUCCESS),
    ),
    Scenario(
        key="device-repackaged",
        title="A repackaged app",
        shown="The same person, alive, and the phone is sound; but the app was changed and signed anew, as "
        "one that injects frames would be.",
        device=DeviceKind.REPACKAGED,
        turn=2,
        expected=Expected(status=Status.FAILURE, reasons=("DEVICE_MANIPULATED",)),
    ),
    Scenario(
        key="device-relayed",
        title="A clean phone's evidence, relayed",
        shown="The same person, alive; the phone that scans passes on what a clean phone showed in a scan "
        "of its own.",
        device=DeviceKind.RELAYED,
        turn=3,
        expected=Expected(status=Status.FAILURE, reasons=("DEVICE_NOT_TRUSTED",)),
    ),
    Scenario(
        key="device-relit",
        title="A video, relit in real time",
        shown="The strongest attacker, in DYNAMIC: a changed app injects a genuine video, relit in 60 ms "
        "with the person's own shape and every colour that it is told. The flash and all else that looks at "
        "pixels often take it for the person, and may here; the evidence says that the app is not the "
        "published one.",
        kind=FlashKind.INJECTED_RELIGHTING,
        device=DeviceKind.REPACKAGED,
        turn=4,
        expected=Expected(status=Status.FAILURE, reasons=("DEVICE_MANIPULATED",)),
    ),
)

SCENARIOS: Final = (*_EXPRESS, *_REAL, *_DYNAMIC, *_DEVICES)
"""The demo, in order: EXPRESS, DYNAMIC with blink and depth, then devices that are asked for evidence."""


def demo_scenarios(*, asked: bool) -> tuple[Scenario, ...]:
    """The demo as far as a pack can judge it.

    Args:
        asked: Whether the policy of the checks in DYNAMIC takes a blink and a head's depth. Where it does
            not a rigid mask and a cut-out may pass, and nothing is expected of them.
    """
    if asked:
        return SCENARIOS
    return tuple(_unasked(one) for one in SCENARIOS)


def _unasked(scenario: Scenario) -> Scenario:
    shown = _UNASKED.get(scenario.kind)
    if shown is None:
        return scenario
    return replace(scenario, expected=None, shown=f"{shown} {_NO_LANDMARKS} {_OPEN}")
