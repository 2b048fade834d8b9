from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from cli.try_.site import SECRET_HEADER, Guard, open_socket

SECRET = "a-secret-of-the-page"


@pytest_asyncio.fixture(loop_scope="session")
async def port() -> AsyncIterator[int]:
    """The port of a site with a page and a call, behind a guard."""

    async def answered(_: web.Request) -> web.Response:
        return web.Response(text="answered")

    with open_socket(0) as bound:
        number: int = bound.getsockname()[1]
        guard = Guard(port=number, secret=SECRET, scans="ws://127.0.0.1:8446")
        application = web.Application(middlewares=[guard.middleware()])
        application.on_response_prepare.append(guard.restrict)
        application.add_routes(
            [web.get("/", answered), web.get("/api/x", answered), web.post("/api/x", answered)]
        )
        runner = web.AppRunner(application)
        await runner.setup()
        await web.SockSite(runner, bound).start()
        yield number
        await runner.cleanup()


async def call(port: int, method: str = "GET", path: str = "/api/x", **headers: str) -> tuple[int, str]:
    sent = {"Host": f"localhost:{port}", SECRET_HEADER: SECRET}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    async with (
        aiohttp.ClientSession() as session,
        session.request(
            method, f"http://127.0.0.1:{port}{path}", headers=sent, allow_redirects=False
        ) as answer,
    ):
        if answer.content_type == "application/json":
            return answer.status, (await answer.json())["reason"]
        return answer.status, answer.headers.get("Location", "")


async def test_the_page_may_call(port: int) -> None:
    origin = f"http://localhost:{port}"
    assert await call(port) == (200, "")
    assert await call(port, "POST", Origin=origin, Sec_Fetch_Site="same-origin") == (200, "")


async def test_another_host_is_refused(port: int) -> None:
    assert await call(port, Host=f"rebound.example:{port}") == (421, "WRONG_HOST")
    assert await call(port, path="/", Host="localhost") == (421, "WRONG_HOST")
    assert await call(port, Host=f"127.0.0.1:{port}") == (421, "WRONG_HOST")


async def test_the_address_in_numbers_leads_to_the_page(port: int) -> None:
    status, location = await call(port, path="/", Host=f"127.0.0.1:{port}")
    assert (status, location) == (307, f"http://localhost:{port}/")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://localhost:1"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
async def test_another_page_is_refused(port: int, headers: dict[str, str]) -> None:
    assert await call(port, **headers) == (403, "WRONG_ORIGIN")
    assert (await call(port, "POST", **headers))[0] == 403


async def test_a_post_without_an_origin_is_refused(port: int) -> None:
    assert await call(port, "POST") == (403, "WRONG_ORIGIN")


@pytest.mark.parametrize("secret", ["", SECRET[:-1], SECRET + "x", "é"])
async def test_a_call_without_the_secret_is_refused(port: int, secret: str) -> None:
    assert await call(port, **{SECRET_HEADER: secret}) == (401, "SECRET_MISSING")


async def test_every_answer_restricts_the_page(port: int) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"http://localhost:{port}/no-such") as answer:
        headers = answer.headers
    assert "connect-src 'self' ws://127.0.0.1:8446; worker-src blob:" in headers["Content-Security-Policy"]
    assert "script-src 'self'; style-src 'self';" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"
    assert headers["Permissions-Policy"] == "camera=(self), microphone=(), geolocation=()"
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_browsers_leave_out_the_default_port() -> None:
    guard = Guard(port=80, secret=SECRET, scans="ws://127.0.0.1:8446")
    assert (guard.host, guard.origin) == ("localhost", "http://localhost")
