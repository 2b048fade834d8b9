"""Google's decoder with a real HTTP server that plays Google's accounts and service."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from device_integrity.android.play_token import parse_payload
from device_integrity.errors import PlayDecoderUnavailable, PlayTokenMalformed
from server.base.errors import ConfigurationError
from server.device import GooglePlayDecoder, open_google_play_decoder

_PACKAGE = "org.example.bank"
_PAYLOAD = {"requestDetails": {"requestPackageName": _PACKAGE, "timestampMillis": "1675655009345"}}


class _Google:
    """The answers of the server, and the requests that it received."""

    def __init__(self) -> None:
        self.status = 200
        self.body = json.dumps({"tokenPayloadExternal": _PAYLOAD}).encode()
        self.account_status = 200
        self.hold = threading.Event()
        self.hold.set()
        self.asked: list[tuple[str, str | None, bytes]] = []
        self.url = ""


@pytest.fixture
def google() -> Iterator[_Google]:
    state = _Google()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            state.asked.append((self.path, self.headers["Authorization"], body))
            state.hold.wait(5)
            if self.path == "/token":
                answer = json.dumps({"access_token": "access", "expires_in": 3600, "token_type": "Bearer"})
                self._answer(state.account_status, answer.encode())
            else:
                self._answer(state.status, state.body)

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            if status == 302:
                self.send_header("Location", f"{state.url}/elsewhere")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """Ignores errors, because clients that give up are part of the tests."""

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield state
    state.hold.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def secret() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture
def account(google: _Google, secret: str, tmp_path: Path) -> Path:
    file = tmp_path / "account.json"
    file.touch(0o600)
    file.write_text(
        json.dumps(
            {
                "type": "service_account",
                "client_email": "facegate@example.iam.gserviceaccount.com",
                "private_key": secret,
                "private_key_id": "1",
                "token_uri": f"{google.url}/token",
            }
        )
    )
    return file


@contextmanager
def _opened(google: _Google, account: Path, timeout_seconds: float = 5.0) -> Iterator[GooglePlayDecoder]:
    decoder = open_google_play_decoder(
        service_account_file=account, base_url=google.url, timeout_seconds=timeout_seconds
    )
    try:
        yield decoder
    finally:
        google.hold.set()
        decoder.close()


async def test_a_token_is_decoded_with_the_accounts_access_token(google: _Google, account: Path) -> None:
    with _opened(google, account) as decoder:
        for _ in range(2):
            answer = await decoder.decode(package=_PACKAGE, token="a.token")
            assert parse_payload(answer).request.package == _PACKAGE
    paths = [path for path, _, _ in google.asked]
    assert paths[0] == "/token"
    assert set(paths[1:]) - {"/token"} == {f"/v1/{_PACKAGE}:decodeIntegrityToken"}
    grant = parse_qs(google.asked[0][2].decode())
    assert grant["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    _, authorization, body = google.asked[-1]
    assert authorization == "Bearer access"
    assert json.loads(body) == {"integrityToken": "a.token"}


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, PlayTokenMalformed),
        (401, PlayDecoderUnavailable),
        (403, PlayDecoderUnavailable),
        (404, PlayDecoderUnavailable),
        (302, PlayDecoderUnavailable),
        (429, PlayDecoderUnavailable),
        (500, PlayDecoderUnavailable),
    ],
)
async def test_error_answers_of_google_are_errors(
    google: _Google, account: Path, status: int, error: type[Exception]
) -> None:
    google.status = status
    with _opened(google, account) as decoder, pytest.raises(error) as caught:
        await decoder.decode(package=_PACKAGE, token="a.token")
    assert "a.token" not in str(caught.value)
    assert "/elsewhere" not in {path for path, _, _ in google.asked}


async def test_an_account_that_google_does_not_know(google: _Google, account: Path) -> None:
    google.account_status = 403
    with _opened(google, account) as decoder, pytest.raises(PlayDecoderUnavailable):
        await decoder.decode(package=_PACKAGE, token="a.token")


async def test_an_answer_that_is_too_long(google: _Google, account: Path) -> None:
    google.body = b" " * 100_000
    with _opened(google, account) as decoder, pytest.raises(PlayDecoderUnavailable, match="more than"):
        await decoder.decode(package=_PACKAGE, token="a.token")


async def test_a_google_that_hangs(google: _Google, account: Path) -> None:
    google.hold.clear()
    with _opened(google, account, timeout_seconds=0.2) as decoder, pytest.raises(PlayDecoderUnavailable):
        await decoder.decode(package=_PACKAGE, token="a.token")


async def test_a_google_that_is_not_there(google: _Google, account: Path) -> None:
    decoder = open_google_play_decoder(service_account_file=account, base_url="http://127.0.0.1:1")
    with pytest.raises(PlayDecoderUnavailable):
        await decoder.decode(package=_PACKAGE, token="a.token")
    decoder.close()


async def test_too_many_tokens_at_once_are_turned_away(google: _Google, account: Path) -> None:
    google.hold.clear()
    with _opened(google, account) as decoder:
        waiting = [asyncio.create_task(decoder.decode(package=_PACKAGE, token="a.token")) for _ in range(64)]
        await asyncio.sleep(0)
        with pytest.raises(PlayDecoderUnavailable, match="too many"):
            await decoder.decode(package=_PACKAGE, token="a.token")
        google.hold.set()
        assert len(await asyncio.gather(*waiting)) == 64


@pytest.mark.parametrize(
    ("package", "token"),
    [
        ("", "a"),
        ("bank", "a"),
        ("org.example/../bank", "a"),
        ("org.example.bank?x=1", "a"),
        ("org." + "a" * 300, "a"),
        (_PACKAGE, ""),
        (_PACKAGE, "é"),
        (_PACKAGE, "a" * 70_000),
    ],
)
async def test_malformed_tokens_are_not_sent_to_google(
    google: _Google, account: Path, package: str, token: str
) -> None:
    with _opened(google, account) as decoder, pytest.raises(PlayTokenMalformed):
        await decoder.decode(package=package, token=token)
    assert google.asked == []


@pytest.mark.parametrize("text", ["", "[]", "1", "{}", '{"type": "service_account"}', "[" * 100_000])
@pytest.mark.usefixtures("without_collection")
def test_a_file_that_is_no_account(tmp_path: Path, text: str) -> None:
    file = tmp_path / "account.json"
    file.touch(0o600)
    file.write_text(text)
    with pytest.raises(ConfigurationError, match="service account"):
        open_google_play_decoder(service_account_file=file)
    with pytest.raises(ConfigurationError):
        open_google_play_decoder(service_account_file=tmp_path / "nothing")
