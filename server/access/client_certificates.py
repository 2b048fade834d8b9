"""Client certificates of the service listener: an allow-list of exact identities.

An identity is ``uri:`` and a URI of the certificate's subject alternative names (such as a SPIFFE ID),
``dns:`` and one of its DNS names, or ``cn:`` and the common name of its subject. Identities are compared
character by character, without patterns. A certificate must be for client authentication (RFC 5280, 4.2.1.12:
id-kp-clientAuth). Otherwise, an authority that also issues the certificates of servers would make each of
these servers a caller. A certificate without the extension, or with only anyExtendedKeyUsage, is valid for
every purpose and is therefore refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Final

import structlog
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pydantic import Field

from server.access.callers import Caller, CallerEntry
from server.base.errors import ConfigurationError, Reason, Refusal

_MAX_REMEMBERED: Final = 256
_MAX_LOGGED: Final = 16
_MAX_LOGGED_CHARACTERS: Final = 256

_log = structlog.get_logger(__name__)


class ClientCertificateEntry(CallerEntry):
    """A caller with a certificate that ``tls.client_ca`` issued."""

    identity: Annotated[str, Field(max_length=2048, pattern=r"^(uri|dns|cn):.+$")]
    """Identity in the certificate: ``uri:spiffe://bank/onboarding``, ``dns:onboarding.bank.internal`` or
    ``cn:onboarding``. It is compared character by character."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCertificate:
    """The relevant content of a client certificate.

    Attributes:
        identities: The identities with their kind, in the form that entries use.
        for_clients: Whether the certificate is for client authentication.
        ends: The end of its validity, UTC.
    """

    identities: frozenset[str]
    for_clients: bool
    ends: datetime


@dataclass(frozen=True, slots=True)
class _Known:
    """A tested certificate: its caller and the end of its validity, or the reason of its refusal."""

    found: tuple[Caller, datetime] | str


class ClientCertificates:
    """The certificates that may call. Use it on the event loop only."""

    def __init__(self, entries: Sequence[ClientCertificateEntry]) -> None:
        """Set the allow-list.

        Raises:
            ConfigurationError: Two entries have the same identity.
        """
        self._entries = {entry.identity: entry.caller for entry in entries}
        if len(self._entries) < len(entries):
            raise ConfigurationError(
                "listeners.service.clients: two entries have the same identity; give each certificate one"
            )
        self._known: dict[bytes, _Known] = {}

    @property
    def callers(self) -> tuple[Caller, ...]:
        """Every caller of the list."""
        return tuple(self._entries.values())

    @property
    def described(self) -> Mapping[str, str]:
        """The callers in words, by the SHA-256 of their identity, which may be longer than a name."""
        return {
            f"certificate {sha256(identity.encode()).hexdigest()[:16]}": f"{caller.described}; {identity}"
            for identity, caller in self._entries.items()
        }

    def find(self, certificate: bytes, *, now: datetime) -> Caller:
        """Return the caller of a certificate.

        A refused certificate is logged once with its identities. The error does not repeat them.

        Args:
            certificate: PEM of the certificate that the TLS handshake verified.
            now: Wall clock, UTC; a connection may outlast the validity of its certificate.

        Raises:
            Refusal: UNAUTHENTICATED: the certificate is not for client authentication or has expired, or no
                entry or several entries match it.
        """
        fingerprint = sha256(certificate).digest()
        known = self._known.get(fingerprint)
        if known is None:
            known = self._look_up(certificate)
            if len(self._known) >= _MAX_REMEMBERED:
                self._known.clear()
            self._known[fingerprint] = known
        if isinstance(known.found, str):
            raise Refusal(Reason.UNAUTHENTICATED, known.found)
        caller, ends = known.found
        if now >= ends:
            raise Refusal(
                Reason.UNAUTHENTICATED, "the client certificate has expired; connect again with a new one"
            )
        return caller

    def _look_up(self, certificate: bytes) -> _Known:
        shown: ShownCertificate | None = None
        try:
            shown = read_certificate(certificate)
        except ValueError:
            why = "the client certificate cannot be read"
        else:
            found = [self._entries[identity] for identity in shown.identities if identity in self._entries]
            if shown.for_clients and len(found) == 1:
                return _Known((found[0], shown.ends))
            if not shown.for_clients:
                why = (
                    "the client certificate is not for client authentication (extended key usage clientAuth)"
                )
            elif not found:
                why = "the client certificate is not on the list of callers; ask the operator for an entry"
            else:
                why = "several entries match the client certificate; ask the operator to keep only one"
        identities = sorted(shown.identities)[:_MAX_LOGGED] if shown is not None else []
        _log.warning(
            "client_certificate_refused",
            why=why,
            identities=[identity[:_MAX_LOGGED_CHARACTERS] for identity in identities],
        )
        return _Known(why)


def read_certificate(certificate: bytes) -> ShownCertificate:
    """Read the relevant content of a client certificate.

    Raises:
        ValueError: The certificate cannot be read.
    """
    try:
        parsed = x509.load_pem_x509_certificate(certificate)
        extensions = {extension.oid: extension.value for extension in parsed.extensions}
        common = parsed.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except (
        ValueError,
        UnsupportedAlgorithm,
        x509.DuplicateExtension,
        x509.InvalidVersion,
        x509.UnsupportedGeneralNameType,
    ) as error:
        raise ValueError("the certificate cannot be read") from error
    identities = {f"cn:{attribute.value}" for attribute in common if isinstance(attribute.value, str)}
    names = extensions.get(x509.SubjectAlternativeName.oid)
    if isinstance(names, x509.SubjectAlternativeName):
        identities |= {f"uri:{uri}" for uri in names.get_values_for_type(x509.UniformResourceIdentifier)}
        identities |= {f"dns:{name}" for name in names.get_values_for_type(x509.DNSName)}
    usage = extensions.get(x509.ExtendedKeyUsage.oid)
    return ShownCertificate(
        identities=frozenset(identities),
        for_clients=isinstance(usage, x509.ExtendedKeyUsage) and ExtendedKeyUsageOID.CLIENT_AUTH in usage,
        ends=parsed.not_valid_after_utc,
    )
