"""The server's own scan page in Chromium: a link, a scan, a phone, and those who have no right to either."""

import asyncio
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
import trustme
from facegate.v1 import result_pb2
from facegate.v1 import verification_service_pb2 as service_pb2

from server.storage.database import open_database
from server.storage.hosted import HostedRepository
from tests.packs import shared_pack
from tests.ports import held_port
from tests.server.hosted_page import RETURN, hosted_settings
from tests.server.live import FAST, LiveServer, serving, until
from tests.web.conftest import Recording, Recordings, run_script

pytestmark = pytest.mark.slow

_PERSON = "live/KwaiVGI__assets__examples__driving__d13.mp4"
_OTHER = "live/Fellway__media__me.mp4"
_SUCCESS = result_pb2.CHECK_STATUS_SUCCESS
_EXPECTED = ("the server responded with a status of", "net::ERR_FAILED", ": closed\n")
"""Chromium reports each refused request in its log, and the element what the page threw."""
_LOGO = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 4"><path d="M0 0h8v4H0z"/></svg>'


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def live(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    """A server with its own page, and the pack ``open``."""
    logo = tmp_path_factory.mktemp("logo") / "logo.svg"
    logo.write_text(_LOGO, encoding="utf-8")
    with held_port() as port:
        settings = hosted_settings(
            tmp_path_factory.mktemp("hosted"),
            port,
            logo_file=logo,
            color="#1d5c3a",
            texts={"fr": {"title": "Bienvenue", "consent": "Un.\n\nDeux."}},
            links={
                "privacy": "https://bank.example/privacy",
                "imprint": "https://bank.example/imprint",
                "help": "https://bank.example/help",
            },
        )
        pack = shared_pack(f"open:{assets / 'models'}")
        async with serving(settings, pack=pack, tuning=FAST) as live:
            yield live


@pytest_asyncio.fixture(loop_scope="session")
async def encrypted(assets: Path, tmp_path: Path) -> AsyncIterator[LiveServer]:
    """A server whose page has TLS."""
    issued = trustme.CA().issue_cert("localhost")
    tls = {"certificate": tmp_path / "tls.pem", "key": tmp_path / "tls.key"}
    issued.cert_chain_pems[0].write_to_path(str(tls["certificate"]))
    issued.private_key_pem.write_to_path(str(tls["key"]))
    tls["key"].chmod(0o600)
    with held_port() as port:
        settings = hosted_settings(tmp_path / "server", port, tls=tls)
        pack = shared_pack(f"open:{assets / 'models'}")
        async with serving(settings, pack=pack, tuning=FAST) as live:
            yield live


@pytest.fixture
def person(recording: Recordings) -> Recording:
    return recording(_PERSON)


async def upload(
    live: LiveServer, person: Recording, *, outcome: service_pb2.SandboxOutcome | None = None, **hosted: Any
) -> service_pb2.UploadTrustedImageResponse:
    return await live.service.UploadTrustedImage(
        service_pb2.UploadTrustedImageRequest(
            image=person.portrait,
            policy="standard",
            sandbox_outcome=outcome,
            hosted=service_pb2.HostedScan(**({"return_url": f"{RETURN}/done", "locale": "en"} | hosted)),
        )
    )


async def until_opened(live: LiveServer, check: service_pb2.UploadTrustedImageResponse) -> None:
    """Wait until a browser has opened the link."""
    scans = HostedRepository(open_database(live.settings.database_url))

    async def opened() -> bool:
        scan = await scans.find(UUID(check.check_id))
        return scan is not None and scan.browser_sha256 is not None

    await until(opened)


async def walk(
    check: service_pb2.UploadTrustedImageResponse, person: Recording, folder: Path, **job: Any
) -> dict[str, Any]:
    """Walk through the page; return what the script prints."""
    answer = await run_script(
        "hosted",
        {
            "address": check.scan_url,
            "video": str(person.camera),
            "python": sys.executable,
            "folder": str(folder),
            "name": "hosted",
        }
        | job,
    )
    assert answer.get("error") is None, answer
    assert answer["violations"] == []
    assert [text for text in answer["problems"] if not any(known in text for known in _EXPECTED)] == []
    # Nothing but the way back has a query, and no secret of a fragment is sent.
    back = f"{RETURN}/done?check_id={check.check_id}"
    assert [url for url in answer["sent"] if url != back and "?" in url] == []
    return answer


@pytest.mark.alone
async def test_a_person_scans_and_returns(live: LiveServer, person: Recording, tmp_path: Path) -> None:
    check = await upload(live, person)
    answer = await walk(check, person, tmp_path, walk="here")
    # The secret left the address at once.
    assert answer["address"].endswith("/scan#lang=en")
    assert answer["links"] == ["Privacy"]
    assert answer["early"] == []
    assert answer["opened"].endswith(f"/scan#check={check.check_id}&lang=en")
    assert answer["surface"] == "rgb(255, 255, 255)"
    assert answer["strip"] == 0
    assert answer["ended"] == "Done. It is you."
    assert answer["returned"] == f"{RETURN}/done?check_id={check.check_id}"
    result = (await live.finish(check.check_id)).result
    assert result.status == result_pb2.CHECK_STATUS_SUCCESS
    passed = {
        found.name for found in result.device.checks if found.outcome == result_pb2.DeviceCheck.OUTCOME_PASS
    }
    assert {"web_crypto.signature", "web_crypto.origin", "web_crypto.page"} <= passed


@pytest.mark.alone
async def test_another_person_fails_and_returns_when_ready(
    live: LiveServer, recording: Recordings, person: Recording, tmp_path: Path
) -> None:
    check = await upload(live, recording(_OTHER))
    answer = await walk(check, person, tmp_path, walk="failed")
    assert answer["ended"] == "That did not work."
    assert answer["stayed"] == "/scan"
    # The address says nothing about the result.
    assert answer["returned"] == f"{RETURN}/done?check_id={check.check_id}"
    result = (await live.finish(check.check_id)).result
    assert result.status == result_pb2.CHECK_STATUS_FAILURE


@pytest.mark.alone
async def test_a_phone_scans_and_the_desktop_returns(
    live: LiveServer, person: Recording, tmp_path: Path
) -> None:
    check = await upload(live, person)
    answer = await walk(check, person, tmp_path, walk="phone")
    assert answer["code"].endswith("/scan#code=&lang=en")
    assert answer["handOverOnPhone"] == 0
    assert answer["kept"] is True
    assert answer["ended"] == "Done. It is you."
    assert answer["returned"] == f"{RETURN}/done?check_id={check.check_id}"
    result = (await live.finish(check.check_id)).result
    assert result.status == result_pb2.CHECK_STATUS_SUCCESS


@pytest.mark.alone
async def test_a_phone_scans_over_https(encrypted: LiveServer, person: Recording, tmp_path: Path) -> None:
    check = await upload(encrypted, person)
    assert check.scan_url.startswith("https://")
    # Here the person cancels while the number is shown, and starts again once it is confirmed.
    answer = await walk(
        check, person, tmp_path, walk="phone", leaves=True, args=["--ignore-certificate-errors"]
    )
    assert answer["tickets"] == 0
    assert answer["cookies"] == ["__Host-facegate-scan"]
    assert answer["ended"] == "Done. It is you."
    result = (await encrypted.finish(check.check_id)).result
    assert result.status == result_pb2.CHECK_STATUS_SUCCESS


async def test_a_stolen_link_shows_why_it_is_refused(
    live: LiveServer, person: Recording, tmp_path: Path
) -> None:
    answer = await walk(await upload(live, person), person, tmp_path, walk="refused")
    assert answer["refused"] is True


@pytest.mark.parametrize("decided", [False, True], ids=["closed", "decided"])
async def test_a_link_of_a_check_that_is_over_says_so(
    live: LiveServer, person: Recording, tmp_path: Path, decided: bool
) -> None:
    outcome = service_pb2.SandboxOutcome(status=_SUCCESS, delay_seconds=1) if decided else None
    check = await upload(live, person, outcome=outcome)

    async def is_decided() -> bool:
        asked = service_pb2.GetCheckRequest(check_id=check.check_id)
        progress = (await live.service.GetCheck(asked)).progress
        return progress.state == service_pb2.CheckProgress.STATE_DECIDED

    if decided:
        await until(is_decided)
    else:
        await live.service.CancelCheck(service_pb2.CancelCheckRequest(check_id=check.check_id))
    says = "This check is closed. There is nothing left to do here."
    name = "decided" if decided else "closed"
    answer = await walk(check, person, tmp_path, walk="over", name=name, says=says)
    assert answer["returned"] == f"{RETURN}/done?check_id={check.check_id}"


async def test_a_page_that_waits_notices_that_the_check_was_cancelled(
    live: LiveServer, person: Recording, tmp_path: Path
) -> None:
    check = await upload(live, person)

    async def cancel() -> None:
        await until_opened(live, check)
        await live.service.CancelCheck(service_pb2.CancelCheckRequest(check_id=check.check_id))

    job = {"walk": "ends", "name": "cancelled", "says": "This check is closed."}
    answer, _ = await asyncio.gather(walk(check, person, tmp_path, **job), cancel())
    assert answer["returned"] == f"{RETURN}/done?check_id={check.check_id}"


async def test_a_page_that_waits_returns_once_the_check_is_decided(
    live: LiveServer, person: Recording, tmp_path: Path
) -> None:
    check = await upload(live, person, outcome=service_pb2.SandboxOutcome(status=_SUCCESS, delay_seconds=60))

    async def wait() -> None:
        await until_opened(live, check)
        live.clock.ahead = timedelta(seconds=61)

    job = {"walk": "ends", "name": "ended", "says": "The scan is complete", "returns": True}
    try:
        answer, _ = await asyncio.gather(walk(check, person, tmp_path, **job), wait())
    finally:
        live.clock.ahead = timedelta()
    assert answer["returned"] == f"{RETURN}/done?check_id={check.check_id}"


@pytest.mark.alone
async def test_a_page_asks_every_other_second_while_it_is_seen(
    live: LiveServer, person: Recording, tmp_path: Path
) -> None:
    answer = await walk(await upload(live, person), person, tmp_path, walk="asks")
    assert 1 <= answer["waiting"] <= 4
    assert (answer["hidden"], answer["over"]) == (0, 0)


async def test_every_language_fits_a_phone(live: LiveServer, person: Recording, tmp_path: Path) -> None:
    check = await upload(live, person, locale="")
    answer = await walk(check, person, tmp_path, walk="languages")
    assert len(set(answer["headings"])) == 7
    assert answer["headings"][2] == "Bienvenue"
    assert answer["direction"] == "rtl"
