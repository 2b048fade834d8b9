"""TLS of the gRPC listeners: credentials from files, checked before a listener opens.

::

    CertificateUnusable     a certificate, private key or client CA cannot be used
"""

import ssl
from hashlib import sha256
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from server.errors import ConfigurationError
from server.private_files import PrivateFileError, read_private_file
from server.settings import ServiceTls, Tls

__all__ = ["CertificateUnusable", "certificate_spki_sha256", "server_credentials"]

_MAX_BYTES = 1_048_576


class CertificateUnusable(ConfigurationError):
    """A TLS certificate, private key or client CA cannot be used."""


def server_credentials(tls: Tls) -> grpc.ServerCredentials:
    """Credentials of a listener; with a ``client_ca`` every caller must show a certificate of it.

    Raises:
        CertificateUnusable: A file cannot be read, is not PEM, the key is not the certificate's, or
            others may read the key.
    """
    chain, key = _read(tls.certificate), _read(tls.key, private=True)
    _check_pair(tls, chain, key)
    authorities = None
    if isinstance(tls, ServiceTls) and tls.client_ca is not None:
        authorities = _read(tls.client_ca)
        _check_authorities(tls.client_ca, authorities)
    return grpc.ssl_server_credentials(
        [(key, chain)], root_certificates=authorities, require_client_auth=authorities is not None
    )


def certificate_spki_sha256(certificate: Path) -> bytes:
    """SHA-256 of the certificate's SubjectPublicKeyInfo, 32 bytes: what a device reports to have seen.

    Raises:
        CertificateUnusable: The file cannot be read or holds no certificate.
    """
    key = _certificates(certificate, _read(certificate))[0].public_key()
    return sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()


def _read(path: Path, *, private: bool = False) -> bytes:
    try:
        if private:
            return read_private_file(path, max_bytes=_MAX_BYTES)
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except PrivateFileError as error:
        raise CertificateUnusable(str(error)) from error
    except OSError as error:
        raise CertificateUnusable(
            f"{path}: cannot be read: {error.strerror or error}; correct the path, or its permissions"
        ) from error
    return content if len(content) <= _MAX_BYTES else b""


def _certificates(path: Path, content: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(content)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateUnusable(
            f"{path}: holds no PEM certificate; name a file with the chain, the server's own first"
        ) from error


def _check_pair(tls: Tls, chain: bytes, key: bytes) -> None:
    certificate = _certificates(tls.certificate, chain)[0]
    try:
        private = load_pem_private_key(key, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CertificateUnusable(
            f"{tls.key}: not an unencrypted PEM private key; write it out as one (openssl pkey)"
        ) from error
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if private.public_key().public_bytes(*form) != certificate.public_key().public_bytes(*form):
        raise CertificateUnusable(
            f"{tls.key}: not the private key of {tls.certificate}; name the two that belong together"
        )


def _check_authorities(path: Path, content: bytes) -> None:
    _certificates(path, content)
    try:
        ssl.create_default_context(cadata=content.decode("ascii"))
    except (ssl.SSLError, UnicodeDecodeError) as error:
        raise CertificateUnusable(
            f"{path}: holds no certificate authority; name the one that issues your clients' certificates"
        ) from error
