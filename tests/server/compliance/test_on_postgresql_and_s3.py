"""EvidenceService on PostgreSQL and a real S3, with two replicas."""

from pathlib import Path

import obstore
import pytest
from facegate.v1 import evidence_service_pb2 as evidence_pb2

from facegate_client import CallRefusedError, verify_archive
from server.storage.schema import upgrade
from tests.server.compliance.office import open_office
from tests.server.postgres import PostgresServer
from tests.server.s3_process import running_s3

pytestmark = pytest.mark.slow


async def test_a_compliance_readers_day(
    postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = await postgres.new_database()
    await upgrade(url)
    with running_s3(tmp_path) as s3:
        for name, value in s3.environment.items():
            monkeypatch.setenv(name, value)
        bucket = s3.make_bucket("evidence")
        storage = {"database_url": url, "objects_url": "s3://evidence/facegate"}
        async with open_office(tmp_path / "office", storage=storage) as office:
            reader, anna = office.of("reader"), office.of("anna")
            check_id = await office.check("person-1", scanned=True)
            other = await office.check("person-1")
            listed = await reader.list_checks(
                evidence_pb2.ListChecksRequest(subject_reference="person-1", page_size=1)
            )
            assert [one.check_id for one in listed.checks] == [other]
            archive = [part async for part in reader.export_evidence(check_id, purpose="case 17")]
            verified = verify_archive(b"".join(archive), office.jwks)
            assert verified.manifest["missing_images"] == []
            await anna.place_hold(check_id, reference="case-17", reason="court order")
            with pytest.raises(CallRefusedError) as caught:
                await anna.delete_evidence(check_id, purpose="mistake")
            assert caught.value.refusal.reason == "EVIDENCE_ON_HOLD"
            await anna.release_hold(check_id, reference="case-17", purpose="closed")
            erased = await anna.erase_subject(
                "person-1", reason=evidence_pb2.ERASURE_REASON_REQUEST, purpose="letter"
            )
            assert (erased.erased_checks, list(erased.held_check_ids)) == (2, [])
            assert not [
                entry for batch in obstore.list(bucket, prefix="facegate/evidence") for entry in batch
            ]
