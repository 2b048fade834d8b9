"""The outermost interceptor: converts refusals to statuses, and hides internal errors from clients."""

import asyncio
import secrets
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import structlog
from grpc.aio import AbortError, ServerInterceptor, ServicerContext

from server.edge.handlers import wrap
from server.edge.status import to_status
from server.errors import Reason, Refusal
from server.storage.errors import StorageUnavailable
from server.telemetry.metrics import Metrics

_RETRY_SECONDS = 2.0
_log = structlog.get_logger(__name__)


class ErrorInterceptor(ServerInterceptor):
    """Maps exceptions to statuses for every handler of a listener."""

    def __init__(self, metrics: Metrics) -> None:
        """Counts refusals in ``metrics``."""
        self._metrics = metrics

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
        return wrap(handler, lambda context: _mapped(context, method, self._metrics))


@asynccontextmanager
async def _mapped(context: ServicerContext[Any, Any], method: str, metrics: Metrics) -> AsyncIterator[None]:
    try:
        yield
    except (AbortError, asyncio.CancelledError, grpc.aio.UsageError):
        raise
    except Exception as error:  # noqa: BLE001 - the one place that hides errors from clients
        await _refuse(context, error, method, metrics)


async def _refuse(
    context: ServicerContext[Any, Any], error: Exception, method: str, metrics: Metrics
) -> None:
    refusal = _refusal(error, method)
    metrics.calls.call_refused(refusal.reason.value)
    _forget_traces(error)
    await context.abort_with_status(to_status(refusal))


def _forget_traces(error: BaseException) -> None:
    """Clears the frames of an error's tracebacks, which refer to the uploaded data.

    grpc keeps the error of an aborted call in a reference cycle, which would hold megabytes for each call
    until the garbage collector runs.
    """
    left: list[BaseException | None] = [error]
    while left:
        found = left.pop()
        if found is not None and found.__traceback__ is not None:
            traceback.clear_frames(found.__traceback__)
            found.__traceback__ = None
            left += [found.__cause__, found.__context__]


def _refusal(error: Exception, method: str) -> Refusal:
    if isinstance(error, Refusal):
        _log.info("call_refused", method=method, reason=error.reason.value)
        return error
    if isinstance(error, StorageUnavailable):
        _log.error("storage_unavailable", method=method, exc_info=error)
        return Refusal(
            Reason.NOT_SERVING, "the server cannot reach its storage; try again", retry_after=_RETRY_SECONDS
        )
    incident = secrets.token_hex(8)
    _log.error("call_failed", method=method, incident_id=incident, exc_info=error)
    return Refusal(
        Reason.INTERNAL,
        f"the server failed; its log has the incident {incident}",
        details={"incidentId": incident},
    )
