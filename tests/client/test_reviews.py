"""The offline verification of a signed review."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from facegate.v1 import result_pb2

from facegate_client import SandboxResultError, ServerNotTrustedError, load_key_set, verify_review_jws
from facegate_protocol import sha256
from server.keyring.result_signer import RECORD_TYPE, RESULT_TYPE, REVIEW_TYPE, ResultSigner

_SIGNER = ResultSigner(ec.generate_private_key(ec.SECP256R1()), issuer="bank.example")
_KEYS = load_key_set(_SIGNER.jwks())
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


def _signed(payload: bytes, *, kind: str = REVIEW_TYPE, tenant: str = "retail") -> str:
    return _SIGNER.sign(payload, tenant=tenant, sandbox=False, kind=kind)


def _review(**changes: Any) -> str:
    return _signed(json.dumps({**_REVIEW, **changes}).encode())


def test_a_review_is_of_its_kind_result_and_tenant() -> None:
    # Signatures of one result differ, and its payload does not.
    results = [_signed(_RESULT, kind=RESULT_TYPE) for _ in range(2)]
    assert results[0] != results[1]
    for result in results:
        review = verify_review_jws(
            _review(), _KEYS, result_jws=result, issuer="bank.example", tenant="retail"
        )
        assert (review.check_id, review.outcome) == ("c-1", "ALLOW")
    other = _signed(result_pb2.CheckResult(check_id="c-2").SerializeToString(), kind=RESULT_TYPE)
    cases: list[tuple[str, dict[str, Any]]] = [
        (_review(), {"result_jws": other}),
        (_review(), {"result_jws": _review()}),
        (_review(), {"tenant": "wholesale"}),
        (_review(), {"issuer": "other.example"}),
        (results[0], {}),
        (_signed(json.dumps(_REVIEW).encode(), kind=RECORD_TYPE), {}),
        (_review()[:-4] + "AAAA", {}),
    ]
    for text, limits in cases:
        with pytest.raises(ServerNotTrustedError):
            verify_review_jws(text, _KEYS, **limits)


@pytest.mark.parametrize(
    "text",
    [
        _review(version=2),
        _review(result_sha256="no hash"),
        _review(result_sha256=7),
        _signed(b"[]"),
        _signed(b"{}"),
        _signed(b"\xff"),
        _signed(b"[" * 100_000),
    ],
)
def test_what_is_signed_and_no_review_is_refused(text: str) -> None:
    with pytest.raises(ServerNotTrustedError):
        verify_review_jws(text, _KEYS)


def test_the_review_of_a_sandbox_check_is_accepted_in_tests_only() -> None:
    with pytest.raises(SandboxResultError):
        verify_review_jws(_review(sandbox=True), _KEYS)
    assert verify_review_jws(_review(sandbox=True), _KEYS, accept_sandbox=True).outcome == "ALLOW"
