"""The console over HTTP, on a real server, and attacks on it."""

import asyncio
import base64
import io
import json
import re
import zipfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import aiohttp
import pytest
import pytest_asyncio
import trustme
from facegate.v1 import audit_pb2
from facegate.v1 import evidence_service_pb2 as evidence_pb2
from google.protobuf import json_format

from server.access.callers import Rights, Role
from server.access.sessions import Attempts, Login, Session, csrf_of, sealed, secret_hash
from server.audit import AuditEntry
from server.compliance import listing
from server.edge import evidence_calls
from server.edge.console import interface as console_interface
from server.edge.console.answers import STRANGER_SECONDS
from server.running.app import FacegateServer
from server.storage.audit import AuditLog
from server.storage.audit_reader import AuditReader
from server.storage.errors import StorageUnavailable
from server.storage.sessions import SessionRepository
from tests.server.compliance.office import Office, audit_entries, open_office
from tests.server.edge.console.browser import COOKIE, Answer, Browser, browsing
from tests.server.live import serving, settings_for, until

_PURPOSE = "case 7"


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
    monkeypatch.setattr(listing, "_MOST_CHECKS", 1)
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
    async with browsing(admin.address) as rita, browsing(admin.address) as stranger:
        for browser, name in ((rita, "rita"), (stranger, "stranger")):
            assert (await browser.log_in(api_key=office.keys[name])).status == 204
        listed = (await rita.post("ListReviews", {})).document["reviews"]
        assert check["checkId"] in [review["checkId"] for review in listed]
        claimed = (await rita.post("ClaimReview", check)).document["review"]
        assert (claimed["state"], claimed["claimedBy"]) == ("REVIEW_STATE_CLAIMED", "rita")
        # Whoever only reads reviews decides none, and other tenants do not see it.
        assert (await admin.post("GetReview", check)).document["review"]["state"] == claimed["state"]
        refused = await admin.post("ClaimReview", check)
        assert (refused.status, refused.reason) == (403, "PERMISSION_DENIED")
        for method in ("GetReview", "ClaimReview", "ReleaseReview", "DecideReview"):
            refused = await stranger.post(method, decision if method == "DecideReview" else check)
            assert (refused.status, refused.reason) == (404, "REVIEW_NOT_FOUND"), method
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


# Attacks, each tried at the server.


async def _logged_in(office: Office, browser: Browser, name: str) -> Browser:
    assert (await browser.log_in(api_key=office.keys[name])).status == 204
    return browser


def _refused(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.reason


async def _entries(office: Office, tenant: str) -> tuple[AuditEntry, ...]:
    async with office.live.database() as database:
        entries = await AuditReader(database).entries(tenant)
    return tuple(entries)


# Requests of other sites.


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": None},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
@pytest.mark.parametrize("path", ["login", "EraseSubject"])
async def test_other_pages_cannot_call(admin: Browser, path: str, headers: dict[str, str | None]) -> None:
    assert _refused(await admin.post(path, {}, **headers)) == (403, "ORIGIN_NOT_ALLOWED")


@pytest.mark.parametrize("size", [70_000, 1_000_000])
async def test_a_call_that_is_too_large_has_an_answer(admin: Browser, size: int) -> None:
    answer = await admin.post("ListChecks", {"pageToken": "a" * size})
    assert _refused(answer) == (413, "INVALID_FIELD")


@pytest.mark.parametrize("content", ["text/plain", "application/x-www-form-urlencoded", None])
async def test_a_form_cannot_call(admin: Browser, content: str | None) -> None:
    answer = await admin.post("ListChecks", {}, **{"Content-Type": content})
    assert _refused(answer) == (400, "INVALID_FIELD")


async def test_a_call_needs_the_token_of_its_own_session(office: Office, admin: Browser) -> None:
    async with browsing(admin.address) as other:
        await _logged_in(office, other, "bert")
        for token in (None, "", "x", other.csrf, admin.csrf + "x"):
            answer = await admin.post("ListChecks", {}, **{"X-Facegate-CSRF": token})
            assert _refused(answer) == (403, "PERMISSION_DENIED"), token
            assert (await admin.post("logout", {}, **{"X-Facegate-CSRF": token})).status == 403
    assert (await admin.list_checks()).status == 200


async def test_a_name_of_another_site_that_leads_here_is_of_no_use(admin: Browser) -> None:
    port = urlsplit(admin.address).port
    for host in (
        "evil.example",
        f"evil.example:{port}",
        "localhost",
        f"localhost:{port}.",
        "",
        "127.0.0.1:1",
    ):
        for method, path in (("GET", "/"), ("GET", "/api/session"), ("POST", "/api/ListChecks")):
            answer = await admin.send(method, path, headers={"Host": host}, body="{}")
            assert answer.status in {400, 421}, (host, path)
            assert b"anna" not in answer.body
    assert (await admin.send("GET", "/api/session", headers={"Host": f"127.0.0.1:{port}"})).status == 200


async def test_calls_are_posts_and_no_other_path_is_served(admin: Browser) -> None:
    for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE"):
        assert (await admin.send(method, "/api/ListChecks")).status in {404, 405}, method
    for path in (
        "ScanFace",
        "UploadTrustedImage",
        "FinishCheck",
        "listChecks",
        "ListChecks/",
        "../ListChecks",
    ):
        assert (await admin.post(path, {})).status in {404, 405}, path
    answer = await admin.send("OPTIONS", "/api/ListChecks", headers={"Origin": "https://evil.example"})
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


# Sessions.


async def test_an_earlier_cookie_is_no_session_after_the_log_in(office: Office) -> None:
    fixed = "chosen-by-an-attacker-0000000000000000000000"
    async with browsing(office.live.server.console_address, **{COOKIE: fixed}) as victim:
        await _logged_in(office, victim, "anna")
        first = victim.cookies[COOKIE]
        assert first != fixed
        await _logged_in(office, victim, "anna")
        assert victim.cookies[COOKIE] != first
        for old in (fixed, first):
            async with browsing(victim.address, **{COOKIE: old}) as thief:
                assert _refused(await thief.get("/api/session")) == (401, "UNAUTHENTICATED")


async def test_a_cookie_is_of_no_use_after_the_log_out(office: Office, admin: Browser) -> None:
    stolen = dict(admin.cookies)
    assert (await admin.post("logout", {})).status == 200
    async with browsing(admin.address, **stolen) as thief:
        thief.csrf = admin.csrf
        assert _refused(await thief.list_checks()) == (401, "UNAUTHENTICATED")


async def test_a_changed_cookie_is_no_session(admin: Browser) -> None:
    whole = admin.cookies[COOKIE]
    for value in (
        whole[:-1],
        whole + "A",
        whole.swapcase(),
        "",
        secret_hash(whole).hex(),
        "'; DROP TABLE --",
    ):
        async with browsing(admin.address, **{COOKIE: value}) as thief:
            assert (await thief.get("/api/session")).status == 401
    twice = {"Cookie": f"{COOKIE}={whole}; {COOKIE}={whole}"}
    assert (await admin.send("GET", "/api/session", headers=twice)).status == 401


async def test_a_session_ends_when_nobody_uses_it(office: Office, admin: Browser) -> None:
    clock = office.live.clock
    with clock.later():
        for minutes in (14, 28, 42):
            clock.ahead = timedelta(minutes=minutes)
            assert (await admin.list_checks()).status == 200
        # The page may ask for the session without keeping it.
        clock.ahead = timedelta(minutes=50)
        assert (await admin.get("/api/session")).status == 200
        clock.ahead = timedelta(minutes=58)
        assert (await admin.get("/api/session")).status == 401
        assert (await admin.list_checks()).status == 401


async def test_a_session_that_is_used_ends_all_the_same(office: Office, admin: Browser) -> None:
    clock = office.live.clock
    with clock.later():
        for minutes in range(14, 480, 14):
            clock.ahead = timedelta(minutes=minutes)
            assert (await admin.list_checks()).status == 200
        clock.ahead = timedelta(hours=8, seconds=1)
        assert (await admin.list_checks()).status == 401


def _session(name: str = "mallory") -> Session:
    rights = Rights(tenant="bank", roles=(Role.COMPLIANCE_ADMIN,))
    return Session(
        caller=rights.of_caller(name),
        login=Login.LINK,
        credential=b"c" * 32,
        authenticate_time=datetime.now(UTC),
        strong=True,
        expire_time=datetime.now(UTC) + timedelta(hours=1),
    )


async def test_whoever_can_write_into_the_database_makes_no_session(office: Office, admin: Browser) -> None:
    async with office.live.database() as database:
        repository = SessionRepository(database)
        digest = secret_hash(admin.cookies[COOKIE])
        row = await repository.find(digest)
        assert row is not None
        more = row.content.replace(b'"bank"', b'"branch"')
        assert more != row.content
        own = secret_hash("secret")
        content, mac = sealed(_session(), secret_sha256=own, key=b"k" * 32)
        forged = [
            # The row of a session, changed.
            (admin.cookies[COOKIE], replace(row, content=more)),
            # The row of another session, under a cookie of one's own.
            ("secret", replace(row, secret_sha256=own)),
            # A row of one's own.
            ("secret", replace(row, secret_sha256=own, content=content, mac=mac)),
        ]
        for secret, one in forged:
            await repository.add(one, replaces=one.secret_sha256)
            async with browsing(admin.address, **{COOKIE: secret}) as thief:
                thief.csrf = csrf_of(secret)
                assert _refused(await thief.list_checks()) == (401, "UNAUTHENTICATED")


async def test_a_session_dies_with_its_api_key_or_its_rights(tmp_path: Path) -> None:
    async with open_office(tmp_path, console={}) as office:
        file = tmp_path / "keys.toml"
        whole = file.read_text()
        for name, changed in (
            ("reader", whole.replace('"compliance_reader"', '"compliance_admin"')),
            ("anna", whole.replace('name = "anna"', 'name = "anna-marie"')),
            ("bert", "\n[[key]]".join(part for part in whole.split("\n[[key]]") if '"bert"' not in part)),
        ):
            async with browsing(office.live.server.console_address) as browser:
                await _logged_in(office, browser, name)
                file.write_text(changed)

                async def ended(browser: Browser = browser) -> bool:
                    return (await browser.list_checks()).status == 401

                await until(ended)
                file.write_text(whole)
                # It does not come back with the entry.
                await asyncio.sleep(0.5)
                assert (await browser.list_checks()).status == 401


async def test_nobody_tries_many_keys(tmp_path: Path) -> None:
    async with open_office(tmp_path, console={}) as office:
        async with browsing(office.live.server.console_address) as browser:
            for number in range(10):
                assert _refused(await browser.log_in(api_key=f"fg1_{number}")) == (401, "UNAUTHENTICATED")
            answer = await browser.log_in(api_key=office.keys["anna"])
            assert _refused(answer) == (429, "OVERLOADED")
            assert 250 < int(answer.headers["Retry-After"]) <= 300
            office.live.clock.ahead = timedelta(seconds=301)
            assert (await browser.log_in(api_key=office.keys["anna"])).status == 204

        async def logged() -> bool:
            entries = await _entries(office, "_server")
            refused = [one for one in entries if one.action == "access.refused"]
            details = {"method": "/console/LogIn", "reason": "UNAUTHENTICATED", "count": "1"}
            return bool(refused) and (refused[0].details, refused[0].address) == (details, "127.0.0.1")

        await until(logged)


def test_failed_attempts_are_of_their_address_and_few_are_remembered() -> None:
    attempts = Attempts(most=2, window=timedelta(minutes=5), addresses=3)
    now = datetime(2026, 5, 4, tzinfo=UTC)
    for address in ("a", "a", "b"):
        attempts.record_failure(address, now)
    assert attempts.seconds_to_wait("a", now + timedelta(minutes=4)) == 60.0
    assert attempts.seconds_to_wait("b", now) == 0.0
    assert attempts.seconds_to_wait("a", now + timedelta(minutes=5)) == 0.0
    for address in ("c", "d", "e"):
        attempts.record_failure(address, now)
    assert attempts.seconds_to_wait("a", now) == 0.0


# Rights.


async def test_callers_without_a_role_of_the_console_cannot_log_in(office: Office) -> None:
    async with browsing(office.live.server.console_address) as browser:
        for name in ("backend", "operator"):
            assert _refused(await browser.log_in(api_key=office.keys[name])) == (403, "PERMISSION_DENIED")
        assert COOKIE not in browser.cookies
        bodies: tuple[object, ...] = ({}, [], "", {"api_key": 7}, {"link": "x"}, {"api_key": "x" * 999})
        for body in bodies:
            assert (await browser.post("login", body)).status == 400


async def test_a_role_without_the_scope_is_refused_and_logged(office: Office, stranger: Browser) -> None:
    check = await office.check("scopes-1")
    reader = await _logged_in(office, stranger, "reader")
    calls: Mapping[str, Mapping[str, str]] = {
        "DeleteEvidence": {"checkId": check, "purpose": _PURPOSE},
        "PlaceHold": {"checkId": check, "reference": "h", "reason": "r"},
    }
    for method, request in calls.items():
        assert _refused(await reader.post(method, request)) == (403, "PERMISSION_DENIED")

    async def logged() -> bool:
        entries = [one for one in await _entries(office, "bank") if one.action == "access.refused"]
        found = {one.details["method"].rpartition("/")[2] for one in entries if one.actor == "reader"}
        return found >= calls.keys()

    await until(logged)
    assert (await reader.list_checks(subject_reference="scopes-1")).document["checks"]


async def test_the_checks_of_another_tenant_do_not_exist(office: Office, admin: Browser) -> None:
    check = await office.check("idor-1")
    assert (await admin.list_checks(subject_reference="idor-1", page_size=1)).document["checks"]
    for _ in range(2):
        await office.check("idor-2")
    token = (await admin.list_checks(subject_reference="idor-2", page_size=1)).document["nextPageToken"]
    async with browsing(admin.address) as other:
        await _logged_in(office, other, "other")
        by_id = {"checkId": check, "purpose": _PURPOSE}
        calls: dict[str, dict[str, str]] = {
            "GetEvidence": by_id,
            "GetEvidenceImage": by_id | {"sha256": base64.b64encode(bytes(32)).decode()},
            "ExportEvidence": by_id,
            "DeleteEvidence": by_id,
            "PlaceHold": {"checkId": check, "reference": "h", "reason": "r"},
            "ReleaseHold": by_id | {"reference": "h"},
        }
        for method, request in calls.items():
            assert _refused(await other.post(method, request)) == (404, "CHECK_NOT_FOUND"), method
            assert _refused(await other.post(method, request | {"checkId": str(uuid4())}))[0] == 404, method
        assert (await other.list_checks(subject_reference="idor-1")).document == {}
        answer = await other.list_checks(subject_reference="idor-2", page_size=1, page_token=token)
        assert _refused(answer) == (400, "INVALID_FIELD")
        assert (await other.post("GetFigures", {})).document == {}
        events = (await other.post("ListAuditEvents", {})).document["events"]
        assert {event["tenant"] for event in events} == {"branch"}
        log = await other.post("ExportAuditLog", {"purpose": _PURPOSE})
        assert b"anna" not in log.body
        subject = await other.post("ExportSubject", {"subjectReference": "idor-1", "purpose": _PURPOSE})
        assert check.encode() not in subject.body
    assert (await admin.post("GetEvidence", {"checkId": check})).status == 200


async def test_images_and_exports_need_a_purpose(office: Office, admin: Browser) -> None:
    check = await office.check("purpose-1")
    image = {"checkId": check, "sha256": base64.b64encode(bytes(32)).decode()}
    for method, request in (
        ("GetEvidenceImage", image),
        ("ExportEvidence", {"checkId": check}),
        ("ExportSubject", {"subjectReference": "purpose-1"}),
        ("DeleteEvidence", {"checkId": check}),
    ):
        for purpose in ("", "line\nbreak"):
            answer = await admin.post(method, request | {"purpose": purpose})
            assert _refused(answer) == (400, "INVALID_FIELD"), (method, purpose)


async def test_nothing_leaves_before_its_entry_in_the_audit_log(
    office: Office, admin: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = await office.check("logged-1")

    async def fail(*_: object, **__: object) -> None:
        raise StorageUnavailable("the disk is full")

    monkeypatch.setattr(AuditLog, "append", fail)
    by_id = {"checkId": check, "purpose": _PURPOSE}
    for method, request in (
        ("ListChecks", {}),
        ("GetFigures", {}),
        ("GetEvidence", by_id),
        ("ExportEvidence", by_id),
        ("ExportSubject", {"subjectReference": "logged-1", "purpose": _PURPOSE}),
        ("ListAuditEvents", {}),
        ("ExportAuditLog", {"purpose": _PURPOSE}),
    ):
        answer = await admin.post(method, request)
        assert _refused(answer) == (503, "NOT_SERVING"), method
        assert b"disk" not in answer.body
        assert check.encode() not in answer.body
    async with browsing(admin.address) as other:
        assert _refused(await other.log_in(api_key=office.keys["bert"])) == (503, "NOT_SERVING")
        assert COOKIE not in other.cookies


async def test_a_file_that_cannot_be_finished_is_not_taken_for_whole(
    office: Office, admin: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> AsyncIterator[evidence_pb2.ExportEvidenceResponse]:
        yield evidence_pb2.ExportEvidenceResponse(chunk=b"PK")
        raise StorageUnavailable("the disk is gone")

    monkeypatch.setitem(evidence_calls.EVIDENCE_CALLS, "ExportEvidence", broken)
    with pytest.raises(aiohttp.ClientError):
        await admin.post("ExportEvidence", {"checkId": str(uuid4()), "purpose": _PURPOSE})
    assert (await admin.list_checks()).status == 200


async def test_a_file_that_takes_too_long_or_is_not_wanted_any_more_leaves_nothing(
    office: Office, admin: Browser, monkeypatch: pytest.MonkeyPatch, log: io.StringIO
) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def endless(*_: object) -> AsyncIterator[evidence_pb2.ExportEvidenceResponse]:
        begun.set()
        try:
            while True:
                yield evidence_pb2.ExportEvidenceResponse(chunk=bytes(65_536))
                await asyncio.sleep(0.01)
        finally:
            ended.set()

    monkeypatch.setitem(evidence_calls.EVIDENCE_CALLS, "ExportEvidence", endless)
    request = {"checkId": str(uuid4()), "purpose": _PURPOSE}
    unwanted = asyncio.create_task(admin.post("ExportEvidence", request))
    await begun.wait()
    unwanted.cancel()
    await asyncio.wait([unwanted])
    await ended.wait()
    ended.clear()
    with monkeypatch.context() as patch:
        patch.setattr(console_interface, "MOST_SECONDS", 2.0)
        with pytest.raises(aiohttp.ClientError):
            await admin.post("ExportEvidence", request)
    await ended.wait()
    assert (await admin.list_checks()).status == 200
    errors = [line for line in log.getvalue().splitlines() if json.loads(line)["level"] == "error"]
    assert errors == []


# Hostile requests.


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "{",
        '{"unknown": 1}',
        '{"pageSize": -1}',
        '{"subjectReference": 7}',
        '{"subjectReference": "\\ud800"}',
        '{"status": "NO_STATUS"}',
        "[" * 5_000,
    ],
)
async def test_a_malformed_request_is_refused_in_words(admin: Browser, body: str) -> None:
    assert _refused(await admin.post("ListChecks", body)) == (400, "INVALID_FIELD")


async def test_no_secret_is_in_the_log_or_an_address(
    office: Office, stranger: Browser, log: io.StringIO
) -> None:
    await _logged_in(office, stranger, "anna")
    secrets = [office.keys["anna"], stranger.cookies[COOKIE], stranger.csrf]
    assert (await stranger.list_checks(subject_reference="a secret person")).status == 200
    assert (
        await stranger.post("ListChecks", '{"subjectReference": "a secret person", "x": 1}')
    ).status == 400
    await stranger.get(f"/api/session?key={office.keys['anna']}")
    await stranger.get(f"/{stranger.csrf}")
    assert (await stranger.log_in(api_key="fg1_wrong-secret")).status == 401
    written = log.getvalue()
    assert "call_refused" in written
    assert [one for one in (*secrets, "a secret person", "fg1_wrong-secret") if one in written] == []


async def test_connections_that_say_nothing_give_way(
    office: Office, admin: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    listeners: Any = office.live.server._listeners
    monkeypatch.setattr(listeners.console.listener, "_first_seconds", 0.3)
    port = urlsplit(admin.address).port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /api/ListChecks HTTP/1.1\r\nHost: ")
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        async with asyncio.timeout(60):
            await reader.readexactly(1)
    writer.close()
    monkeypatch.undo()
    silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(200)]
    async with browsing(admin.address, **admin.cookies) as fresh:
        fresh.csrf = admin.csrf
        assert (await fresh.list_checks()).status == 200
    for _, one in silent:
        one.close()


# HTTPS.


async def test_over_https_cookies_are_secure_and_of_this_host_only(tmp_path: Path) -> None:
    issued = trustme.CA().issue_cert("facegate.bank.example")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "server.pem")
    issued.private_key_pem.write_to_path(tmp_path / "server.key")
    (tmp_path / "server.key").chmod(0o600)
    tls = {"certificate": tmp_path / "server.pem", "key": tmp_path / "server.key"}
    origin = "https://facegate.bank.example"
    async with open_office(tmp_path, console={"origin": origin, "tls": tls}) as office:
        assert office.live.server.console_address == origin
        listeners: Any = office.live.server._listeners
        port = listeners.console.listener.port
        connector = aiohttp.TCPConnector(ssl=False)
        async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
            browser = Browser(f"https://127.0.0.1:{port}", session)
            headers = {"Host": "facegate.bank.example", "Origin": origin}
            answer = await browser.post("login", {"api_key": office.keys["anna"]}, **headers)
            assert answer.status == 204
            cookie = answer.cookies[f"__Host-{COOKIE}"]
            assert (cookie["secure"], cookie["httponly"], cookie["path"], cookie["domain"]) == (
                True,
                True,
                "/",
                "",
            )
            assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
            assert (await browser.get("/api/session", Host="facegate.bank.example")).status == 200
            assert (await browser.get("/api/session")).status == 421


# Bytes that are no request.


_SECRET = "fg1-secret-of-a-person"
_HEAD = (
    "POST /api/login HTTP/1.1\r\nConnection: close\r\nHost: HOST\r\nOrigin: http://HOST\r\n"
    "Content-Type: application/json\r\n"
)
_GET = "GET / HTTP/1.1\r\nHost: HOST\r\n"
_LONG = "z" * 9_000
_MALFORMED = {
    "a long cookie": f"{_GET}Cookie: facegate-console={_SECRET}; x={_LONG}\r\n\r\n",
    "a long header": f"{_GET}X-Facegate-CSRF: {_SECRET}{_LONG}\r\n\r\n",
    "a long address": f"GET /login/callback?code={_SECRET}&x={_LONG} HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "a header without a name": f"{_GET}: {_SECRET}\r\n\r\n",
    "a control character": f"{_GET}Cookie: {_SECRET}\x01\r\n\r\n",
    "many headers": _GET + f"X: {_SECRET}\r\n" * 200 + "\r\n",
    "no address": f"GET http://[{_SECRET} HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "an address with a port": f"GET //a:{_SECRET}/ HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n",
    "no method": f"{_SECRET}\r\n\r\n",
    "a wrong length": f"{_HEAD}Content-Length: {_SECRET}\r\n\r\n",
    "wrong chunks": f"{_HEAD}Transfer-Encoding: chunked\r\n\r\n{_SECRET}\r\n",
    "later wrong chunks": f"{_HEAD}Transfer-Encoding: chunked\r\n\r\n1\r\n{{\r\n{_SECRET}\r\n",
    "wrong compression": f"{_HEAD}Content-Encoding: gzip\r\nContent-Length: {len(_SECRET)}\r\n\r\n{_SECRET}",
    "a wrong encoding of text": f"{_HEAD}Content-Length: 3\r\n\r\n\udcff\udcfe\udcfd",
    "a second request": f"{_GET}\r\n{_GET}Cookie: {_SECRET}{_LONG}\r\n\r\n",
}


@pytest.mark.parametrize("kind", _MALFORMED)
async def test_a_malformed_request_is_in_no_answer_and_no_log(
    office: Office, log: io.StringIO, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    host = urlsplit(office.live.server.console_address or "").netloc
    answer = await _answered(int(host.rpartition(":")[2]), _MALFORMED[kind].replace("HOST", host))
    assert answer.rpartition(b"HTTP/1.")[2][1:4] == b" 40", answer
    assert _SECRET.encode() not in answer
    assert _SECRET not in log.getvalue() + caplog.text
    assert "Traceback" not in log.getvalue() + caplog.text
    assert [line for line in log.getvalue().splitlines() if json.loads(line)["level"] == "error"] == []
    assert [one for one in caplog.records if one.levelname == "ERROR"] == []


async def test_the_other_listeners_keep_malformed_requests_to_themselves(
    log: io.StringIO, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    async with serving(settings_for(tmp_path, web=True)) as live:
        for port in (live.server.admin_port, int(str(live.server.web_target).rpartition(":")[2])):
            answer = await _answered(port, _MALFORMED["a long cookie"].replace("HOST", "127.0.0.1"))
            assert answer.startswith(b"HTTP/1.0 400 ")
            assert _SECRET.encode() not in answer
    written = log.getvalue() + caplog.text
    assert [word for word in (_SECRET, "Traceback", '"error"') if word in written] == []


async def _answered(port: int, request: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request.encode("utf-8", "surrogateescape"))
    try:
        async with asyncio.timeout(60):
            return await reader.read()
    finally:
        writer.close()


async def test_bodies_that_do_not_come_lock_nobody_out(office: Office, admin: Browser) -> None:
    host = urlsplit(admin.address).netloc
    head = (_HEAD.replace("HOST", host) + "Content-Length: 100\r\n\r\n{").encode()
    unfinished = []
    for _ in range(200):
        unfinished.append(await asyncio.open_connection("127.0.0.1", int(host.rpartition(":")[2])))
        unfinished[-1][1].write(head)
    for _ in range(4):
        async with browsing(admin.address, **admin.cookies) as fresh:
            fresh.csrf = admin.csrf
            assert (await fresh.list_checks()).status == 200
    newest = await unfinished[-1][0].read()
    assert b"STREAM_IDLE" in newest
    assert f"within {STRANGER_SECONDS:g} seconds".encode() in newest
    for _, one in unfinished:
        one.close()
