"""Columns of a check that somebody changed in the database, outside the seal."""

from uuid import UUID

import pytest
from facegate.v1 import audit_pb2, result_pb2
from facegate.v1 import evidence_service_pb2 as evidence_pb2
from sqlalchemy import text
from structlog.testing import capture_logs

from facegate_client import verify_archive
from server.storage.database import open_database
from tests.server.compliance.office import Office, archive_of


@pytest.mark.parametrize(
    ("statement", "facts"),
    [
        ("update checks set status = 'SUCCESS' where check_id = :check", ["status"]),
        ("update checks set status = 'NO_STATUS' where check_id = :check", ["status"]),
        ("update checks set status = null where check_id = :check", ["status"]),
        ("update checks set reasons = '[\"SPOOF\"]' where check_id = :check", ["reasons"]),
        ("update checks set reasons = 'no JSON' where check_id = :check", ["reasons"]),
        ("update checks set reasons = '7' where check_id = :check", ["reasons"]),
        ("update checks set reasons = '[\"NO_REASON\"]' where check_id = :check", ["reasons"]),
        ("update checks set sandbox = true where check_id = :check", ["sandbox"]),
        ("update checks set create_time = decide_time where check_id = :check", ["create_time"]),
        ("update checks set retain_until = create_time where check_id = :check", ["retain_until"]),
        ("delete from record_terms where check_id = :check and term like 'subject:%'", ["terms"]),
        (
            "insert into holds select check_id, 'case', tenant, 'none', 'nobody', decide_time from checks "
            "where check_id = :check",
            ["hold"],
        ),
    ],
)
async def test_a_changed_column_outside_the_seal_is_found(
    office: Office, statement: str, facts: list[str]
) -> None:
    check_id = await office.check("altered-1")
    reader = office.of("reader")
    assert list((await reader.get_evidence(check_id)).altered_facts) == []
    database = open_database(office.live.settings.database_url)
    await database.write(
        lambda connection: connection.execute(text(statement), {"check": UUID(check_id).hex})
    )
    await database.close()
    listed = await reader.list_checks(evidence_pb2.ListChecksRequest(page_size=100))
    assert check_id in {line.check_id for line in listed.checks}
    found = await reader.get_evidence(check_id)
    assert list(found.altered_facts) == facts
    assert found.result.status == result_pb2.CHECK_STATUS_FAILURE
    wanted = audit_pb2.ListAuditEventsRequest(check_id=check_id)
    newest = max((await reader.list_audit_events(wanted)).events, key=lambda event: event.sequence)
    assert newest.detail["altered"] == facts[0]
    archive = verify_archive(await archive_of(office, check_id), office.jwks)
    assert archive.manifest["altered_facts"] == facts
    assert f">{facts[0]}<" in archive.files["report.html"].decode()


@pytest.mark.parametrize(
    ("column", "status", "reasons"),
    [
        ("status", result_pb2.CHECK_STATUS_UNSPECIFIED, [result_pb2.FAILURE_REASON_CANCELLED]),
        ("reasons", result_pb2.CHECK_STATUS_FAILURE, []),
    ],
)
async def test_a_list_with_an_unreadable_column_goes_on_and_logs_the_check(
    office: Office, column: str, status: int, reasons: list[int]
) -> None:
    check_id = await office.check(f"unreadable-{column}")
    database = open_database(office.live.settings.database_url)
    spoiled = text(f"update checks set {column} = '{{' where check_id = :check")  # noqa: S608
    await database.write(lambda connection: connection.execute(spoiled, {"check": UUID(check_id).hex}))
    await database.close()
    request = evidence_pb2.ListChecksRequest(subject_reference=f"unreadable-{column}")
    with capture_logs() as logged:
        listed = (await office.of("reader").list_checks(request)).checks
    assert [(one.check_id, one.status, list(one.reasons)) for one in listed] == [(check_id, status, reasons)]
    found = [line for line in logged if line["event"] == "evidence_index_altered"]
    assert [(line["check_id"], line["facts"]) for line in found] == [(check_id, (column,))]
