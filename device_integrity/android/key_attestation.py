"""Verifies Android key attestations, which prove that secure hardware made a key for this scan."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from device_integrity.android.chain import (
    ANDROID_KEY,
    ATTESTATION_EXTENSION,
    Certificate,
    TrustRoot,
    WalkedChain,
    parse_certificates,
    walk_chain,
)
from device_integrity.android.constraints import CONSTRAINTS, Claims, KeyAttestationPolicy
from device_integrity.android.key_description import (
    ApplicationId,
    KeyDescription,
    read_application_id,
    read_key_description,
)
from device_integrity.android.revocation import RevocationList, check_revocation
from device_integrity.device_test import DeviceFinding, DeviceTest, Manipulation
from device_integrity.errors import CertificateMalformed, KeyDescriptionMalformed
from facegate_protocol import verify

_MAX_SIGNATURE_BYTES: Final = 256
_DESCRIPTION_CHECKS: Final = ("description", *(constraint.name for constraint in CONSTRAINTS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Possession:
    """The signature that proves possession of an attested key.

    Attributes:
        message: The signed message, ``facegate_protocol.attestation_message``.
        signature: ECDSA on P-256 with SHA-256, ASN.1 DER.
    """

    message: bytes
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyAttestation:
    """The result of verifying a key attestation.

    Attributes:
        checks: One test for each name in ``checklists.ANDROID_KEY``, in that order.
        attested_key: SubjectPublicKeyInfo (DER) of the attested key; ``None`` unless the chain is trusted and
            the key was made for the expected challenge. Its assurance depends on the other tests.
        chain: The chain; ``None`` if it cannot be read.
        description: The leaf's KeyDescription; ``None`` if it is missing or cannot be read.
    """

    checks: tuple[DeviceTest, ...]
    attested_key: bytes | None
    chain: WalkedChain | None
    description: KeyDescription | None
    application: ApplicationId | None


def verify_key_attestation(
    *,
    certificate_chain: Sequence[bytes],
    challenge: bytes,
    possession: Possession | None,
    policy: KeyAttestationPolicy,
    roots: Sequence[TrustRoot],
    revocation: RevocationList | None,
    now: datetime,
) -> KeyAttestation:
    """Verify a chain and its attestation. Never raise because of the evidence that a device sends.

    Args:
        certificate_chain: DER certificates, leaf first, root last.
        challenge: The expected ``attestationChallenge``: the binding hash H.
        possession: The signature by the attested key; without one, possession is not evaluated.
        roots: The keys at which a chain may end.
        revocation: Google's list; ``None`` if the server has none.
    """
    # 1. The chain is a list of X.509 certificates, leaf first (Android Key Attestation).
    try:
        certificates = parse_certificates(certificate_chain)
    except CertificateMalformed as error:
        return KeyAttestation(
            checks=ANDROID_KEY.unreadable(str(error)),
            attested_key=None,
            chain=None,
            description=None,
            application=None,
        )
    # 2. The chain leads to a pinned root key (Android Key Attestation; RFC 5280, section 6.1).
    chain = walk_chain(certificates, roots=roots, now=now)
    # 3. No certificate is in the status list (Android Key Attestation, "Certificate revocation status list").
    revoked = check_revocation(
        certificates,
        revocation=revocation,
        max_age=policy.max_revocation_age,
        now=now,
    )
    # 4. The leaf's extension fulfils the policy and holds the challenge (Android Key Attestation, schema).
    description, application, findings = _described(chain, challenge=challenge, policy=policy, now=now)
    vouched = chain.is_trusted and revoked.outcome is not DeviceFinding.FAIL
    # 5. The attested key signed the attestation message (this protocol).
    findings = (*findings, _test_possession(chain.leaf, possession))
    if not vouched:
        findings = tuple(map(_without_trust, findings))
    form = ANDROID_KEY.passed(
        "chain_form", "X509", f"the chain has {len(certificates)} readable certificates"
    )
    return KeyAttestation(
        checks=(form, *chain.checks, revoked, *findings),
        attested_key=chain.leaf.spki if vouched and _passed("challenge", findings) else None,
        chain=chain,
        description=description,
        application=application,
    )


def _described(
    chain: WalkedChain, *, challenge: bytes, policy: KeyAttestationPolicy, now: datetime
) -> tuple[KeyDescription | None, ApplicationId | None, tuple[DeviceTest, ...]]:
    """Return the leaf's description, the app in it, and the tests of both."""
    extension = chain.leaf.extensions.get(ATTESTATION_EXTENSION)
    if extension is None:
        return None, None, _undescribed("MISSING", "the leaf has no attestation extension")
    try:
        description = read_key_description(extension)
        octets = description.software_enforced.attestation_application_id
        application = None if octets is None else read_application_id(octets)
    except KeyDescriptionMalformed as error:
        return None, None, _undescribed("MALFORMED", str(error))
    claims = Claims(
        description=description,
        application=application,
        chain=chain,
        challenge=challenge,
        policy=policy,
        now=now,
    )
    detail = f"the description of attestation version {description.attestation_version} can be read"
    read = ANDROID_KEY.passed("description", "READ", detail)
    return description, application, (read, *(constraint.evaluate(claims) for constraint in CONSTRAINTS))


def _undescribed(reason: str, detail: str) -> tuple[DeviceTest, ...]:
    first, *rest = _DESCRIPTION_CHECKS
    return (
        ANDROID_KEY.failed(first, reason, detail),
        *(
            ANDROID_KEY.not_evaluated(
                name, "DESCRIPTION_UNREADABLE", "not evaluated: the key's description cannot be read"
            )
            for name in rest
        ),
    )


def _without_trust(check: DeviceTest) -> DeviceTest:
    """Turn a PASS that relies on an untrusted chain into NOT_EVALUATED. Other findings stay."""
    if check.outcome is not DeviceFinding.PASS:
        return check
    return replace(
        check,
        outcome=DeviceFinding.NOT_EVALUATED,
        reason="CHAIN_NOT_TRUSTED",
        detail=f"the chain is not trusted, so this is not proven: {check.detail}",
    )


def _passed(name: str, checks: Sequence[DeviceTest]) -> bool:
    full = f"{ANDROID_KEY.verifier}.{name}"
    return any(check.name == full and check.outcome is DeviceFinding.PASS for check in checks)


def _test_possession(leaf: Certificate, possession: Possession | None) -> DeviceTest:
    name = "possession"
    if possession is None:
        return ANDROID_KEY.not_evaluated(
            name, "NO_SIGNATURE", "the device sent no signature by the attested key"
        )
    key = leaf.key
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        return ANDROID_KEY.failed(
            name, "KEY_KIND_NOT_SUPPORTED", "the attested key is not on the curve P-256"
        )
    return ANDROID_KEY.judged(
        name,
        holds=len(possession.signature) <= _MAX_SIGNATURE_BYTES
        and verify(public_key=key, message=possession.message, signature=possession.signature),
        good=("SIGNED", "the attested key signed for this scan"),
        bad=(
            "SIGNATURE_INVALID",
            "the signature is not the attested key's, so the device does not prove that it holds the key",
        ),
        sign_of=Manipulation.MAN_IN_THE_MIDDLE,
    )
