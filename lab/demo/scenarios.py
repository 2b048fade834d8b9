"""The checks of the demo: what is shown, what is expected, what came of it, and both in words."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from facegate.v1 import feedback_pb2, result_pb2, verification_service_pb2

from cli.verdict import code_word, enum_words
from facegate_client import ServerError
from lab.demo.flash import FlashStrip
from lab.explanation import SUCCESS, reason_sentence
from lab.simulator import FlashKind, ScanKind
from lab.simulator.devices import DeviceKind

_ASTRONAUT: Final = "astronaut"
_ANOTHER: Final = "grey-shirt"


class Status(StrEnum):
    """The outcome of a check of the demo."""

    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    NOT_DECIDED = "NOT_DECIDED"
    """The server had a fault; this is no statement about the person."""
    REFUSED = "REFUSED"
    """The trusted image was not accepted, so there is no check."""


LEFT: Final = "ABANDONED"
"""Reason of a check whose attacker left after an attempt that did not decide it."""
UNDECIDED: Final = (LEFT, "CONDITIONS", "LIVENESS_INCONCLUSIVE")
"""Reasons of checks without a decision, which are FAILURE too."""

_LATE: Final = {
    feedback_pb2.FEEDBACK_CODE_CAPTURE_TOO_SLOW,
    feedback_pb2.FEEDBACK_CODE_NETWORK_TOO_SLOW,
    feedback_pb2.FEEDBACK_CODE_SERVER_BUSY,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedOutcome:
    """The expected outcome.

    Attributes:
        reasons: The allowed values of the first, most important reason: names of ``FailureReason``, or of
            ``ErrorReason`` if the portrait is refused, without prefixes; empty with SUCCESS.
    """

    status: Status
    reasons: tuple[str, ...] = ()

    def met_by(self, status: Status, reasons: tuple[str, ...]) -> bool:
        """Return whether a check with these reasons, the most important first, had this outcome."""
        return status is self.status and (reasons[0] in self.reasons if reasons else not self.reasons)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One check of the demo.

    Attributes:
        key: Name of its folder: lower-case letters and ``-``.
        shown: One sentence that describes the scene in front of the camera.
        portrait: Built-in photo that the orchestrator uploads.
        scanned: Built-in photo from which the scan is made; None if no scan follows.
        kind: Kind of the scan: a ``FlashKind`` in DYNAMIC, with a screen that flashes; a ``ScanKind`` in
            EXPRESS.
        portrait_eye_distance: Eye distance to which the portrait is scaled down, pixels; None keeps its
            size.
        device: The device, with a policy that demands its evidence; None for a device without evidence,
            with a policy that demands none.
        sandbox: Whether a sandbox caller makes the check, which then accepts test devices.
        camera: The camera's name, if it is a listed virtual camera; empty for one without a known name.
        doubt: Whether the flash follows only if there is doubt.
        turn: A number that is added to the demo's seed, so that no two scans of one kind have the same
            frames.
        expected: The expected outcome; None if the outcome only informs.
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
    doubt: bool = False
    turn: int = 0
    expected: ExpectedOutcome | None

    @property
    def genuine(self) -> bool:
        """Whether the check must succeed. Nothing renders or scans beside such a scan."""
        return self.expected == ExpectedOutcome(status=Status.SUCCESS)

    @property
    def attack(self) -> bool:
        """Whether the scan shows something other than a living person."""
        return self.scanned is not None and self.kind not in (ScanKind.GENUINE, FlashKind.GENUINE)

    @property
    def flashes(self) -> bool:
        """Whether the screen may show colours: if the check demands DYNAMIC, or in doubt."""
        return isinstance(self.kind, FlashKind)


def _flash(
    kind: FlashKind,
    title: str,
    shown: str,
    *,
    expected: ExpectedOutcome | None,
    key: str | None = None,
    turn: int = 0,
) -> Scenario:
    return Scenario(
        key=f"flash-{key or kind}", title=title, shown=shown, kind=kind, turn=turn, expected=expected
    )


_NO_SUCCESS: Final = ExpectedOutcome(status=Status.FAILURE, reasons=("SPOOF", *UNDECIDED))
_OPEN: Final = "This may pass: the outcome is shown, and none is expected."
_MASK: Final = (
    "A rigid resin mask of the person: the light falls on the shape of a face, which the flash cannot "
    "distinguish from a face."
)
_CUT_OUT: Final = (
    "A print that is cut along the face and bent over a living face, with living eyes in its holes."
)
_UNASKED: Final[Mapping[ScanKind | FlashKind, str]] = {
    FlashKind.RIGID_MASK: _MASK,
    FlashKind.CUT_OUT_PRINT: _CUT_OUT,
}
"""Attacks that the flash alone does not stop reliably; the policy's blink and depth do."""
_NO_LANDMARKS: Final = (
    "This pack has no landmarks to measure a blink, so the policy demands neither blink nor depth."
)


_EXPRESS: Final = (
    Scenario(
        key="same-person",
        title="The same person",
        shown="The portrait's person holds the phone: a head with depth that turns, breathes and blinks.",
        expected=ExpectedOutcome(status=Status.SUCCESS),
    ),
    Scenario(
        key="another-person",
        title="Another person",
        shown="A living person, but not the one of the portrait.",
        scanned=_ANOTHER,
        expected=ExpectedOutcome(status=Status.FAILURE, reasons=("NOT_SAME_PERSON",)),
    ),
    Scenario(
        key="static-photo",
        title="A photo on a stand",
        shown="A print of the portrait's person, motionless in front of a camera on a stand.",
        kind=ScanKind.STATIC_PHOTO,
        expected=ExpectedOutcome(status=Status.FAILURE, reasons=("SPOOF",)),
    ),
    Scenario(
        key="waved-photo",
        title="A hand-waved photo",
        shown="The same print, moved, turned and bent by hand to look alive.",
        kind=ScanKind.WAVED_PHOTO,
        expected=ExpectedOutcome(status=Status.FAILURE, reasons=("SPOOF",)),
    ),
    Scenario(
        key="frozen-frame",
        title="A frozen injected frame",
        shown="No camera: one genuine frame is fed into the app repeatedly.",
        kind=ScanKind.FROZEN_FRAME,
        expected=ExpectedOutcome(status=Status.FAILURE, reasons=("SPOOF",)),
    ),
    Scenario(
        key="eyes-too-close",
        title="A portrait that is too small",
        shown="A trusted image with 60 pixels between the eyes; the policy demands 85.",
        scanned=None,
        portrait_eye_distance=60.0,
        expected=ExpectedOutcome(status=Status.REFUSED, reasons=("EYE_DISTANCE_TOO_SMALL",)),
    ),
    Scenario(
        key="screen-replay",
        title="A replay on a screen",
        shown=f"A recording of a genuine scan on a hand-held screen. {_OPEN}",
        kind=ScanKind.SCREEN_REPLAY,
        expected=None,
    ),
)

_REAL: Final = (
    Scenario(
        key="virtual-camera",
        title="A virtual camera",
        shown="The portrait's person, alive; but the frames come from a camera named OBS Virtual Camera, "
        "which can show any image. Unlike all others here, the caller is not a sandbox caller: for sandbox "
        "callers the camera is tolerated, and their results state this.",
        sandbox=False,
        camera="OBS Virtual Camera",
        turn=5,
        expected=ExpectedOutcome(status=Status.FAILURE, reasons=("DEVICE_MANIPULATED",)),
    ),
)

_DYNAMIC: Final = (
    _flash(
        FlashKind.GENUINE,
        "The same person",
        "The portrait's person in a living room, 150 lx: the screen's colours fall on a living face.",
        key="same-person",
        # The light of seed 2 shows the face's shape clearly: 16 of 16 checks needed one attempt. In that of
        # seed 1 it is close to the line: 15 of 20 did.
        turn=1,
        expected=ExpectedOutcome(status=Status.SUCCESS),
    ),
    _flash(
        FlashKind.PRINT,
        "A hand-waved print",
        "A matt print of the portrait's person. Paper reflects the colours, but as a flat sheet.",
        expected=_NO_SUCCESS,
    ),
    _flash(
        FlashKind.SCREEN_REPLAY,
        "A replay on a screen",
        "A recording of the person on a glossy screen. Its own light drowns the colours.",
        expected=_NO_SUCCESS,
    ),
    _flash(
        FlashKind.RECORDED_SCAN,
        "A recorded scan of another challenge",
        "Injected behind the camera: a genuine scan with the colours of another challenge.",
        expected=_NO_SUCCESS,
    ),
    _flash(
        FlashKind.INJECTED_VIDEO,
        "An injected clean video",
        "Injected behind the camera: a genuine video of the person without any flash.",
        expected=_NO_SUCCESS,
    ),
    _flash(
        FlashKind.INJECTED_TINT,
        "An injected video, tinted",
        "That video, tinted all over with each colour as soon as the app receives it.",
        expected=_NO_SUCCESS,
    ),
    _flash(
        FlashKind.CUT_OUT_PRINT,
        "A cut-out print with eye holes",
        f"{_CUT_OUT} The policy demands a turn of the head, which shows whether the nose has depth.",
        expected=_NO_SUCCESS,
    ),
    _flash(
        FlashKind.RIGID_MASK,
        "A rigid mask",
        f"{_MASK} The policy demands a blink.",
        expected=_NO_SUCCESS,
    ),
)

_DOUBT: Final = (
    Scenario(
        key="doubt",
        title="The same person, in doubt",
        shown="The scan begins without colours. Where the pack's networks are not sure that this is a living "
        "person, it goes on with the flash.",
        kind=FlashKind.GENUINE,
        doubt=True,
        turn=6,
        expected=ExpectedOutcome(status=Status.SUCCESS),
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
        expected=ExpectedOutcome(status=Status.SUCCESS),
    ),
    Scenario(
        key="device-repackaged",
        title="A repackaged app",
        shown="The same person, alive, and the phone is sound; but the app was changed and signed again, "
        "like an app that injects frames.",
        device=DeviceKind.REPACKAGED,
        turn=2,
        expected=ExpectedOutcome(status=Status.FAILURE, reasons=("DEVICE_MANIPULATED",)),
    ),
    Scenario(
        key="device-relayed",
        title="A clean phone's evidence, relayed",
        shown="The same person, alive; the phone relays the evidence that a clean phone sent in another "
        "scan.",
        device=DeviceKind.RELAYED,
        turn=3,
        expected=ExpectedOutcome(status=Status.FAILURE, reasons=("DEVICE_NOT_TRUSTED",)),
    ),
    Scenario(
        key="device-relit",
        title="A video, relit in real time",
        shown="The strongest attacker, in DYNAMIC: a changed app injects a genuine video, relit in 60 ms "
        "with the person's own shape and every colour that it receives. The flash and all other "
        "measurements of pixels often accept it as the person, and may here; the evidence states that the "
        "app is not the published one.",
        kind=FlashKind.INJECTED_RELIGHTING,
        device=DeviceKind.REPACKAGED,
        turn=4,
        expected=ExpectedOutcome(status=Status.FAILURE, reasons=("DEVICE_MANIPULATED",)),
    ),
)

SCENARIOS: Final = (*_EXPRESS, *_REAL, *_DOUBT, *_DYNAMIC, *_DEVICES)
"""The scenarios in order: EXPRESS, doubt, DYNAMIC with blink and depth, then devices with evidence."""


def demo_scenarios(*, asked: bool) -> tuple[Scenario, ...]:
    """Return all scenarios, with the outcomes to expect under the policy of the checks in DYNAMIC.

    Args:
        asked: Whether that policy demands a blink and the head's depth. If not, a rigid mask and a cut-out
            may pass, and no outcome is expected of them.
    """
    if asked:
        return SCENARIOS
    return tuple(_unasked(one) for one in SCENARIOS)


def _unasked(scenario: Scenario) -> Scenario:
    shown = _UNASKED.get(scenario.kind)
    if shown is None:
        return scenario
    return replace(scenario, expected=None, shown=f"{shown} {_NO_LANDMARKS} {_OPEN}")


_STATUSES = {
    result_pb2.CHECK_STATUS_SUCCESS: Status.SUCCESS,
    result_pb2.CHECK_STATUS_NOT_DECIDED: Status.NOT_DECIDED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Durations of the parts of a check, in seconds, measured at the clients.

    Attributes:
        capture: From ScanFace to the last AttemptEnd; 0 without a scan.
        decision: From the last AttemptEnd to its ScanResult; 0 without a scan.
        finish: FinishCheck; 0 if the portrait was refused.
    """

    upload: float
    capture: float = 0.0
    decision: float = 0.0
    finish: float = 0.0

    @property
    def total(self) -> float:
        """Duration of the whole check."""
        return self.upload + self.capture + self.decision + self.finish


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoRecord:
    """One check of the demo with its outcome.

    Attributes:
        portrait: The trusted image, JPEG.
        strip: A few frames of the scan, JPEGs; empty without a scan, and if ``flash`` shows it.
        flash: The scan under the screen's colours; None without a flash, and if no frame shows a colour.
        hints: Feedback codes in the order of their arrival, without repetitions in a row.
        refusal: The error that refused the portrait; None if it was accepted.
        response: The response with the result; None if the portrait was refused.
        signature_verified: Whether the result's signature verifies with the server's published keys, and
            the hash of its image and the check agree; False without a result.
    """

    scenario: Scenario
    portrait: bytes
    strip: tuple[bytes, ...] = ()
    flash: FlashStrip | None = None
    hints: tuple[int, ...] = ()
    timings: Timings
    refusal: ServerError | None = None
    response: verification_service_pb2.FinishCheckResponse | None = None
    signature_verified: bool = False

    @property
    def result(self) -> result_pb2.CheckResult | None:
        """The result; None if the portrait was refused."""
        return None if self.response is None else self.response.result

    @property
    def status(self) -> Status:
        """The status, or REFUSED."""
        if self.result is None:
            return Status.REFUSED
        return _STATUSES.get(self.result.status, Status.FAILURE)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Names of the result's reasons, most important first, or of the refusal; empty with SUCCESS."""
        if self.result is not None:
            return enum_words(self.result, "reasons")
        return () if self.refusal is None else (self.refusal.reason,)

    @property
    def attack_passed(self) -> bool:
        """Whether an attack was accepted as a living person."""
        return self.scenario.attack and self.status is Status.SUCCESS

    @property
    def left_undecided(self) -> bool:
        """Whether an attacker left after an attempt that did not decide the check, and so was not let in."""
        return self.scenario.attack and self.status is Status.FAILURE and self.reasons[:1] == (LEFT,)

    @property
    def frames_late(self) -> bool:
        """Whether frames came too late, as on a machine that is too busy for a scan in real time."""
        attempts = () if self.result is None else self.result.attempts
        codes = {*self.hints, *(code for attempt in attempts for code in attempt.feedback)}
        return not codes.isdisjoint(_LATE)

    @property
    def as_expected(self) -> bool | None:
        """Whether the outcome is the expected one; None if the scenario expects none.

        A result whose signature does not verify is never as expected.
        """
        if self.response is not None and not self.signature_verified:
            return False
        expected = self.scenario.expected
        return None if expected is None else expected.met_by(self.status, self.reasons)


def mode_word(scenario: Scenario) -> str:
    """Return the mode of a check; ATTESTED if the device must also send evidence; DOUBT if doubt sets it."""
    if scenario.device is not None:
        return "ATTESTED"
    if scenario.doubt:
        return "DOUBT"
    return "DYNAMIC" if scenario.flashes else "EXPRESS"


def outcome_text(status: Status, reasons: tuple[str, ...]) -> str:
    """Return an outcome in one line, such as ``FAILURE: SPOOF``."""
    return f"{status}: {', '.join(reasons)}" if reasons else str(status)


def expectation_text(expected: ExpectedOutcome | None) -> str:
    """Return an expected outcome in one line."""
    if expected is None:
        return "nothing: it informs"
    return outcome_text(expected.status, expected_reasons(expected))


def expected_reasons(expected: ExpectedOutcome) -> tuple[str, ...]:
    """Return the expected reasons as one text; empty with SUCCESS."""
    decided = [reason for reason in expected.reasons if reason not in UNDECIDED]
    if len(decided) < len(expected.reasons):
        decided.append("undecided")
    return (" or ".join(decided),) if decided else ()


def reason_sentences(record: DemoRecord) -> tuple[str, ...]:
    """Return the reasons of an outcome in sentences, most important first."""
    if record.refusal is not None:
        message = record.refusal.message.rstrip(".")
        return (f"{message[:1].upper()}{message[1:]}.",)
    if record.attack_passed:
        return ("This attack passed: it was accepted as the living person.",)
    if record.status is Status.SUCCESS:
        return (SUCCESS,)
    return tuple(map(reason_sentence, record.reasons))


def hint_name(code: int) -> str:
    """Return the name of a feedback code without its prefix."""
    return code_word(feedback_pb2.FeedbackCode.DESCRIPTOR, code)
