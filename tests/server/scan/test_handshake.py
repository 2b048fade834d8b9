"""The opening of a stream against a real server: admission and fencing."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from facegate.v1 import scan_pb2

from facegate_protocol import public_key_der
from server.domain.state import CheckState
from server.scan_tokens import ScanTokens
from tests.server.live import LiveServer, pictures
from tests.server.raw_device import Ended, RawDevice, RawStream, Request
from tests.server.refusals import Refused

_C = grpc.StatusCode


async def _refusal(stream: RawStream) -> Refused:
    refusal = await stream.outcome()
    assert refusal is not None
    return refusal


async def _opening_refused(device: RawDevice, *, resume: bool = False, **start: Any) -> Refused:
    stream = device.connect()
    with pytest.raises(Ended):
        await stream.start(resume=resume, **start)
    return await _refusal(stream)


STARTS: dict[str, tuple[dict[str, Any], grpc.StatusCode, str]] = {
    "an older version": ({"protocol_version": 0}, _C.FAILED_PRECONDITION, "PROTOCOL_VERSION_NOT_SUPPORTED"),
    "a newer version": ({"protocol_version": 2}, _C.FAILED_PRECONDITION, "PROTOCOL_VERSION_NOT_SUPPORTED"),
    "no share": ({"key_share": b""}, _C.INVALID_ARGUMENT, "INVALID_FIELD"),
    "a long share": ({"key_share": bytes(33)}, _C.INVALID_ARGUMENT, "INVALID_FIELD"),
    "a share of small order": ({"key_share": bytes(32)}, _C.INVALID_ARGUMENT, "INVALID_FIELD"),
    "no session key": ({"session_public_key": b""}, _C.INVALID_ARGUMENT, "INVALID_FIELD"),
    "a session key that is none": (
        {"session_public_key": b"\x30" * 91},
        _C.INVALID_ARGUMENT,
        "INVALID_FIELD",
    ),
    "a long session key": ({"session_public_key": bytes(129)}, _C.INVALID_ARGUMENT, "INVALID_FIELD"),
    "a session key on another curve": (
        {"session_public_key": public_key_der(ec.generate_private_key(ec.SECP384R1()).public_key())},
        _C.INVALID_ARGUMENT,
        "INVALID_FIELD",
    ),
    "half a fingerprint": ({"server_spki_sha256": bytes(16)}, _C.INVALID_ARGUMENT, "INVALID_FIELD"),
    "no token": ({"token": ""}, _C.UNAUTHENTICATED, "TOKEN_INVALID"),
    "a token that is none": ({"token": "A" * 71}, _C.UNAUTHENTICATED, "TOKEN_INVALID"),
    "a token of odd characters": ({"token": "é" * 71}, _C.UNAUTHENTICATED, "TOKEN_INVALID"),
    "a token that is too long": ({"token": "A" * 257}, _C.INVALID_ARGUMENT, "INVALID_FIELD"),
    "a giant start": ({"language": "x" * 17_000}, _C.INVALID_ARGUMENT, "INVALID_FIELD"),
}


@pytest.mark.parametrize("case", STARTS)
async def test_a_start_that_cannot_be_served_leaves_the_check_as_it_was(scene: LiveServer, case: str) -> None:
    fields, code, reason = STARTS[case]
    upload = await scene.upload()

    refusal = await _opening_refused(RawDevice(scene.device, upload), **fields)

    assert (refusal.code, refusal.reason) == (code, reason)
    record = await scene.record(upload.check_id)
    assert record.state is CheckState.CREATED
    assert record.session_key is None
    assert record.lease_until is None


async def test_every_damaged_token_is_refused(scene: LiveServer) -> None:
    upload = await scene.upload()
    device = RawDevice(scene.device, upload)
    good = device.token
    swapped = ["B" if letter != "B" else "C" for letter in good]
    foreign = ScanTokens((bytes(32),)).issue(UUID(upload.check_id))
    damaged = [foreign, good[:-1], good + "A", good[:8], good.swapcase()]
    damaged += [good[:place] + swapped[place] + good[place + 1 :] for place in range(0, len(good), 9)]
    for token in damaged:
        device.token = token
        refusal = await _opening_refused(device)
        assert (refusal.code, refusal.reason) == (_C.UNAUTHENTICATED, "TOKEN_INVALID")
        assert token[:8] not in refusal.message
    assert (await scene.record(upload.check_id)).state is CheckState.CREATED


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (Request(), "UNEXPECTED_MESSAGE"),
        (Request(start=b"\xff\xff\xff"), "INVALID_FIELD"),
        (Request(frame=scan_pb2.Frame()), "UNEXPECTED_MESSAGE"),
        (Request(attempt_end=scan_pb2.AttemptEnd()), "UNEXPECTED_MESSAGE"),
        (Request(resume_proof=scan_pb2.ResumeProof()), "UNEXPECTED_MESSAGE"),
    ],
    ids=["unknown", "garbage", "frame", "attempt end", "proof"],
)
async def test_only_a_start_begins_a_stream(scene: LiveServer, request_: Request, reason: str) -> None:
    stream = RawDevice(scene.device, await scene.upload()).connect()
    await stream.send(request_)
    refusal = await _refusal(stream)
    assert (refusal.code, refusal.reason) == (_C.INVALID_ARGUMENT, reason)


async def test_bytes_that_are_no_message_are_refused(scene: LiveServer) -> None:
    call = scene.device_channel.stream_stream(
        "/facegate.v1.VerificationService/ScanFace",
        request_serializer=bytes,
        response_deserializer=scan_pb2.ScanFaceResponse.FromString,
    )()
    stream = RawStream(RawDevice(scene.device, await scene.upload()), call)
    await stream.line.send(b"\xff\xff\xff\xff")
    refusal = await _refusal(stream)
    assert (refusal.code, refusal.reason) == (_C.INVALID_ARGUMENT, "INVALID_FIELD")


async def _read_all(stream: RawStream) -> None:
    while await stream.line.receive() is not None:
        pass


async def test_a_message_beyond_the_listeners_limit_is_not_read(scene: LiveServer) -> None:
    upload = await scene.upload()
    device = RawDevice(scene.device, upload)
    stream = await device.open()
    await stream.begin()
    await stream.send(Request(frame=scan_pb2.Frame(image=bytes(900_000))))
    # The transport refuses it, so there are no details.
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await _read_all(stream)
    assert caught.value.code() is _C.RESOURCE_EXHAUSTED
    await scene.unattended()
    assert (await scene.record(upload.check_id)).state is CheckState.WAITING


async def test_a_second_start_is_refused(scene: LiveServer) -> None:
    upload = await scene.upload()
    stream = await RawDevice(scene.device, upload).open()
    await stream.send(Request(start=b""))
    refusal = await _refusal(stream)
    assert (refusal.code, refusal.reason) == (_C.INVALID_ARGUMENT, "UNEXPECTED_MESSAGE")
    assert (await scene.record(upload.check_id)).state is CheckState.WAITING


async def test_an_unknown_message_during_an_attempt_is_refused(scene: LiveServer) -> None:
    stream = await RawDevice(scene.device, await scene.upload()).open()
    await stream.begin()
    await stream.send(Request())
    refusal = await _refusal(stream)
    assert (refusal.code, refusal.reason) == (_C.INVALID_ARGUMENT, "UNEXPECTED_MESSAGE")


async def test_the_challenge_states_the_due_actions(scene: LiveServer) -> None:
    upload = await scene.upload()
    device = RawDevice(scene.device, upload)
    stream = await device.open()
    challenge = stream.challenge
    assert not challenge.resume_proof_required
    assert challenge.mode == scan_pb2.MODE_EXPRESS
    assert challenge.attempts_remaining == 3
    assert challenge.initial_credit.frames == (await stream.begin()).credit.frames
    assert challenge.budget.max_frame_bytes == 524_288
    assert challenge.scan_deadline == upload.scan_expire_time
    await stream.vanish()

    again = await _resumable(scene, device, upload.check_id)
    assert again.challenge.resume_proof_required
    assert again.challenge.nonce != challenge.nonce
    assert again.challenge.key_share != challenge.key_share
    await again.vanish()


# -- reconnects


async def _lost(scene: LiveServer) -> tuple[RawDevice, RawStream, str]:
    """A device whose first stream was lost after a few frames."""
    upload = await scene.upload()
    device = RawDevice(scene.device, upload)
    stream = await device.open()
    await stream.begin()
    await stream.send_frames(pictures()[:3])
    await stream.taken(3)
    await stream.vanish()
    await scene.reaches(upload.check_id, CheckState.WAITING)
    return device, stream, upload.check_id


async def _resumable(scene: LiveServer, device: RawDevice, check_id: str) -> RawStream:
    await scene.reaches(check_id, CheckState.WAITING)
    return await device.open(resume=True)


async def test_another_session_key_is_refused(scene: LiveServer) -> None:
    device, _, check_id = await _lost(scene)
    device.session_key = ec.generate_private_key(ec.SECP256R1())
    refusal = await _opening_refused(device, resume=True)
    assert (refusal.code, refusal.reason) == (_C.PERMISSION_DENIED, "SESSION_KEY_MISMATCH")
    assert (await scene.record(check_id)).state is CheckState.WAITING


async def test_a_bound_token_needs_the_proof_even_where_the_device_asks_for_no_resume(
    scene: LiveServer,
) -> None:
    device, _, _ = await _lost(scene)
    stream = await device.open(resume=False)
    assert stream.challenge.resume_proof_required
    await stream.send(Request(frame=scan_pb2.Frame()))
    refusal = await _refusal(stream)
    assert (refusal.code, refusal.reason) == (_C.PERMISSION_DENIED, "RESUME_PROOF_INVALID")


@pytest.mark.parametrize(
    "proof", ["wrong", "of an earlier nonce", "too long", "of another key", "frame first"]
)
async def test_a_reconnect_without_the_right_proof_changes_nothing(scene: LiveServer, proof: str) -> None:
    device, lost, check_id = await _lost(scene)
    before = await scene.record(check_id)
    stream = await device.open(resume=True)
    signature = {
        "wrong": b"\x30\x06\x02\x01\x01\x02\x01\x01",
        "of an earlier nonce": lost.proof(),
        "too long": bytes(81),
        "of another key": _signed_by_another(stream),
        "frame first": b"",
    }[proof]
    if proof == "frame first":
        await stream.send(Request(frame=scan_pb2.Frame()))
    else:
        await stream.send(Request(resume_proof=scan_pb2.ResumeProof(signature=signature)))
    refusal = await _refusal(stream)
    assert (refusal.code, refusal.reason) == (_C.PERMISSION_DENIED, "RESUME_PROOF_INVALID")
    assert await scene.record(check_id) == before


async def test_token_and_public_key_do_not_suffice_to_fence_the_device(scene: LiveServer) -> None:
    upload = await scene.upload()
    device = RawDevice(scene.device, upload)
    stream = await device.open()
    await stream.begin()
    await stream.send_frames(pictures()[:4])

    thief = RawDevice(scene.device, upload)
    public = public_key_der(device.session_key.public_key())
    theirs = await thief.open(resume=True, session_public_key=public)
    await theirs.send(Request(resume_proof=scan_pb2.ResumeProof(signature=theirs.proof())))
    assert (await _refusal(theirs)).reason == "RESUME_PROOF_INVALID"

    await stream.send_frames(pictures()[4:])
    await stream.send(stream.end())
    assert (await stream.result()).status == scan_pb2.SCAN_STATUS_SUCCESS
    assert await stream.outcome() is None


async def test_no_proof_at_all_is_refused_in_time(scene: LiveServer) -> None:
    upload = await scene.upload(policy="hasty")
    device = RawDevice(scene.device, upload)
    await (await device.open()).vanish()
    stream = await _resumable(scene, device, upload.check_id)
    refusal = await _refusal(stream)
    assert (refusal.code, refusal.reason) == (_C.PERMISSION_DENIED, "RESUME_PROOF_INVALID")


async def test_a_half_close_instead_of_the_proof_decides_nothing(scene: LiveServer) -> None:
    device, _, check_id = await _lost(scene)
    stream = await device.open(resume=True)
    await stream.half_close()
    assert await stream.outcome() is None
    assert (await scene.record(check_id)).state is CheckState.WAITING


async def test_reconnects_are_limited(scene: LiveServer) -> None:
    upload = await scene.upload(policy="no-reconnect")
    device = RawDevice(scene.device, upload)
    await (await device.open()).vanish()
    await scene.reaches(upload.check_id, CheckState.WAITING)
    refusal = await _opening_refused(device, resume=True)
    assert (refusal.code, refusal.reason) == (_C.RESOURCE_EXHAUSTED, "TOO_MANY_RECONNECTS")
    assert refusal.metadata == {"reconnects": "0", "maxReconnects": "0"}


async def test_a_finished_check_takes_no_scan(scene: LiveServer) -> None:
    device, _, check_id = await _lost(scene)
    await scene.finish(check_id)
    refusal = await _opening_refused(device, resume=True)
    assert (refusal.code, refusal.reason) == (_C.FAILED_PRECONDITION, "CHECK_CLOSED")
    assert refusal.metadata == {}


async def test_a_decided_check_names_the_attempt_that_decided_it(scene: LiveServer) -> None:
    device = RawDevice(scene.device, await scene.upload())
    result = await (await device.open()).run_attempt(pictures())
    assert not result.another_attempt
    refusal = await _opening_refused(device, resume=True)
    assert (refusal.reason, refusal.metadata) == ("CHECK_CLOSED", {"decidedByAttempt": "1"})


async def test_an_expired_token_is_refused(scene: LiveServer) -> None:
    upload = await scene.upload()
    scene.clock.ahead = timedelta(seconds=181)
    try:
        refusal = await _opening_refused(RawDevice(scene.device, upload))
    finally:
        scene.clock.ahead = timedelta()
    assert (refusal.code, refusal.reason) == (_C.FAILED_PRECONDITION, "TOKEN_EXPIRED")


def _signed_by_another(stream: RawStream) -> bytes:
    own = stream.device.session_key
    stream.device.session_key = ec.generate_private_key(ec.SECP256R1())
    signature = stream.proof()
    stream.device.session_key = own
    return signature
