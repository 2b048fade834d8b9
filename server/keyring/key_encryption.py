"""Encrypts the server's key files under a key-encryption key that lies elsewhere.

A key file is decrypted once, when a server reads its key folder; records are sealed under the keys in it
without a further call. ``open_key_encryption`` makes what ``keys.encryption`` in the settings names: a key in
a file or in the environment, AWS KMS, or the Transit engine of Vault and OpenBao. ``KeyFileCipher`` converts
the content of a file.

::

    KeyEncryptionError            a key file cannot be encrypted or decrypted
        KeyEncryptionUnavailable  the key-encryption key cannot be reached or is not configured correctly
        KeyNotDecrypted           the content is not what this key encrypted for this file
"""

import base64
import binascii
import json
import os
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from formats.extras import missing_extra
from formats.proxies import proxy_named
from server.base.errors import ConfigurationError
from server.base.private_files import PrivateFileError, read_private_file
from server.configuration.tables import (
    AwsKmsEncryption,
    EnvironmentEncryption,
    FileEncryption,
    KeyEncryptionEntry,
    VaultTransitEncryption,
)

KEY_VARIABLE: Final = "FACEGATE_KEY_ENCRYPTION_KEY"
"""The variable of entries with kind "environment". One name suffices: only one entry may be of this kind."""
_KEY_BYTES = 32
_NONCE_BYTES = 12
_MAX_FILE_BYTES = 4_096
_CALL_SECONDS = 5
_KMS_ATTEMPTS = 3
_ALTERED = frozenset({"InvalidCiphertextException", "IncorrectKeyException"})
_MAX_TOKEN_BYTES = 16_384


class KeyEncryptionError(ConfigurationError):
    """A key file cannot be encrypted or decrypted."""


class KeyEncryptionUnavailable(KeyEncryptionError):
    """The key-encryption key cannot be reached, may not be used, or is not configured correctly."""


class KeyNotDecrypted(KeyEncryptionError):
    """The content was altered, belongs to another file, or was encrypted under another key."""


class KeyEncryption(Protocol):
    """A key-encryption key. Its methods block, possibly for a call over the network."""

    @property
    def name(self) -> str:
        """The name under which files refer to this key, such as ``aws-kms:alias/facegate``; no secret."""
        ...

    def encrypt(self, plaintext: bytes, *, context: bytes) -> bytes:
        """Encrypt up to 4,000 bytes.

        Args:
            plaintext: The content of a key file.
            context: Authenticated with the ciphertext; ``decrypt`` needs the same.

        Raises:
            KeyEncryptionUnavailable: The key cannot be reached or may not be used.
        """
        ...

    def decrypt(self, ciphertext: bytes, *, context: bytes) -> bytes:
        """Decrypt a result of ``encrypt``.

        Raises:
            KeyEncryptionUnavailable: The key cannot be reached or may not be used.
            KeyNotDecrypted: The ciphertext or the context is not that of ``encrypt``.
        """
        ...


class LocalKey:
    """A key-encryption key that this process holds, from a file or from the environment (AES-256-GCM)."""

    def __init__(self, name: str, key: bytes) -> None:
        """Set the name for files and the key, 32 bytes."""
        self.name = name
        self._cipher = AESGCM(key)

    def encrypt(self, plaintext: bytes, *, context: bytes) -> bytes:
        """See ``KeyEncryption``. Returns nonce (12 bytes), ciphertext and tag (16 bytes)."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plaintext, context)

    def decrypt(self, ciphertext: bytes, *, context: bytes) -> bytes:
        """See ``KeyEncryption``."""
        try:
            return self._cipher.decrypt(ciphertext[:_NONCE_BYTES], ciphertext[_NONCE_BYTES:], context)
        except (InvalidTag, ValueError) as error:
            raise KeyNotDecrypted(
                f"{self.name}: this key did not encrypt the file, or the file was altered"
            ) from error


def key_from_file(path: Path) -> LocalKey:
    """Return the key in a file that only its owner, and perhaps its group, can read.

    Raises:
        KeyEncryptionUnavailable: The file cannot be read, or does not hold 32 bytes as base64.
    """
    try:
        text = read_private_file(path, max_bytes=_MAX_FILE_BYTES)
    except PrivateFileError as error:
        raise KeyEncryptionUnavailable(str(error)) from error
    return LocalKey(f"file:{path.name}", _key(text, str(path)))


def key_from_environment(variable: str, environment: Mapping[str, str]) -> LocalKey:
    """Return the key in an environment variable.

    Raises:
        KeyEncryptionUnavailable: The variable is not set, or does not hold 32 bytes as base64.
    """
    text = environment.get(variable)
    if text is None:
        raise KeyEncryptionUnavailable(
            f'the environment variable {variable} is not set, and an entry of keys has kind = "environment"'
        )
    return LocalKey(f"environment:{variable}", _key(text.encode(), variable))


def _key(text: bytes, where: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise KeyEncryptionUnavailable(
            f"{where}: expected base64; make a key with: openssl rand -base64 32"
        ) from error
    if len(key) != _KEY_BYTES:
        raise KeyEncryptionUnavailable(
            f"{where}: expected {_KEY_BYTES} bytes as base64, not {len(key)}; make a key with: "
            "openssl rand -base64 32"
        )
    return key


class AwsKms:
    """A symmetric key of AWS KMS (the extra ``aws-kms``).

    The context is the encryption context, which KMS authenticates and logs.
    """

    def __init__(self, *, key: str, region: str | None, endpoint: str | None) -> None:
        """Make the client; nothing is sent yet.

        Args:
            key: ARN, identifier or alias.
            region: The region; ``None`` for that of the environment.
            endpoint: Another endpoint; ``None`` for that of the region.

        Raises:
            KeyEncryptionUnavailable: The extra is not installed, or no region is known.
        """
        try:
            boto3, config = import_module("boto3"), import_module("botocore.config")
            self._errors = import_module("botocore.exceptions")
        except ImportError as error:
            raise KeyEncryptionUnavailable(
                missing_extra('keys.encryption, kind "aws-kms",', "aws-kms")
            ) from error
        self.name = f"aws-kms:{key}"
        self._key = key
        try:
            # A session of its own: the default one is shared by all threads while it is made.
            self._client: Any = boto3.session.Session().client(
                "kms",
                region_name=region,
                endpoint_url=endpoint,
                config=config.Config(
                    connect_timeout=_CALL_SECONDS,
                    read_timeout=_CALL_SECONDS,
                    retries={"max_attempts": _KMS_ATTEMPTS, "mode": "standard"},
                ),
            )
        except (self._errors.BotoCoreError, ValueError) as error:
            raise self._unavailable(error) from error

    def encrypt(self, plaintext: bytes, *, context: bytes) -> bytes:
        """See ``KeyEncryption``."""
        answer = self._call("encrypt", Plaintext=plaintext, context=context)
        ciphertext: bytes = answer["CiphertextBlob"]
        return ciphertext

    def decrypt(self, ciphertext: bytes, *, context: bytes) -> bytes:
        """See ``KeyEncryption``."""
        answer = self._call("decrypt", CiphertextBlob=ciphertext, context=context)
        plaintext: bytes = answer["Plaintext"]
        return plaintext

    def _call(self, operation: str, *, context: bytes, **arguments: bytes) -> Any:
        try:
            return getattr(self._client, operation)(
                KeyId=self._key,
                EncryptionContext={"facegate": base64.b64encode(context).decode()},
                **arguments,
            )
        except self._errors.ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in _ALTERED:
                raise KeyNotDecrypted(
                    f"{self.name}: this key did not encrypt the file, or the file was altered ({code})"
                ) from error
            raise KeyEncryptionUnavailable(f"{self.name}: KMS refuses to {operation}: {code}") from error
        except self._errors.BotoCoreError as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: Exception) -> KeyEncryptionUnavailable:
        # The texts of botocore's errors name endpoints and regions, no secrets.
        return KeyEncryptionUnavailable(f"{self.name}: KMS cannot be used: {error}")


class VaultTransit:
    """A key of the Transit engine of HashiCorp Vault and OpenBao (the extra ``vault``).

    The context is its associated data.

    The token is read from its file for each call, because an agent renews it.
    """

    def __init__(
        self,
        *,
        address: str,
        mount: str,
        key: str,
        token_file: Path,
        namespace: str | None = None,
        ca: Path | None = None,
    ) -> None:
        """Make the client; nothing is sent yet.

        Args:
            mount: The path where the engine is mounted.
            namespace: The namespace; ``None`` for the root.
            ca: PEM file of the certificate authority; ``None`` for those of the system.

        Raises:
            KeyEncryptionUnavailable: The extra is not installed.
        """
        try:
            hvac, requests = import_module("hvac"), import_module("requests")
            self._errors = import_module("hvac.exceptions")
        except ImportError as error:
            raise KeyEncryptionUnavailable(
                missing_extra('keys.encryption, kind "vault-transit",', "vault")
            ) from error
        self.name = f"vault-transit:{mount}/{key}"
        self._mount, self._key, self._token_file = mount, key, token_file
        self._transport_error: type[Exception] = requests.exceptions.RequestException
        self._client: Any = hvac.Client(
            url=address,
            namespace=namespace,
            verify=True if ca is None else str(ca),
            timeout=_CALL_SECONDS,
            # Without it, the client takes a token from the environment or a home folder.
            token="",
        )

    def encrypt(self, plaintext: bytes, *, context: bytes) -> bytes:
        """See ``KeyEncryption``. Returns the engine's text form of a ciphertext, such as ``vault:v1:…``."""
        data = self._call(
            lambda transit: transit.encrypt_data(
                name=self._key,
                plaintext=base64.b64encode(plaintext).decode(),
                associated_data=base64.b64encode(context).decode(),
                mount_point=self._mount,
            )
        )
        ciphertext: str = data["ciphertext"]
        return ciphertext.encode()

    def decrypt(self, ciphertext: bytes, *, context: bytes) -> bytes:
        """See ``KeyEncryption``."""
        data = self._call(
            lambda transit: transit.decrypt_data(
                name=self._key,
                ciphertext=ciphertext.decode("ascii", "replace"),
                associated_data=base64.b64encode(context).decode(),
                mount_point=self._mount,
            )
        )
        try:
            return base64.b64decode(data["plaintext"], validate=True)
        except (binascii.Error, ValueError) as error:
            raise KeyEncryptionUnavailable(f"{self.name}: the server's response is not base64") from error

    def _call(self, request: Callable[[Any], Any]) -> Any:
        try:
            self._client.token = (
                read_private_file(self._token_file, max_bytes=_MAX_TOKEN_BYTES).decode().strip()
            )
            return request(self._client.secrets.transit)["data"]
        except PrivateFileError as error:
            raise KeyEncryptionUnavailable(str(error)) from error
        except self._errors.InvalidRequest as error:
            # Transit answers 400 to a ciphertext or associated data that do not belong together.
            raise KeyNotDecrypted(
                f"{self.name}: this key did not encrypt the file, or the file was altered"
            ) from error
        except (self._errors.VaultError, self._transport_error, KeyError, TypeError) as error:
            raise KeyEncryptionUnavailable(
                f"{self.name}: the server cannot be used{proxy_named(self._client.url, or_all=True)}: "
                f"{type(error).__name__}"
            ) from error


_FORMAT: Final = "facegate-encrypted-key/1"
_START: Final = b'{"format": "' + _FORMAT.encode() + b'"'
_DOMAIN: Final = b"facegate/v1/key-file"


@dataclass(frozen=True, slots=True)
class FileContext:
    """The purpose and the owner of a key file. It cannot be decrypted for another purpose or owner.

    Attributes:
        purpose: The purpose of the key, such as ``evidence``.
        tenant: The tenant that owns the key; empty for a key of the server.
    """

    purpose: str
    tenant: str = ""

    def as_bytes(self) -> bytes:
        """Return the domain and both fields, each with its length before it."""
        fields = (self.purpose.encode(), self.tenant.encode())
        return _DOMAIN + b"".join(len(field).to_bytes(2, "big") + field for field in fields)


def is_encrypted(content: bytes) -> bool:
    """Return whether a key file's content is encrypted. A bare key is 32 bytes or PEM, never this."""
    return content.startswith(_START)


class KeyFileCipher:
    """Encrypts the content of key files with the first of several keys, and decrypts with any of them."""

    def __init__(self, encryptions: Sequence[KeyEncryption]) -> None:
        """Set the keys; without any, content stays as it is."""
        self._encryptions = tuple(encryptions)

    def encrypt(self, content: bytes, context: FileContext) -> bytes:
        """Return the content for a file.

        Raises:
            KeyEncryptionUnavailable: The key cannot be reached or may not be used.
        """
        if not self._encryptions:
            return content
        encryption = self._encryptions[0]
        ciphertext = encryption.encrypt(content, context=context.as_bytes())
        fields = {
            "format": _FORMAT,
            "encryption": encryption.name,
            "ciphertext": base64.b64encode(ciphertext).decode(),
        }
        return json.dumps(fields).encode() + b"\n"

    def decrypt(self, content: bytes, context: FileContext) -> bytes:
        """Return the key in a file's content, encrypted or not.

        Raises:
            KeyEncryptionUnavailable: No entry of the settings has the key, it cannot be reached, or it may
                not be used.
            KeyNotDecrypted: The content was altered or is not a file of this purpose.
        """
        if not is_encrypted(content):
            return content
        name, ciphertext = _parsed(content)
        for encryption in self._encryptions:
            if encryption.name == name:
                return encryption.decrypt(ciphertext, context=context.as_bytes())
        raise KeyEncryptionUnavailable(
            f"it is encrypted under {name}, which keys.encryption does not name; add that entry"
        )

    def current(self, content: bytes) -> bool:
        """Return whether the content is as ``encrypt`` would make it now."""
        if not self._encryptions:
            return not is_encrypted(content)
        return is_encrypted(content) and _parsed(content)[0] == self._encryptions[0].name


def _parsed(content: bytes) -> tuple[str, bytes]:
    try:
        fields = json.loads(content)
        name, ciphertext = fields["encryption"], base64.b64decode(fields["ciphertext"], validate=True)
    except (ValueError, KeyError, TypeError, binascii.Error, RecursionError) as error:
        raise KeyNotDecrypted("it is not a whole encrypted key file; restore it from the backup") from error
    if not isinstance(name, str):
        raise KeyNotDecrypted("it does not name the key that encrypted it; restore it from the backup")
    return name, ciphertext


def open_key_encryption(entries: Iterable[KeyEncryptionEntry]) -> KeyFileCipher:
    """Return what encrypts key files by the entries of ``keys.encryption``.

    Raises:
        KeyEncryptionUnavailable: A key cannot be read, or an extra is not installed.
    """
    return KeyFileCipher([_opened(entry) for entry in entries])


def _opened(entry: KeyEncryptionEntry) -> KeyEncryption:
    match entry:
        case FileEncryption():
            return key_from_file(entry.path)
        case EnvironmentEncryption():
            return key_from_environment(KEY_VARIABLE, os.environ)
        case AwsKmsEncryption():
            endpoint = None if entry.endpoint is None else str(entry.endpoint)
            return AwsKms(key=entry.key, region=entry.region, endpoint=endpoint)
        case VaultTransitEncryption():
            return VaultTransit(
                address=str(entry.address).rstrip("/"),
                mount=entry.mount,
                key=entry.key,
                token_file=entry.token_file,
                namespace=entry.namespace,
                ca=entry.ca,
            )
