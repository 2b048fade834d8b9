"""Client certificates of the service listener: an allow-list of exact identities.

An identity is ``uri:`` and a URI of the certificate's subject alternative names (such as a SPIFFE ID),
``dns:`` and one of its DNS names, or ``cn:`` and its subject's common name. They are compared character
by character; there are no patterns. A certificate must be for client authentication (RFC 5280, 4.2.1.12:
id-kp-clientAuth), or an authority that also issues servers' certificates would make each of those servers
a caller. A certificate without the extension, or with anyExtendedKeyUsage instead, is for everything, and so
it is refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Final

import structlog
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pydantic import Field

from server.callers import Caller, CallerEntry
from server.errors import ConfigurationError, Reason, Refusal

__all__ = ["ClientCertificateEntry", "ClientCertificates", "ShownCertificate", "read_certificate"]

_MAX_REMEMBERED: Final = 256
_MAX_LOGGED: Final = 16
_MAX_LOGGED_CHARACTERS: Final = 256

_log = structlog.get_logger(__name__)


class ClientCertificateEntry(CallerEntry):
    """A caller that shows a certificate of ``tls.client_ca``."""

    identity: Annotated[str, Field(max_length=2048, pattern=r"^(uri|dns|cn):.+$")]
    """Whose certificate: ``uri:spiffe://bank/onboarding``, ``dns:onboarding.bank.internal`` or
    ``cn:onboarding``, compared character by character."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCertificate:
    """What a client certificate says.

    Attributes:
        identities: Each with its kind, as entries write them.
        for_clients: Whether it is for client authentication.
        ends: From when on it is not valid, UTC.
    """

    identities: frozenset[str]
    for_clients: bool
    ends: datetime


@dataclass(frozen=True, slots=True)
class _Known:
    """What was found out about a certificate: its caller and its end, or why it is refused."""

    found: tuple[Caller, datetime] | str


class ClientCertificates:
    """The certificates that may call. Used on the event loop only."""

    def __init__(self, entries: Sequence[ClientCertificateEntry]) -> None:
        """Takes the allow-list.

        Raises:
            ConfigurationError: Two entries have one identity.
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

    def find(self, certificate: bytes, *, now: datetime) -> Caller:
        """Whose certificate this is.

        A refused certificate is logged once with its identities, which the caller is not told.

        Args:
            certificate: PEM, as the TLS handshake showed and verified it.
            now: Wall clock, UTC: a connection may outlive its certificate.

        Raises:
            Refusal: UNAUTHENTICATED: it is not for client authentication, it has expired, or no entry or
                several are for it.
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
                why = (
                    "the client certificate is not on the list of those that may call; ask the operator for "
                    "an entry"
                )
            else:
                why = "several entries are for the client certificate; ask the operator to leave one"
        identities = sorted(shown.identities)[:_MAX_LOGGED] if shown is not None else []
        _log.warning(
            "client_certificate_refused",
            why=why,
            identities=[identity[:_MAX_LOGGED_CHARACTERS] for identity in identities],
        )
        return _Known(why)


def read_certificate(certificate: bytes) -> ShownCertificate:
    """Reads what a client certificate says.

    Args:
        certificate: PEM.

    Raises:
        ValueError: It cannot be read.
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
