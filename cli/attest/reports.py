"""Makes the report on a piece of evidence: Android key attestation, App Attest, Play Integrity, WebAuthn."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from enum import Enum, IntEnum
from typing import Any, Final, TypeAlias, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from cli.attest.evidence import GivenInputs, RecognisedKind, Report, hexadecimal, moment, recognise
from cli.errors import CommandError
from cli.shown import Section
from device_integrity import (
    DeviceFinding,
    DeviceTest,
    EvidenceMalformed,
    PlayTokenMalformed,
    ReferenceDataMalformed,
    decode_cbor,
)
from device_integrity.android import (
    PLAY_INTEGRITY,
    AllowedApp,
    AuthorizationList,
    BootState,
    ClassicKeys,
    KeyAttestationPolicy,
    KeyDescription,
    KeyOrigin,
    KeyPurpose,
    PlayPayload,
    PlayPolicy,
    PlayTokenKind,
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
    AuthenticatorData,
    Environment,
    Receipt,
    load_apple_anchors,
    parse_assertion,
    parse_attestation,
    parse_receipt,
    verify_assertion,
    verify_attestation,
    verify_receipt,
)
from device_integrity.web import (
    RelyingParty,
    parse_client_data,
    parse_registration,
    verify_registration,
)
from facegate_protocol import public_key_der, sha256

_ANDROID: Final = re.compile(r"([A-Za-z0-9_.]{1,255})@([0-9A-Fa-f:]{64,95})")


def _android_app(text: str) -> AllowedApp:
    match = _ANDROID.fullmatch(text)
    digest = match[2].replace(":", "") if match else ""
    if match is None or len(digest) != 64:
        raise CommandError(
            f"--app {text}: for Android write the package, @, and the SHA-256 of the signing certificate "
            "in hexadecimal, such as org.example.bank@3d91...e4"
        )
    return AllowedApp(package=match[1], certificate_digests=frozenset({bytes.fromhex(digest)}))


_TIMES: Final = ("creation", "active", "origination_expire", "usage_expire")
_LAST_MILLISECOND: Final = 253_402_300_799_000
"""The end of the year 9999. Some devices write far later times."""
_ENVIRONMENTS = {one.aaguid: one.value for one in Environment}
# The generator of P-256, a publicly known key: a placeholder for a test that is then omitted.
_PLACEHOLDER_KEY = public_key_der(ec.derive_private_key(1, ec.SECP256R1()).public_key())
_ANY_AGE = timedelta(days=36_500)
_ANY_NUMBER = 1_000_000_000
_ALGORITHMS = {-7: "ES256", -8: "EdDSA", -257: "RS256"}
_NO_CLIENT_DATA = b'{"type":"","challenge":"","origin":""}'
_NEEDS: Final = {
    "android_key.challenge": ("challenge",),
    "android_key.application": ("app",),
    "android_key.revocation": ("revocation",),
    "app_attest.challenge": ("challenge",),
    "app_attest.app": ("app",),
    "app_attest.key_id": ("key_id",),
    "app_attest_assertion.signature": ("challenge", "public_key"),
    "app_attest_assertion.app": ("app",),
    "app_attest_assertion.counter": ("counter",),
    "app_attest_receipt.app": ("app",),
    "play_integrity.challenge": ("challenge",),
    "play_integrity.request_package": ("app",),
    "play_integrity.app_identity": ("app",),
    "web_authn.ceremony": ("client_data",),
    "web_authn.challenge": ("client_data", "challenge"),
    "web_authn.origin": ("client_data", "app"),
    "web_authn.credential": ("key_id",),
    "web_authn.relying_party": ("rp_id",),
    "web_authn.signature": ("client_data", "challenge", "rp_id"),
}
"""The inputs that a test needs, as ``GivenInputs`` and the options name them."""
_OF_SETTINGS: Final = frozenset(
    {
        "app_attest.environment",
        "app_attest_receipt.environment",
        "app_attest_receipt.freshness",
        "app_attest_receipt.risk",
    }
)
"""Tests against the settings of a server, which are not read here."""

_Parsed = TypeVar("_Parsed")
_Found: TypeAlias = tuple[Iterable[Section], Iterable[DeviceTest]]


def make_report(data: bytes, given: GivenInputs) -> Report:
    """Return the report on a piece of evidence. Tests without an input from the user are "not evaluated"."""
    evidence = recognise(data)
    sections, checks = _MAKERS[evidence.kind](evidence.parts, given)
    return Report(
        kind=evidence.kind,
        sections=tuple(sections),
        checks=tuple(_not_asked(check, given) for check in checks),
    )


def _not_asked(check: DeviceTest, given: GivenInputs) -> DeviceTest:
    missing = [name for name in _NEEDS.get(check.name, ()) if getattr(given, name) in (None, ())]
    passed = check.outcome is DeviceFinding.PASS
    if check.name in _OF_SETTINGS and passed:
        return _unevaluated(check, "a server compares it with its settings")
    # Without the sent identifier, that of the evidence stands in: a failure counts.
    if not missing or (check.name == "app_attest.key_id" and not passed):
        return check
    options = " and ".join(f"--{name.replace('_', '-')}" for name in missing)
    return _unevaluated(check, f"give {options} to evaluate it")


def _unevaluated(check: DeviceTest, detail: str) -> DeviceTest:
    if check.reason == "EVIDENCE_UNREADABLE":
        return check
    return replace(
        check,
        outcome=DeviceFinding.NOT_EVALUATED,
        reason="NOTHING_TO_COMPARE_WITH",
        detail=detail,
        sign_of=None,
    )


def _parsed(parse: Callable[[bytes], _Parsed], data: bytes | None) -> _Parsed | None:
    try:
        return None if data is None else parse(data)
    except EvidenceMalformed:
        return None


def _section(title: str, item: Any, *, unsaid: str = "not said", **words: str) -> Section:
    """Return the fields of a dataclass, without nested ones; ``words`` replace some, or add to them."""
    found = {one.name: _words(getattr(item, one.name), unsaid) for one in fields(item)} | words
    return Section(title, tuple((name.replace("_", " "), text) for name, text in found.items() if text))


def _words(value: object, unsaid: str = "") -> str:
    """Return the value of a field in words; empty for what has rows of its own, such as a dataclass."""
    match value:
        case None | "":
            return unsaid
        case bool():
            return "yes" if value else unsaid and "no"
        case IntEnum():
            return value.name.lower().replace("_", " ")
        case Enum():
            return str(value.value)
        case int() | str():
            return str(value)
        case bytes():
            return hexadecimal(value) or "none"
        case datetime():
            return moment(value)
        case frozenset() | tuple():
            return ", ".join(sorted(map(_words, value))) or (unsaid and "none")
        case _:
            return ""


def _chain(certificates: tuple[bytes, ...], given: GivenInputs) -> _Found:
    """Report on a certificate chain of Android, leaf first."""
    listed = given.revocation
    result = verify_key_attestation(
        certificate_chain=certificates,
        challenge=given.challenge or b"",
        possession=None,
        policy=KeyAttestationPolicy(apps=tuple(map(_android_app, given.app))),
        roots=google_roots(),
        revocation=None if listed is None else parse_revocation_list(listed, fetched_at=given.at),
        now=given.at,
    )
    sections: list[Section] = []
    if (chain := result.chain) is not None:
        root = "unknown" if chain.root is None else f"{chain.root.name} ({chain.root.kind})"
        sections.append(Section("Chain", (("shape", chain.shape.value), ("root", root))))
        sections += [
            _section(
                f"Certificate {place}",
                one,
                subject=one.subject,
                serial=format(one.serial, "x"),
                key_sha256=one.spki_sha256.hex(),
            )
            for place, one in enumerate(chain.certificates)
        ]
    if result.description is not None:
        sections += _description_sections(result.description)
    if (found := result.application) is not None:
        packages = ", ".join(sorted(f"{one.name} {one.version}" for one in found.packages))
        sections.append(_section("Application", found, packages=packages))
    return sections, result.checks


def _description(parts: tuple[bytes, ...], given: GivenInputs) -> _Found:
    """Report on a KeyDescription of Android without its chain, with which nothing can be verified."""
    del given
    return _description_sections(read_key_description(parts[0])), ()


def _description_sections(description: KeyDescription) -> Iterator[Section]:
    not_der = ", ".join(sorted(description.oddities)) or "nothing"
    yield _section("KeyDescription", description, not_DER=not_der)
    yield _enforced("Enforced by hardware", description.hardware_enforced)
    yield _enforced("Enforced by software", description.software_enforced)


def _enforced(title: str, listed: AuthorizationList) -> Section:
    words = {"attestation_application_id": "", "oddities": ""}
    if listed.origin is not None:
        words["origin"] = _named(KeyOrigin, listed.origin)
    if listed.purposes:
        words["purposes"] = ", ".join(_named(KeyPurpose, one) for one in sorted(listed.purposes))
    for name in _TIMES:
        at = getattr(listed, f"{name}_date_time")
        if at is not None and at < _LAST_MILLISECOND:
            words[f"{name}_date_time"] = moment(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at))
    for one in fields(listed):
        value = getattr(listed, one.name)
        if isinstance(value, bytes) and value and value.isascii() and value.decode().isprintable():
            words.setdefault(one.name, value.decode())
    if (root := listed.root_of_trust) is not None:
        words["boot state"] = _named(BootState, root.verified_boot_state)
        words["boot loader locked"] = "yes" if root.device_locked else "no"
        words["boot key"] = hexadecimal(root.verified_boot_key)
        words["boot hash"] = "" if root.verified_boot_hash is None else hexadecimal(root.verified_boot_hash)
    words |= {f"unknown tag {number}": hexadecimal(content) for number, content in listed.unknown.items()}
    return _section(title, listed, unsaid="", **words)


def _named(kinds: type[IntEnum], number: int) -> str:
    return next((_words(one) for one in kinds if one == number), f"unknown ({number})")


def _attestation(parts: tuple[bytes, ...], given: GivenInputs) -> _Found:
    """Report on an attestation object of App Attest, and on the receipt in it."""
    (data,) = parts
    attestation = _parsed(parse_attestation, data)
    credential = attestation.credential if attestation else None
    # Without the sent identifier, the object's own is used: a failure counts, a pass proves nothing.
    key_id = given.key_id if given.key_id is not None else credential.credential_id if credential else b""
    found = next((one for one in Environment if credential and one.aaguid == credential.aaguid), None)
    claimed = attestation.claims.app_id if attestation else None
    result = verify_attestation(
        key_id=key_id,
        attestation_object=data,
        client_data_hash=given.challenge or b"",
        app_ids=frozenset(given.app or ([claimed] if claimed else ())),
        environment=found or Environment.PRODUCTION,
        key_use=None,
        anchors=load_apple_anchors(),
        now=given.at,
    )
    if attestation is None:
        return (), result.checks
    of_receipt = _receipt_checks(attestation.receipt, given, public_key=attestation.key_der)
    sections = [
        _section(
            "Key",
            attestation.claims,
            identifier=attestation.credential.credential_id.hex(),
            environment=_ENVIRONMENTS.get(attestation.credential.aaguid, "unknown"),
        ),
        _authenticator(attestation.authenticator),
        _certificate("Leaf certificate", attestation.leaf),
        _certificate("Intermediate certificate", attestation.intermediate),
    ]
    if (signed := _parsed(parse_receipt, attestation.receipt)) is not None:
        sections.append(_receipt_section(signed.receipt))
    return sections, (*result.checks, *of_receipt)


def _assertion(parts: tuple[bytes, ...], given: GivenInputs) -> _Found:
    """Report on an assertion of App Attest."""
    (data,) = parts
    assertion = _parsed(parse_assertion, data)
    result = verify_assertion(
        assertion=data,
        client_data=given.challenge or b"",
        public_key=given.public_key or _PLACEHOLDER_KEY,
        app_id=given.app[0] if given.app else "",
        stored_counter=given.counter or 0,
    )
    return () if assertion is None else (_authenticator(assertion.authenticator),), result.checks


def _receipt(parts: tuple[bytes, ...], given: GivenInputs) -> _Found:
    """Report on a receipt of App Attest."""
    (data,) = parts
    signed = _parsed(parse_receipt, data)
    sections: list[Section] = []
    if signed is not None:
        chain = (_certificate(f"Certificate {place}", one) for place, one in enumerate(signed.chain))
        sections = [_receipt_section(signed.receipt), *chain]
    return sections, [
        _unevaluated(check, "give --public-key to evaluate it")
        if check.name == "app_attest_receipt.key" and given.public_key is None
        else check
        for check in _receipt_checks(data, given, public_key=given.public_key)
    ]


def _receipt_checks(data: bytes, given: GivenInputs, *, public_key: bytes | None) -> Iterable[DeviceTest]:
    """Return the tests of a receipt. With a public key, the receipt must be for that key."""
    signed = _parsed(parse_receipt, data)
    found = None if signed is None else signed.receipt.environment
    return verify_receipt(
        receipt=data,
        public_key=public_key or b"",
        app_id=given.app[0] if given.app else "",
        environment=found or Environment.PRODUCTION,
        client_data_hash=given.challenge,
        max_age=_ANY_AGE,
        most_keys=_ANY_NUMBER,
        anchors=load_apple_anchors(),
        now=given.at,
    ).checks


def _authenticator(data: AuthenticatorData) -> Section:
    return _section("Authenticator data", data, flags=f"0x{data.flags:02x}")


def _certificate(title: str, certificate: x509.Certificate) -> Section:
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


def _receipt_section(receipt: Receipt) -> Section:
    risk = "not said" if receipt.risk_metric is None else f"about {receipt.risk_metric} keys in 30 days"
    key = f"SHA-256 {sha256(receipt.public_key).hex()}"
    return _section("Receipt", receipt, risk_metric=risk, public_key=key)


def _token(parts: tuple[bytes, ...], given: GivenInputs) -> _Found:
    """Report on an encrypted Play Integrity token, which is decrypted if its keys are given."""
    if given.play_keys is None:
        return (), [
            PLAY_INTEGRITY.not_evaluated(name, "TOKEN_NOT_OPENED", "give --play-keys to decrypt the token")
            for name in PLAY_INTEGRITY.checks
        ]
    keys = _play_keys(given.play_keys)
    try:
        payload = parse_payload(open_classic_token(parts[0].decode("ascii"), keys=keys))
    except PlayTokenMalformed as error:
        return (), refused_token(str(error)).checks
    return _verified_payload(payload, given)


def _payload(parts: tuple[bytes, ...], given: GivenInputs) -> _Found:
    """Report on a decoded payload. It is not signed, so its origin is unproven."""
    try:
        payload = parse_payload(parts[0])
    except PlayTokenMalformed as error:
        return (), refused_token(str(error)).checks
    sections, checks = _verified_payload(payload, given)
    return sections, [
        _unevaluated(check, "give the token itself to evaluate it")
        if check.name == "play_integrity.token"
        else check
        for check in checks
    ]


def _verified_payload(payload: PlayPayload, given: GivenInputs) -> _Found:
    classic = payload.request.nonce is not None
    result = verify_payload(
        payload,
        kind=PlayTokenKind.CLASSIC if classic else PlayTokenKind.STANDARD,
        challenge=given.challenge or b"",
        policy=PlayPolicy(apps=tuple(map(_android_app, given.app))),
        now=given.at,
    )
    test = "yes" if payload.is_test else "no"
    sections = (
        _section("Request", payload.request, fixed_answer_of_a_tester=test),
        _section("App", payload.app),
        _section("Device", payload.device),
        _section("Environment", payload.environment),
    )
    return sections, result.checks


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
        raise CommandError(expected) from error


def _registration(parts: tuple[bytes, ...], given: GivenInputs) -> _Found:
    """Report on an attestation object of WebAuthn. With client data, the ceremony is tested too."""
    (data,) = parts
    registration = _parsed(parse_registration, data)
    client_data = _parsed(parse_client_data, given.client_data)
    origins = frozenset(given.app or ([client_data.origin] if client_data else ()))
    result = verify_registration(
        credential_id=given.key_id or (registration.credential_id if registration else b""),
        client_data_json=given.client_data if given.client_data is not None else _NO_CLIENT_DATA,
        attestation_object=data,
        challenge=given.challenge or b"",
        relying_party=RelyingParty(rp_id=given.rp_id or "", origins=origins),
        header_origin=None,
    )
    sections = []
    if registration is not None:
        key = decode_cbor(registration.public_key, max_bytes=len(registration.public_key))
        algorithm = key.get(3) if isinstance(key, dict) else None
        sections.append(
            _section(
                "Credential",
                registration.head,
                identifier=hexadecimal(registration.credential_id),
                algorithm=_ALGORITHMS.get(algorithm, "?") if isinstance(algorithm, int) else "?",
                attestation="signed by the key itself" if registration.self_attested else "none",
            )
        )
    if client_data is not None:
        sections.append(_section("Client data", client_data))
    return sections, result.checks


_MAKERS: Final[dict[RecognisedKind, Callable[[tuple[bytes, ...], GivenInputs], _Found]]] = {
    RecognisedKind.ANDROID_CHAIN: _chain,
    RecognisedKind.KEY_DESCRIPTION: _description,
    RecognisedKind.PLAY_TOKEN: _token,
    RecognisedKind.PLAY_PAYLOAD: _payload,
    RecognisedKind.APP_ATTEST: _attestation,
    RecognisedKind.APP_ATTEST_ASSERTION: _assertion,
    RecognisedKind.APP_ATTEST_RECEIPT: _receipt,
    RecognisedKind.WEB_AUTHN: _registration,
}
