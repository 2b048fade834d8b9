"""Wraps gRPC handlers of any cardinality in a context manager.

grpc.aio passes an interceptor one of four kinds of handler. A handler with a response stream may be an
asynchronous generator, or a coroutine that writes to its context.
"""

import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from grpc.aio import ServicerContext

from server.errors import Reason, Refusal

Around = Callable[[ServicerContext[Any, Any]], AbstractAsyncContextManager[None]]
"""Returns the context manager that a call runs in. It may replace or suppress the exceptions of the call."""

_Read = Callable[[bytes], Any]
"""Parses the bytes of a request."""


def wrap(handler: "grpc.RpcMethodHandler[Any, Any]", around: Around) -> "grpc.RpcMethodHandler[Any, Any]":
    """Returns ``handler`` with each call run inside ``around(context)``."""
    read = None if handler.request_streaming else handler.request_deserializer
    if handler.response_streaming:
        inner = handler.stream_stream if handler.request_streaming else handler.unary_stream
        generates = inspect.isasyncgenfunction(inner)
        behaviour = _generator(inner, around, read) if generates else _coroutine(inner, around, read)
        make = (
            grpc.stream_stream_rpc_method_handler
            if handler.request_streaming
            else grpc.unary_stream_rpc_method_handler
        )
    else:
        inner = handler.stream_unary if handler.request_streaming else handler.unary_unary
        behaviour = _coroutine(inner, around, read)
        make = (
            grpc.stream_unary_rpc_method_handler
            if handler.request_streaming
            else grpc.unary_unary_rpc_method_handler
        )
    wrapped: grpc.RpcMethodHandler[Any, Any] = make(
        behaviour,
        # A single request is parsed inside ``around``, which thus also handles the error of a malformed
        # request.
        request_deserializer=handler.request_deserializer if read is None else None,
        response_serializer=handler.response_serializer,
    )
    return wrapped


def _message(request: Any, read: _Read | None) -> Any:
    if read is None:
        return request
    try:
        return read(request)
    except DecodeError as error:
        raise Refusal(
            Reason.INVALID_FIELD,
            "the request is not a serialised message of the type that the call takes",
            details={"field": "message"},
        ) from error


def _coroutine(inner: Any, around: Around, read: _Read | None) -> Any:
    async def call(request: Any, context: ServicerContext[Any, Any]) -> Any:
        # No name of this frame refers to it: grpc keeps the frames of a refused call after the call.
        given = [request]
        del request
        async with around(context):
            return await inner(_message(given.pop(), read), context)

    return call


def _generator(inner: Any, around: Around, read: _Read | None) -> Any:
    async def call(request: Any, context: ServicerContext[Any, Any]) -> AsyncIterator[Any]:
        given = [request]
        del request
        async with around(context):
            async for response in inner(_message(given.pop(), read), context):
                yield response

    return call
