"""``facegate verify --token-file``: the device alone."""

import asyncio
import base64
import json
from pathlib import Path
from uuid import uuid4

import grpc
import pytest
from facegate.v1 import scan_pb2
from typer.testing import CliRunner, Result

from cli.main import app
from tests.client.fake_server import FakeServer, Refuse, StreamPlan, serving
from tests.server.analysis.uploads import genuine, video
from tests.server.process.server_process import DataFolder


@pytest.fixture
def selfie(tmp_path: Path) -> Path:
    path = tmp_path / "selfie.avi"
    path.write_bytes(video(genuine(26)))
    return path


def _token_file(folder: Path, content: str | bytes) -> Path:
    path = folder / "token"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


async def _ran(*arguments: str) -> tuple[int, str, str]:
    result = await asyncio.to_thread(CliRunner().invoke, app, ["verify", *arguments], catch_exceptions=False)
    return result.exit_code, result.stdout, " ".join(result.stderr.split())


@pytest.mark.slow
async def test_it_scans_for_a_backend_of_another_make(tmp_path: Path, selfie: Path) -> None:
    """Only the generated stubs call the service; a server process serves both."""
    async with DataFolder(tmp_path / "home").serving() as server:
        pinned_wrong, check = [await server.upload(str(uuid4())) for _ in range(2)]
        arguments = (
            *("--token-file", str(_token_file(tmp_path, f"{pinned_wrong.scan_token}\n"))),
            *("--device", server.device_target, "--scan", str(selfie), "--json"),
        )
        code, _, messages = await _ran(*arguments, "--challenge-key", "0" * 64)
        assert code == 2
        assert "other than the pinned one" in messages
        _token_file(tmp_path, f"{check.scan_token}\n")
        code, output, messages = await _ran(*arguments, "--challenge-key", check.challenge_key_sha256.hex())
        # A busy machine sends too few frames for a success.
        assert code in {0, 1}, messages
        assert json.loads(output)["status"]
        assert check.scan_token not in output + messages
        response = await server.finished(check.check_id)
        assert response.result.transcript.frames
        # One token opens one scan.
        code, _, messages = await _ran(*arguments, "--challenge-key", check.challenge_key_sha256.hex())
        assert code == 2
        assert "CHECK_CLOSED" in messages


async def _invoked(fake: FakeServer, folder: Path, *arguments: str) -> Result:
    async with serving(fake) as target:
        key = base64.b64encode(fake.challenge_key_sha256).decode()
        return await asyncio.to_thread(
            CliRunner().invoke,
            app,
            [
                *("verify", "--token-file", str(_token_file(folder, fake.token))),
                *("--challenge-key", key, "--device", target, *arguments),
            ],
            catch_exceptions=False,
        )


async def test_the_device_makes_no_call_but_the_scan(tmp_path: Path, selfie: Path) -> None:
    fake = FakeServer()
    result = await _invoked(fake, tmp_path, "--scan", str(selfie))
    assert result.exit_code == 0, result.stderr
    assert "The scan has ended" in result.stdout
    assert fake.violations == []
    assert fake.uploads == []
    assert len(fake.starts) == 1
    assert fake.token not in result.stdout + result.stderr
    assert scan_pb2.CAPABILITY_OPEN_MOUTH in fake.starts[0].capabilities


async def test_a_refusal_is_an_error(tmp_path: Path, selfie: Path) -> None:
    fake = FakeServer(StreamPlan(refuse=Refuse(code=grpc.StatusCode.UNAUTHENTICATED, reason="TOKEN_EXPIRED")))
    result = await _invoked(fake, tmp_path, "--scan", str(selfie))
    assert result.exit_code == 2
    assert "TOKEN_EXPIRED" in result.stderr


@pytest.mark.parametrize(
    ("token", "key", "named"),
    [
        (None, "0" * 64, "cannot be read"),
        ("", "0" * 64, "scan_token"),
        ("one\ntwo", "0" * 64, "scan_token"),
        (b"\xff\xfe", "0" * 64, "scan_token"),
        ("x" * 2_000, "0" * 64, "scan_token"),
        ("token", "0" * 62, "challenge_key_sha256"),
        ("token", "g" * 64, "challenge_key_sha256"),
        ("token", "AAAA", "challenge_key_sha256"),
        ("token", "", "challenge_key_sha256"),
    ],
)
def test_a_wrong_ticket_is_refused_before_a_connection(
    tmp_path: Path, token: str | bytes | None, key: str, named: str
) -> None:
    file = tmp_path / "token" if token is None else _token_file(tmp_path, token)
    # Nothing listens there.
    result = CliRunner().invoke(
        app,
        [
            "verify",
            "--token-file",
            str(file),
            "--challenge-key",
            key,
            "--device",
            "127.0.0.1:9",
            "--scan",
            "x",
        ],
        catch_exceptions=False,
    )
    assert result.exit_code == 2
    assert named in " ".join(result.stderr.split())


def test_the_token_is_no_argument(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["verify", "--token", "secret", "--challenge-key", "0" * 64])
    assert result.exit_code == 2
    assert "No such option" in result.stderr
