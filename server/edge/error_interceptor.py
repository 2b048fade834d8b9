"""The outermost interceptor: refusals become statuses, and nothing internal ever reaches a client."""

import asyncio
import secrets
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
    except Exception as error:  # noqa: BLE001 - the one place that hides what went wrong from clients
        refusal = _refusal(error, method)
        metrics.call_refused(refusal.reason.value)
        await context.abort_with_status(to_status(refusal))


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
