"""The exchange of receipts with a real HTTP server that plays Apple."""

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from device_integrity.apple import Environment, ReceiptKind, parse_receipt
from device_integrity.errors import ReceiptExchangeUnavailable
from server.base.errors import ConfigurationError
from server.device.apple_receipts import AppleReceiptExchange, open_apple_receipt_exchange
from tests.device_integrity.apple.apple_in_software import APP, NOW, SoftwareApple, SoftwareKey
from tests.server.device.receipt_server import KEY_ID, TEAM_ID, ReceiptServer, playing_apple, write_key

_APPLE, _KEY = SoftwareApple(), SoftwareKey()
_FIRST = _APPLE.receipt(_KEY, app_id=APP, made=NOW, client_data_hash=bytes(32))
_ENVIRONMENT = Environment.PRODUCTION


@pytest_asyncio.fixture
async def apple() -> AsyncIterator[ReceiptServer]:
    async with playing_apple(_APPLE, lambda: NOW) as server:
        server.know(_KEY)
        yield server


def _opened(apple: ReceiptServer, folder: Path, timeout_seconds: float = 3.0) -> AppleReceiptExchange:
    return open_apple_receipt_exchange(
        key_file=write_key(apple, folder),
        key_id=KEY_ID,
        team_id=TEAM_ID,
        now=lambda: NOW,
        server=apple.url,
        timeout_seconds=timeout_seconds,
    )


async def test_a_receipt_is_exchanged_with_the_teams_token(apple: ReceiptServer, tmp_path: Path) -> None:
    apple.risk_metric = 4
    answer = await _opened(apple, tmp_path).exchange(_FIRST, environment=_ENVIRONMENT)
    assert apple.asked == [base64.b64encode(_FIRST)]
    parsed = parse_receipt(answer).receipt
    assert (parsed.kind, parsed.risk_metric, parsed.public_key) == (ReceiptKind.RECEIPT, 4, _KEY.public_key)


@pytest.mark.parametrize("status", [302, 304, 400, 401, 404, 429, 500])
async def test_a_refusal_by_apple_is_reported(apple: ReceiptServer, tmp_path: Path, status: int) -> None:
    apple.status = status
    with pytest.raises(ReceiptExchangeUnavailable, match=f"status {status}: "):
        await _opened(apple, tmp_path).exchange(_FIRST, environment=_ENVIRONMENT)
    assert len(apple.asked) == 1


@pytest.mark.parametrize(
    ("body", "expected"), [(b"<html>", "not base64"), (b"A" * 70_000, "more than 65536 bytes")]
)
async def test_an_answer_that_is_no_receipt(
    apple: ReceiptServer, tmp_path: Path, body: bytes, expected: str
) -> None:
    apple.body = body
    with pytest.raises(ReceiptExchangeUnavailable, match=expected):
        await _opened(apple, tmp_path).exchange(_FIRST, environment=_ENVIRONMENT)


async def test_a_server_that_keeps_silent_is_not_waited_for(tmp_path: Path) -> None:
    async def keep_silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await released.wait()
        writer.close()

    released = asyncio.Event()
    silent = await asyncio.start_server(keep_silent, "127.0.0.1", 0)
    host, port = silent.sockets[0].getsockname()
    async with playing_apple(_APPLE, lambda: NOW) as apple:
        apple.url = f"http://{host}:{port}"
        with pytest.raises(ReceiptExchangeUnavailable, match="in time"):
            await _opened(apple, tmp_path, 0.2).exchange(_FIRST, environment=_ENVIRONMENT)
    released.set()
    silent.close()
    await silent.wait_closed()
    async with playing_apple(_APPLE, lambda: NOW) as apple:
        apple.url = f"http://{host}:{port}"
        with pytest.raises(ReceiptExchangeUnavailable, match="cannot be reached"):
            await _opened(apple, tmp_path).exchange(_FIRST, environment=_ENVIRONMENT)


def _pem(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    "content",
    [
        b"hunter2",
        b"",
        _pem(ec.generate_private_key(ec.SECP384R1())),
        _pem(ed25519.Ed25519PrivateKey.generate()),
        ec.generate_private_key(ec.SECP256R1())
        .public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    ],
    ids=["text", "empty", "P-384", "Ed25519", "public"],
)
def test_a_file_that_is_no_key_for_devicecheck(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "AuthKey.p8"
    file.touch(0o600)
    file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"AuthKey\.p8: not a") as caught:
        open_apple_receipt_exchange(key_file=file, key_id=KEY_ID, team_id=TEAM_ID, now=lambda: NOW)
    assert "hunter2" not in str(caught.value)
