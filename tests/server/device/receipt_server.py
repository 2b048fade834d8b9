"""Apple's receipt server for App Attest, played by a real HTTP server under a test root."""

import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import ECKey

from device_integrity.apple import parse_receipt
from simulator.devices.app_attest import AppAttestKey
from tests.device_integrity.apple.apple_in_software import APP, SoftwareApple

__all__ = ["KEY_ID", "TEAM_ID", "ReceiptServer", "playing_apple", "write_key"]

KEY_ID, TEAM_ID = "ABCDEFGHIJ", "TEAM123456"


@dataclass
class ReceiptServer:
    """The answers of the server, and the requests that it received.

    Attributes:
        apple: Signs the receipts.
        now: The time of the receipts.
        url: The server's URL.
        keys: The known App Attest keys, by SubjectPublicKeyInfo.
        risk_metric: The risk metric of its answers.
        status: The status of its answers.
        body: Replaces the receipt.
        asked: The requests' bodies.
        credentials: Verifies the requests' tokens.
    """

    apple: SoftwareApple
    now: Callable[[], datetime]
    url: str = ""
    keys: dict[bytes, AppAttestKey] = field(default_factory=dict)
    risk_metric: int = 1
    status: int = 200
    body: bytes | None = None
    asked: list[bytes] = field(default_factory=list)
    credentials: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256"))

    def know(self, key: AppAttestKey) -> None:
        """Makes the server exchange receipts of a key."""
        self.keys[key.public_key] = key

    async def answer(self, request: web.Request) -> web.Response:
        """Answers one exchange."""
        body = await request.read()
        self.asked.append(body)
        token = jwt.decode(request.headers["Authorization"], self.credentials, algorithms=["ES256"])
        assert token.header["kid"] == KEY_ID
        assert token.claims.keys() == {"iss", "iat"}
        assert token.claims["iss"] == TEAM_ID
        assert abs(token.claims["iat"] - self.now().timestamp()) < 5.0
        if self.status != 200:
            return web.Response(status=self.status, headers={"Location": f"{self.url}/elsewhere"})
        if self.body is not None:
            return web.Response(body=self.body)
        old = parse_receipt(base64.b64decode(body, validate=True)).receipt
        if old.public_key not in self.keys:
            return web.Response(status=404)
        new = self.apple.receipt(
            self.keys[old.public_key], app_id=APP, made=self.now(), risk_metric=self.risk_metric
        )
        return web.Response(body=base64.b64encode(new) + b"\n")


@asynccontextmanager
async def playing_apple(apple: SoftwareApple, now: Callable[[], datetime]) -> AsyncIterator[ReceiptServer]:
    """Plays Apple on its own port."""
    server = ReceiptServer(apple, now)
    application = web.Application()
    application.router.add_post("/v1/attestationData", server.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    server.url = f"http://{host}:{port}"
    try:
        yield server
    finally:
        await runner.cleanup()


def write_key(server: ReceiptServer, folder: Path) -> Path:
    """Writes the key file of the developer account."""
    path = folder / "AuthKey.p8"
    path.touch(0o600)
    path.write_bytes(server.credentials.as_pem(private=True))
    return path
