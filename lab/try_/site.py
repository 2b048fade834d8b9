"""Serves the page and its JSON interface on loopback, and keeps all but the page out of the interface.

The address that the terminal shows ends in a secret, which a browser never sends to a server. The page adds
it to each call. A request must also name the page's own host, so that a name of another site that leads to
this machine (DNS rebinding) is of no use, and come from the page's own origin.
"""

import hmac
import socket
from collections.abc import Awaitable
from importlib.resources import files
from typing import Any, Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from cli.errors import CommandError
from facegate_client import CallRefusedError, ClientError
from lab.pages import render
from lab.try_.attacks import AttackRoom
from lab.try_.checks import MOST_BYTES, PersonChecks, Unknown, refused_document

SECRET_HEADER: Final = "X-Facegate-Try"  # noqa: S105 - the name of the header
_API: Final = "/api/"
_OWN_SITE: Final = frozenset({"same-origin", "none"})
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_HOST: Final = "127.0.0.1"
_TYPES: Final = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_NOT_FOUND: Final = 404


class Guard:
    """Refuses requests that do not come from the page, and restricts what the page may do."""

    def __init__(self, *, port: int, secret: str, scans: str) -> None:
        """Set the page."""
        # Browsers leave out the default port.
        shown = "" if port == 80 else f":{port}"
        self.host: Final = f"localhost{shown}"
        self.origin: Final = f"http://{self.host}"
        self._other_host = f"127.0.0.1{shown}"
        self._secret = secret.encode()
        self._headers = _HEADERS | {
            "Content-Security-Policy": (
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
                f"media-src 'self' blob:; connect-src 'self' {scans}; worker-src blob:; form-action 'none'; "
                "base-uri 'none'; frame-ancestors 'none'"
            )
        }

    async def restrict(self, _: web.Request, response: web.StreamResponse) -> None:
        """Add the headers that restrict the page, to every response."""
        response.headers.update(self._headers)

    def middleware(self) -> Middleware:
        """Return the middleware that refuses requests."""

        @web.middleware
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            if (refused := self._refused(request)) is not None:
                return refused
            return await handler(request)

        return guarded

    def _refused(self, request: web.Request) -> web.Response | None:
        if request.host != self.host:
            if request.host == self._other_host and request.method == "GET" and not _is_call(request):
                # The camera and the server's list of origins know the page as localhost.
                return web.Response(status=307, headers={"Location": self.origin + request.path})
            return _answer(421, "WRONG_HOST", f"this page is {self.origin}")
        if not _is_call(request):
            return None
        origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site", "same-origin")
        # A browser sends no Origin with the GET of a page itself.
        if site not in _OWN_SITE or (origin != self.origin and (origin or request.method != "GET")):
            return _answer(403, "WRONG_ORIGIN", f"only the page {self.origin} may call this")
        if not hmac.compare_digest(request.headers.get(SECRET_HEADER, "").encode(), self._secret):
            return _answer(401, "SECRET_MISSING", "open the address that the terminal shows")
        return None


def _is_call(request: web.Request) -> bool:
    return request.path.startswith(_API)


def _answer(status: int, reason: str, message: str) -> web.Response:
    return web.json_response({"reason": reason, "message": message}, status=status)


def open_socket(port: int) -> socket.socket:
    """Bind the page's port on loopback."""
    bound = socket.socket()
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((_HOST, port))
    except OSError as error:
        bound.close()
        raise CommandError(
            f"the page cannot use {_HOST}:{port}: {error.strerror}; give another port with --port, or 0 for "
            "any free one"
        ) from error
    return bound


class TrySite:
    """The page, its interface, and what both show of the server."""

    def __init__(
        self, *, guard: Guard, checks: PersonChecks, attacks: AttackRoom, about: dict[str, Any]
    ) -> None:
        """Prepare the site; nothing is served before ``start``."""
        self._checks = checks
        self._attacks = attacks
        self._about = about
        application = web.Application(client_max_size=MOST_BYTES, middlewares=[guard.middleware()])
        application.on_response_prepare.append(guard.restrict)
        application.add_routes(
            [
                web.get("/api/about", self._get_about),
                web.post("/api/portraits", self._post_portrait),
                web.post("/api/checks", self._post_check),
                web.post("/api/checks/{check}/finish", self._finish_check),
                web.post("/api/attacks", self._start_attacks),
                web.get("/api/attacks", self._get_attacks),
                web.get("/api/attacks/{key}", self._get_attack),
                web.get("/{name:[a-z_.]*}", self._get_file),
            ]
        )
        self._runner = web.AppRunner(application, access_log=None)
        self._files = {
            entry.name: entry.read_bytes()
            for entry in files("lab.try_").joinpath("page").iterdir()
            if entry.name.endswith(tuple(_TYPES))
        }
        self._files["shared.css"] = render("try.css").encode()

    async def start(self, bound: socket.socket) -> None:
        """Serve on a socket."""
        await self._runner.setup()
        await web.SockSite(self._runner, bound).start()

    async def stop(self) -> None:
        """End the page and the checks in the background."""
        await self._attacks.close()
        await self._runner.cleanup()

    async def _get_file(self, request: web.Request) -> web.Response:
        name = request.match_info["name"] or "index.html"
        content = self._files.get(name)
        if content is None:
            return web.Response(status=_NOT_FOUND, text="there is no such page\n")
        media_type = _TYPES[name[name.rindex(".") :]]
        return web.Response(body=content, content_type=media_type, charset="utf-8")

    async def _get_about(self, _: web.Request) -> web.Response:
        return web.json_response(self._about)

    async def _post_portrait(self, request: web.Request) -> web.Response:
        try:
            upload = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return _answer(413, "IMAGE_TOO_LARGE", f"the file has more than {MOST_BYTES:,} bytes")
        return await _answered(self._checks.examine(upload), refused=422)

    async def _post_check(self, request: web.Request) -> web.Response:
        wanted = request.query
        return await _answered(
            self._checks.create(wanted.get("portrait", ""), wanted.get("mode", "")), refused=422
        )

    async def _finish_check(self, request: web.Request) -> web.Response:
        return await _answered(self._checks.finish(request.match_info["check"]), refused=409)

    async def _start_attacks(self, request: web.Request) -> web.Response:
        self._attacks.start()
        return await self._get_attacks(request)

    async def _get_attacks(self, _: web.Request) -> web.Response:
        return web.json_response(self._attacks.overview)

    async def _get_attack(self, request: web.Request) -> web.Response:
        detail = self._attacks.detail(request.match_info["key"])
        if detail is None:
            return _answer(_NOT_FOUND, "NOT_FOUND", "this check is not done, or does not exist")
        return web.json_response(detail)


async def _answered(call: Awaitable[dict[str, Any]], *, refused: int) -> web.Response:
    """Return the document of a call, or why there is none; ``refused`` is the status of a refusal."""
    try:
        return web.json_response(await call)
    except Unknown as error:
        return _answer(_NOT_FOUND, "NOT_FOUND", str(error))
    except CallRefusedError as error:
        return web.json_response(refused_document(error.refusal), status=refused)
    except ClientError as error:
        return _answer(502, "SERVER_UNREACHABLE", f"the server cannot be reached: {error}")
