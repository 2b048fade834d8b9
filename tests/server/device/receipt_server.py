"""Apple's server for receipts of App Attest, played by a real HTTP server under a test Apple's root."""

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
    """What it answers, and what it was asked.

    Attributes:
        apple: Who signs.
        now: When receipts are made.
        url: Where it is.
        keys: App Attest keys by SubjectPublicKeyInfo: those of which it knows something.
        risk_metric: In what it answers.
        status: What it answers with.
        body: In place of a receipt.
        asked: The requests' bodies.
        credentials: What verifies the requests' tokens.
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
        """Has it exchange receipts of a key."""
        self.keys[key.public_key] = key

    async def answer(self, request: web.Request) -> web.Response:
        """One exchange."""
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
    """Plays Apple at a port of its own."""
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
    """The key file of the developer account."""
    path = folder / "AuthKey.p8"
    path.touch(0o600)
    path.write_bytes(server.credentials.as_pem(private=True))
    return path
