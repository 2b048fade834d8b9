"""The JSON interface of the console: sessions, keys, and the calls of the contract."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from aiohttp import web
from google.protobuf.message import Message

from server.access.sessions import IDLE, STEP_UP, Session, csrf_of
from server.base.errors import Reason, Refusal
from server.base.version import server_version
from server.edge.callers import actor_of, printable_address
from server.edge.calls import MOST_SECONDS, Calls, require_scope
from server.edge.console.answers import json_answer, message_answer, read_message, refused_answer
from server.edge.console.guard import API, Guard
from server.edge.console.sessions import ConsoleSessions
from server.edge.gate import RefusedAccess
from server.edge.listeners import SCOPES
from server.edge.status import as_refusal, counted_refusal
from server.telemetry.metrics import Metrics

_STEP_UP: Final = frozenset(
    {"DeleteEvidence", "EraseSubject", "ExportAuditLog", "ExportEvidence", "ExportSubject"}
)
"""The calls that need a recent log-in."""
_FILES: Final[Mapping[str, tuple[str, str]]] = {
    "GetEvidenceImage": ("", ""),
    "ExportEvidence": ("application/zip", "evidence.zip"),
    "ExportSubject": ("application/zip", "subject.zip"),
    "ExportAuditLog": ("application/x-ndjson", "audit-log.ndjson"),
}
"""The calls whose stream is a file: its type and name. An image states its own type, and is not saved."""

_log = structlog.get_logger(__name__)
Keys = Callable[[], Mapping[str, Any]]


class ConsoleInterface:
    """Serves what the page asks for, apart from its log-in."""

    def __init__(
        self,
        *,
        guard: Guard,
        sessions: ConsoleSessions,
        calls: Sequence[Calls[Any]],
        refused: RefusedAccess,
        metrics: Metrics,
        end_session_address: Callable[[web.Request], str | None],
    ) -> None:
        """Set what is served.

        Args:
            refused: Collects refused calls for the audit log.
            end_session_address: Returns where the browser ends the session at the issuer; ``None`` for
                nowhere.
        """
        self._guard = guard
        self._sessions = sessions
        self._calls = {name: (service, call) for service in calls for name, call in service.served.items()}
        self._refused = refused
        self._metrics = metrics
        self._end_session_address = end_session_address
        self._keys: dict[str, Keys] = {}

    def open(self, *, results: Keys, audit: Keys) -> None:
        """Set the public keys that verify results and the audit log."""
        self._keys = {"keys": results, "audit-keys": audit}

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the interface."""
        return [
            web.get(f"{API}session", self._get_session),
            web.post(f"{API}session", self._use_session),
            web.post(f"{API}logout", self._log_out),
            web.get(f"{API}{{keys:keys|audit-keys}}", self._get_keys),
            web.post(f"{API}{{method:[A-Z][A-Za-z]*}}", self._call),
        ]

    async def _get_session(self, request: web.Request) -> web.Response:
        secret = self._guard.session_cookie.read(request)
        return self._session_answer(await self._sessions.find(secret, used=False), secret or "")

    async def _use_session(self, request: web.Request) -> web.Response:
        """Answer as ``_get_session`` does, for a person who says that the session is not idle."""
        secret = self._guard.session_cookie.read(request)
        self._guard.require_csrf(request, secret or "")
        return self._session_answer(await self._sessions.find(secret), secret or "")

    def _session_answer(self, session: Session, secret: str) -> web.Response:
        caller = session.caller
        return json_answer(
            {
                "name": caller.name,
                "tenant": caller.tenant,
                "sandbox": caller.sandbox,
                "roles": sorted(caller.roles),
                "scopes": sorted(caller.scopes),
                "reviews": "ListReviews" in self._calls,
                "login": session.login.value,
                "authenticated_at": _written(session.authenticate_time),
                "expires_at": _written(session.expire_time),
                "idle_seconds": int(IDLE.total_seconds()),
                "csrf": csrf_of(secret),
                "step_up_seconds": int(STEP_UP.total_seconds()),
                "stepped_up": self._sessions.may_step_up(session),
                "version": server_version(),
            }
        )

    async def _log_out(self, request: web.Request) -> web.Response:
        secret = self._guard.session_cookie.read(request)
        await self._sessions.find(secret, used=False)
        self._guard.require_csrf(request, secret or "")
        await self._sessions.end(secret or "", address=address_of(request))
        answer = json_answer({"end_session_url": self._end_session_address(request)})
        self._guard.session_cookie.clear(answer)
        return answer

    async def _get_keys(self, request: web.Request) -> web.Response:
        await self._sessions.find(self._guard.session_cookie.read(request), used=False)
        return json_answer(self._keys[request.match_info["keys"]]())

    async def _call(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["method"]
        _, call = self._calls.get(name, (None, None))
        if call is None or (call.streams and name not in _FILES):
            raise web.HTTPNotFound(text="there is no such call\n")
        method = call.method
        session: Session | None = None
        with self._metrics.stages.call(method, (), trusted=False) as span:
            try:
                async with asyncio.timeout(MOST_SECONDS):
                    session = await self._sessions.find(self._guard.session_cookie.read(request))
                    self._admit(request, name, session)
                    return await self._answer(request, name, session)
            except TimeoutError:
                error: Exception = Refusal(Reason.DEADLINE_EXCEEDED, "the call took too long; repeat it")
            except web.HTTPException:
                raise
            except Exception as caught:  # noqa: BLE001 - hides internal errors, as the gate does
                error = caught
            refusal = counted_refusal(error, method=method, span=span, metrics=self._metrics)
            caller = None if session is None else session.caller
            self._refused.record_refusal(method, refusal.reason, caller=caller, address=address_of(request))
            return refused_answer(refusal)

    def _admit(self, request: web.Request, name: str, session: Session) -> None:
        """Test whether the caller of a session may make a call.

        Raises:
            Refusal: PERMISSION_DENIED or STEP_UP_REQUIRED.
        """
        self._guard.require_csrf(request, self._guard.session_cookie.read(request) or "")
        require_scope(session.caller, SCOPES[self._calls[name][1].method])
        if name in _STEP_UP and not self._sessions.may_step_up(session):
            raise Refusal(
                Reason.STEP_UP_REQUIRED,
                "exports and erasures need a log-in that is not older than "
                f"{STEP_UP.total_seconds() / 60:g} minutes; log in again",
            )

    async def _answer(self, request: web.Request, name: str, session: Session) -> web.StreamResponse:
        calls, call = self._calls[name]
        message = await read_message(request, call.request)
        actor = actor_of(session.caller, address_of(request))
        answers = calls.answers(name, message, caller=session.caller, actor=actor)
        async with aclosing(answers):
            first = await anext(answers, None)
            if not call.streams:
                assert first is not None  # noqa: S101 - a call that does not stream has one answer
                return message_answer(first)
            return await self._send_file(request, name, first, answers)

    async def _send_file(
        self, request: web.Request, name: str, first: Any, rest: AsyncIterator[Message]
    ) -> web.StreamResponse:
        media_type, file_name = _FILES[name]
        if not media_type:
            media_type = first.facts.media_type
        answer = web.StreamResponse(headers={"Content-Type": media_type})
        if file_name:
            answer.headers["Content-Disposition"] = f'attachment; filename="{file_name}"'
        await answer.prepare(request)
        try:
            if first is not None:
                await answer.write(first.chunk)
            async for message in rest:
                await answer.write(message.chunk)  # type: ignore[attr-defined]  # of every stream in _FILES
        except (Exception, asyncio.CancelledError) as error:
            # The status is sent: only a broken connection says that the file is not whole.
            if request.transport is not None:
                request.transport.abort()
            if isinstance(error, asyncio.CancelledError):
                raise
            if not isinstance(error, ConnectionError):
                as_refusal(error, method=self._calls[name][1].method)
            return answer
        await answer.write_eof()
        return answer


def address_of(request: web.Request) -> str:
    """Return the address of the browser, as the audit log accepts it."""
    return printable_address(request.remote or "")


def _written(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
