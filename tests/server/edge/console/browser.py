"""A browser in small: the cookies and headers with which the page of the console calls."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult

import aiohttp
from facegate.v1 import evidence_service_pb2 as evidence_pb2
from google.protobuf import json_format
from google.rpc import error_details_pb2, status_pb2

COOKIE = "facegate-console"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the console."""

    status: int
    headers: Any
    body: bytes
    cookies: Any

    @property
    def document(self) -> Any:
        """Its JSON."""
        return json.loads(self.body)

    @property
    def reason(self) -> str:
        """The reason of its ErrorInfo."""
        status, info = json_format.Parse(self.body, status_pb2.Status()), error_details_pb2.ErrorInfo()
        assert status.details[0].Unpack(info)
        assert info.domain == "facegate.org"
        return str(info.reason)


@dataclass(slots=True)
class Browser:
    """A page of the console in a browser."""

    address: str
    session: aiohttp.ClientSession
    cookies: dict[str, str] = field(default_factory=dict)
    csrf: str = ""

    async def get(self, path: str, **headers: str) -> Answer:
        """GET."""
        return await self.send("GET", path, headers=headers)

    async def send(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, body: str | None = None
    ) -> Answer:
        """Any request; a header with the value ``None`` is left out."""
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        sent = ({"Cookie": cookie} if cookie else {}) | (headers or {})
        async with self.session.request(
            method, self.address + path, headers=sent, data=body, allow_redirects=False
        ) as answer:
            for name, morsel in answer.cookies.items():
                if morsel.value:
                    self.cookies[name] = morsel.value
                else:
                    self.cookies.pop(name, None)
            return Answer(answer.status, answer.headers, await answer.read(), answer.cookies)

    async def navigate(self, place: SplitResult) -> Answer:
        """GET of an address to which another site sent the browser: without strict cookies."""
        held = self.cookies.pop(COOKIE, None)
        answer = await self.get(f"{place.path}?{place.query}")
        if held is not None:
            self.cookies.setdefault(COOKIE, held)
        return answer

    async def post(self, path: str, document: object, **headers: str | None) -> Answer:
        """POST as the page does it; headers replace those of the page, and ``None`` leaves one out."""
        wanted: dict[str, str | None] = {
            "Content-Type": "application/json",
            "Origin": self.address,
            "X-Facegate-CSRF": self.csrf,
        }
        wanted |= {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {name: value for name, value in wanted.items() if value is not None}
        body = document if isinstance(document, str) else json.dumps(document)
        return await self.send("POST", f"/api/{path}", headers=sent, body=body)

    async def log_in(self, **credential: str) -> Answer:
        """Log in, and read the session."""
        answer = await self.post("login", credential)
        if answer.status == 204:
            await self.read_session()
        return answer

    async def read_session(self) -> Any:
        """The session, whose token the next calls carry."""
        document = (await self.get("/api/session")).document
        self.csrf = document.get("csrf", "")
        return document

    async def call(self, method: str, request: Any) -> Answer:
        """Call a method with a message of the contract."""
        return await self.post(method, json_format.MessageToJson(request))

    async def list_checks(self, **fields: Any) -> Answer:
        """ListChecks."""
        return await self.call("ListChecks", evidence_pb2.ListChecksRequest(**fields))


@asynccontextmanager
async def browsing(address: str | None, **cookies: str) -> AsyncIterator[Browser]:
    """A new browser, with these cookies."""
    assert address is not None
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield Browser(address, session, dict(cookies))
