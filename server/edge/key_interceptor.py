"""Turns callers without an API key away before a byte of their message is read.

grpc reads the whole message of a unary call before it calls the handler, so that a servicer's own look at the
key comes too late: whoever reaches the port could make the server hold the largest message, in as many calls
as connections allow, and never send the last byte.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from typing import Any, NoReturn

import grpc
from grpc.aio import ServerInterceptor, ServicerContext

from server.edge.callers import CallerIdentifier
from server.errors import Refusal

__all__ = ["KeyInterceptor"]


class KeyInterceptor(ServerInterceptor):
    """Looks at the key of every call of some services."""

    def __init__(self, callers: CallerIdentifier, *, services: Collection[str]) -> None:
        """Takes who may call.

        Args:
            callers: Knows the keys.
            services: Full names of the services that need one; health and reflection do not.
        """
        self._callers = callers
        self._services = services

    async def intercept_service(
        self,
        continuation: Callable[
            [grpc.HandlerCallDetails], Awaitable["grpc.RpcMethodHandler[Any, Any] | None"]
        ],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """Puts a handler that reads nothing in the place of the call's own, where the key is missing."""
        service = str(handler_call_details.method).rpartition("/")[0].lstrip("/")
        if service in self._services:
            try:
                self._callers.check_key(handler_call_details.invocation_metadata)
            except Refusal as refusal:
                return _refusing(refusal)
        return await continuation(handler_call_details)


def _refusing(refusal: Refusal) -> "grpc.RpcMethodHandler[Any, Any]":
    async def refuse(requests: AsyncIterator[Any], context: ServicerContext[Any, Any]) -> NoReturn:
        raise refusal

    # Of the streaming kind for every call: grpc reads messages of such a one only when asked.
    handler: grpc.RpcMethodHandler[Any, Any] = grpc.stream_unary_rpc_method_handler(refuse)
    return handler
