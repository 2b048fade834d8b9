"""Verification of WebCrypto proofs of possession, by a browser key that scripts cannot read.

The key is in software. It identifies a browser profile and proves nothing about the device.
"""

from dataclasses import dataclass
from typing import Final

from device_integrity.device_test import Assurance, Checklist, DeviceFinding, DeviceTest, Manipulation
from device_integrity.web.ceremony import RelyingParty, origin_check, page_check
from facegate_protocol import KeyMaterialError, attestation_message, load_public_key, public_key_der, verify

_LIST: Final = Checklist("web_crypto", ("format", "origin", "page", "independent_key", "signature"))
_MAX_SIGNATURE_BYTES: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class WebCryptoResult:
    """The result of verifying a proof of possession.

    Attributes:
        checks: All tests, ``web_crypto.<test>``, including those not evaluated.
        public_key: The browser's key, SubjectPublicKeyInfo, DER, to recognise it in later scans; ``None``
            unless every test except ``page`` passed and ``page`` did not fail.
        ceiling: The highest assurance that this evidence may give: LOW; NONE if it was not accepted.
    """

    checks: tuple[DeviceTest, ...]
    public_key: bytes | None
    ceiling: Assurance


def verify_web_crypto(
    *,
    public_key: bytes,
    signature: bytes,
    origin: str,
    binding: bytes,
    session_public_key: bytes,
    relying_party: RelyingParty,
    header_origin: str | None,
) -> WebCryptoResult:
    """Verify a proof of possession. Never raise because of the evidence that the browser sent.

    Args:
        public_key: The browser's key, SubjectPublicKeyInfo of P-256, DER.
        signature: The signature over ``facegate_protocol.attestation_message``, ECDSA with SHA-256, ASN.1
            DER.
        origin: The origin that the page states; not signed.
        binding: The binding hash H, 32 bytes.
        session_public_key: The scan's session key, SubjectPublicKeyInfo of P-256, DER. The browser's key must
            differ, because a key that is made for one scan proves nothing about later ones.
        relying_party: The site that the page must belong to.
        header_origin: The request's ``Origin`` header; ``None`` if the listener does not receive it.

    Raises:
        KeyMaterialError: ``session_public_key``, which is the caller's, cannot be read.
    """
    # One key has several encodings (RFC 5480 allows a compressed point), so parsed keys are compared.
    session_key = public_key_der(load_public_key(session_public_key))
    # 1. The key is a P-256 SubjectPublicKeyInfo (RFC 5480).
    try:
        key = load_public_key(public_key)
    except KeyMaterialError as error:
        return _refused(str(error))
    if len(signature) > _MAX_SIGNATURE_BYTES:
        return _refused(
            f"the signature has {len(signature)} bytes; at most {_MAX_SIGNATURE_BYTES} are accepted"
        )
    der = public_key_der(key)
    page = page_check(_LIST, origin, header_origin)
    # 2. The stated origin is the relying party's (this protocol).
    first = origin_check(_LIST, origin, relying_party)
    rest = (
        # 3. The key is not the session key (this protocol).
        _LIST.judged(
            "independent_key",
            holds=der != session_key,
            good=("KEY_INDEPENDENT", "the key differs from the session key"),
            bad=("KEY_IS_SESSION_KEY", "the key is the session key, which proves nothing more"),
        ),
        # 4. The key signed the attestation message (FIPS 186-5, ECDSA with SHA-256).
        _LIST.judged(
            "signature",
            holds=verify(public_key=key, message=attestation_message(binding=binding), signature=signature),
            good=("SIGNATURE_VALID", "the browser's key signed for this scan"),
            bad=("SIGNATURE_INVALID", "the signature is not the key's for this scan"),
            sign_of=Manipulation.MAN_IN_THE_MIDDLE,
        ),
    )
    accepted = page.outcome is not DeviceFinding.FAIL and all(
        check.outcome is DeviceFinding.PASS for check in (first, *rest)
    )
    return WebCryptoResult(
        checks=(_LIST.passed("format", "WELL_FORMED", "the evidence can be read"), first, page, *rest),
        public_key=der if accepted else None,
        ceiling=Assurance.LOW if accepted else Assurance.NONE,
    )


def _refused(detail: str) -> WebCryptoResult:
    return WebCryptoResult(checks=_LIST.unreadable(detail), public_key=None, ceiling=Assurance.NONE)
