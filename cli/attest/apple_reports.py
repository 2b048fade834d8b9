"""Reports on Apple's evidence."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from cli.attest.report import GivenInputs, Report, hexadecimal, moment, not_asked
from cli.sections import Section
from device_integrity import DeviceCheck, DeviceFinding, EvidenceMalformed
from device_integrity.apple import (
    Attestation,
    AuthenticatorData,
    Environment,
    Receipt,
    SignedReceipt,
    load_apple_anchors,
    parse_assertion,
    parse_attestation,
    parse_receipt,
    verify_assertion,
    verify_attestation,
    verify_receipt,
)
from facegate_protocol import public_key_der, sha256

__all__ = ["assertion_report", "attestation_report", "receipt_report"]

_KIND_ATTESTATION, _KIND_ASSERTION, _KIND_RECEIPT = (
    "App Attest attestation object",
    "App Attest assertion",
    "App Attest receipt",
)
_ENVIRONMENTS = {one.aaguid: one.value for one in Environment}
# The generator of P-256, a publicly known key: a placeholder for a test that is then omitted.
_PLACEHOLDER_KEY = public_key_der(ec.derive_private_key(1, ec.SECP256R1()).public_key())
_ANY_AGE = timedelta(days=36_500)
_ANY_NUMBER = 1_000_000_000


def attestation_report(data: bytes, given: GivenInputs) -> Report:
    """Returns a report on an attestation object."""
    try:
        attestation: Attestation | None = parse_attestation(data)
    except EvidenceMalformed:
        attestation = None
    credential = attestation.credential if attestation else None
    key_id = credential.credential_id if credential else b""
    found = next((one for one in Environment if credential and one.aaguid == credential.aaguid), None)
    claimed = attestation.claims.app_id if attestation else None
    result = verify_attestation(
        key_id=key_id if given.key_id is None else given.key_id,
        attestation_object=data,
        client_data_hash=given.challenge or b"",
        app_ids=frozenset(given.apps or ([claimed] if claimed else ())),
        environment=given.environment or found or Environment.PRODUCTION,
        key_use=None,
        anchors=load_apple_anchors(),
        now=given.at,
    )
    missing = _missing(
        {
            "app_attest.challenge": (given.challenge is None, "--challenge"),
            "app_attest.app": (not given.apps, "--app"),
            "app_attest.environment": (given.environment is None, "--environment"),
        }
    )
    # Without the sent identifier, the object's own is used: a failure counts, a pass proves nothing.
    if given.key_id is None and _passed(result.checks, "app_attest.key_id"):
        missing["app_attest.key_id"] = "--key-id"
    checks = not_asked(result.checks, missing)
    if attestation is None:
        return Report(kind=_KIND_ATTESTATION, sections=(), checks=checks)
    held = _receipt_checks(attestation.receipt, given, public_key=attestation.key_der)
    return Report(
        kind=_KIND_ATTESTATION, sections=_attestation_sections(attestation), checks=(*checks, *held)
    )


def assertion_report(data: bytes, given: GivenInputs) -> Report:
    """Returns a report on an assertion."""
    try:
        sections: tuple[Section, ...] = (_authenticator_section(parse_assertion(data).authenticator),)
    except EvidenceMalformed:
        sections = ()
    result = verify_assertion(
        assertion=data,
        client_data=given.challenge or b"",
        public_key=given.public_key or _PLACEHOLDER_KEY,
        app_id=given.apps[0] if given.apps else "",
        stored_counter=given.counter or 0,
    )
    missing = _missing(
        {
            "app_attest_assertion.signature": (
                given.challenge is None or given.public_key is None,
                "--challenge and --public-key",
            ),
            "app_attest_assertion.app": (not given.apps, "--app"),
            "app_attest_assertion.counter": (given.counter is None, "--counter"),
        }
    )
    return Report(kind=_KIND_ASSERTION, sections=sections, checks=not_asked(result.checks, missing))


def receipt_report(data: bytes, given: GivenInputs) -> Report:
    """Returns a report on a receipt."""
    try:
        signed: SignedReceipt | None = parse_receipt(data)
    except EvidenceMalformed:
        signed = None
    sections = _signed_sections(signed) if signed else ()
    checks = _receipt_checks(data, given, public_key=given.public_key)
    return Report(kind=_KIND_RECEIPT, sections=sections, checks=checks)


def _receipt_checks(data: bytes, given: GivenInputs, *, public_key: bytes | None) -> tuple[DeviceCheck, ...]:
    """Returns the tests of a receipt. With a public key, the receipt must be for that key."""
    try:
        found: Environment | None = parse_receipt(data).receipt.environment
    except EvidenceMalformed:
        found = None
    result = verify_receipt(
        receipt=data,
        public_key=public_key or b"",
        app_id=given.apps[0] if given.apps else "",
        environment=given.environment or found or Environment.PRODUCTION,
        client_data_hash=given.challenge,
        max_age=_ANY_AGE if given.max_age is None else given.max_age,
        most_keys=_ANY_NUMBER if given.most_keys is None else given.most_keys,
        anchors=load_apple_anchors(),
        now=given.at,
    )
    missing = _missing(
        {
            "app_attest_receipt.app": (not given.apps, "--app"),
            "app_attest_receipt.key": (public_key is None, "--public-key"),
            "app_attest_receipt.environment": (given.environment is None, "--environment"),
        }
    )
    # Without a limit, a receipt may still fail these tests or not be evaluated; only a pass is dropped.
    limits = _missing(
        {
            "app_attest_receipt.freshness": (given.max_age is None, "--max-age"),
            "app_attest_receipt.risk": (given.most_keys is None, "--most-keys"),
        }
    )
    missing |= {name: option for name, option in limits.items() if _passed(result.checks, name)}
    return not_asked(result.checks, missing)


def _attestation_sections(attestation: Attestation) -> tuple[Section, ...]:
    credential, claims = attestation.credential, attestation.claims
    return (
        Section(
            "Key",
            (
                ("identifier", credential.credential_id.hex()),
                ("environment", _ENVIRONMENTS.get(credential.aaguid, "unknown")),
                ("app, by its certificate", claims.app_id or "not said"),
                ("system, by its certificate", claims.os_version or "not said"),
                ("build, by its certificate", claims.os_build or "not said"),
            ),
        ),
        _authenticator_section(attestation.authenticator),
        _certificate_section("Leaf certificate", attestation.leaf),
        _certificate_section("Intermediate certificate", attestation.intermediate),
        *_held_receipt(attestation.receipt),
    )


def _signed_sections(signed: SignedReceipt) -> tuple[Section, ...]:
    chain = (_certificate_section(f"Certificate {place}", one) for place, one in enumerate(signed.chain))
    return (_receipt_section(signed.receipt), *chain)


def _passed(checks: Sequence[DeviceCheck], name: str) -> bool:
    return any(check.name == name and check.outcome is DeviceFinding.PASS for check in checks)


def _missing(options: Mapping[str, tuple[bool, str]]) -> dict[str, str]:
    return {name: option for name, (lacks, option) in options.items() if lacks}


def _authenticator_section(data: AuthenticatorData) -> Section:
    return Section(
        "Authenticator data",
        (
            ("SHA-256 of the app identifier", data.app_id_hash.hex()),
            ("flags", f"0x{data.flags:02x}"),
            ("counter", str(data.counter)),
        ),
    )


def _certificate_section(title: str, certificate: x509.Certificate) -> Section:
    valid = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return Section(
        title,
        (
            ("subject", certificate.subject.rfc4514_string()),
            ("issuer", certificate.issuer.rfc4514_string()),
            ("valid", " to ".join(map(moment, valid))),
            ("serial number", format(certificate.serial_number, "x")),
        ),
    )


def _held_receipt(data: bytes) -> tuple[Section, ...]:
    try:
        return (_receipt_section(parse_receipt(data).receipt),)
    except EvidenceMalformed as error:
        return (Section("Receipt", (("cannot be read", str(error)),)),)


def _receipt_section(receipt: Receipt) -> Section:
    def shown_moment(at: datetime | None) -> str:
        return moment(at) if at is not None else "not said"

    risk = "not said" if receipt.risk_metric is None else f"about {receipt.risk_metric} keys in 30 days"
    hashed = (
        hexadecimal(receipt.client_hash) if receipt.client_hash is not None else "only in ATTEST receipts"
    )
    return Section(
        "Receipt",
        (
            ("kind", receipt.kind.value),
            ("app", receipt.app_id),
            ("environment", receipt.environment.value),
            ("made", shown_moment(receipt.created)),
            ("may be exchanged from", shown_moment(receipt.not_before)),
            ("expires", shown_moment(receipt.expires)),
            ("risk metric", risk),
            ("client data hash", hashed),
            ("SHA-256 of the key", sha256(receipt.public_key).hex()),
            ("unknown fields", ", ".join(map(str, receipt.other_fields)) or "none"),
        ),
    )
