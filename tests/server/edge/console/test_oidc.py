"""The log-in at an issuer that does what no honest one does, at a real server."""

import hashlib
import hmac
import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio
from aiohttp import web
from joserfc import jws, jwt
from joserfc.jwk import ECKey
from structlog.testing import capture_logs

from tests.server.edge.console.browser import COOKIE, Answer, Browser, browsing
from tests.server.live import LiveServer, serving, settings_for

_LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
_SECRET = "a secret: 100% +"


def _part(value: object) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


class Issuer:
    """An issuer that issues whatever a test wants."""

    def __init__(self) -> None:
        self.key = ECKey.generate_key("P-256", {"kid": "k1", "use": "sig", "alg": "ES256"})
        self.url = ""
        self.away = False
        self.sign: Callable[[dict[str, Any]], str] = self.honest
        self.changes: dict[str, Any] = {}
        self.token_answer: Callable[[str], web.Response] | None = None
        self.begun: dict[str, list[str]] = {}
        self.exchanged = 0
        application = web.Application()
        application.add_routes(
            [
                web.get("/.well-known/openid-configuration", self._document),
                web.get("/jwks", self._jwks),
                web.post("/token", self._token),
            ]
        )
        self._runner = web.AppRunner(application, access_log=None)

    async def start(self) -> None:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        await self._runner.cleanup()

    def honest(self, claims: dict[str, Any], header: dict[str, Any] | None = None) -> str:
        # Not by ``jwt``, which cannot write every text of JSON.
        whole = {"alg": "ES256", "kid": "k1", "typ": "JWT"} | (header or {})
        return jws.serialize_compact(whole, json.dumps(claims).encode(), self.key)

    def logout_token(self, **changes: Any) -> str:
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.url,
            "aud": "console",
            "iat": now,
            "exp": now + 120,
            "jti": "j",
            "events": {_LOGOUT_EVENT: {}},
        } | changes
        header = {"typ": "logout+jwt"}
        return self.honest({name: value for name, value in claims.items() if value is not None}, header)

    async def _document(self, _: web.Request) -> web.Response:
        if self.away:
            raise web.HTTPServiceUnavailable
        return web.json_response(
            {
                "issuer": self.url,
                "jwks_uri": f"{self.url}/jwks",
                "authorization_endpoint": f"{self.url}/auth?realm=bank",
                "token_endpoint": f"{self.url}/token",
            }
        )

    async def _jwks(self, _: web.Request) -> web.Response:
        return web.json_response({"keys": [self.key.as_dict(private=False)]})

    async def _token(self, request: web.Request) -> web.Response:
        self.exchanged += 1
        form = await request.post()
        challenge = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        assert urlsafe_b64encode(challenge).rstrip(b"=").decode() == self.begun["code_challenge"][0]
        assert form["redirect_uri"] == self.begun["redirect_uri"][0]
        credentials = urlsafe_b64decode(request.headers["Authorization"].removeprefix("Basic ")).decode()
        assert credentials == "console:a+secret%3A+100%25+%2B"
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.url,
            "aud": "console",
            "sub": "anna",
            "iat": now,
            "exp": now + 120,
            "auth_time": now,
            "nonce": self.begun["nonce"][0],
            "groups": ["compliance"],
            "sid": "s-1",
        } | self.changes
        token = self.sign({name: value for name, value in claims.items() if value is not None})
        if self.token_answer is not None:
            return self.token_answer(token)
        return web.json_response({"token_type": "Bearer", "access_token": "a", "id_token": token})


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shared_issuer() -> AsyncIterator[Issuer]:
    issuer = Issuer()
    await issuer.start()
    yield issuer
    await issuer.stop()


@pytest.fixture
def issuer(shared_issuer: Issuer) -> Issuer:
    """An issuer that is honest until the test changes it."""
    shared_issuer.sign, shared_issuer.changes, shared_issuer.token_answer = shared_issuer.honest, {}, None
    return shared_issuer


def _console(folder: Path, issuer: Issuer, **more: object) -> dict[str, object]:
    secret = folder / "secret"
    secret.write_text(f"{_SECRET}\n")
    secret.chmod(0o600)
    grant = {"claim": "groups", "value": "compliance", "tenant": "bank", "roles": ["compliance_admin"]}
    named = {"issuer": issuer.url, "client_id": "console", "client_secret_file": secret, "grants": [grant]}
    return {"port": 0, "oidc": named | more}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def bank(shared_issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    """A server whose people log in at the issuer."""
    folder = tmp_path_factory.mktemp("bank")
    free = {"port": 0}
    console = _console(folder, shared_issuer, acr_values=["urn:two-factors"])
    listeners = {"device": free, "service": free, "admin": free, "console": console}
    async with serving(settings_for(folder, listeners=listeners)) as live:
        yield live


@pytest_asyncio.fixture(loop_scope="session")
async def browser(bank: LiveServer) -> AsyncIterator[Browser]:
    """A browser without a session. Each test has its own five minutes for failed log-ins."""
    bank.clock.ahead = timedelta()
    listeners: Any = bank.server._listeners
    async with browsing(bank.server.console_address) as browser:
        yield browser
    bank.clock.ahead = timedelta()
    for route in listeners.console.listener._runner.app.router.routes():
        admission = getattr(getattr(route.handler, "__self__", None), "_admission", None)
        if admission is not None:
            admission._attempts._failures.clear()


async def _begin(browser: Browser, issuer: Issuer, *, step_up: bool = False) -> dict[str, list[str]]:
    answer = await browser.get(f"/login/oidc{'?step_up=1' if step_up else ''}")
    assert answer.status == 303
    place = answer.headers["Location"]
    assert place.startswith(f"{issuer.url}/auth?realm=bank&")
    issuer.begun = parse_qs(urlsplit(place).query)
    return issuer.begun


async def _come_back(browser: Browser, **query: str) -> Answer:
    place = "&".join(f"{name}={value}" for name, value in query.items())
    return await browser.navigate(urlsplit(f"{browser.address}/login/callback?{place}"))


async def _log_in(browser: Browser, issuer: Issuer, *, step_up: bool = False) -> Answer:
    begun = await _begin(browser, issuer, step_up=step_up)
    return await _come_back(browser, code="c", state=begun["state"][0])


async def test_an_honest_issuer_logs_people_in(browser: Browser, issuer: Issuer) -> None:
    answer = await _log_in(browser, issuer)
    assert answer.status == 200, answer.body
    assert (await browser.read_session())["name"] == "anna@127.0.0.1"
    assert issuer.begun["code_challenge_method"] == ["S256"]
    assert "max_age" not in issuer.begun


_FORGED: dict[str, dict[str, Any]] = {
    "another nonce": {"nonce": "n"},
    "no nonce": {"nonce": None},
    "a nonce that is no Unicode": {"nonce": "\ud800"},
    "another client": {"aud": "backend"},
    "no audience": {"aud": None},
    "several audiences, and none is the party": {"aud": ["console", "backend"]},
    "another party": {"azp": "backend"},
    "another issuer": {"iss": "https://evil.example"},
    "expired": {"exp": 1_000_000},
    "expired long ago": {"exp": 0},
    "no end": {"exp": None},
    "an end that is no number": {"exp": "never"},
    "no time": {"iat": None},
    "of the future": {"iat": 4_000_000_000},
    "a log-in of the future": {"auth_time": 4_000_000_000},
    "nobody": {"sub": None},
    "somebody unprintable": {"sub": "a\nb"},
}


@pytest.mark.parametrize("case", _FORGED)
async def test_id_tokens_for_others_log_nobody_in(browser: Browser, issuer: Issuer, case: str) -> None:
    issuer.changes = _FORGED[case]
    answer = await _log_in(browser, issuer)
    assert answer.status == 401, answer.body
    assert b"You are not logged in" in answer.body
    assert (COOKIE in browser.cookies, "facegate-log-in" in browser.cookies) == (False, False)


async def test_forged_signatures_log_nobody_in(browser: Browser, issuer: Issuer) -> None:
    own = ECKey.generate_key("P-256")

    def confused(claims: dict[str, Any]) -> str:
        text = f"{_part({'alg': 'HS256', 'kid': 'k1'})}.{_part(claims)}"
        mac = hmac.digest(issuer.key.as_pem(private=False), text.encode(), "sha256")
        return f"{text}.{urlsafe_b64encode(mac).rstrip(b'=').decode()}"

    forged: tuple[Callable[[dict[str, Any]], str], ...] = (
        lambda claims: f"{_part({'alg': 'none', 'kid': 'k1'})}.{_part(claims)}.",
        lambda claims: f"{_part({'alg': 'none'})}.{_part(claims)}.",
        confused,
        lambda claims: jwt.encode({"alg": "ES256", "kid": "k1"}, claims, own),
        lambda claims: jwt.encode({"alg": "ES256", "jwk": own.as_dict(private=False)}, claims, own),
        lambda claims: issuer.honest(claims, {"typ": "at+jwt"}),
        lambda claims: issuer.honest(claims, {"typ": "logout+jwt"}),
        lambda _: "a.b.c",
        lambda _: "",
        lambda _: "x" * 40_000,
    )
    for number, sign in enumerate(forged):
        issuer.sign = sign
        assert (await _log_in(browser, issuer)).status == 401, number
        assert COOKIE not in browser.cookies


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: web.json_response({"error": "invalid_grant"}, status=400),
        lambda token: web.json_response({"id_token": token}, status=400),
        lambda _: web.json_response({"access_token": "a"}),
        lambda _: web.json_response({"id_token": 7}),
        lambda _: web.json_response([]),
        lambda token: web.Response(status=307, headers={"Location": f"https://evil.example/?{token}"}),
        lambda _: web.Response(text="<html>"),
        lambda _: web.Response(body=b"x" * 400_000),
        lambda _: web.Response(body=b"[" * 100_000),
        lambda _: web.json_response({"error": ["invalid_grant"]}, status=400),
    ],
)
async def test_a_token_endpoint_that_confirms_nothing_logs_nobody_in(
    browser: Browser, issuer: Issuer, answer: Callable[[str], web.Response]
) -> None:
    issuer.token_answer = answer
    refused = await _log_in(browser, issuer)
    assert refused.status in {401, 503}
    assert COOKIE not in browser.cookies


async def test_the_issuer_is_asked_for_log_ins_only_that_were_begun_here(
    bank: LiveServer, browser: Browser, issuer: Issuer
) -> None:
    asked = issuer.exchanged
    state = (await _begin(browser, issuer))["state"][0]
    begun = browser.cookies["facegate-log-in"]
    secret, ends, step_up, replaces, mac = begun.split(".")
    forged: tuple[dict[str, str], ...] = (
        {},
        {"facegate-log-in": f"{secret}.{int(ends) + 9999}.{step_up}.{replaces}.{mac}"},
        {"facegate-log-in": f"{secret}.{ends}.{step_up}.{'1' * 64}.{mac}"},
        {"facegate-log-in": f"{secret}.{ends}.{step_up}.{replaces}."},
        {"facegate-log-in": "...."},
    )
    for cookies in forged:
        async with browsing(browser.address, **cookies) as other:
            assert (await _come_back(other, code="c", state=state)).status == 401
    for query in (
        {"code": "c", "state": state + "x"},
        {"code": "c"},
        {"state": state},
        {"error": "access_denied", "state": state},
    ):
        browser.cookies["facegate-log-in"] = begun
        assert (await _come_back(browser, **query)).status == 401
    assert issuer.exchanged == asked
    bank.clock.ahead = timedelta(minutes=11)
    browser.cookies["facegate-log-in"] = begun
    assert (await _come_back(browser, code="c", state=state)).status == 401
    assert issuer.exchanged == asked


async def test_a_log_in_is_finished_once_even_if_the_issuer_takes_a_code_again(
    browser: Browser, issuer: Issuer
) -> None:
    state = (await _begin(browser, issuer))["state"][0]
    kept = dict(browser.cookies)
    assert (await _come_back(browser, code="c", state=state)).status == 200
    asked = issuer.exchanged
    async with browsing(browser.address, **kept) as thief:
        assert (await _come_back(thief, code="c", state=state)).status == 401
    assert issuer.exchanged == asked


async def test_an_answer_of_another_issuer_is_refused(browser: Browser, issuer: Issuer) -> None:
    state = (await _begin(browser, issuer))["state"][0]
    assert (await _come_back(browser, code="c", state=state, iss="https://evil.example")).status == 401


async def test_many_failed_log_ins_are_refused(browser: Browser, issuer: Issuer) -> None:
    issuer.changes = {"nonce": "n"}
    statuses = [(await _log_in(browser, issuer)).status for _ in range(11)]
    assert statuses == [401] * 10 + [429]


async def test_a_person_without_a_grant_is_refused_and_locks_nobody_out(
    browser: Browser, issuer: Issuer
) -> None:
    issuer.changes = {"groups": ["strangers"]}
    assert {(await _log_in(browser, issuer)).status for _ in range(12)} == {403}


async def test_no_address_that_a_stranger_chooses_is_followed(browser: Browser, issuer: Issuer) -> None:
    evil = "https://evil.example"
    for query in (f"next={evil}", f"redirect_uri={evil}", "step_up=1&x=//evil.example"):
        place = (await browser.get(f"/login/oidc?{query}")).headers["Location"]
        assert "evil" not in place
        assert place.startswith(issuer.url)
    answer = await browser.send("GET", "/login/oidc", headers={"Host": "evil.example"})
    assert answer.status == 421
    answer = await _come_back(browser, error="x", error_description="<script>alert(1)</script>")
    assert b"<script>" not in answer.body


async def test_a_step_up_is_recent_and_has_the_demanded_factors(browser: Browser, issuer: Issuer) -> None:
    assert (await _log_in(browser, issuer)).status == 200
    # A log-in without a second factor suffices for reading, not for exports.
    session = await browser.read_session()
    assert session["stepped_up"] is False
    refused = await browser.post("ExportAuditLog", {"purpose": "p"})
    assert (refused.status, refused.reason) == (403, "STEP_UP_REQUIRED")
    now = int(time.time())
    for changes in ({}, {"acr": "urn:one-factor"}, {"acr": "urn:two-factors", "auth_time": now - 3600}):
        issuer.changes = changes
        assert (await _log_in(browser, issuer, step_up=True)).status == 401
        # The session of before goes on.
        assert (await browser.list_checks()).status == 200
    issuer.changes = {"acr": "urn:two-factors", "auth_time": None}
    assert (await _log_in(browser, issuer, step_up=True)).status == 401
    first = browser.cookies[COOKIE]
    issuer.changes = {"acr": "urn:two-factors"}
    assert (await _log_in(browser, issuer, step_up=True)).status == 200
    assert (issuer.begun["max_age"], issuer.begun["acr_values"]) == (["0"], ["urn:two-factors"])
    assert (await browser.read_session())["stepped_up"] is True
    assert (await browser.post("ExportAuditLog", {"purpose": "p"})).status == 200
    async with browsing(browser.address, **{COOKIE: first}) as thief:
        assert (await thief.get("/api/session")).status == 401


async def test_the_time_of_a_log_in_may_be_a_text(browser: Browser, issuer: Issuer) -> None:
    # As AD FS states it.
    moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    issuer.changes = {"acr": "urn:two-factors", "auth_time": moment}
    assert (await _log_in(browser, issuer, step_up=True)).status == 200
    assert (await browser.read_session())["stepped_up"] is True
    issuer.changes["auth_time"] = "2090-01-01T00:00:00Z"
    assert (await _log_in(browser, issuer, step_up=True)).status == 401


@pytest.mark.parametrize(
    ("changes", "status", "logged"),
    [
        ({"groups": None, "hasgroups": True}, 403, ("log_in_refused", "left groups out of the ID token")),
        ({"groups": None}, 403, ("log_in_refused", "no claim that an entry")),
        ({"aud": "backend"}, 401, ("log_in_refused", "another client")),
        ({"auth_time": "yesterday"}, 200, ("log_in_not_strong", "auth_time")),
        ({"auth_time": "2026-12-01T03:17:06"}, 200, ("log_in_not_strong", "auth_time")),
        # How .NET writes a time that is not set, in two time zones.
        ({"auth_time": "0001-01-01T00:00:00Z"}, 200, ("log_in_not_strong", "auth_time")),
        ({"auth_time": "0001-01-01T00:00:00+01:00"}, 200, ("log_in_not_strong", "auth_time")),
        ({"acr": "urn:one-factor"}, 200, ("log_in_not_strong", "acr")),
    ],
)
async def test_the_log_says_what_a_log_in_lacks(
    browser: Browser, issuer: Issuer, changes: dict[str, Any], status: int, logged: tuple[str, str]
) -> None:
    issuer.changes = changes
    with capture_logs() as logs:
        assert (await _log_in(browser, issuer)).status == status
    (entry,) = (entry for entry in logs if entry["event"] == logged[0])
    assert logged[1] in entry["why"]
    assert "anna" not in str(logs)


@pytest.mark.parametrize(
    ("stated", "logged"),
    [("invalid_client", True), ("anna@bank.example", False), ("x" * 300, False)],
)
async def test_the_log_has_the_error_of_the_issuer_if_it_is_a_known_one(
    browser: Browser, issuer: Issuer, stated: str, *, logged: bool
) -> None:
    issuer.token_answer = lambda _: web.json_response({"error": stated}, status=401)
    with capture_logs() as logs:
        assert (await _log_in(browser, issuer)).status == 401
        begun = await _begin(browser, issuer)
        assert (await _come_back(browser, error=stated, state=begun["state"][0])).status == 401
    refused = [entry["why"] for entry in logs if entry["event"] == "log_in_refused"]
    assert [stated in why for why in refused] == [logged, logged]
    assert (stated in str(logs)) is logged


# The back channel.


async def _back_channel(browser: Browser, token: str) -> Answer:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return await browser.send(
        "POST", "/login/backchannel-logout", headers=headers, body=f"logout_token={token}"
    )


async def test_the_issuer_ends_a_session_or_all_of_a_person(browser: Browser, issuer: Issuer) -> None:
    async with browsing(browser.address) as second, browsing(browser.address) as other:
        issuer.changes = {"sid": "one"}
        assert (await _log_in(browser, issuer)).status == 200
        issuer.changes = {"sid": "two"}
        assert (await _log_in(second, issuer)).status == 200
        issuer.changes = {"sid": "two", "sub": "bert"}
        assert (await _log_in(other, issuer)).status == 200
        assert (await _back_channel(browser, issuer.logout_token(sid="one"))).status == 200
        assert (await browser.get("/api/session")).status == 401
        assert (await second.get("/api/session")).status == 200
        assert (await _back_channel(browser, issuer.logout_token(sub="anna"))).status == 200
        assert (await second.get("/api/session")).status == 401
        assert (await other.get("/api/session")).status == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "backend"},
        {"iss": "https://evil.example"},
        {"events": None},
        {"events": {"http://other": {}}},
        {"nonce": "n"},
        {"sub": None},
        {"iat": 1_000_000},
        {"exp": 1_000_000},
    ],
)
async def test_other_tokens_end_no_session(browser: Browser, issuer: Issuer, changes: dict[str, Any]) -> None:
    assert (await _log_in(browser, issuer)).status == 200
    answer = await _back_channel(browser, issuer.logout_token(**({"sub": "anna"} | changes)))
    assert (answer.status, answer.document["error"]) == (400, "invalid_request")
    assert (await browser.get("/api/session")).status == 200
    assert (await _back_channel(browser, "x")).status == 400
    assert (await _back_channel(browser, "x" * 100_000)).status in {400, 413}


async def test_while_the_issuer_is_away_nobody_is_locked_out(tmp_path: Path, issuer: Issuer) -> None:
    free = {"port": 0}
    listeners = {"device": free, "service": free, "admin": free, "console": _console(tmp_path, issuer)}
    issuer.away = True
    try:
        async with (
            serving(settings_for(tmp_path, listeners=listeners)) as live,
            browsing(live.server.console_address) as browser,
        ):
            answer = await browser.get("/login/oidc")
            assert answer.status == 503
            assert b"the issuer of the log-in does not answer" in answer.body
    finally:
        issuer.away = False
