"""The console in Chromium and in Firefox, before a real server with decided checks."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
import pytest_asyncio
from facegate.v1 import review_pb2

from facegate_client.archive import verify_archive
from facegate_protocol.texts import VERDICTS
from server.domain.reviews import Review, ReviewCause
from server.edge.result_codec import UNATTESTED
from server.keyring.key_files import KeyFiles
from server.keyring.keys import KeyFolder
from server.running.app import FacegateServer
from server.storage.database import open_database
from server.storage.reviews import add_review
from tests.ports import held_port
from tests.server.compliance.office import Office, open_office
from tests.server.edge.console.browser import COOKIE, Browser, browsing
from tests.server.issuer.provider import running_provider
from tests.server.live import serving, settings_for, shared_decoders
from tests.server.models_once import remembering_pack
from tests.web.conftest import run_script

pytestmark = pytest.mark.slow

Walk = Callable[..., Awaitable[dict[str, Any]]]
_EXPECTED = "the server responded with a status of"
"""Chromium reports each refused request in its log: those of the log-in and of the step-up are expected."""
_IN_CHROMIUM = pytest.mark.parametrize("firefox", [False], indirect=True, ids=["chromium"])
"""For what the server answers and the page shows of it: both browsers are driven where theirs is at stake."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def office(firefox: bool, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    """A server with a console, to which people log in with API keys."""
    folder = tmp_path_factory.mktemp("office")
    async with open_office(folder, console={}, compliance={"two_people": ["release_hold"]}) as office:
        yield office


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def scanned(office: Office) -> str:
    """A check of a genuine person."""
    return await office.check("anna-1", scanned=True)


@pytest.fixture(scope="module")
def walk(office: Office, firefox: bool) -> Walk:
    """Walk through the console as anna, from an address; return what the script prints."""
    return partial(walked, office, firefox)


async def walked(office: Office, firefox: bool, name: str, at: str = "", **job: Any) -> dict[str, Any]:
    """See ``walk``."""
    address = f"{office.live.server.console_address}/{at}"
    job = {"walk": name, "address": address, "key": office.keys["anna"], "firefox": firefox} | job
    answer = await run_script("console", job)
    assert answer.get("error") is None
    assert answer["violations"] == []
    assert [problem for problem in answer["problems"] if _EXPECTED not in problem] == []
    return answer


def keys_file(path: Path, key_folder: Path) -> Path:
    """Write the public keys of results, as a reader saved them."""
    path.write_text(json.dumps(KeyFolder(KeyFiles(key_folder)).keys.results.jwks()))
    return path


def read_keys(path: str | Path) -> Any:
    """The keys of a saved file."""
    return json.loads(Path(path).read_text())


def lines_of(path: str) -> int:
    """The number of lines of a saved file."""
    return len(Path(path).read_text(encoding="utf-8").splitlines())


def session_cookie(browser: Browser) -> dict[str, object]:
    """The session of a browser in small, for Chromium."""
    place = {"domain": urlsplit(browser.address).hostname, "path": "/", "expires": -1}
    flags = {"httpOnly": True, "secure": False, "sameSite": "Strict"}
    return {"name": COOKIE, "value": browser.cookies[COOKIE]} | place | flags


def verify_saved(path: str, office: Office) -> None:
    """Verify what was exported without the browser."""
    verify_archive(Path(path).read_bytes(), office.jwks)


async def test_a_complaint_is_answered(walk: Walk, office: Office, scanned: str, tmp_path: Path) -> None:
    held, _ = await office.check("bert-2"), await office.check("bert-2")
    await office.of("anna").place_hold(held, reference="case-16", reason="court order")
    answer = await walk(
        "complaint",
        subject="anna-1",
        other="bert-2",
        gone="nobody",
        keys=str(keys_file(tmp_path / "jwks.json", office.live.settings.key_folder)),
        otherKeys=str(keys_file(tmp_path / "others.json", tmp_path / "other-keys")),
        downloads=str(tmp_path),
    )
    assert answer["wrongKey"].startswith("The server does not know this key or session.")
    assert answer["focused"] == "Checks"
    assert answer["address"] == f"#/checks/{scanned}"
    assert "anna-1" not in answer["address"]
    assert answer["outcome"].startswith("Verified")
    assert "Similarity" in answer["verdict"]
    assert "Confidence" in answer["verdict"]
    assert "not verified" not in answer["ownKeys"]
    assert "jwks.json" in answer["ownKeys"]
    # No image before a purpose, and none that could be dragged out.
    assert answer["imagesBefore"] == 0
    assert answer["images"] >= 2
    assert answer["takenOut"] == [False, False]
    assert answer["imageElements"] == 0
    assert answer["mayErase"] is False
    assert read_keys(answer["savedKeys"]) == read_keys(tmp_path / "jwks.json")
    assert read_keys(answer["auditKeys"])["keys"] != read_keys(answer["savedKeys"])["keys"]
    looked = [(action, purpose) for action, _, purpose in answer["looked"]]
    assert ("Image seen", "case 17") in looked
    # Neither the hold nor the export read the record again.
    assert [action for action, _ in looked].count("Record read") == 1
    assert ("Check exported", "case 17") in looked
    assert answer["report"] >= answer["images"] + 2
    assert answer["othersHeld"] == 1
    assert answer["mistyped"] is False
    assert answer["erased"] == "1 check was erased."
    assert answer["offeredAfter"] == 0
    # Each look at the page is one entry of the audit log.
    assert answer["logReads"] == 2
    assert answer["held"] == 2
    assert answer["figures"][0] == "3"
    assert "anna-1" not in answer["stored"]
    assert "fg" not in json.loads(answer["stored"])[1]
    verify_saved(answer["archive"], office)
    assert lines_of(answer["log"]) > 10
    assert "It is whole:" in answer["whole"]


@_IN_CHROMIUM
async def test_an_old_log_in_is_repeated_before_an_export(walk: Walk, office: Office, tmp_path: Path) -> None:
    check = await office.check("clara-3")
    async with browsing(office.live.server.console_address) as browser:
        await browser.log_in(api_key=office.keys["anna"])
    office.live.clock.ahead = timedelta(minutes=11)
    try:
        answer = await walk(
            "stepUp",
            f"#/checks/{check}",
            context={"storageState": {"cookies": [session_cookie(browser)], "origins": []}},
            downloads=str(tmp_path),
        )
    finally:
        office.live.clock.ahead = timedelta()
    assert answer["focused"] == "password"
    assert answer["refused"].startswith("This needs a fresh log-in.")
    verify_saved(answer["archive"], office)


@_IN_CHROMIUM
async def test_a_second_person_withdraws_or_confirms_what_waits(walk: Walk, office: Office) -> None:
    check = await office.check("emil-5")
    await office.of("clara").place_hold(check, reference="case-17", reason="complaint")
    asked = await walk("request", f"#/checks/{check}", login=True)
    assert asked["said"].startswith("Nothing was done yet. anna requested it;")
    (waiting,) = asked["waiting"]
    assert "case 17 closed" in waiting
    assert "Your own request" in waiting
    await walk("withdraw", login=True, page="Holds and approvals", key=office.keys["bert"])
    await office.of("anna").release_hold(check, reference="case-17", purpose="case 17 closed")
    confirmed = await walk("confirm", login=True, page="Holds and approvals", key=office.keys["bert"])
    assert confirmed["purpose"] == "case 17 closed"
    assert "anna requested this" in confirmed["told"]
    assert "anna requested this" in confirmed["toldOnPage"]
    assert "anna requested this, for the purpose \u201cletter\u201d" in confirmed["erasure"]
    assert "withdrew the consent" in confirmed["erasure"]
    assert confirmed["filled"] == ["CONSENT_WITHDRAWN", "letter"]


@_IN_CHROMIUM
async def test_an_enrolled_frame_is_shown_after_the_other_images_are_erased(
    walk: Walk, office: Office
) -> None:
    check_id = await office.check("enno-6", scanned=True, policy="enrols")
    erased = await office.erase_images(check_id)
    assert len(erased) == 2
    answer = await walk("enrolled", f"#/checks/{check_id}", login=True)
    assert "The other images were erased when their retention ended:" in answer["said"]
    assert "The enrolled frame is kept as the trusted image of later checks" in answer["said"]
    assert answer["images"] == 1
    # That no attestation vouches for the device does not decide, but is said.
    assert len(answer["german"]) == 2
    assert not {*answer["german"]} & {*VERDICTS.values(), UNATTESTED}


async def test_another_tab_shows_nothing_of_a_person_who_left(walk: Walk, office: Office) -> None:
    subject = "x" * 256
    check = await office.check(subject)
    answer = await walk("tabs", f"#/checks/{check}", login=True, others=office.keys["rita"])
    assert answer["subject"] == subject
    assert answer["leftBehind"] == 0
    assert answer["names"] == ["rita"]
    assert "Erase and export a subject" not in answer["pages"]
    assert answer["refused"] == 0


async def test_foreign_scripts_and_pages_get_nothing(walk: Walk, office: Office) -> None:
    await office.check("gerd-7")
    # Chromium keeps pages of the internet from loopback; the console of a bank is elsewhere.
    answer = await walk("attacks", login=True, args=["--disable-features=LocalNetworkAccessChecks"])
    assert answer["ran"] == []
    assert answer["refused"] == ["markup", "script", "foreign", "eval", "sent"]
    assert answer["framed"] == 0


async def send_to_review(office: Office, checks: Sequence[str]) -> None:
    """Send decided checks to review, as a policy does with doubtful ones when it decides them."""
    database = open_database(office.live.settings.database_url)
    for check in checks:
        evidence = await office.of("reader").get_evidence(check)
        now = datetime.now(UTC)
        review = Review(
            check_id=UUID(check),
            tenant="bank",
            sandbox=False,
            created_by="backend",
            result_sha256=sha256(evidence.result.SerializeToString()).digest(),
            causes=(ReviewCause.INCONCLUSIVE,),
            four_eyes=False,
            claim_seconds=900,
            create_time=now,
            expire_time=now + timedelta(days=1),
        )
        await database.write(partial(add_review, review=review))
    await database.close()


async def test_a_reviewer_decides_ten_checks_with_the_keyboard(
    walk: Walk, office: Office, scanned: str
) -> None:
    checks = [scanned, *[await office.check("fritz-6") for _ in range(9)]]
    await send_to_review(office, checks)
    answer = await walk("review", "#/review", login=True, key=office.keys["rita"])
    assert answer["waiting"] == 10
    assert answer["readUnasked"] == 0
    assert answer["unseen"].startswith("Open the images first")
    assert answer["afterOpening"] == "pictures"
    assert answer["afterEscape"] == "The selected review"
    assert answer["offered"] == ["", "SAME_PERSON", "DEVICE_NOT_TRUSTED", "IMAGES_INSUFFICIENT", "OTHER"]
    # What the machine decided stays; the reviews are signed.
    rita = office.reviews_of("rita")
    decided = [(await rita.get_review(check)) for check in checks]
    names = [review_pb2.ReviewOutcome.Name(one.review.outcome) for one in decided]
    expected = ["ALLOW", "DENY", "ASK_AGAIN", "ESCALATE"] * 2 + ["ALLOW", "DENY"]
    assert names == [f"REVIEW_OUTCOME_{outcome}" for outcome in expected]
    assert decided[3].review.decisions[0].comment == "see case 17"
    assert all(one.review_jws for one in decided)
    assert answer["signed"].count("verified") == 3
    assert [
        cell.replace("\N{EN DASH}", "-").replace("\N{NO-BREAK SPACE}", " ") for cell in answer["figures"]
    ] == [
        *("Verified, in the sample", "Denied", "0", "0", "-", "-", "0"),
        *("Verified", "Denied", "0", "1", "0.0 %", "0.0 % - 79.3 %", "0"),
        *("Not verified", "Allowed", "2", "9", "22.2 %", "6.3 % - 54.7 %", "4"),
    ]


@_IN_CHROMIUM
async def test_an_idle_person_is_warned_and_logged_out(walk: Walk, office: Office) -> None:
    await office.check("dora-4")
    answer = await walk("idle", login=True, clock=True, idleSeconds=900)
    assert answer["stayed"] == 200
    assert answer["others"] == 1
    assert answer["said"].startswith("You were logged out because the session was not used")
    assert answer["ended"].startswith("Your session has ended.")


async def test_a_person_logs_in_at_the_issuer_and_comes_back(firefox: bool, tmp_path: Path) -> None:
    # Not the server's folder: a new file there is not the download.
    (downloads := tmp_path / "downloads").mkdir()
    with held_port() as port, running_provider(f"http://localhost:{port}") as provider:
        secret = tmp_path / "client-secret"
        secret.write_text("secret of the console: 100% +\n")
        secret.chmod(0o600)
        grant = {"claim": "groups", "value": "compliance", "tenant": "bank", "roles": ["compliance_admin"]}
        oidc = {
            "issuer": provider.issuer,
            "client_id": "console",
            "client_secret_file": secret,
            "scope": "openid groups",
            "grants": [grant],
        }
        free = {"port": 0}
        listeners = {"device": free, "service": free, "admin": free, "console": {"port": port, "oidc": oidc}}
        async with serving(settings_for(tmp_path, listeners=listeners)):
            # The address that the issuer knows.
            address = f"http://localhost:{port}/"
            job = {"address": address, "walk": "issuer", "downloads": str(downloads), "firefox": firefox}
            answer = await run_script("console", job)
    assert answer.get("error") is None
    assert answer["violations"] == []
    assert answer["name"] == "anna@127.0.0.1"
    assert answer["asked"] == 2
    assert lines_of(answer["log"]) >= 2
    assert answer["left"].startswith("/realms/bank/")


async def test_a_one_time_link_leaves_the_address_at_once(firefox: bool, tmp_path: Path) -> None:
    links: list[str] = []
    free = {"port": 0}
    settings = settings_for(
        tmp_path, sandbox=True, listeners={"device": free, "service": free, "admin": free, "console": free}
    )
    server = FacegateServer(
        settings, pack=remembering_pack(), decoders=shared_decoders(), show_link=links.append
    )
    await server.start()
    try:
        answer = await run_script("console", {"address": links[0], "walk": "link", "firefox": firefox})
    finally:
        await server.stop()
    assert answer.get("error") is None
    page = links[0].partition("#")[0]
    assert answer["addresses"] == [page, page]
