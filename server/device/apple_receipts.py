"""The client of Apple's receipt server, which exchanges an App Attest receipt for a newer one.

The newer receipt contains the current risk metric. The protocol is described in Apple's "Assessing fraud
risk": a POST of the receipt in base64 to ``/v1/attestationData``, with a token that is signed by a
DeviceCheck key (ES256), as in Apple's "Accessing and modifying per-device data".
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

from device_integrity import ReceiptExchangeUnavailable
from device_integrity.apple import MAX_RECEIPT_BYTES, Environment
from formats.proxies import proxy_named
from server.base.errors import ConfigurationError
from server.base.private_files import read_private_file

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
    400: "it does not accept the receipt",
    401: "it does not accept the token: correct key_file, key_id and team_id",
    404: "it no longer knows the device",
    429: "it received too many requests",
}


class AppleReceiptExchange:
    """A ``ReceiptExchange`` that sends receipts to Apple."""

    def __init__(
        self,
        *,
        key_file: Path,
        key_id: str,
        team_id: str,
        now: Callable[[], datetime],
        timeout_seconds: float = 3.0,
    ) -> None:
        """Read the key of a developer account; do not connect.

        Args:
            key_file: The key file for DeviceCheck from Apple: PKCS #8 in PEM, ``.p8``.
            timeout_seconds: How long one exchange may take. A scan waits for it.

        Raises:
            ConfigurationError: The file cannot be read, is accessible to others, or contains no key on P-256.
        """
        try:
            self._key = ECKey.import_key(read_private_file(key_file, max_bytes=_MAX_KEY_BYTES))
            private = self._key.is_private and self._key.curve_name == "P-256"
        except (JoseError, ValueError, TypeError) as error:
            raise ConfigurationError(f"{key_file}: not a key for DeviceCheck in PEM") from error
        if not private:
            raise ConfigurationError(f"{key_file}: not a private key on the curve P-256")
        self._key_id = key_id
        self._team_id = team_id
        self._now = now
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)

    async def exchange(self, receipt: bytes, *, environment: Environment) -> bytes:
        """Exchange a receipt for a newer one, which is not verified yet.

        Args:
            receipt: The receipt of an attestation or of a previous exchange.
            environment: The environment that the key was attested for.

        Raises:
            ReceiptExchangeUnavailable: Apple did not answer in time, or did not return a receipt.
        """
        server = _SERVERS[environment]
        try:
            # One session for each exchange: each device has one a day, so there is nothing to keep open.
            async with (
                aiohttp.ClientSession(timeout=self._timeout, trust_env=True) as session,
                session.post(
                    server + _PATH,
                    data=base64.b64encode(receipt),
                    headers={"Authorization": self._token(), "Content-Type": "text/plain"},
                    allow_redirects=False,
                ) as response,
            ):
                return await _read(response)
        except TimeoutError as error:
            raise ReceiptExchangeUnavailable(f"Apple did not answer in time{proxy_named(server)}") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # Messages of the library may contain the address of a proxy, or parts of an answer.
            raise ReceiptExchangeUnavailable(f"Apple cannot be reached{proxy_named(server)}") from error

    def _token(self) -> str:
        header = {"alg": "ES256", "kid": self._key_id}
        claims = {"iss": self._team_id, "iat": int(self._now().timestamp())}
        return jwt.encode(header, claims, self._key, algorithms=["ES256"])


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
