"""The Transit engine of HashiCorp Vault and OpenBao (the extra ``vault``)."""

import base64
import binascii
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from server.key_encryption.errors import KeyEncryptionUnavailable, KeyNotDecrypted
from server.private_files import PrivateFileError, read_private_file

__all__ = ["VaultTransit"]

_CALL_SECONDS = 5
_MAX_TOKEN_BYTES = 16_384


class VaultTransit:
    """A key of the Transit engine; the context is its associated data.

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
        """Makes the client; nothing is sent yet.

        Args:
            address: URL of the server.
            mount: The path where the engine is mounted.
            key: The name of the key.
            token_file: The file with the token.
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
                'vault-transit needs the extra vault: pip install "facegate[vault]"'
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
                f"{self.name}: the server cannot be used: {type(error).__name__}"
            ) from error
