"""A whole rotation of evidence keys by the commands, over everything that real checks left sealed."""

import asyncio
import io
import zipfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from facegate.v1 import result_pb2
from facegate.v1 import verification_service_pb2 as service_pb2
from sqlalchemy import Connection, func, select, update
from typer.testing import CliRunner, Result

from cli.main import app
from facegate_client import ApiKey, Compliance
from server.access.api_keys import new_api_key
from server.domain.terms import SealedKind
from server.keyring.key_files import open_key_files
from server.keyring.keys import KeyFolder
from server.keyring.sealing import Context, WrappingKeys, WrappingKeyUnknown, rewrap
from server.storage.database import Database, open_database
from server.storage.tables import checks, evidence, scan_memories
from server.storage.wrapped_keys import PLACES, keys_in_use
from tests.server.live import LiveServer, Picture, fresh_pictures, portrait, serving, settings_for
from tests.server.policy_files import write_policy
from tests.server.raw_device import RawDevice

_TENANTS = ("default", "bank")
"""Only ``bank`` has keys of its own."""
_CALLERS = tuple((tenant, kind) for tenant in _TENANTS for kind in ("real", "sandbox"))


class Callers:
    """A real, a sandbox and a compliance caller of each tenant."""

    def __init__(self, file: Path) -> None:
        self._keys: dict[tuple[str, str], str] = {}
        lines = []
        for tenant in _TENANTS:
            for kind in ("real", "sandbox", "reader"):
                self._keys[tenant, kind], digest = new_api_key()
                role = "compliance_reader" if kind == "reader" else "orchestrator"
                lines.append(
                    f'[[key]]\nname = "{tenant}-{kind}"\nsha256 = "{digest}"\ntenant = "{tenant}"\n'
                    f'roles = ["{role}"]\nsandbox = {str(kind == "sandbox").lower()}\n'
                )
        file.touch(0o600)
        file.write_text("".join(lines))

    async def upload(
        self, live: LiveServer, caller: tuple[str, str]
    ) -> service_pb2.UploadTrustedImageResponse:
        request = service_pb2.UploadTrustedImageRequest(image=portrait(), policy="sealing")
        return await live.service.UploadTrustedImage(request, metadata=self._metadata(caller))

    async def finish(
        self, live: LiveServer, caller: tuple[str, str], check_id: str
    ) -> service_pb2.FinishCheckResponse:
        request = service_pb2.FinishCheckRequest(check_id=check_id, audit_image_limit=2)
        return await live.service.FinishCheck(request, metadata=self._metadata(caller))

    async def archive(self, live: LiveServer, tenant: str, check_id: str) -> zipfile.ZipFile:
        reader = Compliance(channel=live.service_channel, api_key=ApiKey(self._keys[tenant, "reader"]))
        return zipfile.ZipFile(
            io.BytesIO(b"".join([part async for part in reader.export_evidence(check_id, purpose="case 1")]))
        )

    def _metadata(self, caller: tuple[str, str]) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self._keys[caller]}"),)


async def scanned(
    live: LiveServer, upload: service_pb2.UploadTrustedImageResponse, shown: Sequence[Picture]
) -> None:
    stream = await RawDevice(live.device, upload).open()
    await stream.run_attempt(shown)
    assert await stream.outcome() is None
    await live.unattended()


def under_the_servers_key(connection: Connection, keys: WrappingKeys) -> None:
    """Wrap the memory of the sandbox of ``bank`` under the server's own key, before the tenant had one."""
    row = connection.execute(select(scan_memories).where(scan_memories.c.tenant == "sandbox:bank")).one()
    newest = keys.key_id_for("")
    older = WrappingKeys(newest=newest, keys={key_id: keys.key(key_id) for key_id in (newest, row.key_id)})
    wrapped_key, key_id = rewrap(
        row.wrapped_key,
        key_id=row.key_id,
        wrapping_keys=older,
        aad=Context(tenant=row.tenant, check_id=row.check_id, kind=SealedKind.SCAN_MEMORY),
    )
    assert key_id == newest
    of_row = scan_memories.c.check_id == row.check_id
    connection.execute(update(scan_memories).where(of_row).values(wrapped_key=wrapped_key, key_id=key_id))


def sealed_kinds(connection: Connection) -> set[str]:
    """The kinds of sealed rows; an image's kind is its purpose."""
    kinds = set(connection.scalars(select(evidence.c.kind)))
    for place in PLACES:
        rows = select(func.count()).where(place.wrapped_key.is_not(None))
        if place.table is not evidence and connection.scalar(rows.select_from(place.table)):
            kinds.add(place.name)
    return kinds


def sealed_rows(connection: Connection) -> int:
    """The number of rows with a wrapped key."""
    return sum(
        connection.scalars(
            select(func.count()).select_from(place.table).where(place.wrapped_key.is_not(None))
        ).one()
        for place in PLACES
    )


def keys_of_tenant(connection: Connection, tenant: str) -> set[str]:
    """The identifiers of the keys that wrap what belongs to a tenant, its sandbox included."""
    return {
        key_id
        for place in PLACES
        for key_id in connection.scalars(
            select(place.key_id)
            .select_from(
                place.table
                if place.table is checks
                else place.table.join(checks, checks.c.check_id == place.table.c.check_id)
            )
            .where(checks.c.tenant == tenant, place.key_id.is_not(None))
        )
    }


@pytest.mark.slow
async def test_everything_opens_after_a_whole_rotation_without_the_old_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    callers = Callers(tmp_path / "api-keys.toml")
    free: dict[str, Any] = {"port": 0}
    listeners = {
        "device": free,
        "service": free | {"api_keys_file": tmp_path / "api-keys.toml"},
        "admin": free,
    }
    settings = settings_for(tmp_path, sandbox=False, listeners=listeners, keys={"tenants": {"bank": {}}})
    write_policy(tmp_path / "policies", "sealing", portrait="bytes")
    shown = {caller: fresh_pictures() for caller in _CALLERS}
    decided, before, waiting = {}, {}, {}
    async with serving(settings) as live:
        for caller in _CALLERS:
            upload = await callers.upload(live, caller)
            await scanned(live, upload, shown[caller])
            decided[caller] = upload.check_id
            before[caller] = await callers.finish(live, caller, upload.check_id)
            assert before[caller].result.status == result_pb2.CHECK_STATUS_SUCCESS
            waiting[caller] = await callers.upload(live, caller)

    files = open_key_files(settings.key_folder, settings.keys)
    database = open_database(settings.database_url)
    await database.write(under_the_servers_key, KeyFolder(files).keys.wrapping_keys)
    assert await database.read(sealed_kinds) == {
        "templates",
        "records",
        "scan memories",
        "PORTRAIT",
        "EVIDENCE_FRAME",
        "AUDIT_IMAGE",
    }
    old = await database.read(keys_in_use)
    assert len(old) == len(_TENANTS)

    await rotated(tmp_path, database, monkeypatch)
    new = {tenant: await database.read(keys_of_tenant, tenant) for tenant in _TENANTS}
    wrapping = KeyFolder(files).keys.wrapping_keys
    assert new == {tenant: {wrapping.key_id_for(tenant)} for tenant in _TENANTS}
    for key_id in old:
        with pytest.raises(WrappingKeyUnknown):
            wrapping.key(key_id)
    await database.close()

    async with serving(settings) as live:
        for caller in _CALLERS:
            after = await callers.finish(live, caller, decided[caller])
            assert after.result == before[caller].result
            assert after.evidence_frame.image == before[caller].evidence_frame.image
            assert [one.image for one in after.audit_images] == [
                one.image for one in before[caller].audit_images
            ]
            with await callers.archive(live, caller[0], decided[caller]) as archive:
                assert portrait() in [archive.read(name) for name in archive.namelist()]
            # The waiting check needs its template, and the scan memory must still know the frames.
            await scanned(live, waiting[caller], shown[caller])
            again = (await callers.finish(live, caller, waiting[caller].check_id)).result
            assert {one.name: one.reason for one in again.device.checks}["memory.frames"] == (
                "FRAMES_SEEN_BEFORE"
            )
            assert again.status == result_pb2.CHECK_STATUS_SUCCESS


async def rotated(folder: Path, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rotate, retire, rewrap and destroy the evidence keys of the server and of ``bank``."""
    config = folder / "facegate.toml"
    config.touch(0o600)
    config.write_text(f'data_dir = "{folder / "data"}"\n[keys.tenants.bank]\n')
    monkeypatch.setattr("server.keyring.key_rotation._SETTLED", timedelta())

    async def run(*words: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, app, ["keys", *words, "--config", str(config)])

    for tenant in ((), ("--tenant", "bank")):
        assert (await run("rotate", "evidence", *tenant)).exit_code == 0
        assert (await run("retire", "1", "--purpose", "evidence", *tenant)).exit_code == 0
        # Until everything is rewrapped, the key stays.
        assert (await run("destroy", "1", *tenant)).exit_code == 2
    rows = await database.read(sealed_rows)
    rewrapped = await run("rewrap")
    assert (rewrapped.exit_code, rewrapped.stdout) == (0, f"Rewrapped {rows} data keys.\n")
    assert (await run("rewrap")).stdout == "Rewrapped 0 data keys.\n"
    for tenant in ((), ("--tenant", "bank")):
        assert (await run("destroy", "1", *tenant)).exit_code == 0
    assert not list((folder / "data" / "keys").rglob("evidence-0001.*"))
