"""Keeps other pages, other machines and other people of this machine out of the page's interface.

The address that the terminal shows ends in a secret, which a browser never sends to a server. The page adds
it to each call. A request must also name the page's own host, so that a name of another site that leads to
this machine (DNS rebinding) is of no use, and come from the page's own origin.
"""

import hmac
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

__all__ = ["SECRET_HEADER", "Guard"]

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


class Guard:
    """Refuses requests that do not come from the page, and restricts what the page may do."""

    def __init__(self, *, port: int, secret: str, scans: str) -> None:
        """Sets the page.

        Args:
            port: The page's port on this machine.
            secret: The secret in the page's address.
            scans: Origin of the server's web listener, such as ``ws://127.0.0.1:8446``.
        """
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
        """Adds the headers that restrict the page, to every response."""
        response.headers.update(self._headers)

    def middleware(self) -> Middleware:
        """Returns the middleware that refuses requests."""

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
