"""The outermost interceptor: converts refusals to statuses, and hides internal errors from clients."""

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import grpc
from grpc.aio import AbortError, ServerInterceptor, ServicerContext

from server.base.errors import Reason, Refusal
from server.edge.status import as_refusal, forget_traces, to_status
from server.telemetry.metrics import Metrics
from server.telemetry.stages import CallSpan

_LOOK_SECONDS = 0.01
_RETRY_SECONDS = 3.0

_Context = ServicerContext[Any, Any]
_Around = Callable[[_Context], AbstractAsyncContextManager[None]]
"""Returns the context manager that a call runs in. It may replace or suppress the exceptions of the call."""


class ErrorInterceptor(ServerInterceptor):
    """Maps exceptions to statuses for every handler of a listener, and ends its calls when it closes.

    grpc ends calls with CANCELLED, without a reason, if they still run when its server stops, or arrive then.
    Behind it stands the ``Gate``, which makes every handler one of a request stream.
    """

    def __init__(self, metrics: Metrics, *, trusted: bool = False) -> None:
        """Sets the metrics, which count refusals and time calls.

        Args:
            trusted: Whether callers may decide that their traces are sent.
        """
        self._metrics = metrics
        self._trusted = trusted
        self._running: set[asyncio.Timeout] = set()
        self._latest = 0.0
        self._closing = False

    async def close(self, seconds: float, *, quiet: float) -> None:
        """Refuses further calls, and those that still run at the end, with NOT_SERVING.

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
        """Wraps the handler; an unknown method stays unknown."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return handler
        method = str(handler_call_details.method)
        return _wrapped(handler, lambda context: self._mapped(context, method))

    @asynccontextmanager
    async def _mapped(self, context: ServicerContext[Any, Any], method: str) -> AsyncIterator[None]:
        metadata = tuple(context.invocation_metadata() or ())
        with self._metrics.stages.call(method, metadata, trusted=self._trusted) as span:
            try:
                async with self._served():
                    yield
            except (AbortError, asyncio.CancelledError, grpc.aio.UsageError):
                raise
            except Exception as error:  # noqa: BLE001 - the one place that hides errors from clients
                await _refuse(context, error, method, self._metrics, span=span)

    @asynccontextmanager
    async def _served(self) -> AsyncIterator[None]:
        self._latest = time.monotonic()
        if self._closing:
            raise _stopping()
        call = asyncio.timeout(None)
        try:
            async with call:
                self._running.add(call)
                try:
                    yield
                finally:
                    self._running.discard(call)
        except TimeoutError:
            if call.expired():
                raise _stopping() from None
            raise


def _stopping() -> Refusal:
    return Refusal(
        Reason.NOT_SERVING,
        "the server is shutting down; try again",
        retry_after=_RETRY_SECONDS,
    )


async def _refuse(
    context: ServicerContext[Any, Any], error: Exception, method: str, metrics: Metrics, *, span: CallSpan
) -> None:
    refusal = as_refusal(error, method=method)
    span.mark_refused(refusal.reason.value)
    metrics.calls.call_refused(refusal.reason.value)
    forget_traces(error)
    await context.abort_with_status(to_status(refusal))


def _wrapped(
    handler: "grpc.RpcMethodHandler[Any, Any]", around: _Around
) -> "grpc.RpcMethodHandler[Any, Any]":
    """Returns a handler of a request stream with each call run inside ``around``.

    A handler with a response stream may be an asynchronous generator, or a coroutine that writes to its
    context.
    """
    inner: Any = handler.stream_stream if handler.response_streaming else handler.stream_unary
    if handler.response_streaming and inspect.isasyncgenfunction(inner):

        async def generate(requests: Any, context: _Context) -> AsyncIterator[Any]:
            async with around(context):
                async for response in inner(requests, context):
                    yield response

        behaviour: Any = generate
    else:

        async def call(requests: Any, context: _Context) -> Any:
            async with around(context):
                return await inner(requests, context)

        behaviour = call
    make = (
        grpc.stream_stream_rpc_method_handler
        if handler.response_streaming
        else grpc.stream_unary_rpc_method_handler
    )
    wrapped: grpc.RpcMethodHandler[Any, Any] = make(
        behaviour,
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )
    return wrapped
