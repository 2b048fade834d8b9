"""TLS: certificate and key of each listener, the order of the chain, names, expiry, and the client CA."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import ExtendedKeyUsageOID

from cli.doctor.finding import Deployment, Finding, failure, fine, warning
from server.configuration.settings import ServiceTls, Tls
from server.running.tls import CertificateUnusable, TlsFiles

__all__ = ["examine_tls"]

_SOON: Final = timedelta(days=14)


async def examine_tls(deployment: Deployment) -> list[Finding]:
    """Reads the files as a server does, and examines the certificates in them."""
    return await asyncio.to_thread(lambda: list(_examine(deployment)))


def _examine(deployment: Deployment) -> Iterator[Finding]:
    listeners = deployment.settings.listeners
    named: tuple[tuple[str, Tls | None], ...] = (
        ("device", listeners.device.tls),
        ("service", listeners.service.tls),
        *(() if listeners.web is None else (("web", listeners.web.tls),)),
    )
    for name, tls in named:
        if tls is None:
            yield fine("TLS_OFF", f"{name}: plaintext on loopback")
            continue
        try:
            TlsFiles(tls)
        except CertificateUnusable as error:
            yield failure(
                "TLS_UNUSABLE",
                f"{name}: {error}",
                expected="a certificate and the private key that belongs to it",
                remedy="correct the files, or listeners." + name + ".tls",
            )
            continue
        chain = x509.load_pem_x509_certificates(tls.certificate.read_bytes())
        yield from _expiry("TLS", name, chain, deployment)
        yield from _shape(name, chain)
        if isinstance(tls, ServiceTls) and tls.client_ca is not None:
            authorities = x509.load_pem_x509_certificates(tls.client_ca.read_bytes())
            yield from _expiry("CLIENT_CA", "client CA", authorities, deployment)


def _expiry(
    code: str, name: str, certificates: list[x509.Certificate], deployment: Deployment
) -> Iterator[Finding]:
    first = min(certificates, key=lambda each: each.not_valid_after_utc)
    left = first.not_valid_after_utc - deployment.now
    begins = max(each.not_valid_before_utc for each in certificates)
    remedy = "renew it; a running server reads the new files within a minute"
    expected = f"more than {_SOON.days} days of validity"
    if left <= timedelta():
        yield failure(
            f"{code}_EXPIRED", f"{name}: expired {-left.days} days ago", expected=expected, remedy=remedy
        )
    elif begins > deployment.now:
        yield failure(
            f"{code}_NOT_YET_VALID",
            f"{name}: valid from {begins:%Y-%m-%d %H:%M} UTC",
            expected="valid now",
            remedy="correct the clock, or issue the certificate again",
        )
    elif left < _SOON:
        yield warning(
            f"{code}_EXPIRES", f"{name}: expires in {left.days} days", expected=expected, remedy=remedy
        )
    else:
        yield fine(f"{code}_VALID", f"{name}: expires in {left.days} days")


def _shape(name: str, chain: list[x509.Certificate]) -> Iterator[Finding]:
    leaf = chain[0].extensions
    try:
        names = leaf.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        yield failure(
            "TLS_WITHOUT_NAMES",
            f"{name}: the certificate has no subject alternative name",
            expected="the names under which clients connect",
            remedy="issue the certificate with the names",
        )
    else:
        yield fine("TLS_NAMES", f"{name}: {', '.join(str(each.value) for each in names)}")
    try:
        usages = leaf.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        usages = None
    if usages is not None and ExtendedKeyUsageOID.SERVER_AUTH not in usages:
        yield failure(
            "TLS_NOT_FOR_SERVERS",
            f"{name}: the certificate is not for server authentication",
            expected="the extended key usage serverAuth",
            remedy="issue a certificate for servers",
        )
    for number, (certificate, issuer) in enumerate(pairwise(chain), start=1):
        try:
            certificate.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature):
            yield failure(
                "TLS_CHAIN_BROKEN",
                f"{name}: certificate {number + 1} of the file did not issue certificate {number}",
                expected="the server's certificate first, then each issuer",
                remedy="put the certificates of the chain in this order",
            )
            return
