"""The reference client passes every scenario, also over WebSocket; a client that breaks a rule fails it."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from facegate.v1 import device_pb2, scan_pb2
from facegate.v1 import verification_service_pb2_grpc as service_pb2_grpc

import facegate_client
import facegate_client.scan_stream
from facegate_client import DisplayedStep, ReconnectPolicy, device, flash_screen
from facegate_client.attempt import FrameRules, SendGate
from facegate_client.flash_screen import FlashShow
from facegate_client.scan_stream import ScanStream, ScanStreams, SessionKey
from facegate_protocol import MacChain, attestation_message
from lab.conformance.clients import ClientReport, ReferenceClient, _Screen
from lab.conformance.conductor import Verdict
from lab.conformance.endpoint import Addresses
from lab.conformance.opening import Ticket
from lab.conformance.rules import Rule
from lab.tests.conformance.playing import BY_NAME, SLOW, failures, played, played_at_once
from server.edge.listeners import SCAN_METHOD
from tests.server.web_call import WebCall, WebStub

Patch = pytest.MonkeyPatch


def _with(place: object, name: str, value: object) -> Callable[[Patch], None]:
    """A client that has another method or value in this place."""
    return lambda patch: patch.setattr(place, name, value)


def _signs_r_and_s(patch: Patch) -> None:
    right = SessionKey.sign

    def sign(self: SessionKey, message: bytes) -> bytes:
        return b"".join(number.to_bytes(32, "big") for number in decode_dss_signature(right(self, message)))

    patch.setattr(SessionKey, "sign", sign)


def _accepts_every_challenge(patch: Patch) -> None:
    def accept(challenge: scan_pb2.Challenge, **_: object) -> scan_pb2.ChallengeBody:
        return scan_pb2.ChallengeBody.FromString(challenge.body)

    patch.setattr(facegate_client.scan_stream, "_verified_body", accept)


def _does_not_reconnect(patch: Patch) -> None:
    async def fail(self: device.FaceScanner, failures: int, since: int, lost: Any) -> None:
        raise lost.final

    patch.setattr(device.FaceScanner, "_back_off", fail)


def _makes_a_key_for_each_stream(patch: Patch) -> None:
    right = ScanStreams.open

    async def open_stream(self: ScanStreams) -> ScanStream:
        self._session = SessionKey()
        return await right(self)

    patch.setattr(ScanStreams, "open", open_stream)


def _never_half_closes(patch: Patch) -> None:
    async def close(self: ScanStream) -> None:
        await asyncio.sleep(0)

    patch.setattr(ScanStream, "close", close)


def _half_closes_early(patch: Patch) -> None:
    async def end(self: ScanStream, body: bytes) -> None:
        await self._call.half_close()

    patch.setattr(ScanStream, "send_attempt_end", end)


def _drops_the_line(patch: Patch) -> None:
    async def end(self: ScanStream, body: bytes) -> None:
        self.cancel()

    patch.setattr(ScanStream, "send_attempt_end", end)


def _attests_another_stream(patch: Patch) -> None:
    right = ScanStream.send_attestation

    async def attest(self: ScanStream, attestation: device_pb2.Attestation, *, findings: bytes) -> None:
        signature = self._session.sign(attestation_message(binding=bytes(32)))
        evidence = device_pb2.WebCryptoEvidence(public_key=self._session.public_der, signature=signature)
        await right(self, device_pb2.Attestation(web_crypto=evidence), findings=findings)

    patch.setattr(ScanStream, "send_attestation", attest)


def _does_not_name_the_attempt(patch: Patch) -> None:
    right = ScanStream.send_ready

    async def send_ready(self: ScanStream, *, after_attempt: int) -> None:
        await right(self, after_attempt=0)

    patch.setattr(ScanStream, "send_ready", send_ready)


def _knows_every_message(patch: Patch) -> None:
    right = ScanStream.receive

    async def receive(self: ScanStream) -> Any:
        message = await right(self)
        if message is not None and message.WhichOneof("message") is None:
            raise facegate_client.ProtocolViolatedError("an unknown message")
        return message

    patch.setattr(ScanStream, "receive", receive)


def _stands_still_for_a_hint(patch: Patch) -> None:
    patch.setattr("lab.conformance.strict_stream._WAIT_SECONDS", 5.0)
    patch.setattr(_Screen, "show_hint", lambda self, feedback: time.sleep(6))


def _leaves_a_colour_out(patch: Patch) -> None:
    right = FlashShow.add

    def add(self: FlashShow, step: scan_pb2.FlashStep) -> None:
        if step.step != 2:
            right(self, step)

    patch.setattr(FlashShow, "add", add)


@pytest.mark.parametrize(
    ("mistake", "scenario", "rule"),
    [
        (_with(SendGate, "has_room", lambda self, size=1: not self.paused), "credit-frames", Rule.CREDIT),
        (
            _with(SendGate, "has_room", lambda self, size=1: not self.paused and self._frames >= 1),
            "credit-bytes",
            Rule.CREDIT,
        ),
        (_with(SendGate, "pause", lambda self, paused: None), "pauses", Rule.PAUSE),
        (_with(FrameRules, "adjust", lambda self, adjustment: None), "adjustment", Rule.ADJUSTMENT),
        (_with(FrameRules, "has_room", lambda self, size, **counts: True), "attempt-frames", Rule.BUDGET),
        (_with(FrameRules, "too_early", lambda self, time: False), "highest-rate", Rule.RATE),
        (_with(ScanStream, "mark_attempt", lambda self, start: None), "success", Rule.FRAME_MAC),
        (_signs_r_and_s, "success", Rule.ATTEMPT_END),
        (_signs_r_and_s, "lost-line", Rule.RESUME_PROOF),
        (_accepts_every_challenge, "challenge-other-key", Rule.BAD_CHALLENGE),
        (_accepts_every_challenge, "challenge-raw-signature", Rule.BAD_CHALLENGE),
        (_accepts_every_challenge, "challenge-short-nonce", Rule.BAD_CHALLENGE),
        (_does_not_reconnect, "lost-line", Rule.RECONNECT),
        (_makes_a_key_for_each_stream, "lost-line", Rule.SESSION_KEY),
        (_with(ReconnectPolicy, "delay", lambda self, reconnect, **more: 0.0), "not-serving", Rule.BACK_OFF),
        (_never_half_closes, "success", Rule.HALF_CLOSE),
        (_half_closes_early, "success", Rule.HALF_CLOSE),
        (_drops_the_line, "retry", Rule.ATTEMPT_END_IN_TIME),
        (_attests_another_stream, "success", Rule.ATTESTATION),
        (_with(device, "_deadline", lambda challenge: None), "deadline", Rule.NO_RECONNECT),
        (_does_not_name_the_attempt, "retry", Rule.READY),
        (_knows_every_message, "later-version", Rule.LATER_VERSION),
        (_with(FlashShow, "displayed", lambda self, time: DisplayedStep(1, time)), "flash", Rule.FLASH),
        (_with(flash_screen, "SHORTEST_HOLD_S", 0.0), "flash-fast", Rule.FLASH_HOLD),
        (_leaves_a_colour_out, "flash-fast", Rule.FLASH_HOLD),
        (_with(_Screen, "show_hint", lambda self, feedback: self.restore()), "flash-open-mouth", Rule.FLASH),
        (_stands_still_for_a_hint, "gestures-after-doubt", Rule.FRAMES),
    ],
)
async def test_a_mistake_fails_its_scenario(
    monkeypatch: Patch, mistake: Callable[[Patch], None], scenario: str, rule: Rule
) -> None:
    mistake(monkeypatch)
    outcome = (await played([scenario]))[scenario]
    assert outcome.verdict is Verdict.FAILED
    assert outcome.rule is rule, outcome.detail
    assert outcome.detail


async def test_a_mac_over_other_bytes_fails(monkeypatch: Patch) -> None:
    right = MacChain.add_frame

    def wrong(self: MacChain, *, header: bytes, image: bytes) -> bytes:
        return right(self, header=header, image=image[:-1])

    monkeypatch.setattr(MacChain, "add_frame", wrong)
    outcome = (await played(["success"]))["success"]
    assert outcome.rule is Rule.FRAME_MAC
    assert "frame 0" in outcome.detail


async def test_a_client_that_reports_success_without_a_result_fails(monkeypatch: Patch) -> None:
    right = facegate_client.FaceScanner.scan

    async def scan(self: device.FaceScanner) -> Any:
        try:
            return await right(self)
        except facegate_client.ServerNotTrustedError:
            return None

    monkeypatch.setattr(facegate_client.FaceScanner, "scan", scan)
    outcome = (await played(["challenge-signature"]))["challenge-signature"]
    assert outcome.rule is Rule.OUTCOME


_TIMED = ("success", "highest-rate", "pauses", "adjustment", "attempt-duration")
"""The rules of these are about seconds, which a busy machine exceeds."""
_QUICK = [name for name in BY_NAME if name not in {*SLOW, *_TIMED[1:]}]


@pytest.mark.slow
@pytest.mark.alone
async def test_the_reference_client_passes_the_timed_scenarios() -> None:
    outcomes = await played(_TIMED)
    assert failures(outcomes) == {}
    assert outcomes.keys() == set(_TIMED)


@pytest.mark.slow
async def test_the_reference_client_passes_the_quick_scenarios() -> None:
    outcomes = await played_at_once(_QUICK, servers=4)
    assert failures(outcomes) == {}
    assert outcomes.keys() == set(_QUICK)


@pytest.mark.slow
async def test_the_reference_client_passes_the_slow_scenarios() -> None:
    outcomes = await played_at_once(SLOW, servers=len(SLOW))
    assert failures(outcomes) == {}
    assert outcomes.keys() == set(SLOW)


_ORIGIN = "https://shop.example"
_QUICK_OF_A_PAGE = ("success", "lost-line", "refused")
_OTHERS_OF_A_PAGE = (
    "credit-frames",
    "challenge-signature",
    "later-version",
    "lost-before-challenge",
    "proxy-failed",
    "end-without-result",
    "not-serving",
    "superseded",
)


@dataclass(frozen=True, slots=True)
class _PageStub(WebStub):
    calls: list[WebCall] = field(default_factory=list)

    def ScanFace(self, *, timeout: float = 0.0, **_: Any) -> WebCall:
        self.calls.append(WebCall(self))
        return self.calls[-1]

    def close(self) -> None:
        for call in self.calls:
            if call._socket is not None:
                call._socket._response.close()


class _PageClient(ReferenceClient):
    async def scan(self, ticket: Ticket, addresses: Addresses) -> ClientReport:
        async with aiohttp.ClientSession() as session:
            stub = _PageStub(session, addresses.web.removesuffix(SCAN_METHOD), _ORIGIN)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(service_pb2_grpc, "VerificationServiceStub", lambda _channel: stub)
                try:
                    return await super().scan(ticket, addresses)
                finally:
                    stub.close()


@pytest.mark.parametrize("names", [_QUICK_OF_A_PAGE, pytest.param(_OTHERS_OF_A_PAGE, marks=pytest.mark.slow)])
async def test_a_page_passes_over_websocket(names: tuple[str, ...]) -> None:
    outcomes = await played(names, _PageClient(), origin=_ORIGIN)
    assert failures(outcomes) == {}
    assert {one.transport for one in outcomes.values()} == {"WebSocket"}
