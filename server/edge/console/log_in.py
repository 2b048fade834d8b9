"""Logs people in at the console: with an API key, or with the one-time link of a server on loopback."""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from aiohttp import web

from server.access.callers import Caller, Rights, Role, Scope
from server.access.sessions import SECRET_BYTES, Attempts, Login, Session, secret_hash
from server.base.errors import Reason, Refusal
from server.edge.callers import LOCAL_TENANT, CallerIdentifier
from server.edge.console.answers import json_answer, read_json
from server.edge.console.guard import API, Guard
from server.edge.console.interface import address_of
from server.edge.console.sessions import ConsoleSessions
from server.edge.gate import RefusedAccess

LOG_IN_METHOD: Final = "/console/LogIn"
"""The name of a log-in in the log and the audit log."""
_MOST_FAILURES: Final = 10
_WINDOW: Final = timedelta(minutes=5)
_ADDRESSES: Final = 10_000
_LONGEST_CREDENTIAL: Final = 256
_LOCAL_RIGHTS: Final = Rights(tenant=LOCAL_TENANT, roles=(Role.COMPLIANCE_ADMIN, Role.REVIEWER))
"""What the person at the terminal of a server on loopback may do, who could make an API key as well."""


class Admission:
    """Decides which callers may use the console, and lets nobody try many credentials."""

    def __init__(
        self, *, scopes: frozenset[Scope], refused: RefusedAccess, now: Callable[[], datetime]
    ) -> None:
        """Sets the rules.

        Args:
            scopes: The scopes of the calls of the console; a caller without any of them is refused.
            refused: Collects refused log-ins for the audit log.
        """
        self._scopes = scopes
        self._refused = refused
        self._now = now
        self._attempts = Attempts(most=_MOST_FAILURES, window=_WINDOW, addresses=_ADDRESSES)

    def require_attempt(self, address: str) -> None:
        """Tests whether an address may try to log in.

        Raises:
            Refusal: Too many attempts failed (OVERLOADED).
        """
        wait = self._attempts.seconds_to_wait(address, self._now())
        if wait:
            raise Refusal(
                Reason.OVERLOADED,
                f"too many log-ins failed from this address; try again after {wait:.0f} s",
                details={"retrySeconds": round(wait)},
                retry_after=wait,
            )

    def require_scopes(self, caller: Caller) -> None:
        """Tests whether a caller may do anything in the console.

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
        """Counts a failed attempt; one with known credentials, or none, is no attempt to guess them."""
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
        random: Callable[[int], bytes],
        now: Callable[[], datetime],
        show_link: Callable[[str], None],
    ) -> None:
        """Sets how people log in.

        Args:
            kind: The kind of log-in that is offered.
            show_link: Shows the address with the next one-time link to whoever started the server.
        """
        self._guard = guard
        self._sessions = sessions
        self._callers = callers
        self._kind = kind
        self._admission = admission
        self._random = random
        self._now = now
        self._show_link = show_link
        self._link = b""
        self._credential = sha256(random(SECRET_BYTES)).digest()
        if kind is Login.LINK:
            sessions.accept(Login.LINK, self._credential)

    def start(self) -> None:
        """Shows the one-time link, if that is the log-in, once the port is known."""
        if self._kind is Login.LINK:
            secret = urlsafe_b64encode(self._random(SECRET_BYTES)).rstrip(b"=").decode()
            self._link = secret_hash(secret)
            self._show_link(f"{self._guard.address}/#link={secret}")

    def end_session_address(self, _: web.Request) -> str | None:
        """Returns where the log-out goes on: nowhere."""
        return None

    def routes(self) -> list[web.RouteDef]:
        """Returns the routes of the log-in."""
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
            expire_time=now + self._sessions.rules.longest,
            idle=self._sessions.rules.idle,
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
        """Returns the caller of the credentials of a request, and what admits it.

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
