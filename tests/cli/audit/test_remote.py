"""``facegate audit`` with ``--service``, against a real server."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from facegate.v1 import audit_pb2
from typer.testing import CliRunner, Result

from cli.main import app
from facegate_client import Compliance
from server.audit import CheckpointKeys
from server.keyring.key_files import KeyFiles
from server.keyring.keys import read_audit_keys
from server.storage.audit_reader import AuditReader
from server.storage.database import open_database
from tests.server.compliance.office import Office, open_office, refused_call
from tests.server.live import until


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def office(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    async with open_office(tmp_path_factory.mktemp("office")) as office:
        check_id = await office.check("audit-1")
        await office.of("anna").place_hold(check_id, reference="case-1", reason="court order")
        await office.of("other").list_audit_events(audit_pb2.ListAuditEventsRequest())
        database = open_database(office.live.settings.database_url)

        async def signed() -> bool:
            return bool(await AuditReader(database).checkpoints("bank"))

        await until(signed)
        await database.close()
        yield office


class Shell:
    """Runs commands on a laptop that has neither the database nor the keys of the server."""

    def __init__(self, office: Office, folder: Path) -> None:
        self.office = office
        self.folder = folder
        self.jwks = folder / "jwks.json"
        keys = CheckpointKeys(read_audit_keys(KeyFiles(office.live.settings.key_folder)))
        self.jwks.write_text(json.dumps(keys.jwks()))

    async def run(self, *words: str, by: str = "reader") -> Result:
        file = self.folder / f"{by}.key"
        await asyncio.to_thread(file.write_text, self.office.keys[by])
        target = ("--service", self.office.live.server.service_target, "--api-key-file", str(file))
        whole = ["audit", *words, *target]
        env = {"FACEGATE_DATA_DIR": str(self.folder / "data")}
        return await asyncio.to_thread(lambda: CliRunner().invoke(app, whole, env=env))


@pytest.fixture
def shell(office: Office, tmp_path: Path) -> Shell:
    return Shell(office, tmp_path)


async def test_the_log_of_ones_tenant_is_shown(shell: Shell) -> None:
    shown = await shell.run("show", "--action", "hold.placed", "--json")
    assert shown.exit_code == 0
    (entry,) = map(json.loads, shown.stdout.splitlines())
    assert (entry["tenant"], entry["actor"]["name"]) == ("bank", "anna")
    assert "hold.placed" in (await shell.run("show", "--last", "1000")).stdout
    newest = await shell.run("show", "--last", "1", "--json")
    assert len(newest.stdout.splitlines()) == 1
    assert "these are the newest 1." in newest.stderr
    nothing = await shell.run("show", "--actor", "nobody")
    assert (nothing.exit_code, nothing.stdout) == (0, "")
    assert shell.office.live.server.service_target in nothing.stderr
    assert not (shell.folder / "data").exists()


async def test_the_log_is_verified_at_the_client(shell: Shell) -> None:
    verified = await shell.run("verify", "--jwks", str(shell.jwks))
    assert verified.exit_code == 0, verified.output
    assert "bank: whole" in verified.stdout
    assert ", signed up to entry 0" not in verified.stdout
    assert "branch" not in verified.stdout
    # The keys of another installation do not verify it.
    shell.jwks.write_text('{"keys": []}')
    other = await shell.run("verify", "--jwks", str(shell.jwks))
    assert (other.exit_code, "checkpoint_invalid at 1" in other.stdout) == (1, True)
    assert (await shell.run("verify")).exit_code == 2


async def test_an_export_of_a_server_is_verified_offline_and_is_a_witness(shell: Shell) -> None:
    exported = await shell.run("export", "--purpose", "case 12")
    assert exported.exit_code == 0
    lines = [json.loads(line) for line in exported.stdout.splitlines()]
    assert {line["tenant"] for line in lines} == {"bank"}
    assert [line["purpose"] for line in lines if line["type"] == "entry"][-1] == "case 12"
    file = shell.folder / "audit.jsonl"
    file.write_text(exported.stdout)
    offline = ["audit", "verify", "--export", str(file), "--jwks", str(shell.jwks)]
    assert CliRunner().invoke(app, offline).exit_code == 0
    witness = await shell.run("verify", "--jwks", str(shell.jwks), "--witness", str(file))
    assert (witness.exit_code, "saved checkpoint" in witness.stdout) == (0, True)
    later = await shell.run("export", "--since", "2099-01-01")
    assert {json.loads(line)["type"] for line in later.stdout.splitlines()} == {"start", "checkpoint", "head"}


async def test_saved_checkpoints_of_other_tenants_are_not_expected_of_a_server(shell: Shell) -> None:
    saved = shell.folder / "saved.jsonl"

    async def signed() -> bool:
        saved.write_text((await shell.run("export", by="other")).stdout)
        return '"type":"checkpoint","tenant":"branch"' in saved.read_text()

    await until(signed)
    verified = await shell.run("verify", "--jwks", str(shell.jwks), "--witness", str(saved))
    assert (verified.exit_code, "branch" in verified.stdout) == (0, False), verified.output


@pytest.mark.parametrize("altered", ["entry", "stale", "cut"])
async def test_a_server_that_sends_another_log_is_not_believed(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, altered: str
) -> None:
    file = shell.folder / "saved.jsonl"
    file.write_text((await shell.run("export")).stdout)
    real = Compliance.export_audit_log

    async def send(self: Compliance, request: audit_pb2.ExportAuditLogRequest) -> AsyncIterator[bytes]:
        lines = b"".join([part async for part in real(self, request)]).splitlines()
        match altered:
            case "entry":
                yield b"\n".join([lines[0].replace(b'"actor":{"name":"', b'"actor":{"name":"x'), *lines[1:]])
            case "stale":
                yield file.read_bytes()
            case "cut":
                yield lines[0] + b"\n"

    monkeypatch.setattr(Compliance, "export_audit_log", send)
    verified = await shell.run("verify", "--jwks", str(shell.jwks))
    assert verified.exit_code == 1
    assert "CHANGED" in verified.stdout


async def test_only_who_may_read_the_log_gets_it(shell: Shell) -> None:
    for words in (["show"], ["export"], ["verify", "--jwks", str(shell.jwks)]):
        refused = await shell.run(*words, by="backend")
        assert (refused.exit_code, "audit.read" in refused.stderr) == (2, True)
    for words in (["show", "--tenant", "branch"], ["export", "--follow"], ["verify", "--export", "x"]):
        assert (await shell.run(*words)).exit_code == 2


async def test_a_request_that_is_not_valid_is_refused(shell: Shell) -> None:
    early = audit_pb2.ExportAuditLogRequest()
    early.start_time.seconds = -(10**12)
    for request in (early, audit_pb2.ExportAuditLogRequest(purpose="x" * 300)):
        refused = await refused_call(_all(shell.office.of("reader").export_audit_log(request)))
        assert refused.refusal.reason == "INVALID_FIELD"


async def _all(parts: AsyncIterator[bytes]) -> list[bytes]:
    return [part async for part in parts]
