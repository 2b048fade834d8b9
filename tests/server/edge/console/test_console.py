"""The console over HTTP, on a real server."""

import io
import json
import re
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from facegate.v1 import audit_pb2
from facegate.v1 import evidence_service_pb2 as evidence_pb2
from google.protobuf import json_format

from server.compliance import figures
from server.running.app import FacegateServer
from tests.server.compliance.office import Office, audit_entries, open_office
from tests.server.edge.console.browser import COOKIE, Browser, browsing
from tests.server.live import settings_for


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def office(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    """A server with a console, to which people log in with API keys."""
    async with open_office(tmp_path_factory.mktemp("office"), console={}) as office:
        yield office


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def scanned(office: Office) -> str:
    """A check of a genuine person."""
    return await office.check("anna-1", scanned=True)


@pytest_asyncio.fixture(loop_scope="session")
async def stranger(office: Office) -> AsyncIterator[Browser]:
    """A browser without a session."""
    async with browsing(office.live.server.console_address) as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="session")
async def admin(office: Office, stranger: Browser) -> Browser:
    """A browser in which anna, a compliance admin, is logged in."""
    assert (await stranger.log_in(api_key=office.keys["anna"])).status == 204
    return stranger


async def test_the_page_is_served_under_a_strict_policy(stranger: Browser) -> None:
    answer = await stranger.get("/")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    asset = re.search(r'src="(/assets/[^"]+[.]js)"', answer.body.decode())
    assert asset is not None
    for part in (answer, await stranger.get(asset[1]), await stranger.get("/api/session")):
        directives = part.headers["Content-Security-Policy"].split("; ")
        assert {
            "default-src 'none'",
            "script-src 'self'",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        } <= set(directives)
        expected = {
            "X-Frame-Options": "DENY",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
        }
        assert {name: part.headers.get(name) for name in expected} == expected
    for path in ("/..%2fguard.py", "/%2e%2e/guard.py", "/assets/", "/assets/../index.html/x", "//etc/passwd"):
        assert (await stranger.get(path)).status == 404, path


async def test_a_session_states_its_caller_and_its_limits(office: Office, stranger: Browser) -> None:
    assert (await stranger.get("/api/session")).status == 401
    assert (await stranger.get("/api/login")).document == {"methods": ["api_key"]}
    answer = await stranger.log_in(api_key=office.keys["reader"])
    assert answer.status == 204
    cookie = answer.cookies[COOKIE]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", "/")
    session = (await stranger.get("/api/session")).document
    assert session | {"csrf": "", "authenticated_at": "", "expires_at": "", "version": ""} == {
        "name": "reader",
        "tenant": "bank",
        "sandbox": False,
        "roles": ["compliance_reader"],
        "scopes": ["audit.read", "evidence.export", "evidence.images", "evidence.read"],
        "reviews": True,
        "login": "api_key",
        "authenticated_at": "",
        "expires_at": "",
        "idle_seconds": 900,
        "csrf": "",
        "step_up_seconds": 600,
        "stepped_up": True,
        "version": "",
    }
    assert (await stranger.post("logout", {})).document == {"end_session_url": None}
    assert COOKIE not in stranger.cookies
    assert (await stranger.get("/api/session")).status == 401


async def test_a_complaint_is_answered_in_the_browser(office: Office, admin: Browser, scanned: str) -> None:
    found = await admin.list_checks(subject_reference="anna-1")
    assert [check["checkId"] for check in found.document["checks"]] == [scanned]
    answer = await admin.call(
        "GetEvidence", evidence_pb2.GetEvidenceRequest(check_id=scanned, purpose="case 7")
    )
    evidence = json_format.Parse(answer.body, evidence_pb2.GetEvidenceResponse())
    assert evidence.images
    for facts in evidence.images:
        image = await admin.call(
            "GetEvidenceImage",
            evidence_pb2.GetEvidenceImageRequest(check_id=scanned, sha256=facts.sha256, purpose="case 7"),
        )
        assert image.status == 200
        assert image.headers["Content-Type"] == facts.media_type
        assert image.headers["Cache-Control"] == "no-store"
        assert image.body[:2] == b"\xff\xd8"
    hold = evidence_pb2.PlaceHoldRequest(check_id=scanned, reference="case-7", reason="complaint")
    assert (await admin.call("PlaceHold", hold)).document["hold"]["placedBy"] == "anna"
    archive = await admin.call(
        "ExportEvidence", evidence_pb2.ExportEvidenceRequest(check_id=scanned, purpose="case 7")
    )
    assert archive.headers["Content-Type"] == "application/zip"
    assert archive.headers["Content-Disposition"].startswith("attachment;")
    assert "record.json" in zipfile.ZipFile(io.BytesIO(archive.body)).namelist()
    refused = await admin.call(
        "DeleteEvidence", evidence_pb2.DeleteEvidenceRequest(check_id=scanned, purpose="case 7")
    )
    assert (refused.status, refused.reason) == (400, "EVIDENCE_ON_HOLD")
    release = evidence_pb2.ReleaseHoldRequest(check_id=scanned, reference="case-7", purpose="closed")
    assert (await admin.call("ReleaseHold", release)).status == 200
    entries = await audit_entries(office, scanned)
    assert [action for action, *_ in entries][-5:] == [
        *["evidence.image_read"] * 2,
        "hold.placed",
        "evidence.exported",
        "hold.released",
    ]
    assert {(actor, purpose) for action, actor, purpose in entries if "image" in action} == {
        ("anna", "case 7")
    }


async def test_people_and_the_audit_log_are_exported_and_erased(office: Office, admin: Browser) -> None:
    check = await office.check("bruno-1")
    subject = await admin.call(
        "ExportSubject", evidence_pb2.ExportSubjectRequest(subject_reference="bruno-1", purpose="request 1")
    )
    with zipfile.ZipFile(io.BytesIO(subject.body)) as archive:
        assert json.loads(archive.read("subject.json"))["checks"][0]["check_id"] == check
    erased = await admin.post(
        "EraseSubject",
        {"subjectReference": "bruno-1", "purpose": "request 1", "reason": "ERASURE_REASON_REQUEST"},
    )
    assert erased.document["erasedChecks"] == 1
    log = await admin.call("ExportAuditLog", audit_pb2.ExportAuditLogRequest(purpose="request 1"))
    assert log.headers["Content-Type"] == "application/x-ndjson"
    assert all(json.loads(line) for line in log.body.splitlines())
    events = await admin.post("ListAuditEvents", {"action": "session.begun"})
    newest = events.document["events"][0]
    assert newest["actor"] == {"name": "anna", "role": "compliance_admin", "address": "127.0.0.1"}
    assert newest["detail"] == {"login": "api_key"}


async def test_figures_have_no_personal_data_and_no_end(office: Office, admin: Browser) -> None:
    await office.check("dora-1")
    day = (await admin.post("GetFigures", {"policy": "test", "sandbox": False})).document["days"][-1]
    assert day["policy"] == "test"
    assert day["failures"] >= 1
    assert {"reason": "FAILURE_REASON_CANCELLED", "checks": day["failures"]} in day["reasons"]
    long = {"decidedSince": "2025-01-01T00:00:00Z", "decidedBefore": "2026-03-01T00:00:00Z"}
    refused = await admin.post("GetFigures", long)
    assert (refused.status, refused.reason) == (400, "INVALID_FIELD")
    assert (await admin.post("ListAuditEvents", {"action": "figures.read"})).document["events"]


async def test_figures_of_many_checks_are_given_in_parts(
    office: Office, admin: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    await office.check("dora-2")
    await office.check("dora-2")
    monkeypatch.setattr(figures, "_MOST_CHECKS", 1)
    refused = await admin.post("GetFigures", {})
    assert (refused.status, refused.reason) == (400, "INVALID_FIELD")
    assert refused.document["details"][0]["metadata"]["maxChecks"] == "1"
    # A day is always counted.
    now = datetime.now(UTC)
    day = {"decidedSince": (now - timedelta(hours=23)).isoformat(), "decidedBefore": now.isoformat()}
    assert (await admin.post("GetFigures", day)).document["days"]


async def test_reviewers_decide_in_the_console(office: Office, admin: Browser) -> None:
    check = {"checkId": await office.check("erna-1", scanned=True, policy="sampled")}
    decision = check | {"outcome": "REVIEW_OUTCOME_ALLOW", "reason": "REVIEW_REASON_SAME_PERSON"}
    async with browsing(admin.address) as rita, browsing(admin.address) as rolf:
        for browser, name in ((rita, "rita"), (rolf, "rolf")):
            assert (await browser.log_in(api_key=office.keys[name])).status == 204
        listed = (await rita.post("ListReviews", {})).document["reviews"]
        assert check["checkId"] in [review["checkId"] for review in listed]
        claimed = (await rita.post("ClaimReview", check)).document["review"]
        assert (claimed["state"], claimed["claimedBy"]) == ("REVIEW_STATE_CLAIMED", "rita")
        # Nobody else decides it, and whoever only reads reviews decides none.
        refused = await rolf.post("DecideReview", decision)
        assert (refused.status, refused.reason) == (400, "REVIEW_NOT_CLAIMED")
        assert (await admin.post("GetReview", check)).document["review"]["state"] == claimed["state"]
        refused = await admin.post("ClaimReview", check)
        assert (refused.status, refused.reason) == (403, "PERMISSION_DENIED")
        assert (await rita.post("ReleaseReview", check)).status == 200
        assert (await rita.post("ClaimReview", check)).status == 200
        decided = (await rita.post("DecideReview", decision)).document
        assert decided["review"]["decisions"][0]["reviewer"] == "rita"
        assert decided["reviewJws"].count(".") == 2
        (day,) = (await admin.post("GetFigures", {"policy": "sampled"})).document["days"]
        count = {"status": "CHECK_STATUS_SUCCESS", "outcome": "REVIEW_OUTCOME_ALLOW"}
        assert day["reviews"] == [count | {"checks": 1, "sampled": 1}]
        # Reviewers neither export nor read the log.
        assert (await rita.post("ListAuditEvents", {})).status == 403
        assert (await rita.post("ExportEvidence", check | {"purpose": "p"})).status == 403
        made = {"checkId": await office.check("erna-2", scanned=True, policy="sampled", by="maker")}
        async with browsing(admin.address) as maker, browsing(admin.address) as stranger:
            assert (await maker.log_in(api_key=office.keys["maker"])).status == 204
            refused = await maker.post("ClaimReview", made)
            assert (refused.status, refused.reason) == (403, "REVIEW_CONFLICT")
            assert (await stranger.log_in(api_key=office.keys["stranger"])).status == 204
            refused = await stranger.post("ClaimReview", made)
            assert (refused.status, refused.reason) == (404, "REVIEW_NOT_FOUND")


async def test_the_keys_that_verify_results_and_the_log_are_served(admin: Browser) -> None:
    for path in ("/api/keys", "/api/audit-keys"):
        assert {key["kty"] for key in (await admin.get(path)).document["keys"]} == {"EC"}


async def test_a_link_logs_in_once(tmp_path: Path) -> None:
    free = {"port": 0}
    settings = settings_for(
        tmp_path, listeners=dict.fromkeys(("device", "service", "admin", "console"), free)
    )
    links: list[str] = []
    server = FacegateServer(settings, show_link=links.append)
    await server.start()
    try:
        address, _, secret = links[0].partition("/#link=")
        assert address == server.console_address
        async with browsing(address) as first, browsing(address) as second:
            assert (await first.get("/api/login")).document == {"methods": ["link"]}
            assert (await first.log_in(link=secret)).status == 204
            assert (await first.list_checks()).document == {}
            assert (await second.log_in(link=secret)).status == 401
            # The terminal shows the next one.
            assert (await second.log_in(link=links[1].partition("/#link=")[2])).status == 204
            assert (await first.list_checks()).status == 200
    finally:
        await server.stop()


async def test_only_a_person_who_says_so_keeps_a_session_without_calls(office: Office) -> None:
    async with browsing(office.live.server.console_address) as browser:
        await browser.log_in(api_key=office.keys["anna"])
        with office.live.clock.later():
            office.live.clock.ahead = timedelta(minutes=10)
            stranger = await browser.post("session", {}, X_Facegate_CSRF="other")
            assert (stranger.status, stranger.reason) == (403, "PERMISSION_DENIED")
            assert (await browser.post("session", {})).document["name"] == "anna"
            office.live.clock.ahead = timedelta(minutes=20)
            assert (await browser.get("/api/session")).status == 200
            office.live.clock.ahead = timedelta(minutes=26)
            assert (await browser.get("/api/session")).status == 401


async def test_exports_and_erasures_need_a_recent_log_in(office: Office, admin: Browser) -> None:
    request = {"checkId": await office.check("carla-1"), "purpose": "request 2"}
    with office.live.clock.later(minutes=11):
        for method in ("ExportEvidence", "DeleteEvidence", "ExportSubject", "EraseSubject", "ExportAuditLog"):
            refused = await admin.post(method, request if method.endswith("Evidence") else {})
            assert (refused.status, refused.reason) == (403, "STEP_UP_REQUIRED"), method
        assert (await admin.get("/api/session")).document["stepped_up"] is False
        assert (await admin.list_checks()).status == 200
        assert (await admin.log_in(api_key=office.keys["anna"])).status == 204
        assert (await admin.post("DeleteEvidence", request)).status == 200
