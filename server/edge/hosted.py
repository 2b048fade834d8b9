"""The server's own scan page, on the web listener: its files, and the interface that only it may call."""

import io
import json
import re
from base64 import b64encode
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

import segno
from aiohttp import web

from server.base.errors import ConfigurationError, Reason, Refusal
from server.checks.hosted import (
    CODE_SECONDS,
    HostedProblem,
    HostedRefused,
    HostedScans,
    HostedView,
)
from server.configuration.hosted import HostedSettings
from server.edge.console.answers import json_answer, read_json, refused_answer
from server.edge.console.guard import Guard, GuardedPage, WrongHost
from server.edge.page_files import file_answer, page_files
from server.edge.status import Opened, as_refusal
from server.telemetry.metrics import Metrics

PAGE: Final = "/scan"
"""The path of the page, below which everything else of it lies."""
_MOST_CALLS: Final = 64
"""Calls that are served at once. A page calls every other second while it waits."""
_MOST_LOGO_BYTES: Final = 256 * 1024
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_LANGUAGE: Final = re.compile(r"[a-z]{2}")
_LONGEST: Final = 128
_STATUS: Final = {
    HostedProblem.UNKNOWN: HTTPStatus.NOT_FOUND,
    HostedProblem.CODE_UNKNOWN: HTTPStatus.NOT_FOUND,
    HostedProblem.EXPIRED: HTTPStatus.GONE,
    HostedProblem.CLOSED: HTTPStatus.GONE,
    HostedProblem.CODE_EXPIRED: HTTPStatus.GONE,
    HostedProblem.TOO_MANY: HTTPStatus.TOO_MANY_REQUESTS,
}
"""The HTTP status of a problem; of any other one, 403."""

_REASON: Final = {
    HostedProblem.UNKNOWN: Reason.TOKEN_INVALID,
    HostedProblem.CODE_UNKNOWN: Reason.TOKEN_INVALID,
    HostedProblem.EXPIRED: Reason.TOKEN_EXPIRED,
    HostedProblem.CODE_EXPIRED: Reason.TOKEN_EXPIRED,
    HostedProblem.CLOSED: Reason.CHECK_CLOSED,
    HostedProblem.TOO_MANY: Reason.OVERLOADED,
}
"""The reason by which a problem is counted; of any other one, PERMISSION_DENIED."""

PageHandler = Callable[[web.Request], Awaitable[web.Response]]
_Call = Callable[[HostedScans, web.Request, dict[str, Any]], Awaitable[web.Response]]


def _guarded_page(origin: str) -> GuardedPage:
    sockets = re.sub("^http", "ws", origin)
    return GuardedPage(
        cookie="facegate-scan",
        # The worker that encodes frames is made from a blob, which trusted types would forbid.
        policy=(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
            f"connect-src 'self' {sockets}; worker-src blob:; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"
        ),
        permissions="camera=(self), microphone=(), geolocation=(), clipboard-read=()",
    )


class HostedPage(Opened[HostedScans]):
    """Serves the page. Its calls are refused until ``open`` is called."""

    def __init__(self, settings: HostedSettings, *, tls: bool, metrics: Metrics) -> None:
        """Read the files of the page.

        Args:
            tls: Whether the listener has TLS.

        Raises:
            ConfigurationError: The logo cannot be used.
        """
        self._settings = settings
        self._metrics = metrics
        self._guard = Guard(origin=settings.origin, tls=tls, page=_guarded_page(settings.origin))
        self._files = dict(page_files("hosted_page"))
        logo = read_logo(settings)
        if logo is not None:
            self._files[logo[0]] = logo[1]
        look = {
            "name": settings.name,
            "color": settings.color,
            "logo": "" if logo is None else f"{PAGE}{logo[0]}",
            "links": settings.links.model_dump(exclude_none=True),
            "texts": {name: texts.model_dump(exclude_none=True) for name, texts in settings.texts.items()},
        }
        self._files["/look.json"] = json.dumps(look).encode()
        self._calls = 0

    def routes(self) -> list[tuple[str, str, PageHandler]]:
        """Return the routes of the page: method, path and handler."""
        calls: dict[str, _Call] = {
            "open": self._open,
            "state": self._state,
            "ticket": self._ticket,
            "code": self._code,
            "answer": self._answer,
        }
        return [
            ("GET", PAGE, self._get_file),
            ("GET", f"{PAGE}/{{path:.+}}", self._get_file),
            *(("POST", f"{PAGE}/api/{name}", self._served(name, call)) for name, call in calls.items()),
        ]

    async def restrict(self, request: web.Request, response: web.StreamResponse) -> None:
        """Add the headers that restrict the page to its responses."""
        if request.path == PAGE or request.path.startswith(f"{PAGE}/"):
            await self._guard.restrict(request, response)

    async def _get_file(self, request: web.Request) -> web.Response:
        try:
            self._guard.origin_of(request)
        except WrongHost:
            return self._other_host()
        return file_answer(self._files, request.path.removeprefix(PAGE) or "/index.html", request)

    def _served(self, name: str, call: _Call) -> PageHandler:
        async def serve(request: web.Request) -> web.Response:
            try:
                self._guard.require_own_page(request)
                # Read before a place is taken: people who send slowly must not keep others out.
                sent = await read_json(request)
                if self._calls >= _MOST_CALLS:
                    self._metrics.calls.place_refused("hosted", "none_free")
                    return json_answer({"problem": "busy"}, status=HTTPStatus.SERVICE_UNAVAILABLE)
                self._calls += 1
                try:
                    return await call(self.env, request, sent)
                finally:
                    self._calls -= 1
            except WrongHost:
                return self._other_host()
            except HostedRefused as refused:
                reason = _REASON.get(refused.problem, Reason.PERMISSION_DENIED)
                self._metrics.calls.call_refused(reason.value)
                status = _STATUS.get(refused.problem, HTTPStatus.FORBIDDEN)
                return json_answer({"problem": refused.problem.value}, status=status)
            except Exception as error:  # noqa: BLE001 - hides internal errors, as the gate does
                refusal = as_refusal(error, method=f"{PAGE}/api/{name}")
                self._metrics.calls.call_refused(refusal.reason.value)
                return refused_answer(refusal)

        return serve

    def _other_host(self) -> web.Response:
        return web.Response(status=421, text=f"this page is {self._settings.origin}{PAGE}\n")

    async def _open(self, scans: HostedScans, request: web.Request, sent: dict[str, Any]) -> web.Response:
        secret = self._secret(request)
        if "code" in sent:
            view, secret = await scans.open_code(_text(sent, "code"), secret)
        else:
            view, secret = await scans.open_link(_text(sent, "link"), secret)
        answer = json_answer(self._document(view))
        self._guard.session_cookie.set(answer, secret)
        return answer

    async def _state(self, scans: HostedScans, request: web.Request, sent: dict[str, Any]) -> web.Response:
        return json_answer(self._document(await scans.view(_check(sent), self._secret(request))))

    async def _ticket(self, scans: HostedScans, request: web.Request, sent: dict[str, Any]) -> web.Response:
        ticket = await scans.ticket(_check(sent), self._secret(request))
        return json_answer(
            {"token": ticket.token, "challengeKey": b64encode(ticket.challenge_key_sha256).decode()}
        )

    async def _code(self, scans: HostedScans, request: web.Request, sent: dict[str, Any]) -> web.Response:
        language = _text(sent, "language")
        if _LANGUAGE.fullmatch(language) is None:
            raise _malformed("language")
        code = await scans.show_code(_check(sent), self._secret(request))
        picture = io.BytesIO()
        segno.make(f"{self._settings.origin}{PAGE}#code={code}&lang={language}", error="m", micro=False).save(
            picture, kind="svg", scale=8, dark="#000", light="#fff"
        )
        return json_answer({"svg": picture.getvalue().decode(), "seconds": CODE_SECONDS})

    async def _answer(self, scans: HostedScans, request: web.Request, sent: dict[str, Any]) -> web.Response:
        number = sent.get("number")
        if number is not None and (isinstance(number, bool) or not isinstance(number, int)):
            raise _malformed("number")
        return json_answer(self._document(await scans.answer(_check(sent), self._secret(request), number)))

    def _document(self, view: HostedView) -> dict[str, Any]:
        # The address was tested at the upload. It is tested again, because the settings may be newer, and
        # somebody may have altered the database.
        returns = self._settings.may_return_to(view.return_url)
        return {
            "check": str(view.check_id),
            "phone": view.phone,
            "stage": view.stage.value,
            "returnUrl": f"{view.return_url}?check_id={view.check_id}" if returns else "",
            "handOver": view.hand_over.value,
            "number": view.number,
            "codeReopened": view.code_reopened,
        }

    def _secret(self, request: web.Request) -> str | None:
        value = self._guard.session_cookie.read(request)
        return value if value is not None and _SECRET.fullmatch(value) else None


def read_logo(settings: HostedSettings) -> tuple[str, bytes] | None:
    """Return the logo, with its path.

    Raises:
        ConfigurationError: It is no PNG or SVG, is too large, or cannot be read.
    """
    file = settings.logo_file
    if file is None:
        return None
    try:
        with file.open("rb") as opened:
            content = opened.read(_MOST_LOGO_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(
            f"listeners.web.hosted.logo_file cannot be read: {error.strerror or error}"
        ) from error
    if len(content) > _MOST_LOGO_BYTES:
        raise ConfigurationError("listeners.web.hosted.logo_file has more than 256 KiB")
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "/logo.png", content
    if b"<svg" in content[:1024]:
        return "/logo.svg", content
    raise ConfigurationError("listeners.web.hosted.logo_file is neither a PNG nor an SVG")


def _check(sent: dict[str, Any]) -> UUID:
    try:
        return UUID(_text(sent, "check"))
    except ValueError as error:
        raise _malformed("check") from error


def _text(sent: dict[str, Any], name: str) -> str:
    value = sent.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST:
        raise _malformed(name)
    return value


def _malformed(name: str) -> Refusal:
    return Refusal(Reason.INVALID_FIELD, f"the field {name} is missing or malformed", details={"field": name})
