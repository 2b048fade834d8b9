"""One tested way to put something around a gRPC handler, whatever its cardinality.

grpc.aio hands an interceptor one of four kinds of handler, and a streaming one may be an asynchronous
generator or a coroutine that writes to its context.
"""

import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import grpc
from grpc.aio import ServicerContext

Around = Callable[[ServicerContext[Any, Any]], AbstractAsyncContextManager[None]]
"""Makes the context manager that a call runs in; what it raises or swallows decides the call's fate."""


def wrap(handler: "grpc.RpcMethodHandler[Any, Any]", around: Around) -> "grpc.RpcMethodHandler[Any, Any]":
    """``handler`` with each of its calls run inside ``around(context)``."""
    if handler.response_streaming:
        inner = handler.stream_stream if handler.request_streaming else handler.unary_stream
        generates = inspect.isasyncgenfunction(inner)
        behaviour = _generator(inner, around) if generates else _coroutine(inner, around)
        make = (
            grpc.stream_stream_rpc_method_handler
            if handler.request_streaming
            else grpc.unary_stream_rpc_method_handler
        )
    else:
        inner = handler.stream_unary if handler.request_streaming else handler.unary_unary
        behaviour = _coroutine(inner, around)
        make = (
            grpc.stream_unary_rpc_method_handler
            if handler.request_streaming
            else grpc.unary_unary_rpc_method_handler
        )
    wrapped: grpc.RpcMethodHandler[Any, Any] = make(
        behaviour,
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )
    return wrapped


def _coroutine(inner: Any, around: Around) -> Any:
    async def call(request: Any, context: ServicerContext[Any, Any]) -> Any:
        async with around(context):
            return await inner(request, context)

    return call


def _generator(inner: Any, around: Around) -> Any:
    async def call(request: Any, context: ServicerContext[Any, Any]) -> AsyncIterator[Any]:
        async with around(context):
            async for response in inner(request, context):
                yield response

    return call
