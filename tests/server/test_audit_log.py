"""What a running server writes into its audit log."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import aiohttp
import grpc
import pytest
from facegate.v1 import verification_service_pb2 as service_pb2
from sqlalchemy import Connection, text
from structlog.testing import capture_logs

from server.access.api_keys import new_api_key
from server.audit import SERVER_TENANT, AuditEntry, CheckpointKeys, Report
from server.configuration.settings import Settings
from server.domain.terms import CheckState
from server.keyring.key_files import KeyFiles
from server.keyring.key_rotation import rotate_key
from server.keyring.keys import read_audit_keys
from server.storage.audit_reader import AuditReader
from server.storage.database import Database, open_database
from tests.server.api_keys import reading_keys
from tests.server.certificates import local_authority
from tests.server.live import LiveServer, serving, settings_for, until
from tests.server.refusals import refusal_of


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Database]:
    database = open_database(settings.database_url)
    yield database
    await database.close()


async def entries(settings: Settings, tenant: str, action: str) -> list[AuditEntry]:
    async with opened(settings) as database:
        found = await AuditReader(database).entries(tenant)
    return [entry for entry in found if entry.action == action]


async def verified(settings: Settings, tenant: str) -> Report:
    keys = CheckpointKeys(read_audit_keys(KeyFiles(settings.key_folder)))
    async with opened(settings) as database:
        return await AuditReader(database).verify(tenant, keys=keys)


async def cancelled(live: LiveServer, subject: str = "") -> str:
    """A check that has a result."""
    upload = await live.upload(subject_reference=subject)
    await live.service.CancelCheck(service_pb2.CancelCheckRequest(check_id=upload.check_id))
    return upload.check_id


async def test_deliveries_are_in_the_log_and_repeats_are_counted(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    async with serving(settings) as live:
        check_id = await cancelled(live, "customer-quetzal")
        for _ in range(5):
            await live.finish(check_id)
        (first,) = await entries(settings, "default", "result.delivered")
        assert (first.check_id, first.actor, first.role) == (check_id, "local", "orchestrator")
        assert (first.address, first.purpose) == ("127.0.0.1", "")
        assert first.details == {"status": "FAILURE", "sandbox": "true"}
        assert first.pseudonym is not None
        assert "quetzal" not in repr(first)
        (again,) = await entries(settings, "default", "result.repeated")
        assert again.details == {"status": "FAILURE", "sandbox": "true", "count": "1"}
        assert again.pseudonym == first.pseudonym
        other = await cancelled(live, "customer-quetzal")
        await live.finish(other)
        assert (await entries(settings, "default", "result.delivered"))[1].pseudonym == first.pseudonym
    # The end of the server writes what was counted, and signs it.
    assert [entry.details["count"] for entry in await entries(settings, "default", "result.repeated")] == [
        "1",
        "3",
    ]
    report = await verified(settings, "default")
    assert report.whole
    assert report.covered == report.entries == 4


async def test_a_delivery_that_cannot_be_logged_is_none(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    async with serving(settings) as live:
        check_id = await cancelled(live)

        def refuse(connection: Connection, table: str) -> None:
            connection.execute(
                text(
                    f"CREATE TRIGGER full BEFORE INSERT ON {table} "
                    "BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
                )
            )

        async with opened(settings) as database:
            await database.write(refuse, "audit_events")
        refusal = await refusal_of(live.finish(check_id))
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "NOT_SERVING")
        record = await live.record(check_id)
        assert (record.state, record.finish_time) == (CheckState.DECIDED, None)
        async with opened(settings) as database:
            await database.write(lambda connection: connection.execute(text("DROP TRIGGER full")).rowcount)
        await live.finish(check_id)
        assert len(await entries(settings, "default", "result.delivered")) == 1


async def test_a_changed_configuration_is_logged_once(tmp_path: Path) -> None:
    actions = ("settings.changed", "policies.changed", "callers.changed", "keys.changed")

    async def counts(settings: Settings) -> list[int]:
        return [len(await entries(settings, SERVER_TENANT, action)) for action in actions]

    settings = settings_for(tmp_path)
    for _ in range(2):
        async with serving(settings):
            pass
        assert await counts(settings) == [1, 1, 1, 1]
    async with serving(settings_for(tmp_path, drain_seconds=1.5)):
        pass
    assert await counts(settings) == [2, 1, 1, 1]
    first, second = await entries(settings, SERVER_TENANT, "settings.changed")
    changed = {key for key in first.details if first.details[key] != second.details[key]}
    assert changed == {"sha256", "drain_seconds"}
    policy = tmp_path / "policies" / "test.toml"
    await asyncio.to_thread(policy.write_text, policy.read_text() + "\n# A comment.\n")
    await asyncio.to_thread(rotate_key, KeyFiles(settings.key_folder), "result")
    async with serving(settings):
        pass
    assert await counts(settings) == [3, 2, 1, 2]
    keys = (await entries(settings, SERVER_TENANT, "keys.changed"))[-1]
    assert keys.details["result"] == "result-0001.pem result-0002.pem"


async def test_callers_and_keys_that_change_while_it_runs_are_logged(tmp_path: Path) -> None:
    key, digest = new_api_key()
    file = tmp_path / "keys.toml"
    file.touch(0o600)
    entry = f'[[key]]\nname = "backend"\nsha256 = "{digest}"\nroles = ["orchestrator"]\n'
    file.write_text(entry)
    settings = settings_for(tmp_path, listeners=reading_keys(file))
    async with serving(settings):
        (before,) = await entries(settings, SERVER_TENANT, "callers.changed")
        assert "caller backend of default" in before.details[f"key {digest[:16]}"]
        await asyncio.to_thread(file.write_text, entry.replace("orchestrator", "operator"))
        KeyFiles(settings.key_folder).make("token", "key", 2, lambda: bytes(32))

        async def logged() -> bool:
            return all(
                [
                    len(await entries(settings, SERVER_TENANT, action)) == 2
                    for action in ("callers.changed", "keys.changed")
                ]
            )

        await until(logged)
    after = (await entries(settings, SERVER_TENANT, "callers.changed"))[-1]
    assert "roles operator" in after.details[f"key {digest[:16]}"]
    assert key[5:] not in repr(after)
    assert after.role == "server"
    assert (await verified(settings, SERVER_TENANT)).whole


async def test_checkpoints_are_signed_stamped_and_published(tmp_path: Path) -> None:
    async with local_authority(tmp_path / "authority") as authority:
        settings = settings_for(
            tmp_path, audit={"timestamp_url": authority.url, "timestamp_roots": authority.roots}
        )
        with capture_logs() as logs:
            async with serving(settings) as live, opened(settings) as database:

                async def stamped() -> bool:
                    found = await AuditReader(database).checkpoints(SERVER_TENANT)
                    return bool(found) and found[0].timestamp is not None

                await until(stamped)
                url = f"http://127.0.0.1:{live.server.admin_port}"
                async with aiohttp.ClientSession() as session:
                    async with session.get(f"{url}/.well-known/audit-jwks.json") as answer:
                        keys = CheckpointKeys.from_jwks(await answer.read())
                    async with session.get(f"{url}/metrics") as answer:
                        metrics = await answer.text()
                assert (await AuditReader(database).verify(SERVER_TENANT, keys=keys)).covered
        assert "facegate_audit_entries 4.0" in metrics
        (line,) = [line for line in logs if line["event"] == "audit_checkpoint"]
        assert keys.verify(line["jws"]).tenant == SERVER_TENANT


async def test_an_authority_that_fails_stops_nothing(tmp_path: Path) -> None:
    async with local_authority(tmp_path / "authority") as authority:
        roots = authority.roots
    settings = settings_for(
        tmp_path, audit={"timestamp_url": "http://127.0.0.1:1/tsa", "timestamp_roots": roots}
    )
    with capture_logs() as logs:
        async with serving(settings) as live:
            await until(lambda: [line["event"] for line in logs].count("audit_timestamp_failed") > 1)
            await live.finish(await cancelled(live))
    assert (await verified(settings, "default")).covered == 1


async def test_checkpoints_keep_their_interval(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    async with serving(settings) as live, opened(settings) as database:
        reader = AuditReader(database)
        await live.finish(await cancelled(live))

        async def made(count: int) -> bool:
            return len(await reader.checkpoints("default")) == count

        await until(lambda: made(1))
        await live.finish(await cancelled(live))
        await asyncio.sleep(0.6)
        assert await made(1)
        live.clock.ahead += timedelta(minutes=16)
        await until(lambda: made(2))
    assert (await verified(settings, "default")).whole


async def tamper(settings: Settings, *statements: str) -> None:
    """Run statements as the owner of the tables, who drops the triggers first."""

    def work(connection: Connection) -> None:
        for table in ("audit_events", "audit_heads", "audit_checkpoints"):
            for what in ("update", "delete"):
                connection.execute(text(f"DROP TRIGGER IF EXISTS {table}_{what}"))
        for statement in statements:
            connection.execute(text(statement))

    async with opened(settings) as database:
        await database.write(work)


async def test_a_forged_log_is_not_signed_by_the_next_server_but_checks_go_on(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, audit={"witness_url": str(tmp_path / "witness")})
    async with serving(settings) as live:
        for _ in range(3):
            await live.finish(await cancelled(live))
    await tamper(
        settings,
        "DELETE FROM audit_events WHERE tenant = 'default' AND sequence > 1",
        "UPDATE audit_heads SET sequence = 1, "
        "hash = (SELECT hash FROM audit_events WHERE tenant = 'default') WHERE tenant = 'default'",
        "DELETE FROM audit_checkpoints WHERE tenant = 'default'",
    )
    with capture_logs() as logs:
        async with serving(settings) as live:

            async def alarmed() -> bool:
                return "facegate_audit_signing_stopped 1.0" in await live.metrics()

            await until(alarmed)
            await live.finish(await cancelled(live))
    assert len(await entries(settings, "default", "result.delivered")) == 2
    assert "audit_log_changed" in {line["event"] for line in logs}
    assert "audit_checkpoint" not in {line["event"] for line in logs}
    assert (await verified(settings, "default")).covered == 0


async def test_nothing_is_signed_while_the_witness_is_down_and_checks_go_on(tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    settings = settings_for(tmp_path, audit={"witness_url": str(witness)})
    async with serving(settings) as live:
        await live.finish(await cancelled(live))
    witness.rename(tmp_path / "away")
    witness.write_text("a file in the place of the folder")
    with capture_logs() as logs:
        async with serving(settings) as live:

            async def alarmed() -> bool:
                return "facegate_audit_witness_failed_total 0.0" not in await live.metrics()

            await until(alarmed)
            await live.finish(await cancelled(live))
            assert (await verified(settings, "default")).covered == 1
            await asyncio.to_thread(witness.unlink)
            (tmp_path / "away").rename(witness)
            live.clock.ahead += timedelta(minutes=16)

            async def signed() -> bool:
                return (await verified(settings, "default")).covered == 2

            await until(signed)
    assert "audit_witness_failed" in {line["event"] for line in logs}


@pytest.mark.parametrize("checkpoints", [True, False], ids=["with checkpoints", "without"])
async def test_a_witness_that_is_emptied_begins_anew_with_an_entry(tmp_path: Path, checkpoints: bool) -> None:
    witness = tmp_path / "witness"
    settings = settings_for(tmp_path, audit={"witness_url": str(witness)})
    async with serving(settings) as live:
        await live.finish(await cancelled(live))
    assert not await entries(settings, SERVER_TENANT, "witness.begun")
    await asyncio.to_thread(shutil.rmtree, witness)
    if not checkpoints:
        # All that is left is signed by the next server, from the first position on.
        await tamper(settings, "DELETE FROM audit_checkpoints")
    async with serving(settings):

        async def begun() -> bool:
            return len(await entries(settings, SERVER_TENANT, "witness.begun")) == 1

        await until(begun)
    assert len(await entries(settings, SERVER_TENANT, "witness.begun")) == 1
    assert list(witness.rglob("*.jws"))
