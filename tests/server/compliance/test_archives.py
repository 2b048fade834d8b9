"""Archives of a check's evidence and of all that is stored on a person, and what finds a change of them."""

import hashlib
import io
import json
import zipfile
from datetime import UTC
from pathlib import Path
from uuid import UUID

import pytest

from facegate_client import ServerNotTrustedError, load_key_set, verify_archive
from matcher.records import open_trusted_image
from server.audit import AuditAction, AuditEvent
from server.checks.expiry import HOUSEKEEPER
from server.evidence.store import delete_objects
from server.storage.database import open_database
from server.storage.objects import open_object_store
from server.storage.repository import CheckRepository
from server.storage.retention import RetentionRepository
from tests.server.compliance.office import Office, archive_of, audit_entries, open_office, refused_call
from tests.server.live import portrait


async def test_an_archive_is_verified_without_the_server(office: Office, scanned: str) -> None:
    content = await archive_of(office, scanned)
    verified = verify_archive(content, office.jwks, issuer="facegate", tenant="bank")
    assert verified.result.check_id == scanned
    assert (verified.manifest["purpose"], verified.manifest["exported_by"]) == ("case 17", "reader")
    files = verified.files
    assert files["images/trusted_image.jpg"] == portrait()
    page = files["report.html"].decode()
    assert scanned in page
    assert "this device is not attested" in page
    assert "<script" not in page
    assert page.count('src="data:image/jpeg') == sum(name.endswith(".jpg") for name in files)
    record = open_trusted_image(files["images/evidence_frame.fac"])
    assert record.image == files["images/evidence_frame.jpg"]
    assert load_key_set(json.loads(files["keys.json"])).as_dict() == office.jwks.as_dict()
    assert ("evidence.exported", "reader", "case 17") in await audit_entries(office, scanned)


async def test_images_that_retention_erased_are_not_said_to_be_lost(office: Office) -> None:
    check_id = await office.check("shorter-1", scanned=True)
    reader = office.of("reader")
    before = await reader.get_evidence(check_id)
    database = open_database(office.live.settings.database_url)
    check = await CheckRepository(database).get(UUID(check_id))
    assert check is not None
    # FinishCheck may return the images until the deadline of the result.
    assert before.times.images_retain_until.ToDatetime(UTC) == check.result_deadline
    assert before.times.images_retain_until.ToDatetime(UTC) < before.times.retain_until.ToDatetime(UTC)
    image = before.images[0].sha256
    assert (await reader.get_evidence_image(check_id, image, purpose="case 20")).content
    event = AuditEvent(
        tenant="bank", action=AuditAction.EVIDENCE_EXPIRED, actor=HOUSEKEEPER, check_id=check.check_id
    )
    removed = await RetentionRepository(database).expire_images(
        check.check_id, check.result_deadline, event=event
    )
    assert removed is not None
    assert len(removed) == len(before.images)
    await delete_objects(open_object_store(office.live.settings.objects_url), removed)
    await database.close()

    after = await reader.get_evidence(check_id)
    assert after.times.HasField("images_erase_time")
    assert not after.times.HasField("images_retain_until")
    assert list(after.images) == list(before.images)
    refusal = (await refused_call(reader.get_evidence_image(check_id, image, purpose="case 20"))).refusal
    assert refusal.reason == "EVIDENCE_ERASED"
    verified = verify_archive(await archive_of(office, check_id), office.jwks)
    assert {one["problem"] for one in verified.manifest["missing_images"]} == {"ERASED"}
    assert not [name for name in verified.files if name.endswith(".jpg")]
    assert "Erased: the retention of the images has ended." in verified.files["report.html"].decode()


def _repacked(content: bytes, changes: dict[str, bytes | None]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(target, "w") as changed:
        for name in source.namelist():
            new = changes.pop(name, source.read(name))
            if new is not None:
                changed.writestr(name, new)
        for name, new in changes.items():
            changed.writestr(name, new or b"")
    return target.getvalue()


async def test_every_change_of_an_archive_is_found(office: Office, scanned: str) -> None:
    content = await archive_of(office, scanned)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names, manifest = archive.namelist(), json.loads(archive.read("manifest.json"))
    for name in names:
        for new in (None, b"other"):
            with pytest.raises(ServerNotTrustedError):
                verify_archive(_repacked(content, {name: new}), office.jwks)
    with pytest.raises(ServerNotTrustedError, match=r"extra\.txt is not listed"):
        verify_archive(_repacked(content, {"extra.txt": b"x"}), office.jwks)
    # A manifest that lists the altered file is not the signed one.
    manifest["files"][0]["sha256"] = hashlib.sha256(b"other").hexdigest()
    forged = {"manifest.json": json.dumps(manifest).encode(), "record.json": b"other"}
    with pytest.raises(ServerNotTrustedError):
        verify_archive(_repacked(content, dict(forged)), office.jwks)
    for truncated in (content[:-30], content[: len(content) // 2], b"PK\x03\x04", b""):
        with pytest.raises(ServerNotTrustedError):
            verify_archive(truncated, office.jwks)


async def test_an_archive_of_another_server_is_refused(office: Office, scanned: str, tmp_path: Path) -> None:
    content = await archive_of(office, scanned)
    async with open_office(tmp_path / "another") as another:
        keys = another.jwks
    with pytest.raises(ServerNotTrustedError):
        verify_archive(content, keys)
    with pytest.raises(ServerNotTrustedError):
        verify_archive(content, office.jwks, tenant="branch")


async def test_bytes_that_are_none_of_the_files_are_found(office: Office, scanned: str) -> None:
    content = await archive_of(office, scanned)
    forged = io.BytesIO()
    with zipfile.ZipFile(forged, "w") as archive:
        archive.writestr("report.html", "forged")
    with_comment = bytearray(content + b"note")
    with_comment[-6:-4] = (4).to_bytes(2, "little")
    for changed in (forged.getvalue() + content, content + b"trailing", bytes(with_comment)):
        with pytest.raises(ServerNotTrustedError):
            verify_archive(changed, office.jwks)


async def test_a_person_gets_all_data_as_one_archive(office: Office) -> None:
    made = [await office.check("exported-1"), await office.check("exported-1", scanned=True)]
    unfinished = await office.open_check("exported-1")
    parts = [part async for part in office.of("reader").export_subject("exported-1", purpose="Article 15")]
    with zipfile.ZipFile(io.BytesIO(b"".join(parts))) as archive:
        about = json.loads(archive.read("subject.json"))
        for check_id in made:
            content = archive.read(f"checks/{check_id}.zip")
            assert verify_archive(content, office.jwks).result.subject_reference == "exported-1"
    assert about["subject_reference"] == "exported-1"
    assert {one["check_id"]: one.get("left_out") for one in about["checks"]} == {
        made[0]: None,
        made[1]: None,
        unfinished: "CHECK_NOT_DECIDED",
    }
