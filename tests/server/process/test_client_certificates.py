"""Mutual TLS with a real server: the error that a caller without a valid certificate gets, and the log."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
import trustme
from facegate.v1 import verification_service_pb2 as service_pb2
from facegate.v1.verification_service_pb2_grpc import VerificationServiceStub

from tests.server.live import portrait
from tests.server.process.server_process import DataFolder, ServerProcess
from tests.server.process.shell import run_facegate

pytestmark = pytest.mark.slow


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
        lines = [line for line in (await self.server.written()).splitlines() if line.startswith("{")]
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
                service_pb2.GetCheckRequest(check_id="x"), timeout=20
            )
    return caught.value.code()


async def test_each_wrong_certificate_has_a_reason_in_the_log(mutual: Mutual) -> None:
    assert await _status(mutual, None) is grpc.StatusCode.UNAVAILABLE
    assert await _status(mutual, mutual.pair(trustme.CA(), "foreign")) is grpc.StatusCode.UNAVAILABLE
    # Of our authority: the handshake succeeds, and the call has a reason.
    assert await _status(mutual, mutual.pair(mutual.ca, "unknown")) is grpc.StatusCode.UNAUTHENTICATED
    reasons = [entry["reason"] for entry in await mutual.logged("tls_handshake_failed")]
    assert "PEER_DID_NOT_RETURN_A_CERTIFICATE" in reasons
    assert "CERTIFICATE_VERIFY_FAILED" in reasons
    assert await mutual.logged("client_certificate_refused")


async def test_no_line_of_the_transport_stands_in_the_log(mutual: Mutual) -> None:
    await _status(mutual, None)
    lines = (await mutual.server.written()).splitlines()
    assert [line for line in lines if not line.startswith(("{", "Facegate serves", "The pack "))] == []


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
        ("analyze", str(image), "--server", service),
    ):
        code, _, messages = await run_facegate(*command, *ca)
        assert code == 2
        assert told in " ".join(messages.split()), command
        assert "--cert" in messages


async def test_a_listed_certificate_is_not_explained_away(mutual: Mutual) -> None:
    """The right certificate at a closed port: the connection is at fault, and the message says so."""
    certificate, key = mutual.pair(mutual.ca, "listed")
    code, _, messages = await run_facegate(
        *("checks", "list", "--service", "127.0.0.1:9", "--ca", str(mutual.folder / "ca.pem")),
        *("--cert", str(certificate), "--key", str(key)),
    )
    assert code == 2
    assert "client certificate" not in messages
