"""A key service that refuses and repeats the request, and wrong key files: no output has a key or a token."""

import base64
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

import pytest
from typer.testing import CliRunner

from cli.main import app
from server.keyring.key_files import KeyFiles
from server.keyring.keys import KeyFolder
from tests.canaries import Canaries

_RUN: Final = CliRunner()
_TOKEN: Final = "s.canary-4711-token"


@dataclass
class _Echo:
    """A key service that answers every request with an error that has all of the request in its text.

    Attributes:
        status: The status of its answers.
        address: Its URL.
        heard: The bodies of the requests.
    """

    status: int
    address: str = ""
    heard: list[bytes] = field(default_factory=list)


@pytest.fixture(params=[400, 403, 500])
def echo(request: pytest.FixtureRequest) -> Iterator[_Echo]:
    state = _Echo(request.param)

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            state.heard.append(body)
            text = f"{self.headers} {body.decode()}"
            answer = json.dumps(
                {"errors": [text], "__type": "AccessDeniedException", "message": text}
            ).encode()
            self.send_response(state.status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_POST = do_PUT = do_GET = _answer  # noqa: N815 - the names are those of http.server

        def log_message(self, *_: object) -> None:
            """Is silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield state
        server.shutdown()
        thread.join()


@pytest.fixture
def canaries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Canaries:
    """The keys of a folder in clear text, and the credentials of the services."""
    KeyFolder(KeyFiles(tmp_path / "keys"))
    found = Canaries()
    for path in (tmp_path / "keys").iterdir():
        found.plant(path.name, path.read_bytes())
    found.plant("token", _TOKEN)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIACANARY4711CANARY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-4711-secret-access-key")
    found.plant("secret access key", "canary-4711-secret-access-key")
    return found


def _written(tmp_path: Path, entry: str, *words: str) -> str:
    """What a command writes that fails, with its traceback if there is one."""
    config = tmp_path / "facegate.toml"
    config.touch(0o600)
    config.write_text(f'data_dir = "{tmp_path}"\n[[keys.encryption]]\n{entry}')
    result = _RUN.invoke(app, [*words, "--config", str(config)])
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    return result.output + result.stderr


def test_a_refusing_vault(tmp_path: Path, canaries: Canaries, echo: _Echo) -> None:
    token = tmp_path / "token"
    token.touch(0o600)
    token.write_text(_TOKEN)
    entry = f'kind = "vault-transit"\naddress = "{echo.address}"\nkey = "facegate"\ntoken_file = "{token}"\n'
    for words in (("keys", "encrypt"), ("keys", "rotate", "evidence")):
        assert canaries.leaks(_written(tmp_path, entry, *words)) == []
    # The key was in the request, so that an error could have had it.
    assert any("as base64" in leak for body in echo.heard for leak in canaries.leaks(body))


def test_a_refusing_kms(tmp_path: Path, canaries: Canaries, echo: _Echo) -> None:
    entry = (
        f'kind = "aws-kms"\nkey = "alias/facegate"\nregion = "eu-central-1"\nendpoint = "{echo.address}"\n'
    )
    for words in (("keys", "encrypt"), ("keys", "rotate", "evidence")):
        assert canaries.leaks(_written(tmp_path, entry, *words)) == []
    assert any("as base64" in leak for body in echo.heard for leak in canaries.leaks(body))


@pytest.mark.parametrize("damage", ["size of a key", "kind of a key", "key-encryption key", "encrypted file"])
def test_wrong_key_files(tmp_path: Path, canaries: Canaries, damage: str) -> None:
    kek = tmp_path / "kek"
    kek.touch(0o600)
    kek.write_bytes(base64.b64encode(os.urandom(32)))
    secret = os.urandom(48)
    canaries.plant("damaged key", secret)
    match damage:
        case "size of a key":
            (tmp_path / "keys" / "evidence-0001.key").write_bytes(secret)
        case "kind of a key":
            (tmp_path / "keys" / "result-0001.pem").write_bytes(secret)
        case "key-encryption key":
            kek.write_bytes(base64.b64encode(secret))
        case "encrypted file":
            envelope = {"format": "facegate-encrypted-key/1", "encryption": "file:other"}
            content = json.dumps(envelope | {"ciphertext": base64.b64encode(secret).decode()})
            (tmp_path / "keys" / "evidence-0001.key").write_text(content)
    canaries.plant("key-encryption key", kek.read_bytes())
    entry = f'kind = "file"\npath = "{kek}"\n'
    assert canaries.leaks(_written(tmp_path, entry, "serve")) == []
