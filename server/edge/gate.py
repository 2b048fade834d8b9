"""Admits or refuses a call before a byte of its message is read.

grpc reads the whole message of a unary call before it calls the handler. Anyone who can reach the port could
thus make the server hold messages of the maximum size, in as many calls as connections allow, and never send
the last byte. grpc reads the messages of a streaming call only on demand. Therefore every call is served as a
streaming one: the gate refuses methods of the other listener, identifies the caller and tests its scopes, and
only then reads the one message.

Anyone may also open streams and send nothing, or a message that never ends. The message of an honest client
arrives within milliseconds, so each stream may wait for a short moment without a limit. After that moment
only a few streams may wait: the oldest of them is refused in favour of the next.
"""

import asyncio
import inspect
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, TypeVar

import grpc
from google.protobuf.message import DecodeError
from grpc.aio import AbortError, ServerInterceptor, ServicerContext

from server.access.callers import COMPLIANCE_ROLES, Caller, Scope
from server.audit import SERVER_TENANT, Actor, AuditAction, AuditEvent, Tally
from server.base.errors import Reason, Refusal
from server.edge.callers import CallerIdentifier
from server.edge.calls import require_scope
from server.edge.places import Places
from server.edge.status import counted_refusal, to_status
from server.telemetry.metrics import Metrics

_MOMENT_SECONDS = 0.01
_RETRY_SECONDS = 1.0
_STOPPING_RETRY_SECONDS = 3.0
_LOOK_SECONDS = 0.01

_Message = TypeVar("_Message")


def _retrieve(reading: "asyncio.Future[Any]") -> None:
    """Look at how a task ended, so that asyncio does not log its error as one that nobody noticed."""
    if not reading.cancelled():
        reading.exception()


class WaitingRoom:
    """The streams of one kind whose first message has not arrived. Use it on the event loop only."""

    def __init__(
        self, what: str, *, places: int, seconds: float, metrics: Metrics, moment: float = _MOMENT_SECONDS
    ) -> None:
        """Create an empty room.

        Args:
            what: The awaited message, as a label of the metrics: ``scan_start``, ``message`` of unknown
                callers, or ``request`` of known callers.
            places: The maximum number of streams that wait longer than ``moment``.
            seconds: The maximum wait.
            moment: Seconds that any stream may wait.
        """
        self._what = what
        self._most = places
        self._seconds = seconds
        self._moment = min(moment, seconds)
        self._metrics = metrics
        # In order of age. A future that is done marks a stream that must end for a newer one.
        self._places: dict[asyncio.Future[None], None] = {}

    async def wait_for_message(self, coming: Callable[[], Coroutine[Any, Any, _Message]]) -> _Message:
        """Wait for a message.

        Args:
            coming: Returns a coroutine that reads the message.

        Raises:
            Refusal: The message did not arrive in time (STREAM_IDLE), or a newer stream took the place
                (OVERLOADED).
        """
        reading = asyncio.ensure_future(coming())
        try:
            with self._metrics.calls.waiting(self._what):
                arrived, _ = await asyncio.wait({reading}, timeout=self._moment)
                if not arrived:
                    await self._take_place(reading)
            return reading.result()
        finally:
            # It may fail although nobody waits for it any more, if the call has ended.
            reading.add_done_callback(_retrieve)
            reading.cancel()
            # The traceback of an exception refers to the message; no reference cycle may keep it alive.
            del reading

    async def _take_place(self, reading: "asyncio.Future[Any]") -> None:
        if len(self._places) >= self._most:
            oldest = next(iter(self._places))
            del self._places[oldest]
            oldest.set_result(None)
        place = asyncio.get_running_loop().create_future()
        self._places[place] = None
        try:
            await asyncio.wait(
                {reading, place}, timeout=self._seconds - self._moment, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            self._places.pop(place, None)
        if reading.done():
            return
        if place.done():
            self._metrics.calls.sent_away(self._what, "gave_way")
            raise Refusal(
                Reason.OVERLOADED,
                f"the server waits for {self._most} messages of other callers and this one did not arrive at "
                "once; try again",
                details={"limit": self._most},
                retry_after=_RETRY_SECONDS,
            )
        self._metrics.calls.sent_away(self._what, "too_late")
        raise Refusal(
            Reason.STREAM_IDLE,
            f"the whole message did not arrive within {self._seconds:g} seconds of the call",
            details={"idleSeconds": self._seconds},
        )


_HEALTH: Final = "/grpc.health.v1.Health/"
_PUBLIC_MESSAGES: Final = 2
_TENANT_MESSAGES: Final = 64
"""The maximum number of awaited messages of one tenant; its sandbox counts separately."""
_PUBLIC_SECONDS: Final = 1.0
_CALLER_SECONDS: Final = 30.0

_Requests = AsyncIterator[Any]
_Context = ServicerContext[Any, Any]
_OF_UNKNOWN: Final = 8
_OF_TENANT: Final = 32
_ACCESS: Final = frozenset({Reason.UNAUTHENTICATED, Reason.PERMISSION_DENIED})
_UNKNOWN: Final = "unknown"
_SEVERAL: Final = Actor(name="several", role="")


@dataclass(frozen=True, slots=True)
class _Kind:
    tenant: str
    actor: Actor
    method: str
    reason: str

    def event(self, count: int) -> AuditEvent:
        return AuditEvent(
            tenant=self.tenant,
            action=AuditAction.ACCESS_REFUSED,
            actor=self.actor,
            detail={"method": self.method, "reason": self.reason, "count": str(count)},
        )


class RefusedAccess:
    """Collects refused calls for the audit log until they are written. Use it on the event loop only.

    An entry records the first refused call of a kind: caller, address, method and reason. Further ones of the
    kind are counted, with one entry a minute. Unknown callers have at most 8 kinds a minute, and those of a
    tenant 32, so that a flood of refused calls writes at most 9 and 33 entries a minute.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        """Set the wall clock, UTC."""
        self._now = now
        self._unknown: Tally[_Kind] = Tally(most=_OF_UNKNOWN)
        # The configuration of callers bounds the number of tenants.
        self._of_tenants: dict[str, Tally[_Kind]] = {}
        self._new: deque[AuditEvent] = deque()

    def record_refusal(self, method: str, reason: Reason, *, caller: Caller | None, address: str) -> None:
        """Record a refused call, if it was refused for its credentials, or a compliance role made it.

        Args:
            method: ``/package.Service/Method``, one that the listener serves.
            caller: The caller; ``None`` if its credentials are not known.
            address: The address of the caller, without a port.
        """
        if reason not in _ACCESS and (caller is None or not caller.roles & COMPLIANCE_ROLES):
            return
        if caller is None:
            actor = Actor(name=_UNKNOWN, role="", address=address)
            kind, tally = _Kind(SERVER_TENANT, actor, method, reason.value), self._unknown
        else:
            actor = Actor(name=caller.name, role=",".join(sorted(caller.roles)), address=address)
            kind = _Kind(caller.tenant, actor, method, reason.value)
            tally = self._of_tenants.setdefault(caller.tenant, Tally(most=_OF_TENANT))
        if tally.record_or_count(kind, self._now()):
            self._new.append(kind.event(1))

    def due(self, now: datetime, *, everything: bool = False) -> tuple[AuditEvent, ...]:
        """Return the events to write now; see ``server.audit.Tally.due``."""
        found = list(self._new)
        self._new.clear()
        for tenant, tally in ((SERVER_TENANT, self._unknown), *self._of_tenants.items()):
            for repeats in tally.due(now, everything=everything):
                kind = repeats.key or _Kind(tenant, _SEVERAL, "several", "several")
                found.append(kind.event(repeats.count))
        return tuple(found)


class Gate(ServerInterceptor):
    """Decides for each call of a listener whether to read its message, and answers what fails with a status.

    It ends the calls when the listener closes: grpc ends calls with CANCELLED, without a reason, if they
    still run when its server stops, or arrive then.
    """

    def __init__(
        self,
        *,
        elsewhere: Mapping[str, str],
        scopes: Mapping[str, Scope] = MappingProxyType({}),
        places: Mapping[str, Places] = MappingProxyType({}),
        metrics: Metrics,
        callers: CallerIdentifier | None = None,
        refused: RefusedAccess | None = None,
    ) -> None:
        """Set the methods, scopes and limits of the listener.

        Args:
            elsewhere: The name of the other listener, by method (``/package.Service/Method``) that it serves.
            scopes: The scope that each method requires. A method that is not listed requires a known caller
                and no scope. Health requires no known caller.
            places: The places of the methods without a line: a call that gets none is refused before its
                message is read, at less cost.
            callers: Identifies callers, who may also decide that their traces are sent; ``None`` if the calls
                authenticate by their messages.
            refused: Collects refused calls for the audit log; ``None`` if the listener logs none.
        """
        self._elsewhere = elsewhere
        self._scopes = scopes
        self._places = places
        self._callers = callers
        self._refused = refused
        self._metrics = metrics
        self._public = WaitingRoom(
            "message", places=_PUBLIC_MESSAGES, seconds=_PUBLIC_SECONDS, metrics=metrics
        )
        self._of_scopes: dict[str, WaitingRoom] = {}
        self._running: set[asyncio.Timeout] = set()
        self._latest = 0.0
        self._closing = False

    async def close(self, seconds: float, *, quiet: float) -> None:
        """Refuse further calls, and those that still run at the end, with NOT_SERVING.

        Args:
            seconds: The longest time until the end.
            quiet: The end comes earlier if no call runs and none arrived for so many seconds.
        """
        self._closing = True
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if not self._running and time.monotonic() >= self._latest + quiet:
                return
            await asyncio.sleep(_LOOK_SECONDS)
        for call in self._running:
            call.reschedule(asyncio.get_running_loop().time())

    async def intercept_service(
        self,
        continuation: Callable[
            [grpc.HandlerCallDetails], Awaitable["grpc.RpcMethodHandler[Any, Any] | None"]
        ],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """Return a streaming handler, which admits a call before it reads a unary call's message.

        A call that streams in the contract ends when the credentials of its caller expire. An unknown method
        stays unknown.
        """
        method = str(handler_call_details.method)
        if method in self._elsewhere:
            refusal = _wrong_listener(method.rpartition("/")[2], self._elsewhere[method])

            async def refuse(_requests: _Requests, context: _Context) -> None:
                async with self._answered(context, method):
                    raise refusal

            refusing: grpc.RpcMethodHandler[Any, Any] = grpc.stream_unary_rpc_method_handler(refuse)
            return refusing
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        inner: Any = (
            (handler.stream_stream if handler.request_streaming else handler.unary_stream)
            if handler.response_streaming
            else (handler.stream_unary if handler.request_streaming else handler.unary_unary)
        )
        streaming = handler.request_streaming
        limited = streaming or handler.response_streaming
        read = handler.request_deserializer or bytes

        async def call(requests: _Requests, context: _Context) -> Any:
            async with self._answered(context, method):
                with self._noted(method, context):
                    pending, seconds = await self._admit(method, context)
                    expiry = asyncio.timeout(seconds if limited else None)
                    async with _refused_at_end(expiry, _expired):
                        # No name of this frame refers to it: grpc keeps the frames of refused calls.
                        given = [requests] if streaming else [await _message(pending, requests, read)]
                        answer = inner(given.pop(), context)
                        if inspect.isasyncgen(answer):
                            async for response in answer:
                                await context.write(response)
                            return None
                        return await answer

        make = (
            grpc.stream_stream_rpc_method_handler
            if handler.response_streaming
            else grpc.stream_unary_rpc_method_handler
        )
        served: grpc.RpcMethodHandler[Any, Any] = make(
            call,
            request_deserializer=handler.request_deserializer if streaming else None,
            response_serializer=handler.response_serializer,
        )
        return served

    @asynccontextmanager
    async def _answered(self, context: _Context, method: str) -> AsyncIterator[None]:
        """Time a call, and end it with a status if it fails or the listener closes."""
        metadata = tuple(context.invocation_metadata() or ())
        with self._metrics.stages.call(method, metadata, trusted=self._callers is not None) as span:
            try:
                async with self._until_closed():
                    yield
            except (AbortError, asyncio.CancelledError, grpc.aio.UsageError):
                raise
            except Exception as error:  # noqa: BLE001 - the one place that hides errors from clients
                refusal = counted_refusal(error, method=method, span=span, metrics=self._metrics)
                await context.abort_with_status(to_status(refusal))

    @asynccontextmanager
    async def _until_closed(self) -> AsyncIterator[None]:
        self._latest = time.monotonic()
        if self._closing:
            raise _stopping()
        call = asyncio.timeout(None)
        async with _refused_at_end(call, _stopping):
            self._running.add(call)
            try:
                yield
            finally:
                self._running.discard(call)

    @contextmanager
    def _noted(self, method: str, context: _Context) -> Iterator[None]:
        try:
            yield
        except Refusal as refusal:
            if self._refused is not None and self._callers is not None:
                caller = None
                with suppress(Refusal):
                    caller = self._callers.identify(context)
                self._refused.record_refusal(
                    method, refusal.reason, caller=caller, address=self._callers.address_of(context)
                )
            raise

    async def _admit(self, method: str, context: _Context) -> tuple[WaitingRoom, float | None]:
        """Admit a call.

        Returns:
            Where it waits for its message, and the seconds until its credentials expire, if they do.

        Raises:
            Refusal: UNAUTHENTICATED or PERMISSION_DENIED, or NOT_SERVING; see ``CallerIdentifier.identify``.
                Without a place, OVERLOADED.
        """
        if self._callers is None or method.startswith(_HEALTH):
            return self._public, None
        await self._callers.prepare(context)
        caller = self._callers.identify(context)
        require_scope(caller, self._scopes.get(method))
        if method in self._places:
            self._places[method].require_place(caller.scope)
        pending = self._of_scopes.get(caller.scope)
        if pending is None:
            pending = self._of_scopes[caller.scope] = WaitingRoom(
                "request", places=_TENANT_MESSAGES, seconds=_CALLER_SECONDS, metrics=self._metrics
            )
        return pending, self._callers.seconds_left(caller)


@asynccontextmanager
async def _refused_at_end(limit: asyncio.Timeout, refusal: Callable[[], Refusal]) -> AsyncIterator[None]:
    try:
        async with limit:
            yield
    except TimeoutError:
        if not limit.expired():
            raise
        raise refusal() from None


async def _message(pending: WaitingRoom, requests: _Requests, read: Callable[[bytes], Any]) -> Any:
    try:
        return read(await pending.wait_for_message(lambda: _first(requests)))
    except DecodeError as error:
        raise _no_message() from error


async def _first(requests: _Requests) -> bytes:
    async for request in requests:
        message: bytes = request
        return message
    raise _no_message()


def _no_message() -> Refusal:
    return Refusal(
        Reason.INVALID_FIELD,
        "the request is not a serialised message of the type that the call takes",
        details={"field": "message"},
    )


def _wrong_listener(call: str, listener: str) -> Refusal:
    return Refusal(
        Reason.WRONG_LISTENER,
        f"{call} is served by the {listener} listener; connect there",
        details={"call": call, "listener": listener},
    )


def _expired() -> Refusal:
    return Refusal(
        Reason.UNAUTHENTICATED, "the credentials of the stream have expired; call again with new ones"
    )


def _stopping() -> Refusal:
    return Refusal(
        Reason.NOT_SERVING, "the server is shutting down; try again", retry_after=_STOPPING_RETRY_SECONDS
    )
