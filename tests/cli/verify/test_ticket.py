"""``facegate verify --ticket``: the device alone."""

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


def _ticket(folder: Path, token: str, key: str) -> Path:
    path = folder / "ticket.json"
    path.write_text(json.dumps({"scan_token": token, "challenge_key_sha256": key}))
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
            *("--ticket", str(_ticket(tmp_path, pinned_wrong.scan_token, "0" * 64))),
            *("--device", server.device_target, "--scan", str(selfie), "--json"),
        )
        code, _, messages = await _ran(*arguments)
        assert code == 2
        assert "other than the pinned one" in messages
        _ticket(tmp_path, check.scan_token, check.challenge_key_sha256.hex())
        code, output, messages = await _ran(*arguments)
        # A busy machine sends too few frames for a success.
        assert code in {0, 1}, messages
        assert json.loads(output)["status"]
        assert check.scan_token not in output + messages
        response = await server.finished(check.check_id)
        assert response.result.transcript.frames
        # One token opens one scan.
        code, _, messages = await _ran(*arguments)
        assert code == 2
        assert "CHECK_CLOSED" in messages


async def _invoked(fake: FakeServer, folder: Path, *arguments: str) -> Result:
    async with serving(fake) as target:
        key = base64.b64encode(fake.challenge_key_sha256).decode()
        return await asyncio.to_thread(
            CliRunner().invoke,
            app,
            [
                *("verify", "--ticket", str(_ticket(folder, fake.token, key))),
                *("--device", target, *arguments),
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
    ("content", "named"),
    [
        (None, "cannot be read"),
        (b"", "scan_token"),
        (b"token", "scan_token"),
        (b"\xff\xfe", "scan_token"),
        (b"[" * 100_000, "scan_token"),
        (b'["token"]', "scan_token"),
        (b'{"scan_token": "one\\ntwo"}', "scan_token"),
        (b'{"scan_token": "%s"}' % (b"x" * 2_000), "scan_token"),
        (b'{"scan_token": "token"}', "challenge_key_sha256"),
        *(
            (b'{"scanToken": "token", "challengeKeySha256": "%s"}' % key, "challenge_key_sha256")
            for key in (b"0" * 62, b"g" * 64, b"AAAA", b"")
        ),
    ],
)
def test_a_wrong_ticket_is_refused_before_a_connection(
    tmp_path: Path, content: bytes | None, named: str
) -> None:
    file = tmp_path / "ticket.json"
    if content is not None:
        file.write_bytes(content)
    # Nothing listens there.
    result = CliRunner().invoke(
        app,
        ["verify", "--ticket", str(file), "--device", "127.0.0.1:9", "--scan", "x"],
        catch_exceptions=False,
    )
    assert result.exit_code == 2
    assert named in " ".join(result.stderr.split())


def test_the_token_is_no_argument(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["verify", "--token", "secret"])
    assert result.exit_code == 2
    assert "No such option" in result.stderr
