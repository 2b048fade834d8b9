"""Orchestrators, and the verification of what they receive: results, keys, archives and reviews."""

import asyncio
import base64
import hmac
import io
import json
import re
import ssl
import time
import zipfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from facegate.v1 import result_pb2, scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2
from facegate.v1.verification_service_pb2 import CheckProgress
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from facegate_client import (
    ApiKey,
    CallRefusedError,
    ConnectionFailedError,
    KeySet,
    Orchestrator,
    ReconnectPolicy,
    SandboxResultError,
    ServerNotTrustedError,
    fetch_key_set,
    load_key_set,
    open_channel,
    ticket_of,
    verify_archive,
    verify_record_jws,
    verify_result_jws,
    verify_review_jws,
)
from facegate_client.result_signature import CompactJws, ResultKey, base64url, from_base64url
from facegate_protocol import sha256
from server.keyring.result_signer import RECORD_TYPE, RESULT_TYPE, REVIEW_TYPE, ResultSigner
from tests.client.fake_server import FakeServer, Refuse, serving
from tests.ports import held_port
from tests.server.live import portrait, settings_for
from tests.server.live import serving as live_server


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
            hosted=service_pb2.HostedScan(return_url="https://bank.example/done"),
        )
    (request,) = fake.uploads
    assert request.hosted.return_url == "https://bank.example/done"
    assert (request.image, request.policy, request.mode) == (b"image", "high", scan_pb2.MODE_DYNAMIC)
    assert (request.subject_reference, request.consent_reference, request.request_id) == ("s", "c", "r")
    ticket = ticket_of(response)
    assert (ticket.token, ticket.challenge_key_sha256) == (fake.token, fake.challenge_key_sha256)


async def test_a_reference_goes_in_place_of_the_image() -> None:
    fake = FakeServer()
    async with _orchestrating(fake) as orchestrator:
        await orchestrator.upload_trusted_image(image_reference="2031/4711.jpg")
        for image, reference in ((None, None), (b"image", "2031/4711.jpg")):
            with pytest.raises(ValueError, match="one of image, image_reference and trusted_check_id"):
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


@pytest.mark.usefixtures("short_waits")
async def test_unreachable_server_is_a_failed_connection() -> None:
    async with open_channel("127.0.0.1:1") as channel:
        with pytest.raises(ConnectionFailedError):
            await Orchestrator(channel=channel).upload_trusted_image(b"1", timeout_s=60)


async def test_a_call_is_repeated_after_the_wait_that_a_starting_or_busy_server_asks_for() -> None:
    fake = FakeServer()
    fake.finish_refusals = [
        Refuse(code=grpc.StatusCode.UNAVAILABLE, reason="NOT_SERVING", retry_after_s=0.9),
        Refuse(code=grpc.StatusCode.RESOURCE_EXHAUSTED, reason="OVERLOADED", retry_after_s=0.1),
    ]
    began = time.monotonic()
    async with _orchestrating(fake) as orchestrator:
        await orchestrator.finish_check(fake.check_id)
    assert len(fake.finishes) == 3
    assert time.monotonic() - began >= 0.9 + 1.0


@pytest.mark.parametrize("asked", [None, 60.0])
async def test_a_server_that_asks_for_a_long_wait_or_none_is_not_called_again(
    asked: float | None,
) -> None:
    fake = FakeServer()
    fake.finish_refusals = [
        Refuse(code=grpc.StatusCode.UNAVAILABLE, reason="NOT_SERVING", retry_after_s=asked)
    ]
    async with _orchestrating(fake) as orchestrator:
        with pytest.raises(CallRefusedError) as caught:
            await orchestrator.finish_check(fake.check_id)
    assert caught.value.refusal.reason == "NOT_SERVING"
    assert len(fake.finishes) == 1


async def test_a_call_without_an_answer_is_named_with_the_time_it_waited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("facegate_client.orchestrator._WAITS_S", (0.0, 0.0))

    async def stall(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        # The settings of HTTP/2: the connection is made, and nothing is ever answered.
        _writer.write(bytes.fromhex("000000040000000000"))
        try:
            await reader.read()
        finally:
            _writer.close()

    server = await asyncio.start_server(stall, "127.0.0.1", 0)
    async with server, open_channel(f"127.0.0.1:{server.sockets[0].getsockname()[1]}") as channel:
        began = time.monotonic()
        with pytest.raises(CallRefusedError) as refused:
            await Orchestrator(channel=channel).finish_check("c", timeout_s=0.4)
        waited = time.monotonic() - began
    assert refused.value.refusal.code == "DEADLINE_EXCEEDED"
    said = re.fullmatch(
        r"FinishCheck got no answer in (\d+) seconds, in 3 tries", refused.value.refusal.message
    )
    assert said is not None
    assert 1 <= int(said[1]) <= round(waited)


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


def _progress(state: service_pb2.CheckProgress.State.ValueType) -> CheckProgress:
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


async def test_a_refused_finish_raises_the_reason() -> None:
    fake = FakeServer()
    fake.finish_refusals = [Refuse(code=grpc.StatusCode.FAILED_PRECONDITION, reason="SCAN_IN_PROGRESS")]
    async with _orchestrating(fake) as orchestrator:
        with pytest.raises(CallRefusedError) as caught:
            await orchestrator.finish_check(fake.check_id)
    assert caught.value.refusal.reason == "SCAN_IN_PROGRESS"


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


def test_anything_but_a_jws_is_reported() -> None:
    with pytest.raises(ServerNotTrustedError, match="compact JWS"):
        verify_result_jws("W10.e30.AA", load_key_set(FakeServer().jwks))


def test_a_key_that_is_not_in_the_jwks_is_named() -> None:
    fake = FakeServer()
    signed = fake.signed(fake.result().SerializeToString(), kid="rotated-2")
    with pytest.raises(ServerNotTrustedError, match="rotated-2"):
        verify_result_jws(signed, load_key_set(fake.jwks))


_Response = service_pb2.FinishCheckResponse


@pytest.mark.parametrize(
    "alter",
    [
        lambda its: its.result.MergeFrom(result_pb2.CheckResult(status=result_pb2.CHECK_STATUS_FAILURE)),
        lambda its: its.result.match.MergeFrom(result_pb2.MatchResult(similarity=92.0 + 1e-9)),
        lambda its: its.evidence_frame.MergeFrom(result_pb2.EvidenceImage(image=b"another picture")),
        lambda its: its.audit_images.add(image=b"foreign"),
        lambda its: its.ClearField("result_jws"),
    ],
    ids=["status", "similarity", "picture", "foreign audit image", "no signature"],
)
async def test_altered_verdict_is_not_trusted(alter: Callable[[_Response], None]) -> None:
    fake = FakeServer()
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


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("http://127.0.0.1:1/jwks.json", "refuses the connection"),
        ("http://", "not http or https"),
        ("nonsense", "not http or https"),
    ],
)
async def test_unreachable_or_malformed_address_is_a_failed_connection(url: str, cause: str) -> None:
    with pytest.raises(ConnectionFailedError, match=cause):
        await fetch_key_set(url, timeout_s=60)


_JWKS = json.dumps(FakeServer().jwks).encode()
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@asynccontextmanager
async def _answering(
    *parts: bytes, pause_s: float = 0.0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """An address that answers each connection with these bytes, whatever the request."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            for part in parts:
                writer.write(part)
                await asyncio.sleep(pause_s)
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"http{'s' if tls else ''}://localhost:{port}/jwks.json?a=b"


async def test_an_answer_in_chunks_is_read() -> None:
    half = len(_JWKS) // 2
    chunks = [b"%x\r\n%s\r\n" % (len(part), part) for part in (_JWKS[:half], _JWKS[half:], b"")]
    async with _answering(_HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *chunks) as url:
        assert len((await fetch_key_set(url, timeout_s=60)).keys) == 1


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (b"", "not valid HTTP"),
        (b"nonsense", "not valid HTTP"),
        (_HEAD + b"Content-Length: %d\r\n\r\n" % (len(_JWKS) + 1) + _JWKS, "cut off"),
        (_HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab", "cut off"),
        (
            b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
            "the status is 302",
        ),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "the status is 204"),
        (_HEAD + b"\r\n" + b" " * 70_000, "larger than 65536 bytes"),
        (_HEAD + b"X: y\r\n" * 200_000, "larger than 65536 bytes"),
    ],
    ids=["empty", "no-http", "cut", "cut-chunk", "redirect", "no-content", "large", "endless"],
)
async def test_an_answer_that_is_no_whole_200_is_a_failed_connection(answer: bytes, cause: str) -> None:
    async with _answering(answer) as url:
        with pytest.raises(ConnectionFailedError, match=cause):
            await fetch_key_set(url, timeout_s=60)


async def test_the_time_is_of_the_whole_answer() -> None:
    async with _answering(_HEAD, *(b"X: y\r\n" for _ in range(600)), pause_s=0.1) as url:
        with pytest.raises(ConnectionFailedError, match=r"no complete answer arrived within 0\.5 s"):
            await fetch_key_set(url, timeout_s=0.5)


async def test_a_certificate_of_a_stranger_is_a_failed_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    async with _answering(_HEAD + b"\r\n" + _JWKS, tls=context) as url:
        with pytest.raises(ConnectionFailedError, match="TLS certificate is not trusted"):
            await fetch_key_set(url, timeout_s=60)
        with authority.cert_pem.tempfile() as trusted:
            monkeypatch.setenv("SSL_CERT_FILE", trusted)
            assert len((await fetch_key_set(url, timeout_s=60)).keys) == 1


async def test_a_fetched_answer_that_is_no_jwks_is_not_trusted() -> None:
    async with _answering(_HEAD + b"\r\n{}") as url:
        with pytest.raises(ServerNotTrustedError):
            await fetch_key_set(url, timeout_s=60)


async def test_other_addresses_are_not_asked() -> None:
    async with _answering(_HEAD + b"\r\n" + _JWKS) as url:
        assert len((await fetch_key_set(url, timeout_s=60)).keys) == 1
        for other in (url.replace("http", "ftp"), url + " b", url + "\r\nX: y", "file:///etc/hostname"):
            with pytest.raises(ConnectionFailedError):
                await fetch_key_set(other, timeout_s=60)


FIRST: dict[str, Any] = dict(ECKey.generate_key("P-256", parameters={"kid": "1"}).as_dict(private=False))
SECOND: dict[str, Any] = dict(ECKey.generate_key("P-256", parameters={"kid": "2"}).as_dict(private=False))


def test_keys_are_found_by_their_identifier() -> None:
    keys = load_key_set({"keys": [FIRST, SECOND]})
    assert [key.kid for key in keys.keys] == ["1", "2"]
    assert keys.find("2") == keys.keys[1]
    assert keys.find("3") is None
    assert keys.find(None) is None


def test_a_kept_set_is_read_again() -> None:
    keys = load_key_set(json.dumps({"keys": [FIRST, SECOND]}))
    kept = keys.as_dict()
    assert load_key_set(json.dumps(kept)) == keys
    assert kept["keys"][0] == FIRST | {"use": "sig", "alg": "ES256"}


def test_private_parts_are_not_kept() -> None:
    private = ECKey.generate_key("P-256", parameters={"kid": "1"}).as_dict(private=True)
    assert "d" not in load_key_set({"keys": [private]}).as_dict()["keys"][0]


@pytest.mark.parametrize(
    "other",
    [
        dict(RSAKey.generate_key(2048, parameters={"kid": "2"}).as_dict(private=False)),
        dict(OKPKey.generate_key("Ed25519", parameters={"kid": "2"}).as_dict(private=False)),
        dict(ECKey.generate_key("P-384", parameters={"kid": "2"}).as_dict(private=False)),
        SECOND | {"use": "enc"},
        SECOND | {"alg": "ES384"},
        SECOND | {"key_ops": ["sign"]},
        SECOND | {"kid": 2},
        {name: value for name, value in SECOND.items() if name != "kid"},
    ],
    ids=["rsa", "ed25519", "p-384", "encryption", "algorithm", "signing", "number", "unnamed"],
)
def test_keys_that_sign_no_results_are_left_out(other: dict[str, Any]) -> None:
    assert [key.kid for key in load_key_set({"keys": [other, FIRST]}).keys] == ["1"]
    with pytest.raises(ServerNotTrustedError, match="no keys"):
        load_key_set({"keys": [other]})


@pytest.mark.parametrize(
    "broken",
    [
        FIRST | {"x": FIRST["y"]},
        FIRST | {"x": FIRST["x"] + "="},
        FIRST | {"x": "AA"},
        FIRST | {"x": 1},
        FIRST | {"y": None},
        {name: value for name, value in FIRST.items() if name != "y"},
    ],
    ids=["not-on-the-curve", "padding", "short", "number", "null", "missing"],
)
def test_a_broken_key_of_results_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(ServerNotTrustedError, match="cannot be read"):
        load_key_set({"keys": [SECOND, broken]})


def test_an_identifier_that_is_there_twice_is_refused() -> None:
    with pytest.raises(ServerNotTrustedError, match="same identifier"):
        load_key_set({"keys": [FIRST, SECOND | {"kid": "1"}]})


KEY = ECKey.generate_key("P-256")
PUBLIC = KEY.public_key
HEADER = {"alg": "ES256", "kid": "a"}


def _signed(payload: bytes = b"payload", header: dict[str, str] | None = None) -> str:
    return jws.serialize_compact(header or HEADER, payload, KEY)


def _public() -> ec.EllipticCurvePublicKey:
    assert isinstance(PUBLIC, ec.EllipticCurvePublicKey)
    return PUBLIC


@given(st.binary(max_size=100))
def test_signatures_of_another_library_are_verified(payload: bytes) -> None:
    signed = CompactJws.parse(_signed(payload))
    assert signed.header == HEADER
    assert signed.payload == payload
    assert signed.is_signed_by(_public())


@pytest.mark.parametrize("part", [0, 1, 2])
def test_any_altered_character_breaks_it(part: int) -> None:
    parts = _signed().split(".")
    for at, character in enumerate(parts[part]):
        altered = parts[part][:at] + ("A" if character != "A" else "B") + parts[part][at + 1 :]
        try:
            signed = CompactJws.parse(".".join((*parts[:part], altered, *parts[part + 1 :])))
        except ValueError:
            continue
        assert not signed.is_signed_by(_public())


@pytest.mark.parametrize("algorithm", ["none", "HS256", "ES384", "es256", "", None, 1, ["ES256"]])
def test_only_es256_is_verified(algorithm: object) -> None:
    _, payload, signature = _signed().split(".")
    head = base64url(json.dumps({"alg": algorithm}).encode())
    assert not CompactJws.parse(f"{head}.{payload}.{signature}").is_signed_by(_public())


@pytest.mark.parametrize("signature", [b"", bytes(64), bytes(63), bytes(65), b"\xff" * 64])
def test_a_malformed_signature_is_refused(signature: bytes) -> None:
    text = _signed().rpartition(".")[0] + "." + base64url(signature)
    assert not CompactJws.parse(text).is_signed_by(_public())


def _with_header(header: bytes) -> str:
    return f"{base64url(header)}.e30.AA"


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "a.b",
        _signed() + ".",
        _signed() + ".e30",
        _signed() + "=",
        _signed() + "\n",
        " " + _signed(),
        _signed().replace(".", "..", 1),
        "\udcff.e30.AA",
        "\u00e9.e30.AA",
        "e30.e30.AB",  # bits that are not used
        "e30.e30.A",
        _with_header(b"[]"),
        _with_header(b"{"),
        _with_header(b"\xff"),
        _with_header('{"alg":"ES256"}'.encode("utf-16")),
        _with_header(b'{"alg":"ES256","alg":"none"}'),
        _with_header(b'{"a":' + b"[" * 100_000),
    ],
)
def test_anything_but_a_compact_jws_raises_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        CompactJws.parse(text)


@given(st.binary(max_size=50))
def test_base64url_is_read_as_it_is_written(data: bytes) -> None:
    assert from_base64url(base64url(data)) == data


@given(st.text(max_size=12))
def test_base64url_has_one_spelling(text: str) -> None:
    try:
        data = from_base64url(text)
    except ValueError:
        return
    assert base64url(data) == text


# Verification of archives: whatever bytes are given, only what the server signed is accepted.

_KEYS = KeySet((ResultKey(kid="k", public_key=ec.generate_private_key(ec.SECP256R1()).public_key()),))


@given(st.binary(max_size=400))
def test_other_bytes_are_no_archive(data: bytes) -> None:
    for content in (data, b"PK\x03\x04" + data):
        with pytest.raises(ServerNotTrustedError):
            verify_archive(content, _KEYS)


@given(st.text(max_size=100))
def test_other_text_is_no_record(text: str) -> None:
    with pytest.raises(ServerNotTrustedError):
        verify_record_jws(text, _KEYS)


def _zip(**files: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("_", "."), content)
    return target.getvalue()


def test_an_archive_that_unpacks_without_bound_is_refused_before_it_is_unpacked() -> None:
    bomb = _zip(manifest_json=bytes(80 * 1024 * 1024), manifest_jws=b"")
    assert len(bomb) < 200_000
    with pytest.raises(ServerNotTrustedError, match="larger"):
        verify_archive(bomb, _KEYS)


def test_a_zip_file_without_a_manifest_is_no_archive() -> None:
    with pytest.raises(ServerNotTrustedError, match=r"manifest\.json"):
        verify_archive(_zip(report_html=b"x"), _KEYS)


# Reviews.

_SIGNER = ResultSigner(ec.generate_private_key(ec.SECP256R1()), issuer="bank.example")
_REVIEW_KEYS = load_key_set(_SIGNER.jwks())
_RESULT = result_pb2.CheckResult(check_id="c-1").SerializeToString()
_REVIEW: Mapping[str, Any] = {
    "version": 1,
    "check_id": "c-1",
    "tenant": "retail",
    "sandbox": False,
    "outcome": "ALLOW",
    "result_sha256": sha256(_RESULT).hex(),
    "decisions": [],
}


def _signed_by_server(payload: bytes, *, kind: str = REVIEW_TYPE, tenant: str = "retail") -> str:
    return _SIGNER.sign(payload, tenant=tenant, sandbox=False, kind=kind)


def _review(**changes: Any) -> str:
    return _signed_by_server(json.dumps({**_REVIEW, **changes}).encode())


def test_a_review_is_of_its_kind_result_and_tenant() -> None:
    # Signatures of one result differ, and its payload does not.
    results = [_signed_by_server(_RESULT, kind=RESULT_TYPE) for _ in range(2)]
    assert results[0] != results[1]
    for result in results:
        review = verify_review_jws(
            _review(), _REVIEW_KEYS, result_jws=result, issuer="bank.example", tenant="retail"
        )
        assert (review.check_id, review.outcome) == ("c-1", "ALLOW")
    other = _signed_by_server(result_pb2.CheckResult(check_id="c-2").SerializeToString(), kind=RESULT_TYPE)
    cases: list[tuple[str, dict[str, Any]]] = [
        (_review(), {"result_jws": other}),
        (_review(), {"result_jws": _review()}),
        (_review(), {"tenant": "wholesale"}),
        (_review(), {"issuer": "other.example"}),
        (results[0], {}),
        (_signed_by_server(json.dumps(_REVIEW).encode(), kind=RECORD_TYPE), {}),
        (_review()[:-4] + "AAAA", {}),
    ]
    for text, limits in cases:
        with pytest.raises(ServerNotTrustedError):
            verify_review_jws(text, _REVIEW_KEYS, **limits)


@pytest.mark.parametrize(
    "text",
    [
        _review(version=2),
        _review(result_sha256="no hash"),
        _review(result_sha256=7),
        _signed_by_server(b"[]"),
        _signed_by_server(b"{}"),
        _signed_by_server(b"\xff"),
        _signed_by_server(b"[" * 100_000),
    ],
)
def test_what_is_signed_and_no_review_is_refused(text: str) -> None:
    with pytest.raises(ServerNotTrustedError):
        verify_review_jws(text, _REVIEW_KEYS)


def test_the_review_of_a_sandbox_check_is_accepted_in_tests_only() -> None:
    with pytest.raises(SandboxResultError):
        verify_review_jws(_review(sandbox=True), _REVIEW_KEYS)
    assert verify_review_jws(_review(sandbox=True), _REVIEW_KEYS, accept_sandbox=True).outcome == "ALLOW"


async def test_calls_outlast_a_server_that_restarts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As in use, but until a busy machine has started its server.
    monkeypatch.setattr("facegate_client.orchestrator._WAITS_S", (0.2,) * 300)
    restarted = asyncio.Event()
    with held_port() as port:
        free = {"port": 0}
        service = {"port": port, "local_sandbox": True}
        settings = settings_for(tmp_path, listeners={"device": free, "service": service, "admin": free})
        async with open_channel(f"127.0.0.1:{port}") as channel:
            orchestrator = Orchestrator(channel=channel)

            async def ask_on_and_on(check_id: str) -> None:
                while not restarted.is_set():
                    await orchestrator.get_check(check_id)

            async with live_server(settings):
                check = await orchestrator.upload_trusted_image(portrait())
                asking = asyncio.create_task(ask_on_and_on(check.check_id))
            async with live_server(settings):
                restarted.set()
                await asking
