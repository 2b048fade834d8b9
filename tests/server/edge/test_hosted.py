"""The server's own scan page: what its listener serves, and what it refuses."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import aiohttp
import grpc
import pytest
import pytest_asyncio
import segno
from aiohttp import web
from facegate.v1 import verification_service_pb2 as service_pb2
from structlog.testing import capture_logs

from server.edge.console.answers import read_body
from server.storage.hosted import HostedRepository, HostedScan
from server.storage.retention import RetentionRepository
from tests.ports import held_port
from tests.server.hosted_page import RETURN, hosted_settings, secret_of
from tests.server.live import LiveServer, portrait, serving, settings_for

COOKIE = "facegate-scan"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def live(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    """A server with its own page."""
    with held_port() as port:
        logo = tmp_path_factory.mktemp("logo") / "logo.svg"
        logo.write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
        folder = tmp_path_factory.mktemp("hosted")
        settings = hosted_settings(
            folder,
            port,
            logo_file=logo,
            color="#1d5c3a",
            links={"privacy": "https://bank.example/privacy"},
            texts={"de": {"title": "Hallo"}},
        )
        async with serving(settings) as live:
            yield live


def origin_of(live: LiveServer) -> str:
    hosted = live.settings.hosted
    assert hosted is not None
    return hosted.origin


async def upload(live: LiveServer, *, policy: str = "", request_id: str = "", **hosted: Any) -> Any:
    """Create a check for the page."""
    request = service_pb2.UploadTrustedImageRequest(
        image=portrait(),
        policy=policy,
        request_id=request_id,
        hosted=service_pb2.HostedScan(**({"return_url": f"{RETURN}/done"} | hosted)),
    )
    return await live.service.UploadTrustedImage(request)


@dataclass
class Visitor:
    """A browser with a cookie jar of its own."""

    live: LiveServer
    cookie: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    async def call(self, name: str, **body: Any) -> tuple[int, dict[str, Any]]:
        """Return the status and the document of a call."""
        origin = origin_of(self.live)
        headers = {"Origin": origin, "Host": urlsplit(origin).netloc} | self.headers
        if self.cookie is not None:
            headers["Cookie"] = f"{COOKIE}={self.cookie}"
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
            address = f"http://{self.live.server.web_target}/scan/api/{name}"
            async with session.post(address, json=body, headers=headers) as response:
                cookie = response.cookies.get(COOKIE)
                if cookie is not None:
                    self.cookie = cookie.value
                    assert cookie["httponly"] is True
                    assert cookie["samesite"] == "Strict"
                    assert cookie["path"] == "/"
                is_json = response.content_type == "application/json"
                return response.status, await response.json() if is_json else {}

    async def refused(self, name: str, **body: Any) -> str:
        """The problem that a call has."""
        status, document = await self.call(name, **body)
        assert status >= 400, document
        return str(document["problem"])

    async def done(self, name: str, **body: Any) -> dict[str, Any]:
        """The answer of a call that succeeds."""
        status, document = await self.call(name, **body)
        assert status == 200, document
        return document


@asynccontextmanager
async def stored(live: LiveServer) -> AsyncIterator[HostedRepository]:
    async with live.database() as database:
        yield HostedRepository(database)


def shown(check: Any, stage: str) -> dict[str, Any]:
    """What the page hears of a check before anything happened on it."""
    return {
        "check": check.check_id,
        "phone": False,
        "stage": stage,
        "returnUrl": f"{RETURN}/done?check_id={check.check_id}",
        "handOver": "none",
        "number": None,
        "codeReopened": False,
    }


async def opened(live: LiveServer, **hosted: Any) -> tuple[Any, Visitor]:
    """A check, and a browser in which its link was opened."""
    check, visitor = await upload(live, **hosted), Visitor(live)
    await visitor.done("open", link=secret_of(check.scan_url))
    return check, visitor


async def row_of(live: LiveServer, check_id: str) -> HostedScan | None:
    async with stored(live) as repository:
        return await repository.find(UUID(check_id))


async def shown_code(visitor: Visitor, check_id: str) -> str:
    """The code of a hand-over, as a phone reads it: the page gets a picture only."""
    with patch("segno.make", wraps=segno.make) as made:
        answer = await visitor.done("code", check=check_id, language="en")
    assert "<svg" in answer["svg"]
    return str(parse_qs(urlsplit(made.call_args.args[0]).fragment)["code"][0])


async def test_a_link_is_exchanged_for_a_ticket(live: LiveServer) -> None:
    check = await upload(live, locale="de-AT")
    assert check.scan_token == ""
    url = urlsplit(check.scan_url)
    assert f"{url.scheme}://{url.netloc}" == origin_of(live)
    assert (url.path, url.query) == ("/scan", "")
    assert parse_qs(url.fragment)["lang"] == ["de-AT"]
    visitor = Visitor(live)
    view = await visitor.done("open", link=secret_of(check.scan_url))
    assert view == shown(check, "waiting")
    ticket = await visitor.done("ticket", check=check.check_id)
    assert len(ticket["token"]) == 71
    assert ticket["token"] != secret_of(check.scan_url)
    # The page may be loaded again, and the link opened again, by the same browser.
    assert await visitor.done("state", check=check.check_id) == view
    assert await visitor.done("open", link=secret_of(check.scan_url)) == view


async def test_nothing_secret_is_stored(live: LiveServer) -> None:
    check, visitor = await opened(live)
    code = await shown_code(visitor, check.check_id)
    ticket = await visitor.done("ticket", check=check.check_id)
    row = repr(await row_of(live, check.check_id))
    assert visitor.cookie is not None
    contents = b"".join(path.read_bytes() for path in live.settings.data_dir.glob("facegate.db*"))
    for secret in (secret_of(check.scan_url), visitor.cookie, code, ticket["token"]):
        assert secret not in row
        assert secret.encode() not in contents


async def test_a_stolen_link_is_refused_in_a_second_browser(live: LiveServer) -> None:
    check, _ = await opened(live)
    thief = Visitor(live)
    assert await thief.refused("open", link=secret_of(check.scan_url)) == "used"
    assert thief.cookie is None
    assert await thief.refused("ticket", check=check.check_id) == "unknown"
    # Nor does a browser with a session of its own get another's check.
    other = await upload(live)
    await thief.done("open", link=secret_of(other.scan_url))
    assert await thief.refused("open", link=secret_of(check.scan_url)) == "used"
    assert await thief.refused("state", check=check.check_id) == "unknown"


async def test_of_many_browsers_at_once_one_gets_the_link(live: LiveServer) -> None:
    check = await upload(live)
    answers = await asyncio.gather(
        *(Visitor(live).call("open", link=secret_of(check.scan_url)) for _ in range(8))
    )
    assert sorted(status for status, _ in answers) == [200] + [403] * 7


async def test_a_browser_does_not_choose_its_secret(live: LiveServer) -> None:
    check, invented = await upload(live), "A" * 43
    visitor = Visitor(live, cookie=invented)
    await visitor.done("open", link=secret_of(check.scan_url))
    assert visitor.cookie != invented
    await visitor.done("ticket", check=check.check_id)
    assert await Visitor(live, cookie=invented).refused("state", check=check.check_id) == "unknown"
    phone = Visitor(live, cookie=invented)
    await phone.done("open", code=await shown_code(visitor, check.check_id))
    assert phone.cookie not in {invented, visitor.cookie}


async def test_a_link_that_is_not_ours_is_unknown(live: LiveServer) -> None:
    check = await upload(live)
    visitor = Visitor(live)
    plain = await live.upload()
    assert plain.scan_url == ""
    assert await row_of(live, plain.check_id) is None
    secret = secret_of(check.scan_url)
    changed = secret[:-2] + ("A" if secret[-2] != "A" else "B") + secret[-1]
    # A scan token is no link, even that of a check without a page.
    for wrong in (changed, "x", plain.scan_token, str(check.check_id)):
        assert await visitor.refused("open", link=wrong) == "unknown"
    assert visitor.cookie is None


async def test_a_repeated_request_has_the_same_link(live: LiveServer) -> None:
    request_id = str(uuid4())
    first = await upload(live, request_id=request_id)
    assert (await upload(live, request_id=request_id)).scan_url == first.scan_url
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await upload(live, request_id=request_id, locale="fr")
    assert refused.value.code() is grpc.StatusCode.ALREADY_EXISTS


async def test_links_expire(live: LiveServer) -> None:
    late, early = await upload(live, expire_seconds=60), await upload(live, expire_seconds=60)
    opened = Visitor(live)
    await opened.done("open", link=secret_of(early.scan_url))
    with live.clock.later():
        live.clock.ahead = timedelta(seconds=61)
        unopened = Visitor(live)
        assert await unopened.refused("open", link=secret_of(late.scan_url)) == "expired"
        assert unopened.cookie is None
        # The browser that opened it in time goes on until the scan's own deadline.
        await opened.done("ticket", check=early.check_id)
        live.clock.ahead = timedelta(seconds=3_700)
        assert (await opened.done("state", check=early.check_id))["stage"] == "expired"
        assert await opened.refused("ticket", check=early.check_id) == "expired"
        assert await opened.refused("code", check=early.check_id, language="en") == "expired"
        assert await unopened.done("open", link=secret_of(late.scan_url)) == shown(late, "expired")
        assert await unopened.refused("ticket", check=late.check_id) == "expired"


async def test_a_cancelled_check_is_closed(live: LiveServer) -> None:
    check, unopened = await upload(live), await upload(live)
    visitor = Visitor(live)
    await visitor.done("open", link=secret_of(check.scan_url))
    for each in (check, unopened):
        await live.service.CancelCheck(service_pb2.CancelCheckRequest(check_id=each.check_id))
    assert (await visitor.done("state", check=check.check_id))["stage"] == "cancelled"
    assert await visitor.refused("ticket", check=check.check_id) == "closed"
    assert await visitor.refused("code", check=check.check_id, language="en") == "closed"
    # Whoever opens the link only now still gets the way back, and nobody after them.
    late = Visitor(live)
    assert await late.done("open", link=secret_of(unopened.scan_url)) == shown(unopened, "cancelled")
    assert await late.done("state", check=unopened.check_id) == shown(unopened, "cancelled")
    assert await late.refused("ticket", check=unopened.check_id) == "closed"
    assert await late.refused("code", check=unopened.check_id, language="en") == "closed"
    assert await Visitor(live).refused("open", link=secret_of(unopened.scan_url)) == "used"
    assert await Visitor(live).refused("open", link=secret_of(check.scan_url)) == "used"


async def test_an_erased_check_is_unknown_and_leaves_no_row(live: LiveServer) -> None:
    check, visitor = await opened(live)
    await live.service.CancelCheck(service_pb2.CancelCheckRequest(check_id=check.check_id))
    async with live.database() as database:
        await RetentionRepository(database).erase(UUID(check.check_id), live.clock())
    assert await row_of(live, check.check_id) is None
    assert await visitor.refused("state", check=check.check_id) == "unknown"
    assert await visitor.refused("open", link=secret_of(check.scan_url)) == "unknown"


async def handed_over(live: LiveServer) -> tuple[Any, Visitor, Visitor, str]:
    """A check that waits for the number of a phone: check, first browser, phone and code."""
    check, desk = await opened(live)
    phone = Visitor(live)
    code = await shown_code(desk, check.check_id)
    assert (await desk.done("state", check=check.check_id))["handOver"] == "shown"
    await phone.done("open", code=code)
    return check, desk, phone, code


async def test_a_phone_scans_once_its_number_is_repeated(live: LiveServer) -> None:
    check, desk, phone, _ = await handed_over(live)
    view = await phone.done("state", check=check.check_id)
    assert (view["phone"], view["returnUrl"], view["handOver"]) == (True, "", "asking")
    assert 10 <= view["number"] <= 99
    assert await phone.refused("ticket", check=check.check_id) == "not_confirmed"
    # The first browser is not told the number, and the phone cannot answer for it.
    assert (await desk.done("state", check=check.check_id))["number"] is None
    assert await phone.refused("answer", check=check.check_id, number=view["number"]) == "unknown"
    assert await phone.refused("code", check=check.check_id, language="en") == "unknown"
    confirmed = await desk.done("answer", check=check.check_id, number=view["number"])
    assert confirmed["handOver"] == "confirmed"
    assert (await phone.done("state", check=check.check_id))["number"] is None
    assert len((await phone.done("ticket", check=check.check_id))["token"]) == 71


async def test_a_phone_that_is_not_the_persons_is_sent_away(live: LiveServer) -> None:
    check, desk, phone, _ = await handed_over(live)
    await desk.done("answer", check=check.check_id, number=None)
    assert await phone.refused("ticket", check=check.check_id) == "unknown"


async def test_a_wrong_number_sends_the_phone_away(live: LiveServer) -> None:
    check, desk, phone, code = await handed_over(live)
    number = (await phone.done("state", check=check.check_id))["number"]
    wrong = 10 + (number - 9) % 90
    assert await desk.refused("answer", check=check.check_id, number=wrong) == "wrong_number"
    # One guess: the right number comes too late, and the code is gone.
    assert await desk.refused("answer", check=check.check_id, number=number) == "wrong_number"
    assert await phone.refused("state", check=check.check_id) == "unknown"
    assert await phone.refused("ticket", check=check.check_id) == "unknown"
    assert await Visitor(live).refused("open", code=code) == "code_unknown"
    assert (await desk.done("state", check=check.check_id))["handOver"] == "none"


async def test_a_photographed_code_is_refused_and_seen(live: LiveServer) -> None:
    check, desk, phone, code = await handed_over(live)
    thief = Visitor(live)
    assert await thief.refused("open", code=code) == "code_used"
    assert thief.cookie is None
    assert (await desk.done("state", check=check.check_id))["codeReopened"] is True
    # The phone itself may load its page again.
    assert (await phone.done("open", code=code))["phone"] is True


async def test_whoever_opens_a_photographed_code_first_has_no_number_to_offer(live: LiveServer) -> None:
    check, desk, thief, code = await handed_over(live)
    phone = Visitor(live)
    assert await phone.refused("open", code=code) == "code_used"
    assert await thief.refused("ticket", check=check.check_id) == "not_confirmed"
    again = await shown_code(desk, check.check_id)
    assert await thief.refused("state", check=check.check_id) == "unknown"
    await phone.done("open", code=again)
    assert (await desk.done("state", check=check.check_id))["codeReopened"] is False


async def test_a_phone_that_has_the_token_is_not_replaced(live: LiveServer) -> None:
    check, desk, phone, _ = await handed_over(live)
    number = (await phone.done("state", check=check.check_id))["number"]
    await desk.done("answer", check=check.check_id, number=number)
    again = await shown_code(desk, check.check_id)
    assert await phone.refused("ticket", check=check.check_id) == "unknown"
    second = Visitor(live)
    number = (await second.done("open", code=again))["number"]
    await desk.done("answer", check=check.check_id, number=number)
    assert (await second.done("ticket", check=check.check_id))["token"] != ""
    assert await desk.refused("code", check=check.check_id, language="en") == "handed_over"
    # Its owner may still scan in the browser that opened the link.
    assert (await desk.done("ticket", check=check.check_id))["token"] != ""


async def test_a_code_expires_and_is_replaced(live: LiveServer) -> None:
    check, desk = await opened(live, policy="patient")
    first = await shown_code(desk, check.check_id)
    second = await shown_code(desk, check.check_id)
    assert await Visitor(live).refused("open", code=first) == "code_unknown"
    with live.clock.later():
        live.clock.ahead = timedelta(seconds=181)
        assert (await desk.done("state", check=check.check_id))["handOver"] == "lapsed"
        assert await Visitor(live).refused("open", code=second) == "code_expired"


async def test_codes_are_limited(live: LiveServer) -> None:
    check, desk = await opened(live)
    for _ in range(10):
        await desk.done("code", check=check.check_id, language="en")
    assert await desk.refused("code", check=check.check_id, language="en") == "too_many"
    assert await Visitor(live).refused("open", code="A" * 22) == "code_unknown"


async def test_other_hosts_and_origins_are_refused(live: LiveServer) -> None:
    check = await upload(live)
    secret = secret_of(check.scan_url)
    for headers, status in (
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Content-Type": "text/plain"}, 400),
        ({"Host": "evil.example"}, 421),
        ({"Host": live.server.web_target or ""}, 421),
    ):
        assert (await Visitor(live, headers=headers).call("open", link=secret))[0] == status, headers
    for body in ({}, {"link": 1}, {"link": ""}, {"link": "x" * 200}, {"code": None}):
        assert (await Visitor(live).call("open", **body))[0] == 400
    assert (await Visitor(live).call("state", check="x"))[0] == 400
    visitor = Visitor(live)
    await visitor.done("open", link=secret)
    for number in (True, "12", 1.5):
        assert (await visitor.call("answer", check=check.check_id, number=number))[0] == 400
    for language in ("", "en&code=1", "deutsch"):
        assert (await visitor.call("code", check=check.check_id, language=language))[0] == 400


async def test_calls_are_limited(live: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    check = await upload(live)
    monkeypatch.setattr("server.edge.hosted._MOST_CALLS", 0)
    assert await Visitor(live).refused("open", link=secret_of(check.scan_url)) == "busy"
    monkeypatch.undo()
    await Visitor(live).done("open", link=secret_of(check.scan_url))


@pytest.mark.parametrize("size", [20_000, 1_000_000])
async def test_a_call_that_is_too_large_has_an_answer(live: LiveServer, size: int) -> None:
    status, document = await Visitor(live).call("open", link="a" * size)
    assert (status, document["details"][0]["metadata"]) == (413, {"field": "body", "maxBytes": "16384"})


async def _begun(live: LiveServer) -> asyncio.StreamWriter:
    """A connection that has sent the head of a request and half of its body."""
    place = urlsplit(origin_of(live))
    _, writer = await asyncio.open_connection("127.0.0.1", place.port)
    head = f"POST /scan/api/open HTTP/1.1\r\nHost: {place.netloc}\r\nOrigin: {origin_of(live)}\r\n"
    writer.write(f'{head}Content-Type: application/json\r\nContent-Length: 64\r\n\r\n{{"link": '.encode())
    await writer.drain()
    return writer


async def test_people_who_send_slowly_keep_nobody_out(
    live: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.edge.console.answers.STRANGER_SECONDS", 60.0)
    check = await upload(live)
    begun = asyncio.Event()
    reading = [0]

    async def counted(request: web.Request, *, seconds: float) -> bytes:
        reading[0] += 1
        if reading[0] >= len(slow):
            begun.set()
        return await read_body(request, seconds=seconds)

    slow = [None] * 70
    monkeypatch.setattr("server.edge.console.answers.read_body", counted)
    writers = [await _begun(live) for _ in slow]
    await asyncio.wait_for(begun.wait(), 60)
    monkeypatch.undo()
    await Visitor(live).done("open", link=secret_of(check.scan_url))
    for writer in writers:
        writer.close()


async def test_a_browser_that_hangs_up_is_no_failure_of_the_server(
    live: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, over = asyncio.Event(), asyncio.Event()

    async def seen(request: web.Request, *, seconds: float) -> bytes:
        begun.set()
        try:
            return await read_body(request, seconds=seconds)
        finally:
            over.set()

    monkeypatch.setattr("server.edge.console.answers.read_body", seen)
    with capture_logs() as logs:
        writer = await _begun(live)
        await asyncio.wait_for(begun.wait(), 60)
        writer.transport.abort()
        await asyncio.wait_for(over.wait(), 60)
        await asyncio.sleep(0)
    assert [entry for entry in logs if entry["log_level"] in {"error", "critical"}] == []


async def test_refusals_of_the_page_are_counted(live: LiveServer) -> None:
    before = await _refusals(live)
    assert await Visitor(live).refused("open", link="A" * 43) == "unknown"
    assert (await Visitor(live).call("open"))[0] == 400
    after = await _refusals(live)
    assert {name: after[name] - before.get(name, 0) for name in ("TOKEN_INVALID", "INVALID_FIELD")} == {
        "TOKEN_INVALID": 1,
        "INVALID_FIELD": 1,
    }


async def _refusals(live: LiveServer) -> dict[str, float]:
    pattern = r'^facegate_refusals_total\{reason="(\w+)"\} ([\d.]+)$'
    found = re.findall(pattern, await live.metrics(), re.MULTILINE)
    return {name: float(value) for name, value in found}


async def test_a_slow_request_is_ended(live: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.edge.web_listener._ANSWER_SECONDS", 0.2)
    place = urlsplit(origin_of(live))
    reader, writer = await asyncio.open_connection("127.0.0.1", place.port)
    head = f"POST /scan/api/open HTTP/1.1\r\nHost: {place.netloc}\r\nOrigin: {origin_of(live)}\r\n"
    writer.write(f"{head}Content-Type: application/json\r\nContent-Length: 9\r\n\r\n".encode())
    async with asyncio.timeout(30):
        with suppress(ConnectionError):
            assert await reader.read() == b""
    writer.close()


async def test_the_page_is_restricted_to_what_it_needs(live: LiveServer) -> None:
    origin = origin_of(live)
    async with aiohttp.ClientSession() as session:
        address = f"http://{live.server.web_target}"
        headers = {"Host": urlsplit(origin).netloc}
        async with session.get(f"{address}/scan", headers=headers) as response:
            page = await response.text()
            assert response.status == 200
            assert response.headers["Cache-Control"] == "no-store"
            assert response.headers["Referrer-Policy"] == "no-referrer"
            assert response.headers["X-Frame-Options"] == "DENY"
            assert "camera=(self)" in response.headers["Permissions-Policy"]
            policy = response.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert f"connect-src 'self' {origin.replace('http', 'ws')}" in policy
            assert "unsafe" not in policy
        script = re.search(r'src="(/scan/assets/[^"]+\.js)"', page)
        assert script is not None
        async with session.get(f"{address}/scan/logo.svg", headers=headers) as response:
            assert response.status == 200
        # A phone loads the compressed program; what takes no compression gets the same.
        loaded = []
        for taken, used in (("br, gzip", "gzip"), ("gzip;q=0", None), ("identity", None)):
            asked = headers | {"Accept-Encoding": taken}
            async with session.get(address + script[1], headers=asked) as response:
                assert (response.status, response.headers.get("Content-Encoding")) == (200, used)
                assert response.headers["Vary"] == "Accept-Encoding"
                loaded.append(await response.read())
        assert len(set(loaded)) == 1
        async with session.get(f"{address}/scan/look.json", headers=headers) as response:
            look = await response.json()
        assert look == {
            "name": "Example Bank",
            "color": "#1d5c3a",
            "logo": "/scan/logo.svg",
            "links": {"privacy": "https://bank.example/privacy"},
            "texts": {"de": {"title": "Hallo"}},
        }
        async with session.get(f"{address}/scan") as response:
            assert response.status == 421
        for path in (
            "/scan/../look.json",
            "/scan/assets/..%2f..%2fhosted.py",
            "/scan/none.js",
            "/",
            "/scan/",
        ):
            async with session.get(address + path, headers=headers) as response:
                assert response.status == 404, path


@pytest.mark.parametrize(
    "url",
    [
        "https://bank.example/other",
        "https://bank.example/onboarding-evil",
        "https://bank.example/onboarding/../other",
        "https://bank.example/onboarding/%2e%2e/other",
        "https://bank.example/onboarding?next=https://evil.example",
        "https://bank.example/onboarding#x",
        "https://bank.example:444/onboarding",
        "https://bank.example@evil.example/onboarding",
        "https://bank.example.evil.example/onboarding",
        "https://bank.example\\@evil.example/onboarding",
        "http://bank.example/onboarding",
        "HTTPS://BANK.EXAMPLE/onboarding",
        "javascript:alert(1)//https://bank.example/onboarding",
        "//bank.example/onboarding",
        "https://bank.example/onboarding\n",
        " https://bank.example/onboarding",
        "https://bank.example/onboarding/" + "x" * 1024,
    ],
)
async def test_the_page_returns_to_listed_addresses_only(live: LiveServer, url: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await upload(live, return_url=url)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "hosted.return_url" in str(refused.value.details())


async def test_an_address_that_was_altered_in_the_database_is_not_followed(live: LiveServer) -> None:
    check, visitor = await opened(live)
    async with stored(live) as repository:
        await repository.change(
            UUID(check.check_id), lambda scan: replace(scan, return_url="https://evil.example")
        )
    assert (await visitor.done("state", check=check.check_id))["returnUrl"] == ""


async def test_the_page_may_return_nowhere(live: LiveServer) -> None:
    check, visitor = await opened(live, return_url="")
    assert (await visitor.done("state", check=check.check_id))["returnUrl"] == ""


async def test_a_locale_is_a_language_tag(live: LiveServer) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await upload(live, locale="de&code=x")
    assert "hosted.locale" in str(refused.value.details())


async def test_a_server_without_the_page_says_what_to_set(tmp_path: Path) -> None:
    async with serving(settings_for(tmp_path, web=True)) as live:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await upload(live)
        assert "listeners.web.hosted" in str(refused.value.details())
        address = f"http://{live.server.web_target}/scan"
        async with aiohttp.ClientSession() as session, session.get(address) as response:
            assert response.status == 404


async def test_no_secret_is_logged(live: LiveServer, capsys: pytest.CaptureFixture[str]) -> None:
    check, desk, phone, code = await handed_over(live)
    await Visitor(live).refused("open", link=secret_of(check.scan_url))
    await Visitor(live).refused("open", code=code)
    logged = "".join(capsys.readouterr())
    assert desk.cookie is not None
    assert phone.cookie is not None
    for secret in (secret_of(check.scan_url), code, desk.cookie, phone.cookie):
        assert secret not in logged
