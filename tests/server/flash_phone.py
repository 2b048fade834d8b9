"""A simulated person or attacker with a phone, who scans over the real protocol; records the messages."""

import functools
from dataclasses import dataclass, field, replace

import grpc
from facegate.v1 import feedback_pb2, scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2

from facegate_client import (
    DisplayedStep,
    FaceScanner,
    FlashScreen,
    ScanEvents,
    ScanOutcome,
    ScanSettings,
    ScanTicket,
)
from simulator import AmbientPreset, AmbientSettings, FlashKind, FlashScanSettings, Photo
from simulator.phone import SimulatedPhone
from tests.packs import real_pack, real_photo

WIDTH, HEIGHT, RATE = 480, 640, 20.0
"""As a phone sends them."""


@functools.cache
def _photo(person: str) -> Photo:
    return real_photo(person)


def phone(
    kind: FlashKind = FlashKind.GENUINE,
    *,
    seed: int = 5,
    ambient: AmbientPreset = AmbientPreset.DARK,
    person: str = "astronaut",
    size: tuple[int, int] = (WIDTH, HEIGHT),
    settings: FlashScanSettings | None = None,
) -> SimulatedPhone:
    """A phone in front of a simulated person or attacker; ``size`` is its camera's, (width, height)."""
    base = settings or FlashScanSettings(kind=kind)
    chosen = replace(
        base,
        kind=kind,
        seed=seed,
        seconds=60.0,
        frames_per_second=RATE,
        width=size[0],
        height=size[1],
        ambient=AmbientSettings(preset=ambient),
    )
    return SimulatedPhone.in_hand(_photo(person), chosen, find_faces=real_pack().detector.detect)


@dataclass
class Wire(ScanEvents):
    """The messages on the wire, in order.

    Attributes:
        plans: Of the attempts.
        steps: Every received step, with the claims of the frames sent before it.
        claims: The step that each sent frame claimed.
        ovals: Numbers of the oval changes.
        hints: Feedback codes.
        results: Of the attempts.
        modes: Of the challenges.
    """

    plans: list[int] = field(default_factory=list)
    steps: list[tuple[scan_pb2.FlashStep, tuple[int, ...]]] = field(default_factory=list)
    claims: list[int] = field(default_factory=list)
    ovals: list[int] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    results: list[scan_pb2.ScanResult] = field(default_factory=list)
    modes: list[int] = field(default_factory=list)

    def challenge(self, body: scan_pb2.ChallengeBody) -> None:
        self.modes.append(body.mode)

    def attempt_started(self, start: scan_pb2.AttemptStart) -> None:
        self.plans.append(start.plan)

    def flash_step(self, step: scan_pb2.FlashStep) -> None:
        self.steps.append((step, tuple(self.claims)))

    def oval_changed(self, change: scan_pb2.OvalChange) -> None:
        self.ovals.append(change.change)

    def feedback(self, feedback: feedback_pb2.Feedback) -> None:
        name = feedback_pb2.FeedbackCode.Name(feedback.code)
        self.hints.append(name.removeprefix("FEEDBACK_CODE_"))

    def attempt_finished(self, result: scan_pb2.ScanResult) -> None:
        self.results.append(result)

    def watched(self, screen: SimulatedPhone) -> "WatchedScreen":
        """The screen, with recorded claims."""
        return WatchedScreen(screen, self.claims)


class WatchedScreen:
    """Records the claims of frames; implements `facegate_client.FlashScreen`."""

    def __init__(self, screen: FlashScreen, claims: list[int]) -> None:
        self._screen = screen
        self._claims = claims
        self.profile = screen.profile
        self.capabilities = screen.capabilities

    def show_step(self, step: scan_pb2.FlashStep) -> None:
        self._screen.show_step(step)

    def show_oval(self, change: scan_pb2.OvalChange) -> None:
        self._screen.show_oval(change)

    def show_hint(self, feedback: feedback_pb2.Feedback) -> None:
        self._screen.show_hint(feedback)

    def restore(self) -> None:
        self._screen.restore()

    def displayed(self, capture_time_us: int) -> DisplayedStep:
        shown = self._screen.displayed(capture_time_us)
        self._claims.append(shown.number)
        return shown


async def scan(
    channel: grpc.aio.Channel,
    upload: service_pb2.UploadTrustedImageResponse,
    device: SimulatedPhone,
    *,
    screen: FlashScreen | None = None,
    wire: Wire | None = None,
    max_attempts: int = 1,
) -> ScanOutcome:
    """Scans with the reference client."""
    return await FaceScanner(
        channel=channel,
        ticket=ScanTicket(token=upload.scan_token, challenge_key_sha256=upload.challenge_key_sha256),
        source=device,
        screen=screen,
        events=wire,
        settings=ScanSettings(max_attempts=max_attempts),
    ).scan()
