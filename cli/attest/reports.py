"""Makes the report on a piece of evidence: Android key attestation, App Attest, Play Integrity, WebAuthn."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from enum import Enum, IntEnum
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from cli.attest.evidence import GivenInputs, RecognisedKind, Report, hexadecimal, moment, not_asked, recognise
from cli.errors import OptionUnusable
from cli.shown import Section
from device_integrity import (
    DeviceCheck,
    DeviceFinding,
    EvidenceMalformed,
    PlayTokenMalformed,
    ReferenceDataMalformed,
    decode_cbor,
)
from device_integrity.android import (
    PLAY_INTEGRITY,
    AllowedApp,
    ApplicationId,
    AuthorizationList,
    BootState,
    Certificate,
    ClassicKeys,
    KeyAttestationPolicy,
    KeyDescription,
    KeyOrigin,
    KeyPurpose,
    PlayPayload,
    PlayPolicy,
    PlayTokenKind,
    RootOfTrust,
    WalkedChain,
    google_roots,
    load_classic_keys,
    open_classic_token,
    parse_payload,
    parse_revocation_list,
    read_key_description,
    refused_token,
    verify_key_attestation,
    verify_payload,
)
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
from device_integrity.web import (
    ClientData,
    RegistrationData,
    RelyingParty,
    parse_client_data,
    parse_registration,
    verify_registration,
)
from facegate_protocol import public_key_der, sha256

_ANDROID: Final = re.compile(r"([A-Za-z0-9_.]{1,255})@([0-9A-Fa-f:]{64,95})")


def android_apps(texts: Iterable[str]) -> tuple[AllowedApp, ...]:
    """Parses Android apps: package, ``@``, and the SHA-256 of the signing certificate in hexadecimal."""
    return tuple(map(_android_app, texts))


def _android_app(text: str) -> AllowedApp:
    match = _ANDROID.fullmatch(text)
    digest = match[2].replace(":", "") if match else ""
    if match is None or len(digest) != 64:
        raise OptionUnusable(
            f"--app {text}: for Android write the package, @, and the SHA-256 of the signing certificate "
            "in hexadecimal, such as org.example.bank@3d91...e4"
        )
    return AllowedApp(package=match[1], certificate_digests=frozenset({bytes.fromhex(digest)}))


_TIMES = frozenset(
    {
        "creation_date_time",
        "active_date_time",
        "origination_expire_date_time",
        "usage_expire_date_time",
    }
)
_LAST_MILLISECOND = 253_402_300_799_000
"""The end of the year 9999. Some devices write far later times."""


def chain_report(certificates: tuple[bytes, ...], given: GivenInputs) -> Report:
    """Returns a report on a certificate chain, leaf first."""
    revocation = (
        parse_revocation_list(given.revocation, fetched_at=given.at) if given.revocation is not None else None
    )
    result = verify_key_attestation(
        certificate_chain=certificates,
        challenge=given.challenge or b"",
        possession=None,
        policy=KeyAttestationPolicy(apps=android_apps(given.apps)),
        roots=google_roots(),
        revocation=revocation,
        now=given.at,
    )
    missing = _missing(
        {
            "android_key.challenge": (given.challenge is None, "--challenge"),
            "android_key.application": (not given.apps, "--app"),
            "android_key.revocation": (given.revocation is None, "--revocation"),
        }
    )
    sections = (
        *(_chain_sections(result.chain) if result.chain else ()),
        *(_description_sections(result.description) if result.description else ()),
        *(_application_section(result.application) if result.application else ()),
    )
    return Report(
        kind=RecognisedKind.ANDROID_CHAIN,
        sections=sections,
        checks=not_asked(result.checks, missing),
    )


def description_report(data: bytes) -> Report:
    """Returns a report on a KeyDescription without its chain. Without a chain nothing can be verified."""
    return Report(
        kind=RecognisedKind.KEY_DESCRIPTION,
        sections=_description_sections(read_key_description(data)),
        checks=(),
    )


def _chain_sections(chain: WalkedChain) -> tuple[Section, ...]:
    root = "unknown" if chain.root is None else f"{chain.root.name} ({chain.root.kind})"
    return (
        Section("Chain", (("shape", chain.shape.value), ("root", root))),
        *(_certificate_section(place, one) for place, one in enumerate(chain.certificates)),
    )


def _section(title: str, item: Any, **words: str) -> Section:
    """Returns the fields of a dataclass, without nested ones; ``words`` replace some, or add to them."""
    found = {one.name: _field_words(getattr(item, one.name)) for one in fields(item)} | words
    return Section(title, tuple((name.replace("_", " "), text) for name, text in found.items() if text))


def _field_words(value: object) -> str:
    """Returns the value of a field in words; empty for what has rows of its own, such as a dataclass."""
    match value:
        case None | "":
            return "not said"
        case bool():
            return "yes" if value else "no"
        case IntEnum():
            return _word(value)
        case Enum():
            return str(value.value)
        case int() | str():
            return str(value)
        case bytes():
            return hexadecimal(value) or "none"
        case datetime():
            return moment(value)
        case frozenset() | tuple():
            return ", ".join(sorted(map(_field_words, value))) or "none"
        case _:
            return ""


def _certificate_section(place: int, certificate: Certificate) -> Section:
    return _section(
        f"Certificate {place}",
        certificate,
        serial=format(certificate.serial, "x"),
        subject=certificate.subject,
        key_sha256=certificate.spki_sha256.hex(),
    )


def _description_sections(description: KeyDescription) -> tuple[Section, ...]:
    not_der = ", ".join(sorted(description.oddities)) or "nothing"
    return (
        _section("KeyDescription", description, not_DER=not_der),
        Section("Enforced by hardware", tuple(_rows(description.hardware_enforced))),
        Section("Enforced by software", tuple(_rows(description.software_enforced))),
    )


def _application_section(application: ApplicationId) -> tuple[Section, ...]:
    packages = ", ".join(sorted(f"{one.name} {one.version}" for one in application.packages))
    return (_section("Application", application, packages=packages),)


def _rows(found: AuthorizationList) -> Iterable[tuple[str, str]]:
    for one in fields(found):
        value = getattr(found, one.name)
        if one.name in ("unknown", "oddities", "attestation_application_id") or value in (None, False):
            continue
        if isinstance(value, RootOfTrust):
            yield from _root_rows(value)
        elif value != frozenset():
            yield one.name.replace("_", " "), _shown_value(one.name, value)
    for number, content in found.unknown.items():
        yield f"unknown tag {number}", hexadecimal(content)


def _shown_value(name: str, value: object) -> str:
    if name == "origin" and isinstance(value, int):
        return _named(KeyOrigin, value)
    if name == "purposes" and isinstance(value, frozenset):
        return ", ".join(_named(KeyPurpose, one) for one in sorted(value))
    if name in _TIMES and isinstance(value, int) and value < _LAST_MILLISECOND:
        return moment(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=value))
    if isinstance(value, frozenset):
        return ", ".join(map(str, sorted(value)))
    if isinstance(value, bytes):
        return _text_or_hex(value)
    return "yes" if value is True else str(value)


def _root_rows(root: RootOfTrust) -> Iterable[tuple[str, str]]:
    yield "boot state", _named(BootState, root.verified_boot_state)
    yield "boot loader locked", "yes" if root.device_locked else "no"
    yield "boot key", hexadecimal(root.verified_boot_key)
    if root.verified_boot_hash is not None:
        yield "boot hash", hexadecimal(root.verified_boot_hash)


def _named(kinds: type[IntEnum], number: int) -> str:
    return next((_word(one) for one in kinds if one == number), f"unknown ({number})")


def _word(one: IntEnum) -> str:
    return one.name.lower().replace("_", " ")


def _text_or_hex(value: bytes) -> str:
    text = value.decode("ascii", "replace")
    return text if text.isprintable() and "\ufffd" not in text and value else hexadecimal(value)


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
        return Report(kind=RecognisedKind.APP_ATTEST, sections=(), checks=checks)
    held = _receipt_checks(attestation.receipt, given, public_key=attestation.key_der)
    return Report(
        kind=RecognisedKind.APP_ATTEST, sections=_attestation_sections(attestation), checks=(*checks, *held)
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
    return Report(
        kind=RecognisedKind.APP_ATTEST_ASSERTION, sections=sections, checks=not_asked(result.checks, missing)
    )


def receipt_report(data: bytes, given: GivenInputs) -> Report:
    """Returns a report on a receipt."""
    try:
        signed: SignedReceipt | None = parse_receipt(data)
    except EvidenceMalformed:
        signed = None
    sections = _signed_sections(signed) if signed else ()
    checks = _receipt_checks(data, given, public_key=given.public_key)
    return Report(kind=RecognisedKind.APP_ATTEST_RECEIPT, sections=sections, checks=checks)


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
    credential = attestation.credential
    return (
        _section(
            "Key",
            attestation.claims,
            identifier=credential.credential_id.hex(),
            environment=_ENVIRONMENTS.get(credential.aaguid, "unknown"),
        ),
        _authenticator_section(attestation.authenticator),
        _apple_certificate_section("Leaf certificate", attestation.leaf),
        _apple_certificate_section("Intermediate certificate", attestation.intermediate),
        *_held_receipt(attestation.receipt),
    )


def _signed_sections(signed: SignedReceipt) -> tuple[Section, ...]:
    chain = (
        _apple_certificate_section(f"Certificate {place}", one) for place, one in enumerate(signed.chain)
    )
    return (_receipt_section(signed.receipt), *chain)


def _passed(checks: Sequence[DeviceCheck], name: str) -> bool:
    return any(check.name == name and check.outcome is DeviceFinding.PASS for check in checks)


def _missing(options: Mapping[str, tuple[bool, str]]) -> dict[str, str]:
    return {name: option for name, (lacks, option) in options.items() if lacks}


def _authenticator_section(data: AuthenticatorData) -> Section:
    return _section("Authenticator data", data, flags=f"0x{data.flags:02x}")


def _apple_certificate_section(title: str, certificate: x509.Certificate) -> Section:
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
    risk = "not said" if receipt.risk_metric is None else f"about {receipt.risk_metric} keys in 30 days"
    key = f"SHA-256 {sha256(receipt.public_key).hex()}"
    return _section("Receipt", receipt, risk_metric=risk, public_key=key)


def token_report(data: bytes, given: GivenInputs) -> Report:
    """Returns a report on an encrypted token, which is decrypted if its keys are given."""
    if given.play_keys is None:
        checks = tuple(
            PLAY_INTEGRITY.not_evaluated(name, "TOKEN_NOT_OPENED", "give --play-keys to decrypt the token")
            for name in PLAY_INTEGRITY.checks
        )
        return Report(kind=RecognisedKind.PLAY_TOKEN, sections=(), checks=checks)
    keys = _play_keys(given.play_keys)
    try:
        payload = parse_payload(open_classic_token(data.decode("ascii"), keys=keys))
    except PlayTokenMalformed as error:
        return Report(kind=RecognisedKind.PLAY_TOKEN, sections=(), checks=refused_token(str(error)).checks)
    return _payload_report(RecognisedKind.PLAY_TOKEN, payload, given, missing={})


def payload_report(data: bytes, given: GivenInputs) -> Report:
    """Returns a report on a decoded payload. It is not signed, so its origin is unproven."""
    try:
        payload = parse_payload(data)
    except PlayTokenMalformed as error:
        return Report(kind=RecognisedKind.PLAY_PAYLOAD, sections=(), checks=refused_token(str(error)).checks)
    return _payload_report(
        RecognisedKind.PLAY_PAYLOAD, payload, given, missing={"play_integrity.token": "the token itself"}
    )


def _payload_report(
    kind: RecognisedKind, payload: PlayPayload, given: GivenInputs, *, missing: dict[str, str]
) -> Report:
    classic = payload.request.nonce is not None
    result = verify_payload(
        payload,
        kind=PlayTokenKind.CLASSIC if classic else PlayTokenKind.STANDARD,
        challenge=given.challenge or b"",
        policy=PlayPolicy(apps=android_apps(given.apps)),
        now=given.at,
    )
    if given.challenge is None:
        missing = missing | {"play_integrity.challenge": "--challenge"}
    if not given.apps:
        missing = missing | {f"play_integrity.{one}": "--app" for one in ("request_package", "app_identity")}
    return Report(kind=kind, sections=_payload_sections(payload), checks=not_asked(result.checks, missing))


def _payload_sections(payload: PlayPayload) -> tuple[Section, ...]:
    test = "yes" if payload.is_test else "no"
    return (
        _section("Request", payload.request, fixed_answer_of_a_tester=test),
        _section("App", payload.app),
        _section("Device", payload.device),
        _section("Environment", payload.environment),
    )


def _play_keys(data: bytes) -> ClassicKeys:
    expected = (
        'the file of --play-keys is JSON with "decryption_key" and "verification_key", in base64 as in the '
        "Play Console"
    )
    try:
        members = json.loads(data)
        return load_classic_keys(
            decryption_key=members["decryption_key"], verification_key=members["verification_key"]
        )
    except (ValueError, RecursionError, KeyError, TypeError, ReferenceDataMalformed) as error:
        raise OptionUnusable(expected) from error


_ALGORITHMS = {-7: "ES256", -8: "EdDSA", -257: "RS256"}


def registration_report(data: bytes, given: GivenInputs) -> Report:
    """Returns a report on an attestation object. With client data, the ceremony is tested too."""
    try:
        registration: RegistrationData | None = parse_registration(data)
    except EvidenceMalformed:
        registration = None
    client_data = _client_data(given.client_data)
    origins = frozenset(given.apps or ([client_data.origin] if client_data else ()))
    result = verify_registration(
        credential_id=given.key_id or (registration.credential_id if registration else b""),
        client_data_json=given.client_data if given.client_data is not None else _NO_CLIENT_DATA,
        attestation_object=data,
        challenge=given.challenge or b"",
        relying_party=RelyingParty(rp_id=given.rp_id or "", origins=origins, require_user_verification=True),
        header_origin=None,
    )
    missing = {
        f"web_authn.{check}": option
        for option, lacks, checks in (
            ("--client-data", given.client_data is None, ("ceremony", "challenge", "origin")),
            ("--challenge", given.challenge is None, ("challenge",)),
            ("--app", not given.apps, ("origin",)),
            ("--key-id", given.key_id is None, ("credential",)),
            ("--rp-id", given.rp_id is None, ("relying_party",)),
            (
                "--client-data, --challenge and --rp-id",
                None in (given.client_data, given.challenge, given.rp_id),
                ("signature",),
            ),
        )
        if lacks
        for check in checks
    }
    sections = tuple(
        section
        for section in (
            _registration_section(registration) if registration else None,
            _section("Client data", client_data) if client_data else None,
        )
        if section
    )
    return Report(kind=RecognisedKind.WEB_AUTHN, sections=sections, checks=not_asked(result.checks, missing))


_NO_CLIENT_DATA = b'{"type":"","challenge":"","origin":""}'


def _client_data(data: bytes | None) -> ClientData | None:
    try:
        return parse_client_data(data) if data is not None else None
    except EvidenceMalformed:
        return None


def _registration_section(registration: RegistrationData) -> Section:
    key = decode_cbor(registration.public_key, max_bytes=len(registration.public_key))
    algorithm = key.get(3) if isinstance(key, dict) else None
    return _section(
        "Credential",
        registration.head,
        identifier=hexadecimal(registration.credential_id),
        algorithm=_ALGORITHMS.get(algorithm, "?") if isinstance(algorithm, int) else "?",
        attestation="signed by the key itself" if registration.self_attested else "none",
    )


def make_report(data: bytes, given: GivenInputs) -> Report:
    """Returns the report on a piece of evidence."""
    evidence = recognise(data)
    first = evidence.parts[0]
    match evidence.kind:
        case RecognisedKind.ANDROID_CHAIN:
            return chain_report(evidence.parts, given)
        case RecognisedKind.KEY_DESCRIPTION:
            return description_report(first)
        case RecognisedKind.PLAY_TOKEN:
            return token_report(first, given)
        case RecognisedKind.PLAY_PAYLOAD:
            return payload_report(first, given)
        case RecognisedKind.APP_ATTEST:
            return attestation_report(first, given)
        case RecognisedKind.APP_ATTEST_ASSERTION:
            return assertion_report(first, given)
        case RecognisedKind.APP_ATTEST_RECEIPT:
            return receipt_report(first, given)
        case RecognisedKind.WEB_AUTHN:
            return registration_report(first, given)
