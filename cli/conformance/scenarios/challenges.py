"""Scenarios with a Challenge that the client must refuse."""

import secrets
from collections.abc import Callable
from functools import partial
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from facegate.v1 import scan_pb2

from cli.conformance.opening import challenge_body, sign_challenge
from cli.conformance.scan import Scan, Scenario
from cli.conformance.strict_stream import Response
from facegate_protocol import challenge_message, public_key_der, sign

__all__ = ["CHALLENGES"]

_Spoil = Callable[[Scan, scan_pb2.ChallengeBody], scan_pb2.Challenge]


def _other_key(scan: Scan, body: scan_pb2.ChallengeBody) -> scan_pb2.Challenge:
    other = ec.generate_private_key(ec.SECP256R1())
    return sign_challenge(body.SerializeToString(), start=scan.start.raw, key=other)


def _signature(scan: Scan, body: scan_pb2.ChallengeBody) -> scan_pb2.Challenge:
    challenge = _other_key(scan, body)
    challenge.signing_public_key = public_key_der(scan.ticket.private_key.public_key())
    return challenge


def _changed_body(scan: Scan, body: scan_pb2.ChallengeBody) -> scan_pb2.Challenge:
    challenge = sign_challenge(body.SerializeToString(), start=scan.start.raw, key=scan.ticket.private_key)
    body.attempts_remaining += 1
    challenge.body = body.SerializeToString()
    return challenge


def _replayed(scan: Scan, body: scan_pb2.ChallengeBody) -> scan_pb2.Challenge:
    start = scan_pb2.ScanStart.FromString(scan.start.raw)
    start.key_share = secrets.token_bytes(32)
    return sign_challenge(
        body.SerializeToString(), start=start.SerializeToString(), key=scan.ticket.private_key
    )


def _raw_signature(scan: Scan, body: scan_pb2.ChallengeBody) -> scan_pb2.Challenge:
    challenge = sign_challenge(body.SerializeToString(), start=scan.start.raw, key=scan.ticket.private_key)
    r, s = decode_dss_signature(challenge.signature)
    challenge.signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return challenge


def _unframed(scan: Scan, body: scan_pb2.ChallengeBody) -> scan_pb2.Challenge:
    raw = body.SerializeToString()
    challenge = sign_challenge(raw, start=scan.start.raw, key=scan.ticket.private_key)
    whole = challenge_message(start=scan.start.raw, body=raw)
    challenge.signature = sign(
        scan.ticket.private_key, whole.replace(b"facegate/v1/challenge", b"facegate/v2/challenge")
    )
    return challenge


def _with(scan: Scan, body: scan_pb2.ChallengeBody, **fields: bytes | int) -> scan_pb2.Challenge:
    for name, value in fields.items():
        setattr(body, name, value)
    return sign_challenge(body.SerializeToString(), start=scan.start.raw, key=scan.ticket.private_key)


async def _refused(scan: Scan, spoil: _Spoil) -> None:
    share = X25519PrivateKey.generate().public_key().public_bytes_raw()
    body = challenge_body(share, secrets.token_bytes(32))
    await scan.expect_refusal_of(Response(challenge=spoil(scan, body)))
    await scan.expect_no_reconnect()


async def _missing(scan: Scan) -> None:
    attempt = scan_pb2.AttemptStart(attempt=1, nonce=bytes(16), credit=scan_pb2.Credit(frames=8, bytes=10**6))
    await scan.expect_refusal_of(Response(attempt_start=attempt))
    await scan.expect_no_reconnect()


def _scenario(name: str, purpose: str, spoil: _Spoil) -> Scenario:
    return Scenario(
        name=f"challenge-{name}",
        purpose=f"a Challenge {purpose} is refused",
        script=partial(_refused, spoil=spoil),
        reports_result=False,
    )


CHALLENGES: Final = (
    _scenario("other-key", "of another key than the pinned one", _other_key),
    _scenario("signature", "whose signature is of another key", _signature),
    _scenario("body", "that was changed on the way", _changed_body),
    _scenario("replayed", "for another ScanStart", _replayed),
    _scenario("raw-signature", "whose signature is r || s", _raw_signature),
    _scenario("domain", "that was signed with another domain text", _unframed),
    _scenario("short-nonce", "with a nonce of 16 bytes", partial(_with, nonce=bytes(range(16)))),
    _scenario("short-share", "with a key share of 31 bytes", partial(_with, key_share=bytes(range(31)))),
    _scenario("zero-share", "with a key share of small order", partial(_with, key_share=bytes(32))),
    _scenario("version", "of protocol version 2", partial(_with, protocol_version=2)),
    Scenario(
        name="challenge-missing",
        purpose="an AttemptStart without a Challenge is refused",
        script=_missing,
        reports_result=False,
    ),
)
"""The scenarios with a Challenge that the client must refuse."""
