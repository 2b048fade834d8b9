"""Verifies App Attest assertions, the counted signatures of an enrolled key.

The steps are those of Apple's "Validating apps that connect to your server", section "Verify the assertion".
"""

import hmac
from dataclasses import dataclass
from typing import Final

from device_integrity.apple.attestation_format import AuthenticatorData, parse_authenticator_data
from device_integrity.cbor import decode_cbor, take_bytes, whole_map
from device_integrity.device_test import Checklist, DeviceFinding, DeviceTest, Manipulation
from device_integrity.errors import EvidenceMalformed
from facegate_protocol import load_public_key, sha256, verify

MAX_ASSERTION_BYTES: Final = 4 * 1024
"""Maximum length of an assertion."""

_LIST: Final = Checklist("app_attest_assertion", ("format", "signature", "app", "counter"))
_MAX_SIGNATURE_BYTES: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class AttestAssertion:
    """A parsed assertion that is not yet verified.

    Attributes:
        signature: ECDSA, ASN.1 DER.
        authenticator_data: As sent, for hashing.
    """

    signature: bytes
    authenticator_data: bytes
    authenticator: AuthenticatorData


@dataclass(frozen=True, slots=True, kw_only=True)
class AssertionResult:
    """The result of verifying an assertion.

    Attributes:
        checks: All tests, ``app_attest_assertion.<test>``, including those not evaluated.
        counter: The counter that the caller has to store in place of the one that it passed in, by an atomic
            compare-and-set: if the set fails, the assertion is a replay. ``None`` unless every test passed.
    """

    checks: tuple[DeviceTest, ...]
    counter: int | None


def parse_assertion(data: bytes) -> AttestAssertion:
    """Read an assertion.

    Args:
        data: CBOR, at most ``MAX_ASSERTION_BYTES``.

    Raises:
        EvidenceMalformed: It is not an assertion of App Attest.
    """
    fields = whole_map(
        decode_cbor(data, max_bytes=MAX_ASSERTION_BYTES, max_depth=1),
        frozenset({"signature", "authenticatorData"}),
        "the assertion",
    )
    signature = take_bytes(fields["signature"], "signature")
    if len(signature) > _MAX_SIGNATURE_BYTES:
        raise EvidenceMalformed(
            f"the signature has {len(signature)} bytes; at most {_MAX_SIGNATURE_BYTES} are accepted"
        )
    authenticator_data = take_bytes(fields["authenticatorData"], "authenticatorData")
    return AttestAssertion(
        signature=signature,
        authenticator_data=authenticator_data,
        authenticator=parse_authenticator_data(authenticator_data, with_credential=False),
    )


def verify_assertion(
    *, assertion: bytes, client_data: bytes, public_key: bytes, app_id: str, stored_counter: int
) -> AssertionResult:
    """Verify an assertion. Never raise because of the evidence that the device sent.

    Args:
        assertion: As sent.
        client_data: The data that the app hashed for ``generateAssertion``: in this protocol the binding
            hash H.
        public_key: SubjectPublicKeyInfo of the enrolled key, DER.
        app_id: The app that the key was enrolled for: team identifier, a dot, bundle identifier.
        stored_counter: The counter of the key's last accepted assertion; 0 after its attestation.

    Raises:
        KeyMaterialError: ``public_key``, which is the caller's, cannot be read.
    """
    key = load_public_key(public_key)
    # 1. The assertion is CBOR with a signature and authenticator data (Apple, "Verify the assertion").
    try:
        parsed = parse_assertion(assertion)
    except EvidenceMalformed as error:
        return AssertionResult(checks=_LIST.unreadable(str(error)), counter=None)
    # 2. The nonce is SHA-256(authenticatorData || SHA-256(clientData)) (Apple, steps 1 and 2).
    nonce = sha256(parsed.authenticator_data + sha256(client_data))
    counter = parsed.authenticator.counter
    checks = (
        _LIST.passed("format", "WELL_FORMED", "the assertion is App Attest's"),
        # 3. The key's signature over the nonce verifies; ECDSA hashes the nonce again (Apple, step 3).
        _LIST.judged(
            "signature",
            holds=verify(public_key=key, message=nonce, signature=parsed.signature),
            good=("SIGNATURE_VALID", "the enrolled key signed for this scan"),
            bad=("SIGNATURE_INVALID", "the signature is not the enrolled key's for this scan"),
            sign_of=Manipulation.MAN_IN_THE_MIDDLE,
        ),
        # 4. The RP ID hash is the SHA-256 of the enrolled App ID (Apple, step 4).
        _LIST.judged(
            "app",
            holds=hmac.compare_digest(parsed.authenticator.app_id_hash, sha256(app_id.encode())),
            good=("APP_MATCHES", "the app is the one that the key was enrolled for"),
            bad=("APP_MISMATCH", "the app is not the one that the key was enrolled for"),
            sign_of=Manipulation.CODE_MODIFICATION,
        ),
        # 5. The counter is greater than the stored one (Apple, step 5).
        _LIST.judged(
            "counter",
            holds=counter > max(stored_counter, 0),
            good=("COUNTER_ROSE", "the counter is greater than that of the last assertion"),
            bad=("COUNTER_NOT_GREATER", f"the counter is {counter}, but {stored_counter} was used already"),
            sign_of=Manipulation.MAN_IN_THE_MIDDLE,
        ),
    )
    accepted = all(check.outcome is DeviceFinding.PASS for check in checks)
    return AssertionResult(checks=checks, counter=counter if accepted else None)
