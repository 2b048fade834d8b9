"""Client certificates of the service listener: an allow-list of exact identities.

An identity is ``uri:`` and a URI of the certificate's subject alternative names (such as a SPIFFE ID),
``dns:`` and one of its DNS names, or ``cn:`` and its subject's common name. They are compared character
by character; there are no patterns. A certificate must be for client authentication (RFC 5280, 4.2.1.12:
id-kp-clientAuth), or an authority that also issues servers' certificates would make each of those servers
a caller.
"""

from collections.abc import Sequence
from typing import Annotated

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pydantic import Field

from server.callers import Caller, CallerEntry
from server.errors import ConfigurationError, Reason, Refusal

__all__ = ["ClientCertificateEntry", "ClientCertificates", "identities_of"]

_MAX_REMEMBERED = 256


class ClientCertificateEntry(CallerEntry):
    """A caller that shows a certificate of ``tls.client_ca``."""

    identity: Annotated[str, Field(max_length=2048, pattern=r"^(uri|dns|cn):.+$")]
    """Whose certificate: ``uri:spiffe://bank/onboarding``, ``dns:onboarding.bank.internal`` or
    ``cn:onboarding``, compared character by character."""


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
        self._known: dict[bytes, Caller] = {}

    @property
    def callers(self) -> tuple[Caller, ...]:
        """Every caller of the list."""
        return tuple(self._entries.values())

    def find(self, certificate: bytes) -> Caller:
        """Whose certificate this is.

        Args:
            certificate: PEM, as the TLS handshake showed and verified it.

        Raises:
            Refusal: UNAUTHENTICATED: it is not for client authentication, or no entry or several are for it.
        """
        caller = self._known.get(certificate)
        if caller is None:
            caller = self._look_up(certificate)
            if len(self._known) >= _MAX_REMEMBERED:
                self._known.clear()
            self._known[certificate] = caller
        return caller

    def _look_up(self, certificate: bytes) -> Caller:
        try:
            identities = identities_of(certificate)
        except ValueError as error:
            raise Refusal(Reason.UNAUTHENTICATED, f"the client certificate {error}") from error
        found = {identity: self._entries[identity] for identity in identities if identity in self._entries}
        if not found:
            raise Refusal(
                Reason.UNAUTHENTICATED,
                "the client certificate is not on the list of those that may call; ask the operator for an "
                "entry",
            )
        if len(found) > 1:
            raise Refusal(
                Reason.UNAUTHENTICATED,
                "several entries are for the client certificate; ask the operator to leave one",
            )
        return next(iter(found.values()))


def identities_of(certificate: bytes) -> frozenset[str]:
    """The identities that a client certificate has.

    Args:
        certificate: PEM.

    Raises:
        ValueError: It cannot be read, or is not for client authentication.
    """
    try:
        parsed = x509.load_pem_x509_certificate(certificate)
        extensions = {extension.oid: extension.value for extension in parsed.extensions}
        common = parsed.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension) as error:
        raise ValueError("cannot be read") from error
    usage = extensions.get(x509.ExtendedKeyUsage.oid)
    if not isinstance(usage, x509.ExtendedKeyUsage) or ExtendedKeyUsageOID.CLIENT_AUTH not in usage:
        raise ValueError("is not for client authentication (extended key usage clientAuth)")
    found = {f"cn:{attribute.value}" for attribute in common if isinstance(attribute.value, str)}
    names = extensions.get(x509.SubjectAlternativeName.oid)
    if isinstance(names, x509.SubjectAlternativeName):
        found |= {f"uri:{uri}" for uri in names.get_values_for_type(x509.UniformResourceIdentifier)}
        found |= {f"dns:{name}" for name in names.get_values_for_type(x509.DNSName)}
    return frozenset(found)
