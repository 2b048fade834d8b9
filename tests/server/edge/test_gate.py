"""A call before its message is read, and the calls that wait for one."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from prometheus_client import CollectorRegistry

from server.access.callers import SCOPES, Caller, Role, Scope
from server.audit import SERVER_TENANT
from server.base.errors import Reason, Refusal
from server.edge.callers import address_of
from server.edge.gate import Gate, RefusedAccess, WaitingRoom
from server.telemetry.metrics import Metrics
from tests.server.refusals import refusal_of, refused

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
    "Slow": grpc.unary_unary_rpc_method_handler(_slow),
    "Forever": grpc.unary_stream_rpc_method_handler(_forever),
    "NeverWritten": grpc.unary_stream_rpc_method_handler(_never_written),
    "Elsewhere": grpc.unary_unary_rpc_method_handler(_echo),
}
_SCOPES = {"/test.Test/Read": Scope.READ_CHECKS, "/test.Test/Create": Scope.CREATE_CHECKS}


@asynccontextmanager
async def _channel(gate: Gate) -> AsyncIterator[Any]:
    server = grpc.aio.server(interceptors=[gate])
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test.Test", _HANDLERS)])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield channel
    finally:
        await server.stop(0)


def _gate(*, seconds_left: float | None = None) -> Gate:
    callers: Any = _Callers()
    callers.seconds = seconds_left
    return Gate(
        elsewhere={"/test.Test/Elsewhere": "device"},
        scopes=_SCOPES,
        callers=callers,
        metrics=Metrics(CollectorRegistry()),
    )


_GOOD = (("authorization", "good"),)


async def test_an_authorised_caller_is_served_for_every_kind_of_call() -> None:
    async with _channel(_gate()) as channel:
        for name in ("Read", "Free"):
            assert await channel.unary_unary(f"/test.Test/{name}")(b"one", metadata=_GOOD) == b"one"
        for name, expected in (("Twice", [b"one", b"one"]), ("Written", [b"one"])):
            call = channel.unary_stream(f"/test.Test/{name}")(b"one", metadata=_GOOD)
            assert [answer async for answer in call] == expected
        assert await channel.stream_unary("/test.Test/Joined")(iter([b"a", b"b"]), metadata=_GOOD) == b"ab"


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
    async with _channel(_gate()) as channel:
        # A streaming client sends the headers alone, without the message.
        call = channel.stream_unary(f"/test.Test/{name}")(metadata=metadata)
        with pytest.raises(grpc.RpcError) as caught:
            await asyncio.wait_for(call, 60)
    refusal = refused(caught.value)
    assert (refusal.code, refusal.reason) == (code, reason)


@pytest.mark.parametrize("seconds", [0.1, 0.0, -1.0])
async def test_a_stream_ends_when_the_credentials_of_its_caller_expire(seconds: float) -> None:
    async with _channel(_gate(seconds_left=seconds)) as channel:
        joined = channel.stream_unary("/test.Test/Joined")(metadata=_GOOD)
        streams = [
            channel.unary_stream(f"/test.Test/{name}")(b"one", metadata=_GOOD)
            for name in ("Forever", "NeverWritten")
        ]
        for ended in (joined, *(_read_to_the_end(stream) for stream in streams)):
            refusal = await refusal_of(asyncio.wait_for(ended, 60))
            assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")


async def test_a_unary_call_that_was_admitted_ends_by_itself() -> None:
    async with _channel(_gate(seconds_left=0.1)) as channel:
        assert await channel.unary_unary("/test.Test/Slow")(b"one", metadata=_GOOD) == b"one"


async def _read_to_the_end(stream: Any) -> None:
    async for _ in stream:
        pass


async def test_a_call_without_a_message_is_refused() -> None:
    async with _channel(_gate()) as channel:
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


def test_a_flood_of_unknown_callers_is_bounded() -> None:
    scene = _Scene()
    written: list[dict[str, str]] = []
    for second in range(600):
        for number in range(50):
            scene.refuse(Reason.UNAUTHENTICATED, address=f"2001:db8::{second:x}:{number:x}")
        written += scene.due(1 / 60)
    assert len(written) <= 11 * 9
    written += scene.due(1)
    assert sum(int(found["count"]) for found in written) == 600 * 50


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


def test_a_flood_of_unknown_callers_hides_no_known_one() -> None:
    scene = _Scene()
    for number in range(1000):
        scene.refuse(Reason.UNAUTHENTICATED, address=f"192.0.2.{number}")
    scene.due()
    scene.refuse(Reason.PERMISSION_DENIED, _REFUSED_READER)
    assert [found["actor"] for found in scene.due()] == ["anna"]


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
    context: Any = SimpleNamespace(peer=lambda: peer)
    assert address_of(context) == address


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
