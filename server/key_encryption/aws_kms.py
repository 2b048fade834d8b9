"""AWS KMS (the extra ``aws-kms``)."""

import base64
from importlib import import_module
from typing import Any

from server.key_encryption.errors import KeyEncryptionUnavailable, KeyNotDecrypted

__all__ = ["AwsKms"]

_CALL_SECONDS = 5
_ATTEMPTS = 3
_ALTERED = frozenset({"InvalidCiphertextException", "IncorrectKeyException"})


class AwsKms:
    """A symmetric key of AWS KMS; the context is the encryption context, which KMS authenticates and logs."""

    def __init__(self, *, key: str, region: str | None, endpoint: str | None) -> None:
        """Makes the client; nothing is sent yet.

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
                'aws-kms needs the extra of that name: pip install "facegate[aws-kms]"'
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
                    retries={"max_attempts": _ATTEMPTS, "mode": "standard"},
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
