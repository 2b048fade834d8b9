"""A client that breaks a rule fails the scenario that tests it, for that rule."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from facegate.v1 import device_pb2, scan_pb2

import facegate_client
import facegate_client.scan_stream
from cli.conformance.conductor import Verdict
from cli.conformance.rules import Rule
from facegate_client import ReconnectPolicy, device
from facegate_client.attempt import FrameRules, SendGate
from facegate_client.flash_screen import FlashShow
from facegate_client.scan_stream import ScanStream, ScanStreams, SessionKey
from facegate_protocol import MacChain, attestation_message
from tests.cli.conformance.playing import played

Patch = pytest.MonkeyPatch


def _ignores_credit(patch: Patch) -> None:
    patch.setattr(SendGate, "has_room", lambda self, size=1: not self.paused)


def _ignores_bytes_of_credit(patch: Patch) -> None:
    patch.setattr(SendGate, "has_room", lambda self, size=1: not self.paused and self._frames >= 1)


def _ignores_pauses(patch: Patch) -> None:
    patch.setattr(SendGate, "pause", lambda self, paused: None)


def _ignores_adjustments(patch: Patch) -> None:
    patch.setattr(FrameRules, "adjust", lambda self, adjustment: None)


def _ignores_the_budget(patch: Patch) -> None:
    patch.setattr(FrameRules, "has_room", lambda self, size, **counts: True)


def _does_not_thin_out(patch: Patch) -> None:
    patch.setattr(FrameRules, "too_early", lambda self, time: False)


def _leaves_the_attempt_marker_out(patch: Patch) -> None:
    patch.setattr(ScanStream, "mark_attempt", lambda self, start: None)


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


def _reconnects_at_once(patch: Patch) -> None:
    patch.setattr(ReconnectPolicy, "delay", lambda self, reconnect, *, asked_s, jitter: 0.0)


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


def _knows_no_deadline(patch: Patch) -> None:
    patch.setattr(device, "_deadline", lambda challenge: None)


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


def _claims_a_step(patch: Patch) -> None:
    patch.setattr(FlashShow, "displayed", lambda self, time: facegate_client.DisplayedStep(1, time))


def _restores_the_screen_for_a_hint(patch: Patch) -> None:
    patch.setattr("cli.conformance.clients._Screen.show_hint", lambda self, feedback: self.restore())


def _stands_still_for_a_hint(patch: Patch) -> None:
    patch.setattr("cli.conformance.strict_stream._WAIT_SECONDS", 5.0)
    patch.setattr("cli.conformance.clients._Screen.show_hint", lambda self, feedback: time.sleep(6))


def _shows_colours_at_once(patch: Patch) -> None:
    patch.setattr("facegate_client.flash_screen.SHORTEST_HOLD_S", 0.0)


def _leaves_a_colour_out(patch: Patch) -> None:
    right = FlashShow.add

    def add(self: FlashShow, step: scan_pb2.FlashStep) -> None:
        if step.step != 2:
            right(self, step)

    patch.setattr(FlashShow, "add", add)


@pytest.mark.parametrize(
    ("mistake", "scenario", "rule"),
    [
        (_ignores_credit, "credit-frames", Rule.CREDIT),
        (_ignores_bytes_of_credit, "credit-bytes", Rule.CREDIT),
        (_ignores_pauses, "pauses", Rule.PAUSE),
        (_ignores_adjustments, "adjustment", Rule.ADJUSTMENT),
        (_ignores_the_budget, "attempt-frames", Rule.BUDGET),
        (_does_not_thin_out, "highest-rate", Rule.RATE),
        (_leaves_the_attempt_marker_out, "success", Rule.FRAME_MAC),
        (_signs_r_and_s, "success", Rule.ATTEMPT_END),
        (_signs_r_and_s, "lost-line", Rule.RESUME_PROOF),
        (_accepts_every_challenge, "challenge-other-key", Rule.BAD_CHALLENGE),
        (_accepts_every_challenge, "challenge-raw-signature", Rule.BAD_CHALLENGE),
        (_accepts_every_challenge, "challenge-short-nonce", Rule.BAD_CHALLENGE),
        (_does_not_reconnect, "lost-line", Rule.RECONNECT),
        (_makes_a_key_for_each_stream, "lost-line", Rule.SESSION_KEY),
        (_reconnects_at_once, "not-serving", Rule.BACK_OFF),
        (_never_half_closes, "success", Rule.HALF_CLOSE),
        (_half_closes_early, "success", Rule.HALF_CLOSE),
        (_drops_the_line, "retry", Rule.ATTEMPT_END_IN_TIME),
        (_attests_another_stream, "success", Rule.ATTESTATION),
        (_knows_no_deadline, "deadline", Rule.NO_RECONNECT),
        (_does_not_name_the_attempt, "retry", Rule.READY),
        (_knows_every_message, "later-version", Rule.LATER_VERSION),
        (_claims_a_step, "flash", Rule.FLASH),
        (_shows_colours_at_once, "flash-fast", Rule.FLASH_HOLD),
        (_leaves_a_colour_out, "flash-fast", Rule.FLASH_HOLD),
        (_restores_the_screen_for_a_hint, "flash-open-mouth", Rule.FLASH),
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
