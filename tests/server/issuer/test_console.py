"""The log-in at the console with a certified OIDC provider, at a real server."""

import html
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import aiohttp
import pytest
import pytest_asyncio

from server.storage.audit_reader import AuditReader
from tests.ports import held_port
from tests.server.edge.console.browser import COOKIE, Answer, Browser, browsing
from tests.server.issuer.provider import Provider, running_provider
from tests.server.live import LiveServer, serving, settings_for, until

# People with a browser who log in at ``provider.mjs``, by the form that it shows.

_MOST_STEPS = 12


class Person:
    """Somebody with cookies at the issuer."""

    def __init__(self, name: str, session: aiohttp.ClientSession) -> None:
        """Set the name of the account.

        Args:
            session: A session with a cookie jar that accepts addresses (``unsafe``).
        """
        self.name = name
        self._session = session
        self.forms = 0

    async def follow(self, place: str, *, until: str) -> str:
        """Follow redirects and answer forms of the issuer; return the first address below ``until``."""
        form: dict[str, str] | None = None
        for _ in range(_MOST_STEPS):
            method = "GET" if form is None else "POST"
            async with self._session.request(method, place, data=form, allow_redirects=False) as answer:
                body, form = await answer.text(), None
                if answer.status in {302, 303}:
                    place = urljoin(place, answer.headers["Location"])
                    if place.startswith(until):
                        return place
                    continue
                assert answer.status == 200, (answer.status, body)
                place, form = self._answered(body, place)
        raise AssertionError("the issuer does not send the browser back")

    async def log_in(self, browser: Browser, *, step_up: bool = False) -> Answer:
        """Log in at the console, and return the answer of its callback."""
        begun = await browser.get(f"/login/oidc{'?step_up=1' if step_up else ''}")
        assert begun.status == 303, begun.body
        back = await self.follow(begun.headers["Location"], until=f"{browser.address}/login/callback")
        # The browser comes from another site, with which it does not send a strict cookie.
        return await browser.navigate(urlsplit(back))

    def _answered(self, page: str, place: str) -> tuple[str, dict[str, str]]:
        self.forms += 1
        found: Any = re.search(r'<form[^>]* action="([^"]+)"', page)
        assert found, page
        fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page))
        if 'name="login"' in page:
            fields |= {"login": self.name, "password": "any"}
        if 'name="logout"' in page:
            fields |= {"logout": "yes"}
        return urljoin(place, html.unescape(found[1])), fields


pytestmark = pytest.mark.slow


@dataclass(frozen=True, slots=True)
class Bank:
    """A server whose console people use, and their issuer."""

    live: LiveServer
    provider: Provider
    origin: str

    @asynccontextmanager
    async def person(self, name: str) -> AsyncIterator[tuple[Person, Browser]]:
        """Somebody with a new browser."""
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(cookie_jar=jar) as session, browsing(self.origin) as browser:
            yield Person(name, session), browser


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with held_port() as port:
        yield port


@pytest.fixture(scope="module")
def provider(port: int) -> Iterator[Provider]:
    with running_provider(f"http://localhost:{port}") as running:
        yield running


@pytest_asyncio.fixture(scope="module")
async def bank(
    provider: Provider, port: int, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Bank]:
    folder = tmp_path_factory.mktemp("bank")
    secret = folder / "client-secret"
    secret.write_text("secret of the console: 100% +\n")
    secret.chmod(0o600)
    oidc = {
        "issuer": provider.issuer,
        "client_id": "console",
        "client_secret_file": secret,
        "scope": "openid groups",
        "grants": [
            {"claim": "groups", "value": "compliance", "tenant": "bank", "roles": ["compliance_admin"]},
            {"claim": "groups", "value": "readers", "tenant": "bank", "roles": ["compliance_reader"]},
        ],
    }
    free = {"port": 0}
    listeners = {"device": free, "service": free, "admin": free, "console": {"port": port, "oidc": oidc}}
    async with serving(settings_for(folder, listeners=listeners)) as live:
        yield Bank(live, provider, f"http://localhost:{port}")


async def _actions(bank: Bank) -> list[tuple[str, str]]:
    async with bank.live.database() as database:
        entries = await AuditReader(database).entries("bank")
    return [(entry.action, entry.actor) for entry in entries]


async def test_a_person_has_the_roles_of_the_groups_of_the_id_token(bank: Bank) -> None:
    async with bank.person("anna") as (anna, browser):
        assert (await browser.get("/api/login")).document == {"methods": ["oidc"], "issuer": "127.0.0.1"}
        begun = await browser.get("/login/oidc")
        query = parse_qs(urlsplit(begun.headers["Location"]).query)
        assert query["code_challenge_method"] == ["S256"]
        answer = await anna.log_in(browser)
        assert answer.status == 200, answer.body
        assert b'http-equiv="refresh" content="0;url=/"' in answer.body
        assert "facegate-log-in" not in browser.cookies
        session = await browser.read_session()
        assert (session["name"], session["login"]) == ("anna@127.0.0.1", "oidc")
        assert session["roles"] == ["compliance_admin"]
        assert (await browser.list_checks()).status == 200
        assert ("session.begun", "anna@127.0.0.1") in await _actions(bank)


async def test_a_step_up_asks_again_and_replaces_the_session(bank: Bank) -> None:
    async with bank.person("rita") as (rita, browser):
        assert (await rita.log_in(browser)).status == 200
        await browser.read_session()
        first, forms = browser.cookies[COOKIE], rita.forms
        export = {"purpose": "request 1"}
        with bank.live.clock.later(minutes=11):
            refused = await browser.post("ExportAuditLog", export)
            assert (refused.status, refused.reason) == (403, "STEP_UP_REQUIRED")
        # Somebody who is logged in at the issuer logs in without a form, but steps up with one.
        assert (await rita.log_in(browser)).status == 200
        assert rita.forms == forms
        assert (await rita.log_in(browser, step_up=True)).status == 200
        assert rita.forms > forms
        await browser.read_session()
        assert (await browser.post("ExportAuditLog", export)).status == 200
        assert browser.cookies[COOKIE] != first
        async with browsing(bank.origin, **{COOKIE: first}) as thief:
            assert (await thief.get("/api/session")).status == 401


async def test_the_log_out_goes_on_at_the_issuer_which_ends_every_session(bank: Bank) -> None:
    async with bank.person("bert") as (bert, browser):
        assert (await bert.log_in(browser)).status == 200
        async with browsing(bank.origin) as second:
            assert (await bert.log_in(second)).status == 200
            await browser.read_session()
            place = (await browser.post("logout", {})).document["end_session_url"]
            assert (await browser.get("/api/session")).status == 401
            assert (await second.get("/api/session")).status == 200
            query = parse_qs(urlsplit(place).query)
            assert query == {"client_id": ["console"], "post_logout_redirect_uri": [f"{bank.origin}/"]}
            assert await bert.follow(place, until=bank.origin) == f"{bank.origin}/"

            async def ended() -> bool:
                return (await second.get("/api/session")).status == 401

            await until(ended)
    assert (await _actions(bank)).count(("session.ended", "bert@127.0.0.1")) == 2


async def test_a_log_in_never_continues_a_session_that_was_there_before(bank: Bank) -> None:
    async with bank.person("anna") as (anna, browser):
        browser.cookies[COOKIE] = fixed = "chosen-by-an-attacker-0000000000000000000000"
        assert (await anna.log_in(browser)).status == 200
        assert browser.cookies[COOKIE] != fixed
        async with browsing(bank.origin, **{COOKIE: fixed}) as thief:
            assert (await thief.get("/api/session")).status == 401


async def test_an_issuer_that_is_away_is_reported_before_anybody_logs_in(tmp_path: Path) -> None:
    with held_port() as port, held_port() as nobody:
        grant = {"claim": "groups", "value": "compliance", "tenant": "bank", "roles": ["compliance_admin"]}
        oidc = {"issuer": f"http://127.0.0.1:{nobody}", "client_id": "console", "grants": [grant]}
        free = {"port": 0}
        listeners = {"device": free, "service": free, "admin": free, "console": {"port": port, "oidc": oidc}}
        async with serving(settings_for(tmp_path, listeners=listeners)) as live:
            admin = f"http://127.0.0.1:{live.server.admin_port}"
            async with aiohttp.ClientSession() as session, browsing(f"http://localhost:{port}") as browser:

                async def reported() -> bool:
                    async with session.get(f"{admin}/metrics") as answer:
                        return "facegate_oidc_issuer_away 1.0" in (await answer.text()).splitlines()

                await until(reported)
                async with session.get(f"{admin}/readyz") as ready:
                    assert ready.status == 200
                assert (await browser.get("/login/oidc")).status == 503
