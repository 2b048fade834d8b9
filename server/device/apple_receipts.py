"""Apple's server for receipts of App Attest: a receipt in, one with the risk metric of today out.

From Apple's "Assessing fraud risk": POST of the receipt in base64 to ``/v1/attestationData``, with a token
that a key for DeviceCheck signs (ES256), as "Accessing and modifying per-device data" describes it.
"""

import base64
import binascii
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

import aiohttp
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from device_integrity.apple import MAX_RECEIPT_BYTES, Environment
from device_integrity.errors import ReceiptExchangeUnavailable
from server.errors import ConfigurationError
from server.private_files import read_private_file

__all__ = ["AppleReceiptExchange", "open_apple_receipt_exchange"]

_SERVERS: Final = {
    Environment.PRODUCTION: "https://data.appattest.apple.com",
    Environment.DEVELOPMENT: "https://data-development.appattest.apple.com",
}
_PATH: Final = "/v1/attestationData"
_MAX_ANSWER: Final = 4 * MAX_RECEIPT_BYTES
_MAX_KEY_BYTES: Final = 16 * 1024
_OK: Final = 200
_MEANINGS: Final = {
    304: "the receipt may not be exchanged yet",
    400: "it does not take the receipt",
    401: "it does not take the token: check key_file, key_id and team_id",
    404: "it knows nothing of the device any more",
    429: "it was asked too often",
}


class AppleReceiptExchange:
    """A ``ReceiptExchange`` that asks Apple."""

    def __init__(
        self,
        *,
        key: ECKey,
        key_id: str,
        team_id: str,
        now: Callable[[], datetime],
        server: str | None = None,
        timeout_seconds: float = 3.0,
    ) -> None:
        """Opens nothing yet.

        Args:
            key: For DeviceCheck, on P-256.
            key_id: Its identifier.
            team_id: The team's.
            now: The present time, with a time zone.
            server: In place of Apple's, as ``https://host:port``.
            timeout_seconds: How long one exchange may take. A scan waits for it.
        """
        self._key = key
        self._key_id = key_id
        self._team_id = team_id
        self._now = now
        self.server = server
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)

    async def exchange(self, receipt: bytes, *, environment: Environment) -> bytes:
        """The receipt in the given one's place, not verified yet.

        Args:
            receipt: Of an attestation, or of an exchange before.
            environment: The one that the key was attested for.

        Raises:
            ReceiptExchangeUnavailable: Apple did not answer in time, or with no receipt.
        """
        try:
            # A session an exchange: there is one in a day for each device, and nothing to close.
            async with (
                aiohttp.ClientSession(timeout=self._timeout, trust_env=True) as session,
                session.post(
                    (self.server or _SERVERS[environment]) + _PATH,
                    data=base64.b64encode(receipt),
                    headers={"Authorization": self._token(), "Content-Type": "text/plain"},
                    allow_redirects=False,
                ) as response,
            ):
                return await _read(response)
        except TimeoutError as error:
            raise ReceiptExchangeUnavailable("Apple did not answer in time") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # Messages of the library may hold the address of a proxy, or parts of an answer.
            raise ReceiptExchangeUnavailable("Apple cannot be reached") from error

    def _token(self) -> str:
        header = {"alg": "ES256", "kid": self._key_id}
        claims = {"iss": self._team_id, "iat": int(self._now().timestamp())}
        return jwt.encode(header, claims, self._key, algorithms=["ES256"])


def open_apple_receipt_exchange(
    *,
    key_file: Path,
    key_id: str,
    team_id: str,
    now: Callable[[], datetime],
    server: str | None = None,
    timeout_seconds: float = 3.0,
) -> AppleReceiptExchange:
    """An exchange with the key of a developer account.

    Args:
        key_file: As Apple gives it out: PKCS #8 in PEM, ``.p8``.
        key_id: The key's identifier.
        team_id: The team's.
        now: The present time, with a time zone.
        server: In place of Apple's, as ``https://host:port``.
        timeout_seconds: How long one exchange may take.

    Raises:
        ConfigurationError: The file cannot be read, is open to others, or holds no key on P-256.
    """
    try:
        key = ECKey.import_key(read_private_file(key_file, max_bytes=_MAX_KEY_BYTES))
        private = key.is_private and key.curve_name == "P-256"
    except (JoseError, ValueError, TypeError) as error:
        raise ConfigurationError(f"{key_file}: not a key for DeviceCheck in PEM") from error
    if not private:
        raise ConfigurationError(f"{key_file}: not a private key on the curve P-256")
    return AppleReceiptExchange(
        key=key, key_id=key_id, team_id=team_id, now=now, server=server, timeout_seconds=timeout_seconds
    )


async def _read(response: aiohttp.ClientResponse) -> bytes:
    if response.status != _OK:
        meaning = _MEANINGS.get(response.status, "it failed")
        raise ReceiptExchangeUnavailable(f"Apple answered with status {response.status}: {meaning}")
    body = bytearray()
    async for part in response.content.iter_any():
        body += part
        if len(body) > _MAX_ANSWER:
            raise ReceiptExchangeUnavailable(f"Apple's answer has more than {_MAX_ANSWER} bytes")
    try:
        return base64.b64decode(bytes(body).strip(), validate=True)
    except binascii.Error as error:
        raise ReceiptExchangeUnavailable("Apple's answer is not base64") from error
