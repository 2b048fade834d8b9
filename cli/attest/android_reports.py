"""Reports of Android key attestation."""

from collections.abc import Iterable
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from enum import IntEnum

from cli.attest.apps import android_apps
from cli.attest.report import GivenInputs, Report, hexadecimal, moment, not_asked
from cli.sections import Section
from device_integrity.android import (
    ApplicationId,
    AuthorizationList,
    BootState,
    Certificate,
    KeyAttestationPolicy,
    KeyDescription,
    KeyOrigin,
    KeyPurpose,
    RootOfTrust,
    WalkedChain,
    google_roots,
    parse_revocation_list,
    read_key_description,
    verify_key_attestation,
)

__all__ = ["chain_report", "description_report"]

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
    """Returns a report on a certificate chain, leaf first.

    Raises:
        ReferenceDataMalformed: The given revocation list cannot be read.
    """
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
    missing = {
        f"android_key.{check}": option
        for check, option, lacks in (
            ("challenge", "--challenge", given.challenge is None),
            ("application", "--app", not given.apps),
            ("revocation", "--revocation", given.revocation is None),
        )
        if lacks
    }
    sections = (
        *(_chain_sections(result.chain) if result.chain else ()),
        *(_description_sections(result.description) if result.description else ()),
        *(_application_section(result.application) if result.application else ()),
    )
    return Report(
        kind="Android key attestation, certificate chain",
        sections=sections,
        checks=not_asked(result.checks, missing),
    )


def description_report(data: bytes) -> Report:
    """Returns a report on a KeyDescription without its chain. Without a chain nothing can be verified.

    Raises:
        KeyDescriptionMalformed: The data is no KeyDescription.
    """
    return Report(
        kind="Android key attestation, KeyDescription alone",
        sections=_description_sections(read_key_description(data)),
        checks=(),
    )


def _chain_sections(chain: WalkedChain) -> tuple[Section, ...]:
    root = "unknown" if chain.root is None else f"{chain.root.name} ({chain.root.kind})"
    return (
        Section("Chain", (("shape", chain.shape.value), ("root", root))),
        *(_certificate_section(place, one) for place, one in enumerate(chain.certificates)),
    )


def _certificate_section(place: int, certificate: Certificate) -> Section:
    return Section(
        f"Certificate {place}",
        (
            ("subject", certificate.subject),
            ("serial number", format(certificate.serial, "x")),
            ("valid", f"{moment(certificate.not_before)} to {moment(certificate.not_after)}"),
            ("authority", {True: "yes", False: "no", None: "not said"}[certificate.is_ca]),
            ("SHA-256 of the key", certificate.spki_sha256.hex()),
        ),
    )


def _description_sections(description: KeyDescription) -> tuple[Section, ...]:
    return (
        Section(
            "KeyDescription",
            (
                ("attestation version", str(description.attestation_version)),
                ("attestation security level", _word(description.attestation_security_level)),
                ("KeyMint version", str(description.keymint_version)),
                ("KeyMint security level", _word(description.keymint_security_level)),
                ("challenge", hexadecimal(description.challenge)),
                ("unique identifier", hexadecimal(description.unique_id) or "none"),
                ("not DER", ", ".join(sorted(description.oddities)) or "nothing"),
            ),
        ),
        Section("Enforced by hardware", tuple(_rows(description.hardware_enforced))),
        Section("Enforced by software", tuple(_rows(description.software_enforced))),
    )


def _application_section(application: ApplicationId) -> tuple[Section, ...]:
    packages = sorted(f"{one.name} {one.version}" for one in application.packages)
    digests = sorted(one.hex() for one in application.certificate_digests)
    return (
        Section(
            "Application",
            (("packages", ", ".join(packages)), ("SHA-256 of signing certificates", ", ".join(digests))),
        ),
    )


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
