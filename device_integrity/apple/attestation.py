"""Verifies App Attest attestations, in which Apple certifies a new key of a genuine app and device.

The steps are those of Apple's "Validating apps that connect to your server", section "Verify the
attestation". App Attest detects neither a jailbreak nor code hooked into a genuine app.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from device_integrity.apple.attestation_format import Attestation, Environment, LeafClaims, parse_attestation
from device_integrity.apple.certificates import AppleAnchors, chain_problem
from device_integrity.device_test import Checklist, DeviceFinding, DeviceTest, Manipulation
from device_integrity.errors import EvidenceMalformed
from facegate_protocol import sha256

_LIST: Final = Checklist(
    "app_attest", ("format", "chain", "challenge", "key_id", "app", "environment", "counter", "key_use")
)
_NONCE_HEAD: Final = bytes.fromhex("3024a1220420")
"""DER of SEQUENCE { [1] { OCTET STRING of 32 bytes } }, up to its content."""


class KeyOwner(StrEnum):
    """The owner of a key according to the caller's store."""

    NEW = "NEW"
    """The key is not stored."""
    SAME_SUBJECT = "SAME_SUBJECT"
    """The key is stored for the same person only."""
    OTHER_SUBJECT = "OTHER_SUBJECT"
    """The key is stored for another person: a shared phone, or one phone that poses as many people."""


def check_key_use(verifier: str, key_use: KeyOwner | None) -> DeviceTest:
    """Return the test ``<verifier>.key_use``. It is soft, because families share phones.

    Args:
        verifier: The first part of the test's name, ``app_attest`` or ``app_attest_assertion``.
        key_use: The owner of the key; ``None`` if it was not looked up, or the check names no person.
    """
    checklist = Checklist(verifier, ("key_use",))
    if key_use is None:
        return checklist.not_evaluated(
            "key_use", "KEY_USE_UNKNOWN", "the owner of the key, or the subject of this check, is not known"
        )
    if key_use is KeyOwner.OTHER_SUBJECT:
        return checklist.failed(
            "key_use", "KEY_OF_ANOTHER_SUBJECT", "the key is already enrolled for another subject", soft=True
        )
    return checklist.passed("key_use", f"KEY_{key_use.value}", "the key is not enrolled for another subject")


@dataclass(frozen=True, slots=True, kw_only=True)
class AttestedKey:
    """The data that the caller stores after an accepted attestation.

    Attributes:
        key_id: 32 bytes.
        public_key: SubjectPublicKeyInfo, DER.
        counter: The number of assertions so far, which is 0.
        receipt: The first receipt; Apple's server exchanges it for one with a risk metric.
    """

    key_id: bytes
    public_key: bytes
    app_id: str
    environment: Environment
    counter: int
    receipt: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class AttestationResult:
    """The result of verifying an attestation.

    Attributes:
        checks: All tests, ``app_attest.<test>``, including those not evaluated.
        key: The key to enrol; ``None`` unless every test except ``app_attest.key_use`` passed.
        claims: The certificate's further statements, to compare with the device's own claims; ``None`` if
            the attestation cannot be read or its chain is not Apple's.
    """

    checks: tuple[DeviceTest, ...]
    key: AttestedKey | None
    claims: LeafClaims | None


def verify_attestation(
    *,
    key_id: bytes,
    attestation_object: bytes,
    client_data_hash: bytes,
    app_ids: frozenset[str],
    environment: Environment,
    key_use: KeyOwner | None,
    anchors: AppleAnchors,
    now: datetime,
) -> AttestationResult:
    """Verify an attestation. Never raise because of the evidence that the device sent.

    Args:
        key_id: The identifier that the device sent with it, 32 bytes.
        attestation_object: As sent.
        client_data_hash: The exact bytes that the app passed to ``attestKey`` as ``clientDataHash``: in this
            protocol the binding hash H itself. (Apple's published sample passes a text's bytes without
            hashing them, and verifies only without hashing.)
        app_ids: The allowed apps: team identifier, a dot, bundle identifier.
        environment: The only environment that is accepted; development is for tests.
        key_use: The owner of the key according to the store; ``None`` if it was not looked up.
        now: When the evidence was received, with a time zone. Leaf certificates are valid for days to months.
    """
    # 1. The object is CBOR of the format "apple-appattest" (Apple, "Attestation object validation guide").
    try:
        attestation = parse_attestation(attestation_object)
    except EvidenceMalformed as error:
        return AttestationResult(checks=_LIST.unreadable(str(error)), key=None, claims=None)
    app_id = _matching_app(attestation.authenticator.app_id_hash, app_ids)
    # 2. The x5c chain leads to the Apple App Attestation root (Apple, step 1).
    chain = _chain_check(attestation, anchors, now)
    evidence = (
        _LIST.passed("format", "WELL_FORMED", "the attestation object is App Attest's"),
        chain,
        # 3. Extension 1.2.840.113635.100.8.2 is SHA-256(authData || clientDataHash) (Apple, steps 2 to 4).
        _challenge_check(attestation, client_data_hash),
        # 4. The key's SHA-256, the key identifier and the credential ID agree (Apple, steps 5 and 9).
        _key_check(attestation, key_id),
        # 5. The RP ID hash is the SHA-256 of an allowed App ID (Apple, step 6).
        _app_check(app_id, app_ids),
        # 6. The AAGUID is that of the expected environment (Apple, step 8).
        _environment_check(attestation.credential.aaguid, environment),
        # 7. The counter is 0 (Apple, step 7).
        _counter_check(attestation.authenticator.counter),
    )
    key = None
    if app_id is not None and all(check.outcome is DeviceFinding.PASS for check in evidence):
        key = AttestedKey(
            key_id=key_id,
            public_key=attestation.key_der,
            app_id=app_id,
            environment=environment,
            counter=0,
            receipt=attestation.receipt,
        )
    return AttestationResult(
        checks=(*evidence, check_key_use(_LIST.verifier, key_use)),
        key=key,
        claims=attestation.claims if chain.outcome is DeviceFinding.PASS else None,
    )


def _chain_check(attestation: Attestation, anchors: AppleAnchors, now: datetime) -> DeviceTest:
    problem = chain_problem(
        chain=(attestation.leaf, attestation.intermediate), anchor=anchors.app_attest, now=now
    )
    if problem is None:
        return _LIST.passed("chain", "CHAIN_TRUSTED", "the key's certificate is Apple's")
    # An expired certificate alone is no sign of a manipulation.
    sign_of = None if problem.reason == "CERTIFICATE_NOT_VALID_NOW" else Manipulation.EMULATOR
    return _LIST.failed("chain", problem.reason, problem.detail, sign_of)


def _challenge_check(attestation: Attestation, client_data_hash: bytes) -> DeviceTest:
    nonce = sha256(attestation.authenticator_data + client_data_hash)
    if hmac.compare_digest(attestation.nonce_extension or b"", _NONCE_HEAD + nonce):
        return _LIST.passed("challenge", "CHALLENGE_MATCHES", "the attestation was made for this scan")
    return _LIST.failed(
        "challenge",
        "CHALLENGE_MISMATCH",
        "the attestation was made for another challenge, or its authenticator data was changed",
        Manipulation.MAN_IN_THE_MIDDLE,
    )


def _key_check(attestation: Attestation, key_id: bytes) -> DeviceTest:
    credential = attestation.credential
    if not hmac.compare_digest(sha256(attestation.key_point), key_id):
        detail = "the key identifier is not the hash of the certificate's key"
    elif not hmac.compare_digest(credential.credential_id, key_id):
        detail = "the authenticator data names another key identifier"
    elif not hmac.compare_digest(credential.point, attestation.key_point):
        detail = "the authenticator data holds another key than the certificate does"
    else:
        return _LIST.passed(
            "key_id", "KEY_ID_MATCHES", "identifier, certificate and authenticator data have the same key"
        )
    return _LIST.failed("key_id", "KEY_ID_MISMATCH", detail, Manipulation.MAN_IN_THE_MIDDLE)


def _matching_app(app_id_hash: bytes, app_ids: frozenset[str]) -> str | None:
    return next(
        (one for one in sorted(app_ids) if hmac.compare_digest(sha256(one.encode()), app_id_hash)), None
    )


def _app_check(app_id: str | None, app_ids: frozenset[str]) -> DeviceTest:
    if not app_ids:
        return _LIST.not_evaluated("app", "NO_APPS_CONFIGURED", "the server's settings name no apps")
    if app_id is not None:
        return _LIST.passed("app", "APP_ALLOWED", f"the app is {app_id}")
    return _LIST.failed(
        "app", "APP_NOT_ALLOWED", "the app is not one of the allowed apps", Manipulation.CODE_MODIFICATION
    )


def _environment_check(aaguid: bytes, environment: Environment) -> DeviceTest:
    if hmac.compare_digest(aaguid, environment.aaguid):
        return _LIST.passed("environment", "ENVIRONMENT_MATCHES", f"Apple attested the key for {environment}")
    found = next((one.value for one in Environment if one.aaguid == aaguid), "an unknown environment")
    return _LIST.failed(
        "environment",
        "ENVIRONMENT_MISMATCH",
        f"Apple attested the key for {found}, {environment} expected",
        Manipulation.CODE_MODIFICATION,
    )


def _counter_check(counter: int) -> DeviceTest:
    if counter == 0:
        return _LIST.passed("counter", "COUNTER_NEW", "the key has not signed anything yet")
    return _LIST.failed(
        "counter", "COUNTER_NOT_NEW", f"the key signed {counter} times before its attestation"
    )
