"""Reports on WebAuthn registrations."""

from cli.attest.report import GivenInputs, Report, hexadecimal, not_asked
from cli.sections import Section
from device_integrity import EvidenceMalformed, decode_cbor
from device_integrity.web import (
    ClientData,
    RegistrationData,
    RelyingParty,
    parse_client_data,
    parse_registration,
    verify_registration,
)

__all__ = ["registration_report"]

_KIND = "WebAuthn attestation object"
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
            _client_section(client_data) if client_data else None,
        )
        if section
    )
    return Report(kind=_KIND, sections=sections, checks=not_asked(result.checks, missing))


_NO_CLIENT_DATA = b'{"type":"","challenge":"","origin":""}'


def _client_data(data: bytes | None) -> ClientData | None:
    try:
        return parse_client_data(data) if data is not None else None
    except EvidenceMalformed:
        return None


def _registration_section(registration: RegistrationData) -> Section:
    key = decode_cbor(registration.public_key, max_bytes=len(registration.public_key))
    algorithm = key.get(3) if isinstance(key, dict) else None
    head = registration.head
    return Section(
        "Credential",
        (
            ("identifier", hexadecimal(registration.credential_id)),
            ("algorithm", _ALGORITHMS.get(algorithm, "?") if isinstance(algorithm, int) else "?"),
            ("attestation", "signed by the key itself" if registration.self_attested else "none"),
            ("SHA-256 of the relying party", head.rp_id_hash.hex()),
            ("person present", "yes" if head.present else "no"),
            ("person verified", "yes" if head.verified else "no"),
            ("counter", str(head.sign_count)),
        ),
    )


def _client_section(client_data: ClientData) -> Section:
    return Section(
        "Client data",
        (
            ("ceremony", client_data.kind),
            ("challenge", client_data.challenge),
            ("origin", client_data.origin),
            ("page in a frame of another origin", "yes" if client_data.framed else "no"),
        ),
    )
