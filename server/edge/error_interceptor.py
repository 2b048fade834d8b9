"""The outermost interceptor: converts refusals to statuses, and hides internal errors from clients."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
from grpc.aio import AbortError, ServerInterceptor, ServicerContext

from server.edge.failures import as_refusal, forget_traces
from server.edge.handlers import wrap
from server.edge.status import to_status
from server.telemetry.metrics import Metrics
from server.telemetry.stages import CallSpan


class ErrorInterceptor(ServerInterceptor):
    """Maps exceptions to statuses for every handler of a listener."""

    def __init__(self, metrics: Metrics, *, trusted: bool = False) -> None:
        """Sets the metrics, which count refusals and time calls.

        Args:
            metrics: The metrics.
            trusted: Whether callers may decide that their traces are sent.
        """
        self._metrics = metrics
        self._trusted = trusted

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
        return wrap(handler, lambda context: _mapped(context, method, self._metrics, trusted=self._trusted))


@asynccontextmanager
async def _mapped(
    context: ServicerContext[Any, Any], method: str, metrics: Metrics, *, trusted: bool
) -> AsyncIterator[None]:
    metadata = tuple(context.invocation_metadata() or ())
    with metrics.stages.call(method, metadata, trusted=trusted) as span:
        try:
            yield
        except (AbortError, asyncio.CancelledError, grpc.aio.UsageError):
            raise
        except Exception as error:  # noqa: BLE001 - the one place that hides errors from clients
            await _refuse(context, error, method, metrics, span=span)


async def _refuse(
    context: ServicerContext[Any, Any], error: Exception, method: str, metrics: Metrics, *, span: CallSpan
) -> None:
    refusal = as_refusal(error, method=method)
    span.note_refusal(refusal.reason.value)
    metrics.calls.call_refused(refusal.reason.value)
    forget_traces(error)
    await context.abort_with_status(to_status(refusal))
