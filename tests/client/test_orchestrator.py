import asyncio
import base64
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from facegate.v1 import result_pb2, scan_pb2, verification_service_pb2
from facegate.v1.verification_service_pb2 import CheckProgress
from joserfc import jws
from joserfc.jwk import ECKey

from facegate_client import (
    ApiKey,
    CallRefusedError,
    ConnectionFailedError,
    Orchestrator,
    ReconnectPolicy,
    SandboxResultError,
    ServerNotTrustedError,
    load_key_set,
    open_channel,
    ticket_of,
    verify_result_jws,
)
from facegate_client.result_signature import base64url
from tests.client.fake_server import FakeServer, serving
from tests.client.stream_plan import Refuse


@asynccontextmanager
async def _orchestrating(
    fake: FakeServer, *, api_key: str | None = None, verifying: bool = False, accept_sandbox: bool = False
) -> AsyncIterator[Orchestrator]:
    async with serving(fake) as target, open_channel(target) as channel:
        yield Orchestrator(
            channel=channel,
            api_key=ApiKey(api_key) if api_key else None,
            keys=load_key_set(fake.jwks) if verifying else None,
            accept_sandbox=accept_sandbox,
        )


async def test_upload_carries_everything_and_gives_the_ticket() -> None:
    fake = FakeServer()
    async with _orchestrating(fake) as orchestrator:
        response = await orchestrator.upload_trusted_image(
            b"image",
            policy="high",
            mode=scan_pb2.MODE_DYNAMIC,
            subject_reference="s",
            consent_reference="c",
            request_id="r",
        )
    (request,) = fake.uploads
    assert (request.image, request.policy, request.mode) == (b"image", "high", scan_pb2.MODE_DYNAMIC)
    assert (request.subject_reference, request.consent_reference, request.request_id) == ("s", "c", "r")
    ticket = ticket_of(response)
    assert (ticket.token, ticket.challenge_key_sha256) == (fake.token, fake.challenge_key_sha256)


async def test_a_reference_goes_in_place_of_the_image() -> None:
    fake = FakeServer()
    async with _orchestrating(fake) as orchestrator:
        await orchestrator.upload_trusted_image(image_reference="2031/4711.jpg")
        for image, reference in ((None, None), (b"image", "2031/4711.jpg")):
            with pytest.raises(ValueError, match="either image or image_reference"):
                await orchestrator.upload_trusted_image(image, image_reference=reference)
    (request,) = fake.uploads
    assert request.WhichOneof("trusted_image") == "image_reference"
    assert request.image_reference == "2031/4711.jpg"


async def test_each_upload_has_its_own_request_id() -> None:
    fake = FakeServer()
    async with _orchestrating(fake) as orchestrator:
        await orchestrator.upload_trusted_image(b"1")
        await orchestrator.upload_trusted_image(b"2")
    assert len({request.request_id for request in fake.uploads}) == 2


async def test_api_key_travels_as_a_bearer_credential() -> None:
    fake = FakeServer()
    fake.api_key = "secret-key"
    async with _orchestrating(fake, api_key="secret-key") as orchestrator:
        await orchestrator.upload_trusted_image(b"1")
        await orchestrator.finish_check(fake.check_id)
    async with _orchestrating(fake, api_key="other-key") as orchestrator:
        with pytest.raises(CallRefusedError) as caught:
            await orchestrator.upload_trusted_image(b"1")
    assert caught.value.refusal.reason == "UNAUTHENTICATED"
    assert "other-key" not in str(caught.value)


async def test_refusal_carries_reason_numbers_and_retry() -> None:
    fake = FakeServer()
    fake.upload_refusal = Refuse(
        code=grpc.StatusCode.INVALID_ARGUMENT,
        reason="EYE_DISTANCE_TOO_SMALL",
        metadata={"eyeDistancePx": "41.5", "minEyeDistancePx": "85"},
        retry_after_s=1.5,
    )
    async with _orchestrating(fake) as orchestrator:
        with pytest.raises(CallRefusedError) as caught:
            await orchestrator.upload_trusted_image(b"1")
    refusal = caught.value.refusal
    assert (refusal.code, refusal.reason) == ("INVALID_ARGUMENT", "EYE_DISTANCE_TOO_SMALL")
    assert refusal.metadata == {"eyeDistancePx": "41.5", "minEyeDistancePx": "85"}
    assert refusal.retry_after_s == pytest.approx(1.5)


async def test_unreachable_server_is_a_failed_connection() -> None:
    async with open_channel("127.0.0.1:1") as channel:
        with pytest.raises(ConnectionFailedError):
            await Orchestrator(channel=channel).upload_trusted_image(b"1", timeout_s=60)


async def test_a_call_without_an_answer_is_named_with_the_time_it_waited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("facegate_client.orchestrator._WAITS_S", (0.0, 0.0))

    async def stall(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        # The settings of HTTP/2: the connection is made, and nothing is ever answered.
        _writer.write(bytes.fromhex("000000040000000000"))
        await reader.read()
        _writer.close()

    server = await asyncio.start_server(stall, "127.0.0.1", 0)
    async with server, open_channel(f"127.0.0.1:{server.sockets[0].getsockname()[1]}") as channel:
        with pytest.raises(CallRefusedError) as refused:
            await Orchestrator(channel=channel).finish_check("c", timeout_s=0.4)
    assert refused.value.refusal.code == "DEADLINE_EXCEEDED"
    assert refused.value.refusal.message == "FinishCheck got no answer in 1 seconds, in 3 tries"


async def test_finish_waits_for_a_scan_in_progress() -> None:
    fake = FakeServer()
    code = grpc.StatusCode.FAILED_PRECONDITION
    fake.finish_refusals = [
        Refuse(code=code, reason="SCAN_IN_PROGRESS", retry_after_s=0.2),
        Refuse(code=code, reason="SCAN_IN_PROGRESS"),
    ]
    began = time.monotonic()
    async with _orchestrating(fake) as orchestrator:
        response = await orchestrator.finish_check(fake.check_id, wait_s=60)
    assert response.result.status == result_pb2.CHECK_STATUS_SUCCESS
    # As long as the server requests, and half a second without a request.
    assert time.monotonic() - began >= 0.7


async def test_a_check_is_closed_now_where_that_is_asked_for() -> None:
    fake = FakeServer()
    async with _orchestrating(fake) as orchestrator:
        await orchestrator.finish_check(fake.check_id)
        await orchestrator.finish_check(fake.check_id, close_now=True)
    assert [request.close_now for request in fake.finishes] == [False, True]


def _progress(state: verification_service_pb2.CheckProgress.State.ValueType) -> CheckProgress:
    return CheckProgress(check_id="c", state=state)


_WAITING, _SCANNING = _progress(CheckProgress.STATE_WAITING), _progress(CheckProgress.STATE_SCANNING)
_DECIDED = _progress(CheckProgress.STATE_DECIDED)


async def test_the_state_of_a_check_is_asked_for_and_the_check_given_up() -> None:
    fake = FakeServer()
    fake.progress = _SCANNING
    async with _orchestrating(fake) as orchestrator:
        assert await orchestrator.get_check(fake.check_id) == _SCANNING
        assert await orchestrator.cancel_check(fake.check_id) == _SCANNING
    assert fake.cancelled == [fake.check_id]


async def test_a_watch_goes_on_where_its_stream_was_lost() -> None:
    fake = FakeServer()
    draining = Refuse(code=grpc.StatusCode.UNAVAILABLE, reason="NOT_SERVING", retry_after_s=0.1)
    fake.watches = [[_WAITING, draining], [_WAITING, _SCANNING, draining], [draining], [_DECIDED]]
    async with _orchestrating(fake) as orchestrator:
        seen = [progress async for progress in orchestrator.watch_check(fake.check_id)]
    # A state that a new stream repeats is reported once.
    assert seen == [_WAITING, _SCANNING, _DECIDED]
    assert fake.watched == [fake.check_id] * 4


async def test_a_watch_gives_up_after_too_many_losses_in_a_row() -> None:
    fake = FakeServer()
    draining = Refuse(code=grpc.StatusCode.UNAVAILABLE, reason="NOT_SERVING")
    fake.watches = [[_WAITING, draining], [draining], [draining], [draining]]
    async with _orchestrating(fake) as orchestrator:
        watch = orchestrator.watch_check(fake.check_id, reconnects=ReconnectPolicy(limit=2, initial_s=0.01))
        assert await anext(watch) == _WAITING
        with pytest.raises(CallRefusedError) as caught:
            await anext(watch)
    assert caught.value.refusal.reason == "NOT_SERVING"
    assert len(fake.watched) == 3


async def test_a_refused_watch_raises_the_reason() -> None:
    fake = FakeServer()
    fake.watches = [[Refuse(code=grpc.StatusCode.NOT_FOUND, reason="CHECK_NOT_FOUND")]]
    async with _orchestrating(fake) as orchestrator:
        with pytest.raises(CallRefusedError) as caught:
            await anext(orchestrator.watch_check(fake.check_id))
    assert caught.value.refusal.reason == "CHECK_NOT_FOUND"


@pytest.mark.parametrize("reason", ["SCAN_IN_PROGRESS", "NOT_SCANNED_YET", "CHECK_NOT_FOUND"])
async def test_a_refused_finish_raises_the_reason(reason: str) -> None:
    fake = FakeServer()
    fake.finish_refusals = [Refuse(code=grpc.StatusCode.FAILED_PRECONDITION, reason=reason)]
    async with _orchestrating(fake) as orchestrator:
        with pytest.raises(CallRefusedError) as caught:
            await orchestrator.finish_check(fake.check_id)
    assert caught.value.refusal.reason == reason


async def test_genuine_verdict_is_verified() -> None:
    fake = FakeServer()
    async with _orchestrating(fake, verifying=True) as orchestrator:
        response = await orchestrator.finish_check(fake.check_id)
    assert response.evidence_frame.image == fake.evidence


@pytest.mark.parametrize("verifying", [False, True])
async def test_a_sandbox_result_is_refused_unless_it_is_accepted(verifying: bool) -> None:
    fake = FakeServer()
    fake.sandbox = True
    async with _orchestrating(fake, verifying=verifying) as orchestrator:
        with pytest.raises(SandboxResultError) as caught:
            await orchestrator.finish_check(fake.check_id)
    assert caught.value.check_id == fake.check_id
    async with _orchestrating(fake, verifying=verifying, accept_sandbox=True) as orchestrator:
        assert (await orchestrator.finish_check(fake.check_id)).result.sandbox


@pytest.mark.parametrize("accept_sandbox", [False, True])
@pytest.mark.parametrize("mark", [True, "true", 1, None])
def test_a_header_that_marks_a_real_result_is_not_trusted(mark: object, accept_sandbox: bool) -> None:
    fake = FakeServer()
    signed = fake.signed(fake.result().SerializeToString(), sandbox=mark)
    with pytest.raises(ServerNotTrustedError):
        verify_result_jws(signed, load_key_set(fake.jwks), accept_sandbox=accept_sandbox)


@pytest.mark.parametrize("accept_sandbox", [False, True])
@pytest.mark.parametrize("header", [{}, {"sandbox": False}])
def test_a_sandbox_result_without_the_mark_in_its_header_is_not_trusted(
    header: dict[str, object], accept_sandbox: bool
) -> None:
    fake, marked = FakeServer(), FakeServer()
    marked.sandbox = True
    signed = fake.signed(marked.result().SerializeToString(), **header)
    with pytest.raises(ServerNotTrustedError):
        verify_result_jws(signed, load_key_set(fake.jwks), accept_sandbox=accept_sandbox)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "compact JWS"),
        ("a.b", "compact JWS"),
        ("W10.e30.AA", "compact JWS"),
        ("\udcff.a.b", "compact JWS"),
    ],
)
def test_anything_but_a_jws_is_reported(text: str, said: str) -> None:
    with pytest.raises(ServerNotTrustedError, match=said):
        verify_result_jws(text, load_key_set(FakeServer().jwks))


def test_a_key_that_is_not_in_the_jwks_is_named() -> None:
    fake = FakeServer()
    signed = fake.signed(fake.result().SerializeToString(), kid="rotated-2")
    with pytest.raises(ServerNotTrustedError, match="rotated-2"):
        verify_result_jws(signed, load_key_set(fake.jwks))


def _other_status(response: verification_service_pb2.FinishCheckResponse) -> None:
    response.result.status = result_pb2.CHECK_STATUS_FAILURE


def _other_similarity(response: verification_service_pb2.FinishCheckResponse) -> None:
    response.result.match.similarity += 1e-9


def _other_picture(response: verification_service_pb2.FinishCheckResponse) -> None:
    response.evidence_frame.image += b"!"


def _foreign_audit_image(response: verification_service_pb2.FinishCheckResponse) -> None:
    response.audit_images.add(image=b"foreign")


def _no_signature(response: verification_service_pb2.FinishCheckResponse) -> None:
    response.result_jws = ""


def _cut_signature(response: verification_service_pb2.FinishCheckResponse) -> None:
    response.result_jws = response.result_jws[:-8]


@pytest.mark.parametrize(
    "alter",
    [_other_status, _other_similarity, _other_picture, _foreign_audit_image, _no_signature, _cut_signature],
)
async def test_altered_verdict_is_not_trusted(alter: object) -> None:
    fake = FakeServer()
    assert callable(alter)
    fake.alter_response = alter
    async with _orchestrating(fake, verifying=True) as orchestrator:
        with pytest.raises(ServerNotTrustedError):
            await orchestrator.finish_check(fake.check_id)


async def test_verdict_of_another_check_is_not_trusted() -> None:
    fake = FakeServer()
    async with _orchestrating(fake, verifying=True) as orchestrator:
        with pytest.raises(ServerNotTrustedError, match="another check"):
            await orchestrator.finish_check("another")


def test_signatures_of_other_keys_and_algorithms_are_not_trusted() -> None:
    fake = FakeServer()
    keys, payload = load_key_set(fake.jwks), fake.result().SerializeToString()
    other = ECKey.generate_key("P-256", private=True)
    forged = jws.serialize_compact({"alg": "ES256", "kid": "result-1"}, payload, other)
    with pytest.raises(ServerNotTrustedError):
        verify_result_jws(forged, keys)
    unknown = jws.serialize_compact({"alg": "ES256", "kid": "unknown"}, payload, fake.result_key)
    with pytest.raises(ServerNotTrustedError):
        verify_result_jws(unknown, keys)
    # The classic algorithm confusion: the public key's bytes as the secret of an HMAC.
    confused = _hs256(payload, secret=fake.result_key.as_pem(private=False))
    with pytest.raises(ServerNotTrustedError):
        verify_result_jws(confused, keys)
    assert verify_result_jws(fake.signed(payload), keys) == fake.result()


@pytest.mark.parametrize(
    "header", [{"typ": "JWT"}, {"typ": "facegate-result "}, {"iss": "other"}, {"tenant": "other"}]
)
def test_a_signed_result_needs_the_expected_issuer_and_tenant(header: dict[str, str]) -> None:
    fake = FakeServer()
    keys, payload = load_key_set(fake.jwks), fake.result().SerializeToString()
    assert verify_result_jws(fake.signed(payload), keys, issuer="bank", tenant="retail") == fake.result()
    with pytest.raises(ServerNotTrustedError, match="expected"):
        verify_result_jws(fake.signed(payload, **header), keys, issuer="bank", tenant="retail")


@pytest.mark.parametrize("named", [{"issuer": "bank"}, {"tenant": "retail"}])
def test_a_header_without_an_issuer_is_refused(named: dict[str, str]) -> None:
    fake = FakeServer()
    keys, header = load_key_set(fake.jwks), {"alg": "ES256", "kid": "result-1", "typ": "facegate-result"}
    bare = jws.serialize_compact(header, fake.result().SerializeToString(), fake.result_key)
    assert verify_result_jws(bare, keys) == fake.result()
    with pytest.raises(ServerNotTrustedError, match="missing"):
        verify_result_jws(bare, keys, issuer=named.get("issuer"), tenant=named.get("tenant"))


@pytest.mark.parametrize(
    "header", [{"kid": None}, {"kid": 1}, {"crit": ["exp"]}, {"b64": False}, {"jku": "x"}, {"iss": 1}]
)
def test_a_header_that_this_client_does_not_know_is_not_trusted(header: dict[str, object]) -> None:
    fake = FakeServer()
    keys, payload = load_key_set(fake.jwks), fake.result().SerializeToString()
    with pytest.raises(ServerNotTrustedError, match=r"header|key"):
        verify_result_jws(_es256(payload, fake.result_key, **header), keys)
    assert verify_result_jws(_es256(payload, fake.result_key), keys) == fake.result()


def _es256(payload: bytes, key: ECKey, **header: object) -> str:
    """A JWS with any header, including those that no library makes."""
    private = key.private_key
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    names = {"alg": "ES256", "kid": "result-1", "typ": "facegate-result"} | header
    signed = f"{base64url(json.dumps(names).encode())}.{base64url(payload)}"
    r, s = decode_dss_signature(private.sign(signed.encode(), ec.ECDSA(SHA256())))
    return f"{signed}.{base64url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def _hs256(payload: bytes, *, secret: bytes) -> str:
    def encoded(part: bytes) -> bytes:
        return base64.urlsafe_b64encode(part).rstrip(b"=")

    signed = encoded(b'{"alg":"HS256","kid":"result-1"}') + b"." + encoded(payload)
    return (signed + b"." + encoded(hmac.digest(secret, signed, "sha256"))).decode()


def test_signed_payload_must_be_a_result() -> None:
    fake = FakeServer()
    signed = fake.signed(b"\xff\xff")
    with pytest.raises(ServerNotTrustedError, match="not a CheckResult"):
        verify_result_jws(signed, load_key_set(fake.jwks))


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"keys": []}', '{"keys": 3}', '{"keys": [{}]}', b"\xff"]
)
def test_anything_but_a_jwks_is_refused(content: str | bytes) -> None:
    with pytest.raises(ServerNotTrustedError):
        load_key_set(content)


def test_jwks_is_read_as_json_and_as_an_object() -> None:
    fake = FakeServer()
    assert len(load_key_set(json.dumps(fake.jwks)).keys) == len(load_key_set(fake.jwks).keys) == 1
