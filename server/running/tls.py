"""TLS of the listeners: files that are verified before a listener opens, and read again on changes.

::

    CertificateUnusable     a certificate, private key or client CA cannot be used
"""

import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import cast

import grpc
import structlog
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from server.base.errors import ConfigurationError
from server.base.private_files import PrivateFileError, file_state, read_private_file, read_trusted_file
from server.configuration.settings import ServiceTls, Tls

_MAX_BYTES = 1_048_576
_log = structlog.get_logger(__name__)


class CertificateUnusable(ConfigurationError):
    """A TLS certificate, private key or client CA cannot be used."""


class TlsFiles:
    """The certificate, key and client authorities of a listener. New connections use the current files.

    ``refresh`` reads the files again. Existing connections continue with the files with which they began.
    """

    def __init__(self, tls: Tls) -> None:
        """Read the files.

        Raises:
            CertificateUnusable: A file cannot be read or is not PEM, the key does not belong to the
                certificate, or others may read the key.
        """
        self._tls = tls
        self._state = _state(tls)
        self._shown = _read_files(tls)
        self._lock = threading.Lock()
        self._next: grpc.ServerCertificateConfiguration | None = None
        self._context: ssl.SSLContext | None = None

    @property
    def spki_sha256(self) -> bytes:
        """SHA-256 of the certificate's SubjectPublicKeyInfo, 32 bytes, which devices state."""
        key = self._shown.certificate.public_key()
        return sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()

    @property
    def not_after(self) -> datetime:
        """The end of the validity of the certificate, UTC."""
        return self._shown.certificate.not_valid_after_utc

    def credentials(self) -> grpc.ServerCredentials:
        """Return the credentials of a listener; ``client_ca`` demands a certificate of every caller."""
        return grpc.dynamic_ssl_server_credentials(
            self._shown.configuration,
            # None means "unchanged", contrary to the type stubs.
            cast("Callable[[], grpc.ServerCertificateConfiguration]", self._take_next),
            require_client_authentication=self._shown.needs_client,
        )

    def context(self) -> ssl.SSLContext:
        """Return the context of a listener that is not gRPC's. New connections use the current files.

        Raises:
            CertificateUnusable: The files changed since they were read, and can no longer be used.
        """
        context = _loaded(self._tls)
        self._context = context

        def choose(connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
            # A context that is in use must not change: between its certificate and its key it has no pair.
            if self._context is not None:
                connection.context = self._context

        context.sni_callback = choose
        return context

    def refresh(self) -> bool:
        """Read the files again if one changed; return whether their content is in force.

        If the files cannot be used or do not match each other yet, the error is logged and the previous files
        stay in force. It blocks for a moment.
        """
        try:
            state = _state(self._tls)
            if state == self._state:
                return True
            shown = _read_files(self._tls)
            renewed = None if self._context is None else _loaded(self._tls)
        except CertificateUnusable as error:
            _log.error("tls_files_unusable", certificate=str(self._tls.certificate), why=str(error))
            return False
        self._context = renewed
        with self._lock:
            self._next = shown.configuration
        self._shown, self._state = shown, state
        _log.info(
            "tls_files_read", certificate=str(self._tls.certificate), not_after=self.not_after.isoformat()
        )
        return True

    def _take_next(self) -> grpc.ServerCertificateConfiguration | None:
        """Return the configuration if it changed since the last connection; grpc calls it in its threads."""
        with self._lock:
            changed, self._next = self._next, None
        return changed


@dataclass(frozen=True, slots=True)
class _Read:
    certificate: x509.Certificate
    configuration: grpc.ServerCertificateConfiguration
    needs_client: bool


def _read_files(tls: Tls) -> _Read:
    chain, key = _read(tls.certificate), _read(tls.key, private=True)
    _validate_pair(tls, chain, key)
    authorities = None
    if isinstance(tls, ServiceTls) and tls.client_ca is not None:
        authorities = _read(tls.client_ca)
        _validate_authorities(tls.client_ca, authorities)
    return _Read(
        certificate=_certificates(tls.certificate, chain)[0],
        configuration=grpc.ssl_server_certificate_configuration(
            [(key, chain)], root_certificates=authorities
        ),
        needs_client=authorities is not None,
    )


def _loaded(tls: Tls) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(tls.certificate, tls.key)
    except (ssl.SSLError, OSError) as error:
        raise CertificateUnusable(
            f"{tls.certificate}: cannot be used with {tls.key}: {error.strerror or error}"
        ) from error
    return context


def _state(tls: Tls) -> tuple[tuple[int, int, int, int], ...]:
    client_ca = tls.client_ca if isinstance(tls, ServiceTls) else None
    paths = [path for path in (tls.certificate, tls.key, client_ca) if path is not None]
    try:
        return tuple(file_state(path) for path in paths)
    except OSError as error:
        raise CertificateUnusable(
            f"{error.filename}: cannot be read: {error.strerror or error}; correct the path, or its "
            "permissions"
        ) from error


def _read(path: Path, *, private: bool = False) -> bytes:
    try:
        if private:
            return read_private_file(path, max_bytes=_MAX_BYTES)
        content = read_trusted_file(path, max_bytes=_MAX_BYTES)
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
            f"{path}: contains no PEM certificate; name a file with the chain, the server's certificate first"
        ) from error


def _validate_pair(tls: Tls, chain: bytes, key: bytes) -> None:
    certificate = _certificates(tls.certificate, chain)[0]
    try:
        private = load_pem_private_key(key, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CertificateUnusable(
            f"{tls.key}: not an unencrypted PEM private key; convert it to one (openssl pkey)"
        ) from error
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if private.public_key().public_bytes(*form) != certificate.public_key().public_bytes(*form):
        raise CertificateUnusable(
            f"{tls.key}: not the private key of {tls.certificate}; name two files that belong together"
        )


def _validate_authorities(path: Path, content: bytes) -> None:
    _certificates(path, content)
    try:
        ssl.create_default_context(cadata=content.decode("ascii"))
    except (ssl.SSLError, UnicodeDecodeError) as error:
        raise CertificateUnusable(
            f"{path}: contains no certificate authority; name the one that issues your clients' certificates"
        ) from error
