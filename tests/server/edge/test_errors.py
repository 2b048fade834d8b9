"""Refusals: their reasons and statuses, and that no internal text reaches a client."""

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
from typing import Any
from uuid import UUID

import grpc
import pytest
import pytest_asyncio
from facegate.v1 import error_reason_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc.aio import ServicerContext
from grpc_health.v1.health_pb2 import HealthCheckRequest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from docs.make_texts import documented_reasons
from server.base.errors import Reason, Refusal
from server.domain.terms import CheckState
from server.domain.tries import Standing, TryKind
from server.edge.gate import Gate
from server.edge.status import CODE_OF, DOMAIN, as_refusal, to_status
from server.storage import errors
from server.storage.errors import StorageError, StorageUnavailable
from server.telemetry.metrics import Metrics
from tests.server.refusals import Refused, refusal_of, refused

# Refusals become statuses, and no internal text reaches a client.

SECRET = "postgresql://facegate:hunter2@10.0.0.7/db"
FAILURES: dict[str, Exception] = {
    "Refusal": Refusal(Reason.CHECK_NOT_FOUND, "there is none", details={"n": 1}, retry_after=None),
    "Storage": StorageUnavailable(SECRET),
    "Unexpected": RuntimeError(SECRET),
    "Assertion": AssertionError(SECRET),
    "Timeout": TimeoutError(SECRET),
}


def _server(metrics: Metrics) -> grpc.aio.Server:
    return grpc.aio.server(interceptors=(Gate(elsewhere={}, metrics=metrics),))


@pytest_asyncio.fixture
async def channel() -> AsyncIterator[tuple[grpc.aio.Channel, Metrics]]:
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

    handlers = {name: unary(failure) for name, failure in FAILURES.items()}
    handlers |= {f"{name}InStream": stream(failure) for name, failure in FAILURES.items()}

    async def echo(request: HealthCheckRequest, _context: Any) -> bytes:
        return request.service.encode()

    async def echo_stream(request: HealthCheckRequest, _context: Any) -> AsyncIterator[bytes]:
        yield request.service.encode()

    read = HealthCheckRequest.FromString
    handlers["Echo"] = grpc.unary_unary_rpc_method_handler(echo, request_deserializer=read)
    handlers["EchoStream"] = grpc.unary_stream_rpc_method_handler(echo_stream, request_deserializer=read)
    server = _server(metrics)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Service", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as opened:
        yield opened, metrics
    await server.stop(None)


async def _fail(channel: grpc.aio.Channel, name: str, *, in_stream: bool) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await (_read_all(channel, f"{name}InStream") if in_stream else _call(channel, name))
    return caught.value


async def _call(channel: Any, name: str) -> None:
    await channel.unary_unary(f"/test.Service/{name}")(b"")


async def _read_all(channel: Any, name: str) -> None:
    call = channel.stream_stream(f"/test.Service/{name}")()
    while await call.read() is not grpc.aio.EOF:
        pass


@pytest.mark.parametrize("in_stream", [False, True])
async def test_a_refusal_is_reported_as_it_is(
    channel: tuple[grpc.aio.Channel, Metrics], in_stream: bool
) -> None:
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
async def test_storage_that_is_away_may_come_back(
    channel: tuple[grpc.aio.Channel, Metrics], in_stream: bool
) -> None:
    error = await _fail(channel[0], "Storage", in_stream=in_stream)
    refusal = refused(error)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "NOT_SERVING")
    assert refusal.retry_seconds
    assert "hunter2" not in str(error.trailing_metadata()) + (error.details() or "")


@pytest.mark.parametrize("in_stream", [False, True])
@pytest.mark.parametrize("name", ["Unexpected", "Assertion", "Timeout"])
async def test_anything_else_is_an_incident(
    channel: tuple[grpc.aio.Channel, Metrics], name: str, in_stream: bool
) -> None:
    with capture_logs() as logs:
        error = await _fail(channel[0], name, in_stream=in_stream)
    refusal = refused(error)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert "hunter2" not in str(error.trailing_metadata()) + (error.details() or "")
    assert "Error" not in refusal.message
    (entry,) = [entry for entry in logs if entry["event"] == "call_failed"]
    assert entry["incident_id"] == refusal.metadata["incidentId"]
    assert entry["exc_info"] is FAILURES[name]


@pytest.mark.parametrize("in_stream", [False, True])
async def test_a_request_is_parsed_and_a_malformed_one_refused(
    channel: tuple[grpc.aio.Channel, Metrics], in_stream: bool
) -> None:
    async def ask(message: bytes) -> object:
        stub: Any = channel[0]
        if in_stream:
            return await stub.unary_stream("/test.Service/EchoStream")(message).read()
        return await stub.unary_unary("/test.Service/Echo")(message)

    assert await ask(HealthCheckRequest(service="known").SerializeToString()) == b"known"
    with capture_logs() as logs, pytest.raises(grpc.aio.AioRpcError) as caught:
        await ask(b"\xff\xff\xff")
    refusal = refused(caught.value)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert refusal.metadata == {"field": "message"}
    assert "DecodeError" not in refusal.message
    assert [entry["event"] for entry in logs] == ["call_refused"]


async def test_two_incidents_have_two_names(channel: tuple[grpc.aio.Channel, Metrics]) -> None:
    names = {
        refused(await _fail(channel[0], "Unexpected", in_stream=False)).metadata["incidentId"]
        for _ in range(2)
    }
    assert len(names) == 2


async def test_an_unknown_method_stays_unknown(channel: tuple[grpc.aio.Channel, Metrics]) -> None:
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
    metrics = Metrics(CollectorRegistry())
    server = _server(metrics)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Service", handlers),))
    target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    gc.disable()
    try:
        async with grpc.aio.insecure_channel(target) as caller:
            call: Any = caller.unary_unary("/test.Service/Call")
            with pytest.raises(grpc.aio.AioRpcError):
                await call(b"")
        assert [upload() for upload in held] == [None]
    finally:
        gc.enable()
        await server.stop(None)


@asynccontextmanager
async def _held() -> AsyncIterator[tuple[grpc.aio.Channel, Gate, asyncio.Event]]:
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
    server = grpc.aio.server(interceptors=(gate,))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Service", handlers),))
    target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    async with grpc.aio.insecure_channel(target) as caller:
        yield caller, gate, begun
    await server.stop(None)


def _is_stopping(refusal: Refused) -> bool:
    reason = (refusal.code, refusal.reason)
    return reason == (grpc.StatusCode.UNAVAILABLE, "NOT_SERVING") and bool(refusal.retry_seconds)


async def test_calls_that_run_or_come_when_the_listener_closes_learn_why() -> None:
    async with _held() as (caller, gate, begun):
        hold: Any = caller.unary_unary("/test.Service/Hold")
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
        call: Any = caller.stream_stream("/test.Service/Flood")()
        await begun.wait()
        await gate.close(0.2, quiet=0.0)

        async def read_all() -> None:
            async for _ in call:
                pass

        assert _is_stopping(await refusal_of(read_all()))


async def test_a_listener_that_closes_waits_until_no_call_comes() -> None:
    async with _held() as (caller, gate, _):
        hold: Any = caller.unary_unary("/test.Service/Hold")
        await gate.close(30.0, quiet=0.0)
        assert _is_stopping(await refusal_of(hold(b"")))
        closing = asyncio.create_task(gate.close(30.0, quiet=20.0))
        assert not (await asyncio.wait({closing}, timeout=0.2))[0]
        closing.cancel()
        await gate.close(30.0, quiet=0.2)


async def _one(_request: bytes, _context: Any) -> bytes:
    return b"one"


async def _many_generated(request: bytes, _context: Any) -> AsyncIterator[bytes]:
    yield request
    yield b"two"


async def _many_written(request: bytes, context: ServicerContext[bytes, bytes]) -> None:
    await context.write(request)
    await context.write(b"two")


async def _gathered(requests: AsyncIterator[bytes], _context: Any) -> bytes:
    return b"".join([request async for request in requests])


async def _echo_generated(requests: AsyncIterator[bytes], _context: Any) -> AsyncIterator[bytes]:
    async for request in requests:
        yield request


async def _echo_written(requests: AsyncIterator[bytes], context: ServicerContext[bytes, bytes]) -> None:
    async for request in requests:
        await context.write(request)


HANDLERS: dict[str, Any] = {
    "UnaryUnary": grpc.unary_unary_rpc_method_handler(_one),
    "UnaryStreamGenerated": grpc.unary_stream_rpc_method_handler(_many_generated),
    "UnaryStreamWritten": grpc.unary_stream_rpc_method_handler(_many_written),
    "StreamUnary": grpc.stream_unary_rpc_method_handler(_gathered),
    "StreamStreamGenerated": grpc.stream_stream_rpc_method_handler(_echo_generated),
    "StreamStreamWritten": grpc.stream_stream_rpc_method_handler(_echo_written),
}


@pytest_asyncio.fixture
async def served() -> AsyncIterator[tuple[Any, Metrics]]:
    """A channel to handlers of every kind."""
    metrics = Metrics(CollectorRegistry())
    server = _server(metrics)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Service", HANDLERS),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel, metrics
    await server.stop(None)


async def _requests() -> AsyncIterator[bytes]:
    yield b"a"
    yield b"b"


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("UnaryUnary", [b"one"]),
        ("UnaryStreamGenerated", [b"a", b"two"]),
        ("UnaryStreamWritten", [b"a", b"two"]),
        ("StreamUnary", [b"ab"]),
        ("StreamStreamGenerated", [b"a", b"b"]),
        ("StreamStreamWritten", [b"a", b"b"]),
    ],
)
async def test_each_kind_of_handler_is_served_and_timed(
    served: tuple[Any, Metrics], method: str, expected: list[bytes]
) -> None:
    channel, metrics = served
    path = f"/test.Service/{method}"
    answers: list[bytes]
    if method.startswith("UnaryUnary"):
        answers = [await channel.unary_unary(path)(b"a")]
    elif method.startswith("UnaryStream"):
        answers = [answer async for answer in channel.unary_stream(path)(b"a")]
    elif method.startswith("StreamUnary"):
        answers = [await channel.stream_unary(path)(_requests())]
    else:
        answers = [answer async for answer in channel.stream_stream(path)(_requests())]
    assert answers == expected
    assert f'facegate_call_seconds_count{{method="{method}"}} 1.0'.encode() in metrics.render()[0]


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
