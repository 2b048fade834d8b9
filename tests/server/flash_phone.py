"""Whole scans in DYNAMIC: a person or attacker with a phone in step with the server that judges it."""

import asyncio
import functools
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import grpc
import pytest
from facegate.v1 import feedback_pb2, result_pb2, scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2

from attempt import FlashRun, MovementRun
from facegate_client import (
    CapturedImage,
    DisplayedStep,
    FaceScanner,
    FlashScreen,
    ScanEvents,
    ScanOutcome,
    ScanSettings,
    ScanTicket,
)
from facegate_client.attempt import AttemptTally
from lab.simulator import AmbientPreset, AmbientSettings, FlashKind, FlashScanSettings, Photo
from lab.simulator.phone import SimulatedPhone, WorldTime
from server.running.assembly import Tuning
from server.scan.inbox import CreditLedger
from tests.packs import real_pack, real_photo
from tests.server.live import LiveServer, serving, settings_for
from tests.server.policy_files import write_policy

# A simulated person or attacker with a phone, who scans over the real protocol; records the messages.

WIDTH, HEIGHT, RATE = 480, 640, 20.0
"""As a phone sends them."""


@functools.cache
def _photo(person: str) -> Photo:
    return real_photo(person)


def phone(
    world: WorldTime | None,
    kind: FlashKind = FlashKind.GENUINE,
    *,
    seed: int = 5,
    ambient: AmbientPreset = AmbientPreset.DARK,
    person: str = "astronaut",
    size: tuple[int, int] = (WIDTH, HEIGHT),
    settings: FlashScanSettings | None = None,
) -> SimulatedPhone:
    """A phone in front of a simulated person or attacker; ``size`` is its camera's, (width, height).

    ``world`` is the time of the server that judges, so that a busy machine makes no slow camera of it;
    ``None`` is the computer's.
    """
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
    made = SimulatedPhone if world is None else _PhoneInStep
    return made.in_hand(_photo(person), chosen, find_faces=real_pack().detector.detect, world=world)


class _Flight:
    """The frames of the current attempt that a server in this process has yet to process."""

    def __init__(self) -> None:
        self._frames = 0
        self.landed = asyncio.Event()

    def send(self) -> None:
        self._frames += 1
        self.landed.clear()

    def land(self) -> None:
        self._frames -= 1
        if self._frames < 1:
            self.landed.set()


class _PhoneInStep(SimulatedPhone):
    """A phone whose next frame is due once the server has processed the one before."""

    flight: _Flight | None = None

    def begin_attempt(self) -> None:
        flight = _PhoneInStep.flight = _Flight()
        flight.landed.set()
        super().begin_attempt()

    async def __anext__(self) -> CapturedImage:
        if self.flight is not None:
            await self.flight.landed.wait()
        return await super().__anext__()


def _drawn(draw: Callable[..., Any], draws: Callable[[int], bytes], _random: object, **others: Any) -> Any:
    return draw(draws, **others)


@contextmanager
def in_step() -> Iterator[None]:
    """Let a scan by a phone that shares the server's time be as on a machine with nothing else to do.

    The client ends no attempt by the computer's clock, which runs on while the server's stands still. And the
    server draws the same challenges each time, because one draw in ten is not conclusive.
    """
    send, note_processed = AttemptTally.send, CreditLedger.note_processed

    def sent(tally: AttemptTally, size: int) -> None:
        if _PhoneInStep.flight is not None:
            _PhoneInStep.flight.send()
        send(tally, size)

    def processed(ledger: CreditLedger, size: int, *, waited: float) -> None:
        note_processed(ledger, size, waited=waited)
        if _PhoneInStep.flight is not None:
            _PhoneInStep.flight.land()

    draws = random.Random(5)
    drawn = [(run, run.drawn) for run in (FlashRun, MovementRun)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_PhoneInStep, "flight", None)
        for run, draw in drawn:
            patch.setattr(run, "drawn", functools.partial(_drawn, draw, draws.randbytes))
        patch.setattr(AttemptTally, "send", sent)
        patch.setattr(CreditLedger, "note_processed", processed)
        patch.setattr("facegate_client.attempt._DURATION_SHARE", 60.0)
        yield


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
    """Scan with the reference client."""
    with in_step():
        return await FaceScanner(
            channel=channel,
            ticket=ScanTicket(token=upload.scan_token, challenge_key_sha256=upload.challenge_key_sha256),
            source=device,
            screen=screen,
            events=wire,
            settings=ScanSettings(max_attempts=max_attempts),
        ).scan()


# Whole checks in DYNAMIC: a server with policies for them, and the person with the phone.


@asynccontextmanager
async def flash_server(folder: Path) -> AsyncIterator[LiveServer]:
    """A server as an operator runs it, with policies that allow one attempt.

    They are ``single``, which requires nothing beside the flash if the mode is raised; ``blinking`` and
    ``turning``, which also require a blink and depth; and ``approach``, which is ``adaptive`` with a lenient
    match.
    """
    settings = settings_for(folder)
    assert settings.policies.folder is not None
    # Rendered in the sun and from close by, the available person has a similarity close to the threshold of
    # "adaptive"; these tests are about the sequence, not the match.
    adaptive = (files("server.policies") / "shipped" / "adaptive.toml").read_text()
    lenient = adaptive.replace('"adaptive"', '"approach"').replace("max_fmr = 1e-4", "max_fmr = 0.1")
    (settings.policies.folder / "approach.toml").write_text(lenient)
    for name, blink, depth in (("single", False, False), ("blinking", True, False), ("turning", False, True)):
        write_policy(settings.policies.folder, name, maximum=1, scan_seconds=3600)
        path = settings.policies.folder / f"{name}.toml"
        raised = f"[challenge.raised]\nblink = {str(blink).lower()}\ndepth = {str(depth).lower()}\n"
        path.write_text(f"{path.read_text()}\n{raised}")
    async with serving(settings, pack=real_pack(), tuning=Tuning()) as server:
        yield server


async def check(
    real: LiveServer,
    kind: FlashKind,
    ambient: AmbientPreset = AmbientPreset.DARK,
    *,
    seed: int = 5,
    policy: str = "single",
    person: str = "astronaut",
    flash: bool = True,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    max_attempts: int = 1,
) -> tuple[result_pb2.CheckResult, Wire]:
    """Upload the portrait and scan; returns the result, and the messages on the wire."""
    mode = scan_pb2.MODE_DYNAMIC if flash else scan_pb2.MODE_UNSPECIFIED
    upload = await real.upload(policy=policy, mode=mode)
    return await scanned(
        real, upload, kind, ambient, seed=seed, person=person, size=size, max_attempts=max_attempts
    )


async def scanned(
    real: LiveServer,
    upload: service_pb2.UploadTrustedImageResponse,
    kind: FlashKind,
    ambient: AmbientPreset,
    *,
    seed: int,
    person: str,
    size: tuple[int, int],
    max_attempts: int = 1,
    channel: grpc.aio.Channel | None = None,
) -> tuple[result_pb2.CheckResult, Wire]:
    """The same with a portrait that was uploaded before.

    ``channel`` leads to the server by another way, whose delays the phone feels: time does not wait for it.
    """
    world = real.world if channel is None else None
    device, wire = phone(world, kind, ambient=ambient, seed=seed, person=person, size=size), Wire()
    await scan(
        real.device_channel if channel is None else channel,
        upload,
        device,
        screen=wire.watched(device),
        wire=wire,
        max_attempts=max_attempts,
    )
    return (await real.finish(upload.check_id)).result, wire
