"""A call before its message is read, the calls that wait for one, and what becomes of refusals."""

import ast
import asyncio
import gc
import inspect
import re
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import grpc
import pytest
import pytest_asyncio
from facegate.v1 import error_reason_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1.health_pb2 import HealthCheckRequest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from docs.make_texts import documented_reasons
from server.access.callers import SCOPES, Caller, Role, Scope
from server.audit import SERVER_TENANT
from server.base.errors import Reason, Refusal
from server.domain.terms import CheckState
from server.domain.tries import Standing, TryKind
from server.edge.callers import CallerIdentifier
from server.edge.gate import Gate, RefusedAccess, WaitingRoom
from server.edge.status import CODE_OF, DOMAIN, as_refusal, to_status
from server.storage import errors
from server.storage.errors import StorageError, StorageUnavailable
from server.telemetry.metrics import Metrics
from tests.server.refusals import Refused, refusal_of, refused

# The treatment of a call before its message is read, over a real channel.

_READER = Caller(name="a", tenant="one", scopes=frozenset({Scope.READ_CHECKS}))


class _Callers:
    """Recognises one caller by its key."""

    def identify(self, context: Any) -> Caller:
        if ("authorization", "good") not in tuple(context.invocation_metadata()):
            raise Refusal(Reason.UNAUTHENTICATED, "no key")
        return _READER

    seconds: float | None = None

    async def prepare(self, context: Any) -> None:
        """Has every key."""

    def seconds_left(self, caller: Caller) -> float | None:
        return self.seconds


async def _echo(request: bytes, _context: Any) -> bytes:
    return request


async def _twice(request: bytes, _context: Any) -> AsyncIterator[bytes]:
    yield request
    yield request


async def _written(request: bytes, context: Any) -> None:
    await context.write(request)


async def _joined(requests: AsyncIterator[bytes], _context: Any) -> bytes:
    return b"".join([request async for request in requests])


async def _echoed(requests: AsyncIterator[bytes], _context: Any) -> AsyncIterator[bytes]:
    async for request in requests:
        yield request


async def _echo_written(requests: AsyncIterator[bytes], context: Any) -> None:
    async for request in requests:
        await context.write(request)


async def _slow(request: bytes, _context: Any) -> bytes:
    await asyncio.sleep(0.2)
    return request


async def _forever(request: bytes, _context: Any) -> AsyncIterator[bytes]:
    yield request
    await asyncio.Event().wait()


async def _never_written(request: bytes, context: Any) -> None:
    await context.write(request)
    await asyncio.Event().wait()


_HANDLERS: Any = {
    "Read": grpc.unary_unary_rpc_method_handler(_echo),
    "Create": grpc.unary_unary_rpc_method_handler(_echo),
    "Free": grpc.unary_unary_rpc_method_handler(_echo),
    "Twice": grpc.unary_stream_rpc_method_handler(_twice),
    "Written": grpc.unary_stream_rpc_method_handler(_written),
    "Joined": grpc.stream_unary_rpc_method_handler(_joined),
    "Echoed": grpc.stream_stream_rpc_method_handler(_echoed),
    "EchoWritten": grpc.stream_stream_rpc_method_handler(_echo_written),
    "Slow": grpc.unary_unary_rpc_method_handler(_slow),
    "Forever": grpc.unary_stream_rpc_method_handler(_forever),
    "NeverWritten": grpc.unary_stream_rpc_method_handler(_never_written),
    "Elsewhere": grpc.unary_unary_rpc_method_handler(_echo),
}
_SCOPES = {"/test.Test/Read": Scope.READ_CHECKS, "/test.Test/Create": Scope.CREATE_CHECKS}


@asynccontextmanager
async def _channel(gate: Gate, handlers: dict[str, Any]) -> AsyncIterator[Any]:
    """A channel to a server with these methods behind the gate."""
    server = grpc.aio.server(interceptors=[gate])
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test.Test", handlers)])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield channel
    finally:
        await server.stop(0)


def _gate(*, seconds_left: float | None = None, metrics: Metrics | None = None) -> Gate:
    callers: Any = _Callers()
    callers.seconds = seconds_left
    return Gate(
        elsewhere={"/test.Test/Elsewhere": "device"},
        scopes=_SCOPES,
        callers=callers,
        metrics=metrics or Metrics(CollectorRegistry()),
    )


_GOOD = (("authorization", "good"),)


async def test_an_authorised_caller_is_served_and_timed_for_every_kind_of_call() -> None:
    metrics = Metrics(CollectorRegistry())
    async with _channel(_gate(metrics=metrics), _HANDLERS) as channel:
        for name in ("Read", "Free"):
            assert await channel.unary_unary(f"/test.Test/{name}")(b"one", metadata=_GOOD) == b"one"
        for name, expected in (("Twice", [b"one", b"one"]), ("Written", [b"one"])):
            call = channel.unary_stream(f"/test.Test/{name}")(b"one", metadata=_GOOD)
            assert [answer async for answer in call] == expected
        assert await channel.stream_unary("/test.Test/Joined")(iter([b"a", b"b"]), metadata=_GOOD) == b"ab"
        for name in ("Echoed", "EchoWritten"):
            call = channel.stream_stream(f"/test.Test/{name}")(iter([b"a", b"b"]), metadata=_GOOD)
            assert [answer async for answer in call] == [b"a", b"b"]
    text = metrics.render()[0].decode()
    for name in ("Read", "Free", "Twice", "Written", "Joined", "Echoed", "EchoWritten"):
        assert f'facegate_call_seconds_count{{method="{name}"}} 1.0' in text


@pytest.mark.parametrize(
    ("name", "metadata", "code", "reason"),
    [
        ("Read", (), grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED"),
        ("Joined", (), grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED"),
        ("Create", _GOOD, grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED"),
        ("Elsewhere", _GOOD, grpc.StatusCode.UNIMPLEMENTED, "WRONG_LISTENER"),
    ],
)
async def test_a_call_that_may_not_be_made_is_refused_before_its_message_arrives(
    name: str, metadata: Any, code: grpc.StatusCode, reason: str
) -> None:
    async with _channel(_gate(), _HANDLERS) as channel:
        # A streaming client sends the headers alone, without the message.
        call = channel.stream_unary(f"/test.Test/{name}")(metadata=metadata)
        with pytest.raises(grpc.RpcError) as caught:
            await asyncio.wait_for(call, 60)
    refusal = refused(caught.value)
    assert (refusal.code, refusal.reason) == (code, reason)


@pytest.mark.parametrize("seconds", [0.1, 0.0, -1.0])
async def test_a_stream_ends_when_the_credentials_of_its_caller_expire(seconds: float) -> None:
    async with _channel(_gate(seconds_left=seconds), _HANDLERS) as channel:
        joined = channel.stream_unary("/test.Test/Joined")(metadata=_GOOD)
        streams = [
            channel.unary_stream(f"/test.Test/{name}")(b"one", metadata=_GOOD)
            for name in ("Forever", "NeverWritten")
        ]
        for ended in (joined, *(_read_to_the_end(stream) for stream in streams)):
            refusal = await refusal_of(asyncio.wait_for(ended, 60))
            assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")


async def test_a_unary_call_that_was_admitted_ends_by_itself() -> None:
    async with _channel(_gate(seconds_left=0.1), _HANDLERS) as channel:
        assert await channel.unary_unary("/test.Test/Slow")(b"one", metadata=_GOOD) == b"one"


async def _read_to_the_end(stream: Any) -> None:
    async for _ in stream:
        pass


async def test_a_call_without_a_message_is_refused() -> None:
    async with _channel(_gate(), _HANDLERS) as channel:
        call = channel.stream_unary("/test.Test/Read")(metadata=_GOOD)
        await call.done_writing()
        with pytest.raises(grpc.RpcError) as caught:
            await call
    assert refused(caught.value).reason == "INVALID_FIELD"


_METHOD = "/facegate.v1.VerificationService/FinishCheck"
_REFUSED_READER = Caller(
    name="anna",
    tenant="bank",
    roles=frozenset({Role.COMPLIANCE_READER}),
    scopes=SCOPES[Role.COMPLIANCE_READER],
)
_BACKEND = Caller(name="backend", tenant="bank")


class _Scene:
    def __init__(self) -> None:
        self.now = datetime(2027, 3, 1, tzinfo=UTC)
        self.refusals = RefusedAccess(lambda: self.now)

    def refuse(self, reason: Reason, caller: Caller | None = None, *, address: str = "192.0.2.7") -> None:
        self.refusals.record_refusal(_METHOD, reason, caller=caller, address=address)

    def due(self, minutes: float = 0.0) -> list[dict[str, str]]:
        self.now += timedelta(minutes=minutes)
        return [
            {"tenant": event.tenant, "actor": event.actor.name, **event.detail}
            for event in self.refusals.due(self.now)
        ]


def test_refused_credentials_and_scopes_are_noted() -> None:
    scene = _Scene()
    scene.refuse(Reason.UNAUTHENTICATED)
    scene.refuse(Reason.PERMISSION_DENIED, _BACKEND)
    unknown, backend = scene.due()
    same = {"method": _METHOD, "count": "1"}
    assert unknown == same | {"tenant": SERVER_TENANT, "actor": "unknown", "reason": "UNAUTHENTICATED"}
    assert backend == same | {"tenant": "bank", "actor": "backend", "reason": "PERMISSION_DENIED"}
    assert scene.due(2) == []


@pytest.mark.parametrize("reason", [Reason.CHECK_NOT_FOUND, Reason.INVALID_FIELD, Reason.OVERLOADED])
def test_every_refused_call_of_a_compliance_role_is_noted(reason: Reason) -> None:
    scene = _Scene()
    scene.refuse(reason, _BACKEND)
    scene.refuse(reason)
    assert scene.due() == []
    scene.refuse(reason, _REFUSED_READER)
    assert [found["reason"] for found in scene.due()] == [reason.value]


def test_a_flood_of_one_tenant_hides_nothing_of_another() -> None:
    scene = _Scene()
    for number in range(1000):
        scene.refuse(Reason.PERMISSION_DENIED, _BACKEND, address=f"192.0.2.{number}")
    assert len(scene.due()) == 32
    scene.refuse(Reason.PERMISSION_DENIED, Caller(name="other", tenant="other"))
    assert [(found["tenant"], found["actor"]) for found in scene.due()] == [("other", "other")]
    (rest,) = scene.due(1)
    assert rest == {
        "tenant": "bank", "actor": "several", "method": "several", "reason": "several", "count": "968",
    }  # fmt: skip


def test_a_flood_of_unknown_callers_is_bounded_and_hides_no_known_one() -> None:
    scene = _Scene()
    for number in range(1000):
        scene.refuse(Reason.UNAUTHENTICATED, address=f"2001:db8::{number:x}")
    written = scene.due()
    assert len(written) <= 9
    scene.refuse(Reason.PERMISSION_DENIED, _REFUSED_READER)
    assert [found["actor"] for found in scene.due()] == ["anna"]
    # None is lost.
    written += scene.due(1)
    assert sum(int(found["count"]) for found in written) == 1000


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:192.0.2.7:4711", "192.0.2.7"),
        ("ipv6:%5B2001:db8::7%5D:4711", "2001:db8::7"),
        ("ipv6:[::1]:4711", "::1"),
        ("unix:/run/facegate", "unix"),
        ("unix:", "unix"),
        ("", ""),
        (f"ipv6:%5B{'f' * 90}%0A%5D:1", "f" * 64),
    ],
)
def test_the_address_of_a_connection(peer: str, address: str) -> None:
    context: Any = SimpleNamespace(peer=lambda: peer, invocation_metadata=list)
    callers = CallerIdentifier(api_keys=None, certificates=None, now=lambda: datetime.now(UTC))
    assert callers.address_of(context) == address


# The calls that wait for a message, the time limit, and the calls that are disconnected.


def _room(metrics: Metrics, *, places: int = 2, seconds: float = 60.0, moment: float = 0.0) -> WaitingRoom:
    return WaitingRoom("message", places=places, seconds=seconds, metrics=metrics, moment=moment)


async def _settled() -> None:
    """Let the calls come to their waits: turns of the loop, because a busy machine may take long for one."""
    for _ in range(100):
        await asyncio.sleep(0)


async def test_the_oldest_gives_way() -> None:
    metrics = Metrics(CollectorRegistry())
    room = _room(metrics)
    messages = [asyncio.Event() for _ in range(3)]
    waiting = []
    for message in messages:
        waiting.append(asyncio.create_task(room.wait_for_message(message.wait)))
        await _settled()
    with pytest.raises(Refusal) as caught:
        await waiting[0]
    assert caught.value.reason is Reason.OVERLOADED
    assert caught.value.retry_after
    assert b'facegate_streams_waiting{awaited="message"} 2.0' in metrics.render()[0]
    for message in messages[1:]:
        message.set()
    assert await asyncio.gather(*waiting[1:]) == [True, True]
    body = metrics.render()[0]
    assert b'facegate_streams_waiting{awaited="message"} 0.0' in body
    assert b'facegate_streams_sent_away_total{awaited="message",cause="gave_way"} 1.0' in body


async def test_an_immediate_message_needs_no_place() -> None:
    room = _room(Metrics(CollectorRegistry()), places=1, moment=60.0)
    gate = asyncio.Event()
    waiting = [asyncio.create_task(room.wait_for_message(gate.wait)) for _ in range(50)]
    await _settled()
    gate.set()
    assert await asyncio.gather(*waiting) == [True] * 50


async def test_no_wait_is_unlimited() -> None:
    metrics = Metrics(CollectorRegistry())
    with pytest.raises(Refusal) as caught:
        await _room(metrics, seconds=0.01).wait_for_message(asyncio.Event().wait)
    assert caught.value.reason is Reason.STREAM_IDLE
    assert b'{awaited="message",cause="too_late"} 1.0' in metrics.render()[0]


async def test_the_end_of_the_reading_is_reported() -> None:
    async def broken() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await _room(Metrics(CollectorRegistry())).wait_for_message(broken)


async def test_a_call_that_ends_while_nobody_waits_any_more_is_no_error() -> None:
    """grpc ends the reading of a cancelled call as if the caller had sent nothing."""
    reported: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))

    async def ends() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise LookupError from None

    try:
        waiting = asyncio.create_task(_room(Metrics(CollectorRegistry())).wait_for_message(ends))
        await _settled()
        waiting.cancel()
        await asyncio.wait([waiting])
        await asyncio.sleep(0)
        del waiting
        gc.collect()
        await asyncio.sleep(0)
    finally:
        asyncio.get_running_loop().set_exception_handler(None)
    assert reported == []


async def test_a_caller_that_leaves_frees_its_place() -> None:
    metrics = Metrics(CollectorRegistry())
    room = _room(metrics, places=1)
    cancelled = asyncio.Event()

    async def never() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    first = asyncio.create_task(room.wait_for_message(never))
    await _settled()
    first.cancel()
    await asyncio.wait([first])
    await cancelled.wait()
    message = asyncio.Event()
    second = asyncio.create_task(room.wait_for_message(message.wait))
    await _settled()
    message.set()
    assert await second
    assert b'cause="gave_way"' not in metrics.render()[0]


# Refusals become statuses, and no internal text reaches a client.

SECRET = "postgresql://facegate:hunter2@10.0.0.7/db"
FAILURES: dict[str, Exception] = {
    "Refusal": Refusal(Reason.CHECK_NOT_FOUND, "there is none", details={"n": 1}, retry_after=None),
    "Storage": StorageUnavailable(SECRET),
    "Unexpected": RuntimeError(SECRET),
    "Assertion": AssertionError(SECRET),
    "Timeout": TimeoutError(SECRET),
}


_Failing = tuple[Any, Metrics]


@pytest_asyncio.fixture
async def channel() -> AsyncIterator[_Failing]:
    """A channel to methods that fail in each way, at once or after the first answer of a stream."""
    metrics = Metrics(CollectorRegistry())

    def unary(failure: Exception) -> Any:
        async def call(_request: bytes, _context: Any) -> bytes:
            raise failure

        return grpc.unary_unary_rpc_method_handler(call)

    def stream(failure: Exception) -> Any:
        async def call(_requests: AsyncIterator[bytes], context: Any) -> None:
            await context.write(b"first")
            raise failure

        return grpc.stream_stream_rpc_method_handler(call)

    async def echo(request: HealthCheckRequest, _context: Any) -> bytes:
        return request.service.encode()

    handlers = {name: unary(failure) for name, failure in FAILURES.items()}
    handlers |= {f"{name}InStream": stream(failure) for name, failure in FAILURES.items()}
    handlers["Echo"] = grpc.unary_unary_rpc_method_handler(
        echo, request_deserializer=HealthCheckRequest.FromString
    )
    async with _channel(Gate(elsewhere={}, metrics=metrics), handlers) as opened:
        yield opened, metrics


async def _fail(channel: grpc.aio.Channel, name: str, *, in_stream: bool) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await (_read_all(channel, f"{name}InStream") if in_stream else _call(channel, name))
    return caught.value


async def _call(channel: Any, name: str) -> None:
    await channel.unary_unary(f"/test.Test/{name}")(b"")


async def _read_all(channel: Any, name: str) -> None:
    call = channel.stream_stream(f"/test.Test/{name}")()
    while await call.read() is not grpc.aio.EOF:
        pass


@pytest.mark.parametrize("in_stream", [False, True])
async def test_a_refusal_is_reported_as_it_is(channel: _Failing, in_stream: bool) -> None:
    refusal = refused(await _fail(channel[0], "Refusal", in_stream=in_stream))
    assert refusal.code is grpc.StatusCode.NOT_FOUND
    assert (refusal.reason, refusal.message, refusal.metadata) == (
        "CHECK_NOT_FOUND",
        "there is none",
        {"n": "1"},
    )
    body, _ = channel[1].render()
    assert b'facegate_refusals_total{reason="CHECK_NOT_FOUND"} 1.0' in body


@pytest.mark.parametrize("in_stream", [False, True])
async def test_storage_that_is_away_may_come_back(channel: _Failing, in_stream: bool) -> None:
    error = await _fail(channel[0], "Storage", in_stream=in_stream)
    refusal = refused(error)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "NOT_SERVING")
    assert refusal.retry_seconds
    assert "hunter2" not in str(error.trailing_metadata()) + (error.details() or "")


@pytest.mark.parametrize("in_stream", [False, True])
@pytest.mark.parametrize("name", ["Unexpected", "Assertion", "Timeout"])
async def test_anything_else_is_an_incident(channel: _Failing, name: str, in_stream: bool) -> None:
    with capture_logs() as logs:
        error = await _fail(channel[0], name, in_stream=in_stream)
    refusal = refused(error)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert "hunter2" not in str(error.trailing_metadata()) + (error.details() or "")
    assert "Error" not in refusal.message
    (entry,) = [entry for entry in logs if entry["event"] == "call_failed"]
    assert entry["incident_id"] == refusal.metadata["incidentId"]
    assert entry["exc_info"] is FAILURES[name]


async def test_a_request_is_parsed_and_a_malformed_one_refused(channel: _Failing) -> None:
    echo = channel[0].unary_unary("/test.Test/Echo")
    assert await echo(HealthCheckRequest(service="known").SerializeToString()) == b"known"
    with capture_logs() as logs:
        refusal = await refusal_of(echo(b"\xff\xff\xff"))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert refusal.metadata == {"field": "message"}
    assert "DecodeError" not in refusal.message
    assert [entry["event"] for entry in logs] == ["call_refused"]


async def test_two_incidents_have_two_names(channel: _Failing) -> None:
    names = {
        refused(await _fail(channel[0], "Unexpected", in_stream=False)).metadata["incidentId"]
        for _ in range(2)
    }
    assert len(names) == 2


async def test_an_unknown_method_stays_unknown(channel: _Failing) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await _call(channel[0], "None")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_refused_call_releases_the_upload() -> None:
    class Upload:
        pass

    held: list[weakref.ref[Upload]] = []

    async def refuse(_request: bytes, _context: Any) -> bytes:
        upload = Upload()
        held.append(weakref.ref(upload))
        try:
            raise ValueError
        except ValueError as error:
            raise Refusal(Reason.IMAGE_MALFORMED, "it is broken") from error

    handlers: dict[str, Any] = {"Call": grpc.unary_unary_rpc_method_handler(refuse)}
    gc.disable()
    try:
        async with _channel(_gate(), handlers) as channel:
            await refusal_of(channel.unary_unary("/test.Test/Call")(b"", metadata=_GOOD))
        assert [upload() for upload in held] == [None]
    finally:
        gc.enable()


@asynccontextmanager
async def _held() -> AsyncIterator[tuple[Any, Gate, asyncio.Event]]:
    """Calls that never end by themselves: a channel, the gate, and whether one has begun."""
    begun = asyncio.Event()

    async def hold(_request: bytes, _context: Any) -> bytes:
        begun.set()
        await asyncio.Event().wait()
        return b""

    async def flood(_requests: AsyncIterator[bytes], context: Any) -> None:
        begun.set()
        while True:
            await context.write(bytes(50_000))

    handlers: dict[str, Any] = {
        "Hold": grpc.unary_unary_rpc_method_handler(hold),
        "Flood": grpc.stream_stream_rpc_method_handler(flood),
    }
    gate = Gate(elsewhere={}, metrics=Metrics(CollectorRegistry()))
    async with _channel(gate, handlers) as caller:
        yield caller, gate, begun


def _is_stopping(refusal: Refused) -> bool:
    reason = (refusal.code, refusal.reason)
    return reason == (grpc.StatusCode.UNAVAILABLE, "NOT_SERVING") and bool(refusal.retry_seconds)


async def test_calls_that_run_or_come_when_the_listener_closes_learn_why() -> None:
    async with _held() as (caller, gate, begun):
        hold = caller.unary_unary("/test.Test/Hold")
        running = asyncio.ensure_future(refusal_of(hold(b"")))
        await begun.wait()
        closing = asyncio.create_task(gate.close(30.0, quiet=0.0))
        assert _is_stopping(await refusal_of(hold(b"")))
        assert not closing.done()
        assert not running.done()
        closing.cancel()
        await gate.close(0.0, quiet=0.0)
        assert _is_stopping(await running)


async def test_a_stream_whose_client_reads_late_learns_why_the_listener_closed() -> None:
    async with _held() as (caller, gate, begun):
        call = caller.stream_stream("/test.Test/Flood")()
        await begun.wait()
        await gate.close(0.2, quiet=0.0)

        async def read_all() -> None:
            async for _ in call:
                pass

        assert _is_stopping(await refusal_of(read_all()))


async def test_a_listener_that_closes_waits_until_no_call_comes() -> None:
    async with _held() as (caller, gate, _):
        hold = caller.unary_unary("/test.Test/Hold")
        await gate.close(30.0, quiet=0.0)
        assert _is_stopping(await refusal_of(hold(b"")))
        closing = asyncio.create_task(gate.close(30.0, quiet=20.0))
        assert not (await asyncio.wait({closing}, timeout=0.2))[0]
        closing.cancel()
        await gate.close(30.0, quiet=0.2)


# Reasons, their status codes, and their descriptions in the contract.

_REPOSITORY = Path(__file__).resolve().parents[3]


def test_the_reasons_are_those_of_the_contract() -> None:
    wire = {
        name.removeprefix("ERROR_REASON_") for name in error_reason_pb2.ErrorReason.DESCRIPTOR.values_by_name
    }
    assert {reason.value for reason in Reason} == wire - {"UNSPECIFIED"}


def test_every_reason_has_the_code_that_the_contract_documents() -> None:
    documented = {entry.reason: entry.code for entry in documented_reasons()}
    assert {reason.value: code.name for reason, code in CODE_OF.items()} == documented
    assert set(CODE_OF) == set(Reason)


def test_every_reason_is_raised_somewhere() -> None:
    sources = "\n".join(
        # The table of codes names every reason.
        path.read_text().partition("\ndef ")[2] if path.name == "status.py" else path.read_text()
        for path in (_REPOSITORY / "server").rglob("*.py")
        if path.name != "errors.py"
    )
    later = {
        # Reasons of later issues: records, references into a store, and callers of other kinds.
        "IMAGE_NOT_CONFORMANT",
        "IMAGE_REFERENCE_INVALID",
        "IMAGE_REFERENCE_NOT_FOUND",
        "ISO_39794_NOT_SUPPORTED",
    }
    # A step of a review names its reason by its text: server.domain is below the reasons.
    unused = {
        reason.value
        for reason in Reason
        if not re.search(rf'(Reason\.{reason.value}\b|ReviewError\(\s*"{reason.value}")', sources)
    }
    assert unused <= later


def _raised() -> set[tuple[str, bool]]:
    """Every reason that the server's code names in a Refusal, and whether it gives a delay with it."""
    found = set()
    for path in (_REPOSITORY / "server").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or getattr(node.func, "id", "") != "Refusal" or not node.args:
                continue
            reason = node.args[0]
            if isinstance(reason, ast.Attribute):
                found.add((reason.attr, any(keyword.arg == "retry_after" for keyword in node.keywords)))
    return found


def test_a_delay_is_given_exactly_for_the_documented_reasons() -> None:
    documented = {entry.reason: entry.retry for entry in documented_reasons()}
    raised = _raised()
    assert len(raised) > 30
    assert {(reason, documented[reason]) for reason, _ in raised} == raised


@pytest.mark.parametrize("retry_after", [None, 0.25])
def test_a_refusal_becomes_one_error_info(retry_after: float | None) -> None:
    refusal = Refusal(
        Reason.OVERLOADED,
        "too much",
        details={"limit": 7, "share": 0.5, "what": "calls"},
        retry_after=retry_after,
    )
    status = to_status(refusal)
    assert status.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert status.details == "too much"
    (trailer,) = status.trailing_metadata
    rich = status_pb2.Status.FromString(trailer[1])
    info = error_details_pb2.ErrorInfo.FromString(rich.details[0].value)
    assert (info.domain, info.reason) == (DOMAIN, "OVERLOADED")
    assert dict(info.metadata) == {"limit": "7", "share": "0.5", "what": "calls"}
    assert len(rich.details) == (1 if retry_after is None else 2)
    if retry_after is not None:
        retry = error_details_pb2.RetryInfo.FromString(rich.details[1].value)
        assert retry.retry_delay.nanos == 250_000_000


def test_details_are_the_refusals_own() -> None:
    details: dict[str, str | int | float] = {"a": 1}
    refusal = Refusal(Reason.INTERNAL, "x", details=details)
    details["a"] = 2
    assert refusal.details["a"] == 1


_FINISH, _SCAN = "/facegate.v1.VerificationService/FinishCheck", "/facegate.v1.VerificationService/ScanFace"
_VALUES = {
    "message": "secret",
    "check_id": UUID(int=7),
    "kind": TryKind.SUBJECT,
    "standing": Standing.LOCKED,
    "until": datetime.now(UTC) + timedelta(minutes=5),
    "request_id": "one",
    "holds": 2,
    "reference": "case-17",
    "key": "evidence/one",
    "state": CheckState.DECIDED,
    "lease_epoch": 3,
}


def _classes(of: type[StorageError]) -> Iterator[type[StorageError]]:
    for found in of.__subclasses__():
        yield found
        yield from _classes(found)


def _made(of: type[StorageError], **values: object) -> StorageError:
    if of.__init__ is Exception.__init__:
        return of("secret")
    known = {name: _VALUES[name] for name in list(inspect.signature(of).parameters)}
    return of(**known | values)


@pytest.mark.parametrize("of", sorted(_classes(StorageError), key=str))
def test_no_storage_error_is_a_fault_of_the_server(of: type[StorageError]) -> None:
    assert of.__module__ == errors.__name__
    for method in (_FINISH, _SCAN):
        refusal = as_refusal(_made(of), method=method)
        assert refusal.reason is not Reason.INTERNAL


@pytest.mark.parametrize(
    ("state", "reason", "again"),
    [
        (CheckState.SCANNING, Reason.SCAN_IN_PROGRESS, True),
        (CheckState.WAITING, Reason.SCAN_IN_PROGRESS, True),
        (CheckState.DECIDED, Reason.NOT_SERVING, True),
        (CheckState.ERASED, Reason.EVIDENCE_ERASED, False),
    ],
)
def test_a_lost_race_tells_what_the_check_is_now(state: CheckState, reason: Reason, *, again: bool) -> None:
    refusal = as_refusal(_made(errors.Conflict, state=state), method=_FINISH)
    assert (refusal.reason, refusal.retry_after is not None) == (reason, again)


def test_a_server_that_is_too_old_names_itself_to_backends_only() -> None:
    error = errors.SchemaOutdated("the database is too new")
    assert as_refusal(error, method=_FINISH).reason is Reason.SERVER_OUTDATED
    # Devices of every version resume after this reason.
    assert as_refusal(error, method=_SCAN).reason is Reason.NOT_SERVING
    assert as_refusal(error, method=_SCAN).retry_after


def test_a_database_that_contradicts_itself_is_a_fault() -> None:
    assert as_refusal(StorageError("no record"), method=_FINISH).reason is Reason.INTERNAL
