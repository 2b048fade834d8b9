"""Logs people in at the console: with an API key, or with the one-time link of a server on loopback."""

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import structlog
from aiohttp import web

from server.access.callers import Caller, Rights, Role, Scope
from server.access.code_flow import CodeFlow, Identity
from server.access.sessions import LONGEST, SECRET_BYTES, Attempts, Login, Session, secret_hash
from server.base.errors import Reason, Refusal
from server.edge.callers import LOCAL_TENANT, CallerIdentifier
from server.edge.console.answers import STRANGER_SECONDS, http_status, json_answer, read_body, read_json
from server.edge.console.guard import API, Guard
from server.edge.console.interface import address_of
from server.edge.console.sessions import ConsoleSessions
from server.edge.gate import RefusedAccess
from server.edge.status import as_refusal
from server.pages import render
from server.telemetry.metrics import Metrics

LOG_IN_METHOD: Final = "/console/LogIn"
"""The name of a log-in in the log and the audit log."""
_MOST_FAILURES: Final = 10
_WINDOW: Final = timedelta(minutes=5)
_ADDRESSES: Final = 10_000
_LONGEST_CREDENTIAL: Final = 256
_LOCAL_RIGHTS: Final = Rights(tenant=LOCAL_TENANT, roles=(Role.COMPLIANCE_ADMIN, Role.REVIEWER))
"""What the person at the terminal of a server on loopback may do, who could make an API key as well."""


_log = structlog.get_logger(__name__)


class Admission:
    """Decides which callers may use the console, and lets nobody try many credentials."""

    def __init__(
        self,
        *,
        scopes: frozenset[Scope],
        refused: RefusedAccess,
        metrics: Metrics,
        now: Callable[[], datetime],
    ) -> None:
        """Set the rules.

        Args:
            scopes: The scopes of the calls of the console; a caller without any of them is refused.
            refused: Collects refused log-ins for the audit log.
        """
        self._scopes = scopes
        self._refused = refused
        self._metrics = metrics
        self._now = now
        self._attempts = Attempts(most=_MOST_FAILURES, window=_WINDOW, addresses=_ADDRESSES)

    def require_attempt(self, address: str) -> None:
        """Test whether an address may try to log in.

        Raises:
            Refusal: Too many attempts failed (OVERLOADED).
        """
        wait = self._attempts.seconds_to_wait(address, self._now())
        if wait:
            self._metrics.calls.call_refused(Reason.OVERLOADED.value)
            raise Refusal(
                Reason.OVERLOADED,
                f"too many log-ins failed from this address; try again after {wait:.0f} s",
                details={"retrySeconds": round(wait)},
                retry_after=wait,
            )

    def require_scopes(self, caller: Caller) -> None:
        """Test whether a caller may do anything in the console.

        Raises:
            Refusal: It may not (PERMISSION_DENIED).
        """
        if not caller.scopes & self._scopes:
            raise Refusal(
                Reason.PERMISSION_DENIED,
                "these credentials have no role in the console; ask the operator for one, such as "
                "compliance_reader",
            )

    def record_failure(self, address: str, refusal: Refusal) -> None:
        """Log and count a failed attempt; one with known credentials, or none, guesses none."""
        self._metrics.calls.call_refused(refusal.reason.value)
        _log.warning("log_in_refused", reason=refusal.reason.value, why=str(refusal))
        if refusal.reason is Reason.UNAUTHENTICATED:
            self._attempts.record_failure(address, self._now())
        self._refused.record_refusal(LOG_IN_METHOD, refusal.reason, caller=None, address=address)


class LogIn:
    """Serves the log-in with an API key or a link."""

    def __init__(
        self,
        *,
        guard: Guard,
        sessions: ConsoleSessions,
        callers: CallerIdentifier,
        kind: Login,
        admission: Admission,
        now: Callable[[], datetime],
        show_link: Callable[[str], None],
    ) -> None:
        """Set how people log in.

        Args:
            show_link: Shows the address with the next one-time link to whoever started the server.
        """
        self._guard = guard
        self._sessions = sessions
        self._callers = callers
        self._kind = kind
        self._admission = admission
        self._now = now
        self._show_link = show_link
        self._link = b""
        self._credential = sha256(secrets.token_bytes(SECRET_BYTES)).digest()
        if kind is Login.LINK:
            sessions.accept(Login.LINK, self._credential)

    def start(self) -> None:
        """Show the one-time link, if that is the log-in, once the port is known."""
        if self._kind is Login.LINK:
            secret = secrets.token_urlsafe(SECRET_BYTES)
            self._link = secret_hash(secret)
            self._show_link(f"{self._guard.address}/#link={secret}")

    def end_session_address(self, _: web.Request) -> str | None:
        """Return where the log-out goes on: nowhere."""
        return None

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the log-in."""
        return [web.get(f"{API}login", self._get), web.post(f"{API}login", self._post)]

    async def _get(self, _: web.Request) -> web.Response:
        return json_answer({"methods": [self._kind.value]})

    async def _post(self, request: web.Request) -> web.Response:
        address, now = address_of(request), self._now()
        self._admission.require_attempt(address)
        try:
            caller, credential = self._proven(await read_json(request))
            self._admission.require_scopes(caller)
        except Refusal as refusal:
            self._admission.record_failure(address, refusal)
            raise
        session = Session(
            caller=caller,
            login=self._kind,
            credential=credential,
            authenticate_time=now,
            strong=True,
            expire_time=now + LONGEST,
        )
        cookie = self._guard.session_cookie
        earlier = cookie.read(request)
        secret = await self._sessions.begin(
            session, address=address, replaces=None if earlier is None else secret_hash(earlier)
        )
        answer = web.Response(status=204)
        cookie.set(answer, secret)
        return answer

    def _proven(self, sent: dict[str, Any]) -> tuple[Caller, bytes]:
        """Return the caller of the credentials of a request, and what admits it.

        Raises:
            Refusal: UNAUTHENTICATED; INVALID_FIELD if the request has none.
        """
        value = sent.get(self._kind.value)
        if len(sent) != 1 or not isinstance(value, str) or not 0 < len(value) <= _LONGEST_CREDENTIAL:
            raise Refusal(
                Reason.INVALID_FIELD,
                f"send the field {self._kind.value}, and no other",
                details={"field": self._kind.value},
            )
        if self._kind is Login.API_KEY:
            holder = self._callers.holder_of_key(value)
            if holder is None:
                raise Refusal(Reason.UNAUTHENTICATED, "the API key is not known to this server")
            return holder, secret_hash(value)
        if not hmac.compare_digest(secret_hash(value), self._link):
            raise Refusal(
                Reason.UNAUTHENTICATED,
                "the link is not known or was used; open the newest one that the terminal shows",
            )
        self.start()
        return _LOCAL_RIGHTS.of_caller("local"), self._credential


_VALID: Final = timedelta(minutes=10)
_HASH_BYTES: Final = 32


class OidcLogIn:
    """Serves the log-in at the issuer."""

    def __init__(
        self,
        *,
        guard: Guard,
        sessions: ConsoleSessions,
        flow: CodeFlow,
        admission: Admission,
        now: Callable[[], datetime],
    ) -> None:
        """Set the issuer.

        Args:
            admission: Decides which callers may use the console, and counts failed log-ins.
        """
        self._guard = guard
        self._sessions = sessions
        self._flow = flow
        self._admission = admission
        self._now = now
        self._used: dict[bytes, datetime] = {}
        sessions.accept(Login.OIDC, flow.fingerprint)

    def start(self) -> None:
        """Do nothing: there is no link to show."""

    def end_session_address(self, request: web.Request) -> str | None:
        """Return the address at which the browser ends the session at the issuer."""
        return self._flow.end_session_address(f"{self._guard.origin_of(request)}/")

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the log-in."""
        return [
            web.get(f"{API}login", self._get),
            web.get("/login/oidc", self._begin, allow_head=False),
            web.get("/login/callback", self._finish, allow_head=False),
            web.post("/login/backchannel-logout", self._back_channel),
        ]

    async def _get(self, _: web.Request) -> web.Response:
        host = urlsplit(self._flow.settings.issuer).hostname
        return json_answer({"methods": [Login.OIDC.value], "issuer": host})

    async def _begin(self, request: web.Request) -> web.Response:
        step_up = request.query_string == "step_up=1"
        secret = secrets.token_urlsafe(SECRET_BYTES)
        try:
            place = await self._flow.begin(secret, redirect_uri=self._callback(request), step_up=step_up)
        except Refusal as refusal:
            return _refused_page(as_refusal(refusal, method=LOG_IN_METHOD))
        answer = web.Response(status=303, headers={"Location": place})
        session = self._guard.session_cookie.read(request)
        begun = _Begun(
            secret=secret,
            ends=self._now() + _VALID,
            step_up=step_up,
            replaces=bytes(_HASH_BYTES) if session is None else secret_hash(session),
        )
        self._guard.log_in_cookie.set(answer, begun.written(self._sessions.seal))
        return answer

    async def _finish(self, request: web.Request) -> web.Response:
        address = address_of(request)
        try:
            self._admission.require_attempt(address)
            try:
                session, replaces = await self._session(request)
                self._admission.require_scopes(session.caller)
            except Refusal as refusal:
                self._admission.record_failure(address, refusal)
                raise
            secret = await self._sessions.begin(session, address=address, replaces=replaces)
        except Exception as error:  # noqa: BLE001 - hides internal errors, as the gate does
            answer = _refused_page(as_refusal(error, method=LOG_IN_METHOD))
        else:
            # The browser came from another site, so that a redirect would not send the strict cookie.
            answer = _page(text="You are logged in.", link="Continue", refresh=True)
            self._guard.session_cookie.set(answer, secret)
        self._guard.log_in_cookie.clear(answer)
        return answer

    async def _session(self, request: web.Request) -> tuple[Session, bytes]:
        """Return the session of who logged in, and the hash of the session that it replaces."""
        now = self._now()
        begun = _Begun.read(self._guard.log_in_cookie.read(request), self._sessions.is_sealed)
        if begun is None or begun.ends <= now:
            raise Refusal(Reason.UNAUTHENTICATED, "this log-in was not begun here, or has ended; begin again")
        self._used = {digest: ends for digest, ends in self._used.items() if ends > now}
        digest = secret_hash(begun.secret)
        if digest in self._used:
            raise Refusal(Reason.UNAUTHENTICATED, "this log-in was finished already; begin again")
        answer = {
            name: value for name, value in request.query.items() if len(request.query.getall(name)) == 1
        }
        identity = await self._flow.finish(
            answer, begun.secret, redirect_uri=self._callback(request), now=now
        )
        if digest in self._used:
            raise Refusal(Reason.UNAUTHENTICATED, "this log-in was finished already; begin again")
        self._used[digest] = begun.ends
        session = self._of(identity, now)
        if begun.step_up and not self._sessions.may_step_up(session):
            raise Refusal(
                Reason.UNAUTHENTICATED,
                "the issuer did not ask you to prove again who you are, or not by the means that are "
                "demanded; log in again, or ask the operator (acr_values)",
            )
        return session, begun.replaces

    def _of(self, identity: Identity, now: datetime) -> Session:
        return Session(
            caller=identity.caller,
            login=Login.OIDC,
            credential=self._flow.fingerprint,
            authenticate_time=identity.authenticate_time or now,
            strong=identity.strong,
            expire_time=now + LONGEST,
            issuer_subject=_known(self._flow.settings.issuer, identity.subject),
            issuer_session=_known(self._flow.settings.issuer, identity.session),
        )

    async def _back_channel(self, request: web.Request) -> web.Response:
        try:
            token = _logout_token(await read_body(request, seconds=STRANGER_SECONDS))
            out = await self._flow.logged_out(token, now=self._now())
            issuer = self._flow.settings.issuer
            await self._sessions.end_of_issuer(
                subject=_known(issuer, out.subject),
                session=_known(issuer, out.session),
                address=address_of(request),
            )
        except Exception as error:  # noqa: BLE001 - hides internal errors, as the gate does
            refusal = as_refusal(error, method="/console/BackChannelLogout")
            known = refusal.reason in {Reason.UNAUTHENTICATED, Reason.INVALID_FIELD}
            document = {"error": "invalid_request", "error_description": str(refusal)}
            return json_answer(document, status=400 if known else http_status(refusal))
        return web.Response(status=200)

    def _callback(self, request: web.Request) -> str:
        return f"{self._guard.origin_of(request)}/login/callback"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    """A log-in that was begun, as the cookie has it."""

    secret: str = field(repr=False)
    ends: datetime
    step_up: bool
    replaces: bytes

    def written(self, seal: Callable[[bytes], bytes]) -> str:
        content = f"{self.secret}.{int(self.ends.timestamp())}.{int(self.step_up)}.{self.replaces.hex()}"
        return f"{content}.{urlsafe_b64encode(seal(content.encode())).rstrip(b'=').decode()}"

    @classmethod
    def read(cls, value: str | None, is_sealed: Callable[[bytes, bytes], bool]) -> "_Begun | None":
        content, _, mac = (value or "").rpartition(".")
        try:
            if not is_sealed(content.encode(), urlsafe_b64decode(mac + "=" * (-len(mac) % 4))):
                return None
        except ValueError:
            return None
        secret, ends, step_up, replaces = content.split(".")
        return cls(
            secret=secret,
            ends=datetime.fromtimestamp(int(ends), UTC),
            step_up=step_up == "1",
            replaces=bytes.fromhex(replaces),
        )


def _logout_token(body: bytes) -> str:
    try:
        tokens = parse_qs(body.decode("ascii"), max_num_fields=8).get("logout_token", [])
    except ValueError:
        tokens = []
    if len(tokens) != 1:
        raise Refusal(Reason.INVALID_FIELD, "the request is no form with one logout_token")
    return tokens[0]


def _known(issuer: str, name: str) -> bytes:
    """Return the hash under which a subject or session of the issuer is stored; empty without one."""
    return sha256(f"{issuer}\0{name}".encode()).digest() if name else b""


def _refused_page(refusal: Refusal) -> web.Response:
    answer = _page(text=f"You are not logged in: {refusal}.", link="Log in again", refresh=False)
    answer.set_status(http_status(refusal))
    return answer


def _page(*, text: str, link: str, refresh: bool) -> web.Response:
    body = render("log_in.html", text=text, link=link, refresh=refresh)
    return web.Response(text=body, content_type="text/html")
