"""Refuses requests that are not of the server's own page, and restricts what the page may do."""

import hmac
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from server.access.sessions import csrf_of
from server.base.errors import Reason, Refusal

API: Final = "/api/"
CSRF_HEADER: Final = "X-Facegate-CSRF"
_CONSOLE_CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS: Final = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_OWN_SITE: Final = "same-origin"


class WrongHost(Exception):
    """A request names a host that is not the page's."""


@dataclass(frozen=True, slots=True)
class GuardedPage:
    """A page that the server itself serves.

    Attributes:
        cookie: The name of the cookie of its sessions.
        policy: Its Content-Security-Policy.
    """

    cookie: str
    policy: str
    permissions: str


CONSOLE: Final = GuardedPage(
    cookie="facegate-console",
    policy=_CONSOLE_CSP,
    permissions="camera=(), microphone=(), geolocation=(), clipboard-read=()",
)


@dataclass(frozen=True, slots=True)
class Cookie:
    """A cookie of a page, with the prefix ``__Host-`` over HTTPS."""

    name: str
    same_site: str
    seconds: int | None
    secure: bool

    @property
    def full_name(self) -> str:
        """Its name in requests."""
        return f"__Host-{self.name}" if self.secure else self.name

    def read(self, request: web.Request) -> str | None:
        """Return its value in a request; ``None`` if it has none, or several."""
        found = [
            value
            for header in request.headers.getall("Cookie", [])
            for name, _, value in (part.strip().partition("=") for part in header.split(";"))
            if name == self.full_name
        ]
        # Another application of the host, or of another port of it, may have set one of this name.
        return found[0] if len(found) == 1 else None

    def set(self, response: web.StreamResponse, value: str, *, seconds: int | None = None) -> None:
        """Set it in a response."""
        response.set_cookie(
            self.full_name,
            value,
            path="/",
            httponly=True,
            secure=self.secure,
            samesite=self.same_site,
            max_age=self.seconds if seconds is None else seconds,
        )

    def clear(self, response: web.StreamResponse) -> None:
        """Remove it from the browser."""
        self.set(response, "", seconds=0)


class Guard:
    """Knows the addresses of a page, and refuses everything that is not of it."""

    def __init__(self, *, origin: str | None, tls: bool, page: GuardedPage = CONSOLE) -> None:
        """Set the address of the page.

        Args:
            origin: The origin in browsers; ``None`` for that of the bound port on loopback.
            tls: Whether the listener has TLS.
        """
        self._headers = _HEADERS | {
            "Content-Security-Policy": page.policy,
            "Permissions-Policy": page.permissions,
        }
        self.secure: Final = tls if origin is None else origin.startswith("https:")
        self.session_cookie: Final = Cookie(page.cookie, "Strict", None, self.secure)
        # The issuer sends the browser back by a navigation from its own site, with which no strict cookie is
        # sent.
        self.log_in_cookie: Final = Cookie("facegate-log-in", "Lax", 600, self.secure)
        self._origins: dict[str, str] = {} if origin is None else {urlsplit(origin).netloc: origin}

    def listens(self, host: str, port: int) -> None:
        """Set the bound address, which names a page without an origin.

        The first one is shown: another user of the machine may listen at the other address of ``localhost``.
        """
        if not self._origins:
            scheme = "https" if self.secure else "http"
            shown = "" if port == (443 if self.secure else 80) else f":{port}"
            own = "127.0.0.1" if host == "localhost" else f"[{host.strip('[]')}]" if ":" in host else host
            self._origins = {
                f"{name}{shown}": f"{scheme}://{name}{shown}"
                for name in dict.fromkeys((own, "127.0.0.1", "localhost", "[::1]"))
            }

    @property
    def address(self) -> str:
        """The address of the page."""
        return next(iter(self._origins.values()))

    def origin_of(self, request: web.Request) -> str:
        """Return the origin of the page that a request is for.

        Raises:
            WrongHost: It names another host: a name of another site may lead to this machine (DNS rebinding).
        """
        named = request.headers.getall("Host", [])
        if len(named) != 1 or named[0].lower() not in self._origins:
            raise WrongHost
        return self._origins[named[0].lower()]

    def require_own_page(self, request: web.Request) -> None:
        """Test that a POST comes from the server's own page, as JSON.

        Raises:
            Refusal: ORIGIN_NOT_ALLOWED, or INVALID_FIELD for another type of content.
        """
        origins, site = request.headers.getall("Origin", []), request.headers.get("Sec-Fetch-Site", _OWN_SITE)
        if origins != [self.origin_of(request)] or site != _OWN_SITE:
            raise Refusal(Reason.ORIGIN_NOT_ALLOWED, "only the server's own page may call this interface")
        if request.content_type != "application/json":
            raise Refusal(
                Reason.INVALID_FIELD,
                "send the request as application/json",
                details={"field": "Content-Type"},
            )

    def require_csrf(self, request: web.Request, secret: str) -> None:
        """Test that a call carries the token of its session.

        Raises:
            Refusal: It does not (PERMISSION_DENIED).
        """
        sent = request.headers.get(CSRF_HEADER, "")
        if not hmac.compare_digest(sent.encode("utf-8", "surrogatepass"), csrf_of(secret).encode()):
            raise Refusal(
                Reason.PERMISSION_DENIED,
                f"the header {CSRF_HEADER} is not that of the session; get it from GET /api/session",
            )

    async def restrict(self, request: web.Request, response: web.StreamResponse) -> None:
        """Add the headers that restrict the page, to every response."""
        response.headers.update(self._headers)
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers.popall("Server", None)
        if self.secure:
            response.headers["Strict-Transport-Security"] = "max-age=31536000"
