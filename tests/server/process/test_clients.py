"""Clients of a server process: mutual TLS, and the programs of the pages."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
import pytest_asyncio
import trustme
from facegate.v1 import verification_service_pb2 as service_pb2
from facegate.v1.verification_service_pb2_grpc import VerificationServiceStub
from typer.testing import CliRunner

from cli.main import app
from facegate_client import Orchestrator, open_channel
from tests.docs.pages import REPOSITORY, code_blocks
from tests.server.live import portrait, until
from tests.server.process.server_process import DataFolder, ServerProcess, run_facegate

# Mutual TLS with a real server: the error that a caller without a valid certificate gets, and the log.


@dataclass(frozen=True)
class Mutual:
    """A server that demands certificates of `ca`, and the folder with the callers' files."""

    server: ServerProcess
    ca: trustme.CA
    folder: Path

    def pair(self, authority: trustme.CA, name: str) -> tuple[Path, Path]:
        issued = authority.issue_cert(f"{name}.example")
        paths = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        issued.cert_chain_pems[0].write_to_path(str(paths[0]))
        issued.private_key_pem.write_to_path(str(paths[1]))
        return paths

    async def logged(self, event: str) -> list[dict[str, str]]:
        whole, _, _ = (await self.server.written()).rpartition("\n")
        lines = [line for line in whole.splitlines() if line.startswith("{")]
        return [entry for entry in map(json.loads, lines) if entry["event"] == event]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def mutual(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mutual]:
    folder = tmp_path_factory.mktemp("mutual")
    ca = trustme.CA()
    own = ca.issue_cert("127.0.0.1")
    own.cert_chain_pems[0].write_to_path(str(folder / "server.pem"))
    own.private_key_pem.write_to_path(str(folder / "server.key"))
    (folder / "server.key").chmod(0o600)
    ca.cert_pem.write_to_path(str(folder / "ca.pem"))
    tls = {
        "certificate": str(folder / "server.pem"),
        "key": str(folder / "server.key"),
        "client_ca": str(folder / "ca.pem"),
    }
    entry = {
        "name": "backend",
        "identity": "dns:listed.example",
        "tenant": "default",
        "roles": ["compliance_reader"],
    }
    free = {"port": 0}
    home = DataFolder(
        folder / "home",
        listeners={"device": free, "service": free | {"tls": tls, "clients": [entry]}, "admin": free},
    )
    async with home.serving() as server:
        yield Mutual(server, ca, folder)


async def _status(mutual: Mutual, pair: tuple[Path, Path] | None) -> grpc.StatusCode:
    certificate, key = (None, None) if pair is None else (path.read_bytes() for path in pair)
    credentials = grpc.ssl_channel_credentials((mutual.folder / "ca.pem").read_bytes(), key, certificate)
    async with grpc.aio.secure_channel(mutual.server.service_target, credentials) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await VerificationServiceStub(channel).GetCheck(
                service_pb2.GetCheckRequest(check_id="x"), timeout=60
            )
    return caught.value.code()


async def _failed(mutual: Mutual, *reasons: str) -> dict[str, str]:
    """Why handshakes failed, by reason; the lines of the transport reach the log a moment later."""
    failed: dict[str, str] = {}

    async def told() -> bool:
        entries = await mutual.logged("tls_handshake_failed")
        failed.update({entry["reason"]: entry["why"] for entry in entries})
        return failed.keys() >= set(reasons)

    await until(told)
    return failed


async def _ran(*arguments: str) -> tuple[int, str]:
    """The exit status of a command, and what it told."""
    result = await asyncio.to_thread(CliRunner().invoke, app, arguments, catch_exceptions=False)
    return result.exit_code, " ".join(result.stderr.split())


@pytest.mark.slow
async def test_each_wrong_certificate_has_a_reason_in_the_log(mutual: Mutual) -> None:
    assert await _status(mutual, None) is grpc.StatusCode.UNAVAILABLE
    assert await _status(mutual, mutual.pair(trustme.CA(), "foreign")) is grpc.StatusCode.UNAVAILABLE
    # Of our authority: the handshake succeeds, and the call has a reason.
    assert await _status(mutual, mutual.pair(mutual.ca, "unknown")) is grpc.StatusCode.UNAUTHENTICATED
    failed = await _failed(mutual, "PEER_DID_NOT_RETURN_A_CERTIFICATE", "CERTIFICATE_VERIFY_FAILED")
    assert "shows no certificate" in failed["PEER_DID_NOT_RETURN_A_CERTIFICATE"]
    assert failed["CERTIFICATE_VERIFY_FAILED"].endswith("unable to get local issuer certificate")
    assert await mutual.logged("client_certificate_refused")
    # No line of the transport stands in the log as it is.
    lines = (await mutual.server.written()).splitlines()
    assert [line for line in lines if not line.startswith(("{", "Facegate serves", "The pack "))] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("authority", "told"),
    [(None, "gets no client certificate"), ("foreign", "refuses the client certificate")],
)
async def test_the_commands_say_that_it_is_the_certificate(
    mutual: Mutual, tmp_path: Path, authority: str | None, told: str
) -> None:
    pair = None if authority is None else mutual.pair(trustme.CA(), authority)
    given = () if pair is None else ("--cert", str(pair[0]), "--key", str(pair[1]))
    ca = ("--ca", str(mutual.folder / "ca.pem"), *given)
    image = tmp_path / "portrait.jpg"
    image.write_bytes(portrait())
    service = mutual.server.service_target
    for command in (
        ("checks", "list", "--service", service),
        ("analyze", str(image), "--service", service),
    ):
        code, messages = await _ran(*command, *ca)
        assert code == 2
        assert told in messages, command
        assert "--cert" in messages


@pytest.mark.slow
async def test_a_listed_certificate_is_not_explained_away(mutual: Mutual) -> None:
    """The right certificate at a closed port: the connection is at fault, and the message says so."""
    certificate, key = mutual.pair(mutual.ca, "listed")
    code, messages = await _ran(
        *("checks", "list", "--service", "127.0.0.1:9", "--ca", str(mutual.folder / "ca.pem")),
        *("--cert", str(certificate), "--key", str(key)),
    )
    assert code == 2
    assert "client certificate" not in messages


# The programs of the pages, as they stand there, with a server process that stops for 12 seconds.
#
# The deadline of an upload is 10 seconds: the first try ends without an answer, and the server, once it goes
# on, acts on what it had received. The program still gets its check, and there is no second one.

_STOPPED_SECONDS = 12.0


def _python(page: str) -> list[str]:
    return [block.text for block in code_blocks(REPOSITORY / page) if block.language == "python"]


def _checks(home: DataFolder) -> int:
    with sqlite3.connect(home.data / "facegate.db") as database:
        (count,) = database.execute("SELECT count(*) FROM checks").fetchone()
    return int(count)


@pytest.mark.slow
async def test_the_client_of_the_guide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(REPOSITORY / "examples" / "stubs")
    (usage,) = (code for code in _python("docs/orchestrator.md") if "request_id" in code)
    assert '"facegate.example:8444"' in usage
    ca = trustme.CA()
    own = ca.issue_cert("127.0.0.1")
    own.cert_chain_pems[0].write_to_path(str(tmp_path / "server.pem"))
    own.private_key_pem.write_to_path(str(tmp_path / "server.key"))
    (tmp_path / "server.key").chmod(0o600)
    code, _, shown = await run_facegate(
        *("keys", "new-api-key", "backend", "--sandbox", "--file", str(tmp_path / "keys.toml"))
    )
    assert code == 0, shown
    free = {"port": 0}
    tls = {"certificate": str(tmp_path / "server.pem"), "key": str(tmp_path / "server.key")}
    service = free | {"tls": tls, "api_keys_file": str(tmp_path / "keys.toml")}
    home = DataFolder(tmp_path / "home", listeners={"device": free, "service": service, "admin": free})
    names: dict[str, Any] = {
        "ca": ca.cert_pem.bytes(),
        "api_key": shown.splitlines()[0].rpartition(" ")[2],
        "portrait": portrait(),
    }
    async with home.serving() as server:
        program = usage.replace("facegate.example:8444", server.service_target)
        async with server.stopped_for(_STOPPED_SECONDS):
            await asyncio.to_thread(exec, program, names)
        first = names["check"]
        assert first.scan_token
        assert _checks(home) == 1

        def again() -> Any:
            """Another process of the caller, which kept the request_id."""
            with names["connect"](server.service_target, names["ca"]) as channel:
                facegate = names["Facegate"](channel, names["api_key"])
                return facegate.upload(
                    names["portrait"], request_id=names["request_id"], subject="customer-4711"
                )

        assert await asyncio.to_thread(again) == first
    assert _checks(home) == 1


@pytest.mark.slow
async def test_a_connection_that_is_open_when_the_server_stops(tmp_path: Path) -> None:
    home = DataFolder(tmp_path / "home")
    async with home.serving() as server, open_channel(server.service_target) as channel:
        backend = Orchestrator(channel=channel)
        await channel.channel_ready()
        request_id = str(uuid4())
        async with server.stopped_for(_STOPPED_SECONDS):
            check = await backend.upload_trusted_image(portrait(), request_id=request_id)
        assert await backend.upload_trusted_image(portrait(), request_id=request_id) == check
        async with server.stopped_for(_STOPPED_SECONDS):
            progress = await backend.cancel_check(check.check_id)
        assert progress.check_id == check.check_id
    assert _checks(home) == 1
