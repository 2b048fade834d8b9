"""A deployment is backed up in three parts, and restored into an empty one on other storage."""

import base64
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from facegate.v1 import evidence_service_pb2 as evidence_pb2
from facegate.v1 import verification_service_pb2 as service_pb2

from facegate_client import ApiKey, verify_archive
from server.audit import SERVER_TENANT, CheckpointKeys
from server.backup import copy_objects, dump_database, pack_keys, restore_database, unpack_keys
from server.configuration.settings import Settings
from server.keyring.key_files import KeyFiles
from server.keyring.keys import read_audit_keys
from server.storage.audit_reader import AuditReader
from server.storage.database import open_database
from server.storage.objects import open_object_store
from tests.server.compliance.office import Office, open_office
from tests.server.live import settings_for


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "backup.key"
    path.touch(0o600)
    path.write_bytes(base64.b64encode(os.urandom(32)))
    return path


def silent(*_: object) -> None:
    """Shows no progress."""


async def result_of(office: Office, check_id: str) -> service_pb2.FinishCheckResponse:
    return await office.live.service.FinishCheck(
        service_pb2.FinishCheckRequest(check_id=check_id, audit_image_limit=4),
        metadata=ApiKey(office.keys["backend"]).metadata,
    )


async def archive_of(office: Office, check_id: str) -> bytes:
    parts = [part async for part in office.of("reader").export_evidence(check_id, purpose="restored")]
    return b"".join(parts)


async def expect_whole_audit_log(settings: Settings) -> None:
    keys = CheckpointKeys(read_audit_keys(KeyFiles(settings.key_folder)))
    database = open_database(settings.database_url)
    try:
        for tenant in ("bank", SERVER_TENANT):
            report = await AuditReader(database).verify(tenant, keys=keys)
            assert report.whole
            assert report.entries > 0
    finally:
        await database.close()


@pytest.mark.slow
async def test_results_records_images_and_the_audit_log_come_back(tmp_path: Path, key_file: Path) -> None:
    old, new = settings_for(tmp_path / "old"), settings_for(tmp_path / "new")
    async with open_office(tmp_path / "old") as office:
        scanned, cancelled = await office.check("customer-1", scanned=True), await office.check("customer-2")
        before = {check_id: await result_of(office, check_id) for check_id in (scanned, cancelled)}
        record = await office.of("reader").get_evidence(scanned)
        # The server runs while it is backed up: first the database, then the objects.
        dump = tmp_path / "database.backup"
        await dump_database(old.database_url, dump, now=datetime.now(UTC), progress=silent)
        copied = await copy_objects(
            open_object_store(old.objects_url), open_object_store(str(tmp_path / "copies")), progress=silent
        )
        assert copied.copied >= 2
        pack_keys(old.key_folder, tmp_path / "keys.json", key_file=key_file)

    await restore_database(dump, new.database_url, progress=silent)
    await copy_objects(
        open_object_store(str(tmp_path / "copies")), open_object_store(new.objects_url), progress=silent
    )
    unpack_keys(tmp_path / "keys.json", new.key_folder, key_file=key_file)

    async with open_office(tmp_path / "new") as office:
        for check_id, known in before.items():
            again = await result_of(office, check_id)
            assert again.result == known.result
            assert again.evidence_frame == known.evidence_frame
            assert list(again.audit_images) == list(known.audit_images)
            verified = verify_archive(await archive_of(office, check_id), office.jwks, tenant="bank")
            assert verified.result == known.result
        restored = await office.of("reader").get_evidence(scanned)
        # The server signs each answer anew.
        restored.result_jws = record.result_jws
        restored.record_jws = record.record_jws
        assert restored == record
        found = await office.of("reader").list_checks(
            evidence_pb2.ListChecksRequest(subject_reference="customer-1")
        )
        assert [check.check_id for check in found.checks] == [scanned]
    await expect_whole_audit_log(new)
