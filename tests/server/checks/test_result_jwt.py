"""The result as a JWT: what a real server states, read by code that shares nothing with the signer."""

import base64
import json
from typing import Any

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from facegate.v1 import result_pb2

from facegate_client import ServerNotTrustedError, load_key_set, verify_result_jws, verify_review_jws
from server.access.access_tokens import TokenPolicy, verify_access_token
from server.base.errors import Reason, Refusal
from tests.server.checks.asking import cancel
from tests.server.live import LiveServer, pictures
from tests.server.raw_device import RawDevice, opened


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


async def _jwks(live: LiveServer) -> dict[str, Any]:
    url = f"http://127.0.0.1:{live.server.admin_port}/.well-known/jwks.json"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        found: dict[str, Any] = await response.json(content_type=None)
    return found


def _read(token: str, jwks: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a token whose signature is verified."""
    head, body, tail = token.split(".")
    header: dict[str, Any] = json.loads(_bytes(head))
    (key,) = [key for key in jwks["keys"] if key["kid"] == header["kid"]]
    x, y = (int.from_bytes(_bytes(key[name])) for name in ("x", "y"))
    r, s = (int.from_bytes(_bytes(tail)[at : at + 32]) for at in (0, 32))
    public = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    public.verify(utils.encode_dss_signature(r, s), f"{head}.{body}".encode(), ec.ECDSA(SHA256()))
    claims: dict[str, Any] = json.loads(_bytes(body))
    return header, claims


async def test_the_claims_state_the_result(scene: LiveServer) -> None:
    upload = await scene.upload(
        policy="consenting", subject_reference="customer-4711", consent_reference="consent-1"
    )
    stream = await RawDevice(scene.device, upload).open()
    await stream.run_attempt(pictures())
    await stream.outcome()
    answer = await scene.finish(upload.check_id)
    result = answer.result
    header, claims = _read(answer.result_jwt, await _jwks(scene))
    assert (header["alg"], header["typ"], set(header)) == (
        "ES256",
        "facegate-result+jwt",
        {"alg", "typ", "kid"},
    )
    assert claims == {
        "iss": "facegate",
        # The callers of this server are sandbox callers.
        "aud": "sandbox:default",
        "sub": "customer-4711",
        "iat": result.decide_time.seconds,
        "jti": upload.check_id,
        "check_id": upload.check_id,
        "status": "SUCCESS",
        "reasons": [],
        "policy": {
            "name": "consenting",
            "version": 1,
            "sha256": result.policy.sha256.hex(),
            "oid": result.policy.oid,
        },
        "assurance": {
            "device": result_pb2.DeviceAssurance.Name(result.device.assurance).removeprefix(
                "DEVICE_ASSURANCE_"
            ),
            "mode": "EXPRESS",
            "required_fmr": result.match.required_fmr,
        },
        "evidence_frame_sha256": result.evidence_frame.sha256.hex(),
        "sandbox": True,
    }
    # Every later call states the same.
    again = await scene.finish(upload.check_id)
    assert _read(again.result_jwt, await _jwks(scene))[1] == claims


async def test_a_check_without_a_scan_has_what_is_known(scene: LiveServer) -> None:
    upload = await scene.upload()
    await cancel(scene, upload.check_id)
    _, claims = _read((await scene.finish(upload.check_id)).result_jwt, await _jwks(scene))
    assert (claims["status"], claims["reasons"]) == ("FAILURE", ["CANCELLED"])
    assert not {"sub", "evidence_frame_sha256"} & claims.keys()
    assert "mode" not in claims["assurance"]


async def test_no_token_stands_for_another(scene: LiveServer) -> None:
    check_id, _, stream = await opened(scene)
    await stream.run_attempt(pictures())
    await stream.outcome()
    answer = await scene.finish(check_id)
    jwks = await _jwks(scene)
    keys = load_key_set(jwks)
    # The JWT is neither a result in protobuf nor a review,
    for verify in (verify_result_jws, verify_review_jws):
        with pytest.raises(ServerNotTrustedError, match="has the type 'facegate-result\\+jwt'"):
            verify(answer.result_jwt, keys)
    # the payload of the JWS is no JSON,
    with pytest.raises(ValueError, match=r"codec|JSON|Expecting|Extra"):
        json.loads(_bytes(answer.result_jws.split(".")[1]))
    # and neither is an access token, even for a server that would trust the key and the issuer.
    for kind in ("at+jwt", "JWT"):
        with pytest.raises(Refusal) as caught:
            verify_access_token(
                answer.result_jwt,
                policy=TokenPolicy(issuer="facegate", audience="sandbox:default", token_type=kind),
                key=lambda _kid: pytest.fail("the key was asked for"),
                now=scene.clock(),
            )
        assert caught.value.reason is Reason.UNAUTHENTICATED
