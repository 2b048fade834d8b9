"""Verifies WebAuthn ceremonies, in which an authenticator proves possession of a key for a page and a scan.

The steps are those of Web Authentication Level 3, sections 7.1 and 7.2. This module tests each property with
its own reason; ``webauthn`` (py_webauthn) verifies the signatures. Its tests of certificate chains are not
used, because they read the clock and accept any chain if no root is given.

A ceremony proves possession of a key and the presence of a person. It proves nothing about the camera, and a
program can act as an authenticator, so its assurance has a ceiling.
"""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import webauthn
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.structs import (
    AuthenticationCredential,
    AuthenticatorAssertionResponse,
    AuthenticatorAttestationResponse,
    RegistrationCredential,
)

from device_integrity.device_test import Assurance, Checklist, DeviceFinding, DeviceTest, Manipulation
from device_integrity.errors import EvidenceMalformed
from device_integrity.web.ceremony import (
    AuthenticatorHead,
    ClientData,
    RelyingParty,
    origin_check,
    page_check,
    parse_client_data,
    parse_head,
    parse_registration,
    validate_cose_key,
)
from facegate_protocol import sha256

_LIST: Final = Checklist(
    "web_authn",
    (
        "format",
        "ceremony",
        "challenge",
        "origin",
        "page",
        "relying_party",
        "credential",
        "presence",
        "user_verification",
        "signature",
        "counter",
    ),
)
_ALGORITHMS: Final = [
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
]
_MAX_SIGNATURE_BYTES: Final = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolledCredential:
    """The data that the caller stores of an accepted credential.

    Attributes:
        credential_id: At most 1023 bytes.
        public_key: COSE key, CBOR.
        sign_count: The counter of the last accepted ceremony. If it is not 0, the caller stores it by an
            atomic compare-and-set: if the set fails, the ceremony is a replay.
        ceiling: The highest assurance that its later use may give: LOW from ``verify_registration``. An
            operator that enrolled the credential in a protected sign-in of its own may store MEDIUM.
    """

    credential_id: bytes
    public_key: bytes
    sign_count: int
    ceiling: Assurance


@dataclass(frozen=True, slots=True, kw_only=True)
class WebAuthnResult:
    """The result of verifying a ceremony.

    Attributes:
        checks: All tests, ``web_authn.<test>``, including those not evaluated.
        credential: The credential to store; ``None`` unless every test passed. The test ``page`` may be
            NOT_EVALUATED, and so may ``user_verification`` if the relying party does not require it.
        ceiling: The highest assurance that this evidence may give. LOW for a registration, which a program
            can perform too. For an authentication the stored ceiling, but at most MEDIUM, and LOW without
            user verification. NONE if the ceremony was not accepted.
    """

    checks: tuple[DeviceTest, ...]
    credential: EnrolledCredential | None
    ceiling: Assurance


def verify_registration(
    *,
    credential_id: bytes,
    client_data_json: bytes,
    attestation_object: bytes,
    challenge: bytes,
    relying_party: RelyingParty,
    header_origin: str | None,
) -> WebAuthnResult:
    """Verify a registration. Never raise because of the evidence that the browser sent.

    ``attestation_object`` has the format ``none``, or ``packed`` signed by the key itself. ``challenge`` is
    the binding hash H, 32 bytes; ``header_origin`` the request's ``Origin`` header, ``None`` if the listener
    does not receive it.
    """
    try:
        client_data = parse_client_data(client_data_json)
        data = parse_registration(attestation_object)
    except EvidenceMalformed as error:
        return _refused(str(error))

    def verify() -> None:
        webauthn.verify_registration_response(
            credential=RegistrationCredential(
                id=_base64url(credential_id),
                raw_id=credential_id,
                response=AuthenticatorAttestationResponse(
                    client_data_json=client_data_json, attestation_object=attestation_object
                ),
            ),
            expected_challenge=challenge,
            expected_rp_id=relying_party.rp_id,
            expected_origin=sorted(relying_party.origins),
            supported_pub_key_algs=_ALGORITHMS,
        )

    made = EnrolledCredential(
        credential_id=data.credential_id,
        public_key=data.public_key,
        sign_count=data.head.sign_count,
        ceiling=Assurance.LOW,
    )
    return _judge(
        ceremony="webauthn.create",
        client_data=client_data,
        head=data.head,
        challenge=challenge,
        relying_party=relying_party,
        header_origin=header_origin,
        same_credential=hmac.compare_digest(data.credential_id, credential_id),
        verify=verify,
        counter=_LIST.passed("counter", "COUNTER_NEW", "the credential is new"),
        credential=made,
        ceiling=Assurance.LOW,
    )


def verify_authentication(
    *,
    credential_id: bytes,
    client_data_json: bytes,
    authenticator_data: bytes,
    signature: bytes,
    challenge: bytes,
    relying_party: RelyingParty,
    header_origin: str | None,
    enrolled: EnrolledCredential,
) -> WebAuthnResult:
    """Verify an authentication. Never raise because of the evidence that the browser sent.

    ``challenge`` is the binding hash H, 32 bytes; ``header_origin`` the request's ``Origin`` header, ``None``
    if the listener does not receive it; ``enrolled`` the credential as stored.
    """
    try:
        client_data = parse_client_data(client_data_json)
        head = parse_head(authenticator_data)
        validate_cose_key(enrolled.public_key)
        if len(signature) > _MAX_SIGNATURE_BYTES:
            raise EvidenceMalformed(
                f"the signature has {len(signature)} bytes; at most {_MAX_SIGNATURE_BYTES} are accepted"
            )
    except EvidenceMalformed as error:
        return _refused(str(error))

    def verify() -> None:
        webauthn.verify_authentication_response(
            credential=AuthenticationCredential(
                id=_base64url(credential_id),
                raw_id=credential_id,
                response=AuthenticatorAssertionResponse(
                    client_data_json=client_data_json,
                    authenticator_data=authenticator_data,
                    signature=signature,
                ),
            ),
            expected_challenge=challenge,
            expected_rp_id=relying_party.rp_id,
            expected_origin=sorted(relying_party.origins),
            credential_public_key=enrolled.public_key,
            # `_counter_check` tests the counter, with its own reason.
            credential_current_sign_count=0,
        )

    return _judge(
        ceremony="webauthn.get",
        client_data=client_data,
        head=head,
        challenge=challenge,
        relying_party=relying_party,
        header_origin=header_origin,
        same_credential=hmac.compare_digest(enrolled.credential_id, credential_id),
        verify=verify,
        counter=_counter_check(head.sign_count, enrolled.sign_count),
        credential=replace(enrolled, sign_count=head.sign_count),
        ceiling=min(
            enrolled.ceiling,
            Assurance.MEDIUM if head.verified else Assurance.LOW,
            key=lambda one: one.level,
        ),
    )


def _judge(
    *,
    ceremony: str,
    client_data: ClientData,
    head: AuthenticatorHead,
    challenge: bytes,
    relying_party: RelyingParty,
    header_origin: str | None,
    same_credential: bool,
    verify: Callable[[], None],
    counter: DeviceTest,
    credential: EnrolledCredential,
    ceiling: Assurance,
) -> WebAuthnResult:
    # The sections are those of Web Authentication Level 3; 7.1 is registration, 7.2 authentication.
    demanded = (
        # 1. The type is that of the ceremony (7.1, 7.2: `C.type`).
        _ceremony_check(client_data, ceremony),
        # 2. The challenge is the binding hash (7.1, 7.2: `C.challenge`).
        _LIST.judged(
            "challenge",
            holds=hmac.compare_digest(client_data.challenge.encode(), _base64url(challenge).encode()),
            good=("CHALLENGE_MATCHES", "the ceremony was performed for this scan"),
            bad=("CHALLENGE_MISMATCH", "the ceremony was performed for another challenge"),
            sign_of=Manipulation.MAN_IN_THE_MIDDLE,
        ),
        # 3. The origin is the relying party's (7.1, 7.2: `C.origin`).
        origin_check(_LIST, client_data.origin, relying_party),
        # 4. The RP ID hash is that of the relying party (7.1, 7.2: `rpIdHash`).
        _LIST.judged(
            "relying_party",
            holds=hmac.compare_digest(head.rp_id_hash, sha256(relying_party.rp_id.encode())),
            good=("RELYING_PARTY_MATCHES", "the credential is the site's"),
            bad=("RELYING_PARTY_MISMATCH", "the credential is another site's"),
            sign_of=Manipulation.MAN_IN_THE_MIDDLE,
        ),
        # 5. The credential is the named one (7.2: `credential.id`).
        _LIST.judged(
            "credential",
            holds=same_credential,
            good=("CREDENTIAL_MATCHES", "the credential is the one that was named"),
            bad=("CREDENTIAL_MISMATCH", "the credential is not the one that was named"),
            sign_of=Manipulation.MAN_IN_THE_MIDDLE,
        ),
        # 6. The user was present (7.1, 7.2: UP bit).
        _LIST.judged(
            "presence",
            holds=head.present,
            good=("USER_PRESENT", "the authenticator detected a person"),
            bad=("USER_NOT_PRESENT", "the authenticator detected no person"),
        ),
    )
    # 7. The signature or attestation statement verifies (7.1: `attStmt`; 7.2: `sig`).
    signature = (
        _signature_check(verify)
        if all(check.outcome is DeviceFinding.PASS for check in demanded)
        else _LIST.not_evaluated("signature", "NOT_REACHED", "not evaluated: an earlier test failed")
    )
    page = page_check(_LIST, client_data.origin, header_origin)
    # 8. The user was verified, and the counter rose (7.1, 7.2: UV bit; 7.2: `signCount`).
    rest = (_verification_check(head), signature, counter)
    readable = _LIST.passed("format", "WELL_FORMED", "the evidence can be read")
    accepted = page.outcome is not DeviceFinding.FAIL and all(
        check.outcome is DeviceFinding.PASS for check in (*demanded, *rest)
    )
    return WebAuthnResult(
        checks=(readable, *demanded[:3], page, *demanded[3:], *rest),
        credential=credential if accepted else None,
        ceiling=ceiling if accepted else Assurance.NONE,
    )


def _refused(detail: str) -> WebAuthnResult:
    return WebAuthnResult(checks=_LIST.unreadable(detail), credential=None, ceiling=Assurance.NONE)


def _ceremony_check(client_data: ClientData, ceremony: str) -> DeviceTest:
    if client_data.framed:
        return _LIST.failed(
            "ceremony",
            "PAGE_IN_A_FRAME",
            "the page was within a page of another origin",
            Manipulation.MAN_IN_THE_MIDDLE,
        )
    return _LIST.judged(
        "ceremony",
        holds=client_data.kind == ceremony,
        good=("CEREMONY_MATCHES", f"the ceremony is {ceremony}"),
        bad=("CEREMONY_MISMATCH", f"the ceremony is not {ceremony}"),
    )


def _verification_check(head: AuthenticatorHead) -> DeviceTest:
    return _LIST.judged(
        "user_verification",
        holds=head.verified,
        good=("USER_VERIFIED", "the authenticator verified the person"),
        bad=("USER_NOT_VERIFIED", "the authenticator did not verify the person"),
    )


def _counter_check(sign_count: int, stored: int) -> DeviceTest:
    if sign_count == 0 and stored == 0:
        return _LIST.passed("counter", "COUNTER_NOT_USED", "the authenticator does not count")
    return _LIST.judged(
        "counter",
        holds=sign_count > stored,
        good=("COUNTER_ROSE", "the counter is greater than that of the last ceremony"),
        bad=("COUNTER_NOT_GREATER", f"the counter is {sign_count}, but {stored} was used already"),
        sign_of=Manipulation.MAN_IN_THE_MIDDLE,
    )


def _signature_check(verify: Callable[[], None]) -> DeviceTest:
    try:
        verify()
    except Exception:  # noqa: BLE001 - the library documents its own, but lets others pass for odd structures
        return _LIST.failed(
            "signature",
            "SIGNATURE_INVALID",
            "the credential's key did not sign this ceremony",
            Manipulation.MAN_IN_THE_MIDDLE,
        )
    return _LIST.passed("signature", "SIGNATURE_VALID", "the credential's key signed this ceremony")


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
